"""Cyclic-consistent attention, equations (17) to (20) of the paper: tokens look only at cells that agree with the mask.

A cell is kept where the way from it to the token that it fits best, and on to the cell that this token fits best, ends
in a cell of the same kind, both on the object or both off it. All other cells are hidden from every token of the head.
"""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

Fidelity = Literal["published", "paper"]


def cycle_consistent(affinity: Tensor, mask: Tensor) -> Tensor:
    """(B, H, M) bool: which cells each head keeps.

    A head never loses all its cells: that of its greatest affinity is the end of its own cycle.

    Args:
        affinity: (B, H, N, M) of N tokens with M cells in each of H heads.
        mask: (B, H, M), a value for each cell; only whether two are equal counts.
    """
    token_of_cell, cell_of_token = affinity.argmax(2), affinity.argmax(3)
    return mask == mask.gather(2, cell_of_token.gather(2, token_of_cell))


def masks_of_heads(mask: Tensor, heads: int, fidelity: Fidelity) -> Tensor:
    """(B, H, M): the mask that each head of each sample is filtered by, from (B, M).

    It is the sample's own. The published code tiles the masks in another order than the heads, so that in a batch of
    more than one a head may be given another sample's: head h of sample b has mask (b H + h) mod B.
    """
    batch = len(mask)
    if fidelity == "paper":
        return mask[:, None].expand(-1, heads, -1)
    return mask[torch.arange(batch * heads, device=mask.device) % batch].unflatten(0, (batch, heads))


class CyclicAttention(nn.Module):
    """LN(t + attention(t + e, X + PE, X)) over the cells that are kept; published inner names, no dropout."""

    def __init__(self, width: int = 256, heads: int = 4, fidelity: Fidelity = "published", cyclic: bool = True) -> None:
        super().__init__()
        self.multihead_attn = nn.MultiheadAttention(width, heads, batch_first=True)  # its projections alone are used
        self.norm = nn.LayerNorm(width)
        self.heads = heads
        self.fidelity = fidelity
        self.cyclic = cyclic

    def forward(self, tokens: Tensor, places: Tensor, features: Tensor, positions: Tensor, mask: Tensor) -> Tensor:
        """(B, N, C) tokens after one look at the features.

        Args:
            tokens: (B, N, C).
            places: (1 or B, N, C), the tokens' learned positions.
            features: (B, M, C), the cells of a map.
            positions: (1 or B, M, C), the cells' sine positions, which are not part of what is read.
            mask: (B, M) of 0 and 1.
        """
        weights, values = self.weights(tokens + places, features + positions, features, mask)
        found: Tensor = self.multihead_attn.out_proj((weights @ values).transpose(1, 2).flatten(2))
        normal: Tensor = self.norm(tokens + found)
        return normal

    def weights(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """(B, H, N, M) attention weights and (B, H, M, C / H) projected values."""
        affinity, values = self.affinity(query, key, value, mask)
        return affinity.softmax(3), values

    def affinity(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """(B, H, N, M), -inf at the cells that a head does not keep, and (B, H, M, C / H) projected values."""
        q, k, v = self._projected(query, key, value)
        affinity = q @ k.transpose(2, 3) / q.shape[3] ** 0.5
        if self.cyclic:
            kept = cycle_consistent(affinity.detach(), masks_of_heads(mask, self.heads, self.fidelity))
            affinity = affinity.masked_fill(~kept[:, :, None], -torch.inf)
        return affinity, v

    def _projected(self, *inputs: Tensor) -> list[Tensor]:
        """Query, key and value, (B, H, N or M, C / H) each."""
        parts = zip(self.multihead_attn.in_proj_weight.chunk(3), self.multihead_attn.in_proj_bias.chunk(3), strict=True)
        return [
            functional.linear(x, weight, bias).unflatten(2, (self.heads, -1)).transpose(1, 2)
            for x, (weight, bias) in zip(inputs, parts, strict=True)
        ]
