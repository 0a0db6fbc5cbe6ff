"""A rough mask of the query, SAM's mask prompt beside the tokens: an addition of icvos, not of the paper."""

from typing import cast

import torch
from torch import Tensor, nn

from icvos.models.prior import stretched

STEEPNESS, MIDDLE = 10.0, 0.7  # of the mask that a new head makes of the prior alone
HIDDEN = 64  # channels


class MaskPrompt(nn.Module):
    """What the prior shows, corrected by what the fused features tell; a new head leaves the prior as it is.

    Args:
        width: C.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.likely = nn.Conv2d(1, 1, 1)
        self.corrected = nn.Sequential(
            nn.Conv2d(width + 1, HIDDEN, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(HIDDEN, HIDDEN, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(HIDDEN, 1, 1),
        )
        last = cast(nn.Conv2d, self.corrected[-1])
        nn.init.constant_(self.likely.weight, STEEPNESS)
        nn.init.constant_(cast(Tensor, self.likely.bias), -STEEPNESS * MIDDLE)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(cast(Tensor, last.bias))

    def forward(self, query: Tensor, prior: Tensor) -> Tensor:
        """(B, 1, h, w) logits of the rough mask, of (B, C, h, w) fused features and a (B, 1, h, w) prior."""
        prior = stretched(prior)
        found: Tensor = self.likely(prior) + self.corrected(torch.cat([query, prior], 1))
        return found
