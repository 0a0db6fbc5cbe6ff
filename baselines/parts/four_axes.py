"""Maps with four axes, two of a query and two of a support, and 2D layers that go over one pair at a time.

A map is (B, C, Qh, Qw, Ph, Pw), the query first. Nothing loops over positions: the positions of one pair become the
batch of a 2D layer over the other. In memory channels come last, so that support planes, norms over groups of channels
and tokens for attention need no copy.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from icvos.models.maps import in_float32

Layer = Callable[[Tensor], Tensor]


def over_query(layer: Layer, x: Tensor) -> Tensor:
    """A layer from (N, C, Qh, Qw) to (N, C', Qh', Qw'), at every support position of a map."""
    planes = x.permute(0, 4, 5, 2, 3, 1).flatten(0, 2).permute(0, 3, 1, 2)
    return layer(planes).unflatten(0, (len(x), *x.shape[4:])).permute(0, 3, 4, 5, 1, 2)


def over_support(layer: Layer, x: Tensor) -> Tensor:
    """A layer from (N, C, Ph, Pw) to (N, C', Ph', Pw'), at every query position of a map."""
    planes = x.permute(0, 2, 3, 1, 4, 5).flatten(0, 2)
    return layer(planes).unflatten(0, (len(x), *x.shape[2:4])).permute(0, 3, 1, 2, 4, 5)


class Norm(nn.GroupNorm):
    """A group norm whose statistics are over all four axes; torch's own would put channels first in memory."""

    def forward(self, x: Tensor) -> Tensor:
        """A map to the same."""
        return in_float32(self._normalised)(x, self.weight, self.bias)

    def _normalised(self, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        cells = x.permute(0, 2, 3, 4, 5, 1).flatten(1, 4)  # B N C
        each = self.num_channels // self.num_groups
        variance, mean = torch.var_mean(cells.unflatten(2, (self.num_groups, each)), (1, 3), correction=0)
        scale = (variance + self.eps).rsqrt().repeat_interleave(each, 1) * weight
        shift = bias - mean.repeat_interleave(each, 1) * scale
        found = torch.addcmul(shift[:, None], cells, scale[:, None])
        return found.unflatten(1, x.shape[2:]).permute(0, 5, 1, 2, 3, 4)


@in_float32
def correlation(query: Tensor, support: Tensor) -> Tensor:
    """(B, L, Qh, Qw, Ph, Pw): cosines of all pairs of cells, those below 0 cut to 0; one batched product.

    Args:
        query: (B, L, C, Qh, Qw) taps.
        support: (B, L, C, Ph, Pw) taps. Where all channels are 0, so is the cosine.
    """
    asked, shown = (x.flatten(3) / (x.flatten(3).norm(dim=2, keepdim=True) + 1e-5) for x in (query, support))
    found = (asked.transpose(2, 3) @ shown).clamp_(min=0)
    return found.unflatten(3, support.shape[3:]).unflatten(2, query.shape[3:])


def vote(logits: Tensor) -> Tensor:
    """(B, H, W) bool: where at least half as many of (B, K, 2, H, W) shots say foreground as say so anywhere.

    As published the divisor is the largest number of votes that occurs in a picture, not K. One shot: its arg-max.
    """
    votes = (logits[:, :, 1] > logits[:, :, 0]).sum(1)
    most = votes.amax((1, 2), keepdim=True).clamp(min=1)
    return 2 * votes >= most
