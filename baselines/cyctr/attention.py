"""The two attentions of CyCTR: a query with itself at places that it chooses, and with keys that are cycle-consistent.

N = h w is the number of the query's cells, n that of the keys.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

DROPOUT = 0.1  # of everything in the transformer
POINTS = 9  # places that a cell looks at, in every head
BLOCKED = -10000.0  # added to the score of a blocked key: were all of a head blocked, it would attend as ever


class DeformableAttention(nn.Module):
    """Every cell mixes values at places around it, which it chooses itself, in every head.

    After Deformable DETR (Zhu et al., ICLR 2021), for one level; sampling is bilinear and 0 outside of the map.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.sampling_offsets = nn.Linear(width, heads * POINTS * 2)
        self.attention_weights = nn.Linear(width, heads * POINTS)
        self.value_proj = nn.Linear(width, width, bias=False)
        self.output_proj = nn.Linear(width, width, bias=False)
        self.dropout = nn.Dropout(DROPOUT)

    def begin(self) -> None:
        """The published start: each head looks along its own direction, 1 to 9 cells away, at all places alike."""
        angle = torch.arange(self.heads) * (2 * math.pi / self.heads)
        direction = torch.stack([angle.cos(), angle.sin()], 1)
        direction = direction / direction.abs().amax(1, keepdim=True)
        star = direction[:, None] * torch.arange(1, POINTS + 1)[:, None]
        self.sampling_offsets.bias.data = star.flatten().clone()
        for tensor in (self.sampling_offsets.weight, self.attention_weights.weight, self.attention_weights.bias):
            nn.init.zeros_(tensor)

    def forward(self, x: Tensor, positions: Tensor, padded: Tensor, size: tuple[int, int]) -> Tensor:
        """(B, N, C) tokens to the same.

        Args:
            x: The tokens of a map.
            positions: (B, N, C), added to what chooses the places, not to what is mixed.
            padded: (B, N) bool: cells whose values are 0.
            size: (h, w) of the map.
        """
        value = self.value_proj(x)
        if self.training:  # whole tokens, and the others are not scaled
            value = value * (torch.rand(value.shape[:2], device=value.device) >= DROPOUT)[..., None]
        value = value.masked_fill(padded[..., None], 0)
        asking = x + positions
        offsets = self.sampling_offsets(asking).unflatten(2, (self.heads, POINTS, 2))  # B N heads points (x, y)
        weights = self.dropout(self.attention_weights(asking).unflatten(2, (self.heads, POINTS)).softmax(3))
        height, width = size
        rows, columns = torch.meshgrid(
            torch.arange(height, device=x.device), torch.arange(width, device=x.device), indexing="ij"
        )
        own = torch.stack([columns.flatten(), rows.flatten()], 1)[:, None, None] + 0.5
        places = 2 * (own + offsets) / torch.tensor([width, height], device=x.device) - 1
        maps = value.transpose(1, 2).unflatten(1, (self.heads, -1)).unflatten(3, size).flatten(0, 1)
        seen = functional.grid_sample(maps, places.transpose(1, 2).flatten(0, 1), align_corners=False)
        mixed = (seen * weights.transpose(1, 2).flatten(0, 1)[:, None]).sum(3)  # (B heads) (C / heads) N
        found: Tensor = self.output_proj(mixed.unflatten(0, (len(x), -1)).flatten(1, 2).transpose(1, 2))
        return found


class CycleAttention(nn.Module):
    """Attention to keys from which the way leads back to their own kind.

    A key's way goes to the query cell that has the highest score with it, and from there to the key that has the
    highest score with that cell. If that is of the other kind, the head does not attend to the key.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q_fc, self.k_fc, self.v_fc, self.proj = (nn.Linear(width, width, bias=False) for _ in range(4))
        self.dropout = nn.Dropout(DROPOUT)

    def _split(self, x: Tensor) -> Tensor:
        """(B, N, C) to (B, heads, N, C / heads)."""
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)

    def forward(self, x: Tensor, keys: Tensor, shows: Tensor, padded: Tensor) -> tuple[Tensor, Tensor]:
        """(B, N, C) of (B, N, C) tokens, and (B, heads, n) bool: which keys are cycle-consistent, padding aside.

        Args:
            x: The query's tokens.
            keys: (B, n, C).
            shows: (B, n) bool: which keys are object.
            padded: (B, n) bool: which keys are padding, and blocked.
        """
        query, key, value = self._split(self.q_fc(x)), self._split(self.k_fc(keys)), self._split(self.v_fc(keys))
        scores = query @ key.transpose(2, 3) / query.shape[3] ** 0.5  # B heads N n
        kept = cycle_consistent(scores.detach(), shows)
        allowed = kept
        if self.training:  # some that are not are forgiven
            allowed = kept | (torch.rand(kept.shape, device=kept.device) < DROPOUT)
        blocked = padded[:, None] | ~allowed
        shares = self.dropout((scores + BLOCKED * blocked[:, :, None]).softmax(3))
        found = self.dropout(self.proj((shares @ value).transpose(1, 2).flatten(2)))
        return found, kept


def cycle_consistent(scores: Tensor, shows: Tensor) -> Tensor:
    """(B, heads, n) bool: keys whose way, by (B, heads, N, n) scores, leads back to their kind, by (B, n) flags."""
    there = scores.argmax(2)  # of every key, a cell
    back = scores.argmax(3).gather(2, there)
    flags = shows[:, None].expand_as(back)
    return flags == flags.gather(2, back)


class FeedForward(nn.Module):
    """Three times as wide, and back, beside a shortcut."""

    def __init__(self, width: int) -> None:
        super().__init__()
        wider = nn.Sequential(nn.Linear(width, 3 * width, bias=False), nn.ReLU(), nn.Dropout(DROPOUT))
        self.layers = nn.Sequential(wider, nn.Linear(3 * width, width, bias=False), nn.Dropout(DROPOUT))

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, C) to the same."""
        return x + self.layers(x)
