"""EfficientNet-Lite0 in five stages, as the few-shot networks want a backbone; its weights come with a package."""

import torch
from torch import Tensor, nn

from icvos.models.backbones.lite0 import STANDARDISED, EfficientNetLite0, fold_norms, lite0_weights
from icvos.models.backbones.stages import Staged
from icvos.models.weights.load import Loaded, State, fit_state, load_weights

NAME = "efficientnet-lite0"
ENDS = (1, 3, 5, 11, 16)  # blocks before the end of each stage


class FromImageNet(nn.Module):
    """Pictures that are standardised with ImageNet's mean and deviation, as Lite0's weights expect them."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) to the same."""
        scale, shift = (value.to(x) for value in STANDARDISED)
        return x * scale + shift


class Lite0Stages(Staged):
    """The five stages at strides 2, 4, 8, 16 and 32, with 16, 24, 40, 112 and 320 channels.

    Batch norms are folded into convolutions, so that nothing of a frozen backbone moves in training mode.

    Args:
        body: Whose blocks become the stages; None makes one.
    """

    channels = tuple(EfficientNetLite0.channels[end - 1] for end in ENDS)
    strides = tuple(EfficientNetLite0.strides[end - 1] for end in ENDS)

    def __init__(self, body: EfficientNetLite0 | None = None) -> None:
        super().__init__()
        body = (body or EfficientNetLite0()).eval()
        fold_norms(body)
        parts = [nn.Sequential(*body._blocks[start:end]) for start, end in zip((0, *ENDS), ENDS, strict=False)]
        self.layer0 = nn.Sequential(FromImageNet(), body._conv_stem, nn.ReLU6(), *parts[0])
        self.layer1, self.layer2, self.layer3, self.layer4 = parts[1:]
        self.to(memory_format=torch.channels_last)  # a third of the time less on a processor

    def load_published(self, checkpoint: str) -> Loaded:
        """Load the ImageNet file, by its path or from its package; its batch norms are folded first."""

        def folded(state: State) -> State:
            body = EfficientNetLite0()
            fit_state(body, state, checkpoint)
            return Lite0Stages(body).state_dict()

        return load_weights(self, str(lite0_weights()) if checkpoint == NAME else checkpoint, folded)
