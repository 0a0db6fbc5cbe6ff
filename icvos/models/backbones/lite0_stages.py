"""EfficientNet-Lite0 in five stages, as the few-shot networks want a backbone; its weights come with a package."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from icvos.models.backbones.lite0 import STANDARDISED, EfficientNetLite0, InvertedResidual, fold_norms, lite0_weights
from icvos.models.backbones.stages import Staged
from icvos.models.weights.load import Loaded, State, fit_state, load_weights

NAME = "efficientnet-lite0"
ENDS = (1, 3, 5, 11, 15)  # blocks before the end of each stage; the last block tells categories apart less well
WHOLE = (1, 3, 5, 11, 16)


class FromImageNet(nn.Module):
    """Pictures that are standardised with ImageNet's mean and deviation, as Lite0's weights expect them."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) to the same."""
        scale, shift = (value.to(x) for value in STANDARDISED)
        return x * scale + shift


class Standardised(nn.Module):
    """Every channel with mean 0 and deviation 1, by statistics that are fixed once.

    A frozen backbone's outputs differ in scale by more than ten times among channels. As they are they drown the
    prompts of a SAM that is trained on them, and tokens that are to compare them see little else than the largest.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("deviation", torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) to the same."""
        return (x - self.mean[:, None, None]) / self.deviation[:, None, None]

    @classmethod
    def by(cls, mean: Tensor, deviation: Tensor) -> "Standardised":
        """With these statistics, (C,) each."""
        made = cls(len(mean))
        made.mean.copy_(mean)
        made.deviation.copy_(deviation)
        return made

    def fit(self, x: Tensor) -> None:
        """Take the statistics of (B, C, h, w)."""
        self.mean.copy_(x.mean((0, 2, 3)))
        self.deviation.copy_(x.std((0, 2, 3)).clamp_min(1e-3))


class Lite0Stages(Staged):
    """The five stages at strides 2, 4, 8, 16 and 32, with 16, 24, 40, 112 and 192 channels.

    Batch norms are folded into convolutions, so that nothing of a frozen backbone moves in training mode.

    Args:
        body: Whose blocks become the stages, before its batch norms are folded; None makes one.
        standardised: Stages whose outputs have mean 0 and deviation 1 on ImageNet, as the batch norms remember it; the
            next stage takes that back.
        ends: Blocks before the end of each stage.
    """

    contrasts = True

    def __init__(
        self,
        body: EfficientNetLite0 | None = None,
        standardised: tuple[int, ...] = (2, 3),
        ends: tuple[int, ...] = ENDS,
    ) -> None:
        super().__init__()
        body = (body or EfficientNetLite0()).eval()
        self.standardised, self.ends = standardised, ends
        self.channels = tuple(EfficientNetLite0.channels[end - 1] for end in ends)
        self.strides = tuple(EfficientNetLite0.strides[end - 1] for end in ends)
        statistics = {stage: remembered_statistics(list(body._blocks[: ends[stage]])) for stage in standardised}
        fold_norms(body)
        parts = [nn.Sequential(*body._blocks[start:end]) for start, end in zip((0, *ends), ends, strict=False)]
        for stage, (mean, deviation) in statistics.items():
            parts[stage].append(Standardised.by(mean, deviation))
            parts[stage + 1].insert(0, Standardised.by(-mean / deviation, 1 / deviation))
        self.layer0 = nn.Sequential(FromImageNet(), body._conv_stem, nn.ReLU6(), *parts[0])
        self.layer1, self.layer2, self.layer3, self.layer4 = parts[1:]
        self.to(memory_format=torch.channels_last)  # a third of the time less on a processor

    def load_published(self, checkpoint: str) -> Loaded:
        """Load the ImageNet file, by its path or from its package; its batch norms are folded first."""

        def folded(state: State) -> State:
            body = EfficientNetLite0()
            fit_state(body, state, checkpoint)
            return Lite0Stages(body, self.standardised, self.ends).state_dict()

        return load_weights(self, str(lite0_weights()) if checkpoint == NAME else checkpoint, folded)


def remembered_statistics(blocks: Sequence[nn.Module]) -> tuple[Tensor, Tensor]:
    """Mean and deviation, (C,) each, of what the last of some blocks gives on ImageNet.

    A batch norm's output has its bias as mean and its weight as deviation; along a chain of residual blocks both add
    up, the squares of the deviations as if the blocks were independent.
    """
    mean, variance = torch.zeros(()), torch.zeros(())
    for block in reversed(blocks):
        assert isinstance(block, InvertedResidual)
        norm = block._bn2
        assert isinstance(norm, nn.BatchNorm2d)
        mean, variance = mean + norm.bias.detach(), variance + norm.weight.detach().square()
        if not block.residual:
            break
    return mean, variance.sqrt().clamp_min(1e-3)
