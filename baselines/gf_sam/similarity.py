"""How alike patches of the query and of the supports are, on the object and beside it, and the points that follow.

Maps are (n, n) on the grid of patches, features (N, C), N = n n, row by row.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

MOST = 128  # points


@dataclass(frozen=True, slots=True)
class Likeness:
    """Maps of the query, (n, n) float32 each.

    Args:
        mean: To the supports' objects: the mean over their patches.
        greatest: The same, of the most similar patch.
        outside: To what is beside the objects, the mean.
    """

    mean: Tensor
    greatest: Tensor
    outside: Tensor

    @property
    def half(self) -> Tensor:
        """The middle of the range of ``mean``."""
        return (self.mean.max() + self.mean.min()) / 2

    @property
    def evidence(self) -> Tensor:
        """Above 0 where a patch is of the object."""
        return self.mean.square() - self.outside * self.half


def by_channel(tokens: Tensor) -> Tensor:
    """(N, C) features of one picture, each channel of length 1 over its patches, as published."""
    return functional.normalize(tokens, dim=0)


def all_alike(features: Tensor) -> Tensor:
    """(N, C + 1): with one more channel, by which a cosine c becomes (1 + c) / 2.

    The comparisons are made for features all of which resemble each other a little, as DINOv2's do.
    """
    return torch.cat([features, features.norm(dim=1, keepdim=True)], 1)


def cosine(first: Tensor, second: Tensor) -> Tensor:
    """(N, M) of (N, C) and (M, C)."""
    return first @ second.T / (first.norm(dim=1)[:, None] * second.norm(dim=1) + 1e-7)


def weighted(weights: Tensor, alike: Tensor) -> Tensor:
    """(K, M): the means of (N, M) by (K, N) weights."""
    return (weights @ alike / len(alike)) / (weights.mean(1, keepdim=True) + 1e-7)


def patch_weights(masks: Tensor, grid: int) -> Tensor:
    """(S, N) of (S, L, L) float masks, bilinear with aligned corners."""
    small = functional.interpolate(masks[:, None], size=(grid, grid), mode="bilinear", align_corners=True)
    return small.flatten(1)


def likeness(supports: Tensor, masks: Tensor, query: Tensor) -> Likeness:
    """Compare a query with supports, each alone, and average.

    Args:
        supports: (S, N, C).
        masks: (S, L, L) float32 of 0 and 1.
        query: (N, C).
    """
    grid = round(len(query) ** 0.5)
    inside, outside = patch_weights(masks, grid), patch_weights(1 - masks, grid)
    maps = []
    for features, on, beside in zip(supports, inside, outside, strict=True):
        alike = cosine(features, query)
        mean, other = weighted(torch.stack([on, beside]), alike)
        maps.append(torch.stack([mean, (on[:, None] * alike).amax(0), other]))
    mean, greatest, other = torch.stack(maps).mean(0).unflatten(1, (grid, grid))
    return Likeness(mean, greatest, other)


def stretched(x: Tensor) -> Tensor:
    """From 0 to 1."""
    return (x - x.min()) / (x.max() - x.min() + 1e-6)


def prompt_map(maps: Likeness) -> Tensor:
    """(n, n): how much of the object a patch is, 0 where it is more like what is beside it."""
    inside, outside = stretched(maps.mean * maps.greatest), stretched(maps.outside)
    return torch.where(outside <= inside, inside, 0)


def points_of(found: Tensor) -> Tensor:
    """(K, 2) int64, x and y of the K strongest patches, column by column; K follows from the sum, and is 128 at most.

    None where all of the (n, n) map is 0.
    """
    total = float(found.sum())
    count = min(int(total), MOST) or int(total > 0)
    chosen = found.flatten().topk(count).indices
    columns, rows = chosen % found.shape[1], chosen // found.shape[1]
    order = (columns * found.shape[0] + rows).argsort()
    return torch.stack([columns[order], rows[order]], 1)
