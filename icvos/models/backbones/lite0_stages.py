"""EfficientNet-Lite0 in five stages, as the few-shot networks want a backbone; its weights come with a package."""

from torch import Tensor, nn

from icvos.files.storage import sha256
from icvos.models.backbones.lite0 import STANDARDISED, EfficientNetLite0, lite0, lite0_weights
from icvos.models.backbones.stages import Staged
from icvos.models.weights.load import Loaded

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
    """

    channels = tuple(EfficientNetLite0.channels[end - 1] for end in ENDS)
    strides = tuple(EfficientNetLite0.strides[end - 1] for end in ENDS)

    def __init__(self) -> None:
        super().__init__()
        body = lite0()
        parts = [nn.Sequential(*body._blocks[start:end]) for start, end in zip((0, *ENDS), ENDS, strict=False)]
        self.layer0 = nn.Sequential(FromImageNet(), body._conv_stem, nn.ReLU6(), *parts[0])
        self.layer1, self.layer2, self.layer3, self.layer4 = parts[1:]

    def load_published(self, checkpoint: str) -> Loaded:  # noqa: ARG002  # there is one file, and it is loaded
        """What was loaded when the backbone was built."""
        return Loaded(lite0_weights().name, sha256(lite0_weights()))
