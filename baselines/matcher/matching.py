"""Where the target is: patches of supports and query assigned to each other, forwards and back."""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torch.nn import functional

from icvos.models.backbones.dinov2 import PATCH
from icvos.models.backbones.patches import GRID, SIDE

UNCUT = 40  # pairs that are all kept


@dataclass(frozen=True, slots=True)
class Match:
    """What the matching found, P target patches, m = min(P, N) pairs, N = 1369 query patches.

    Args:
        target: (S N,) bool, patches of the supports that the target covers anywhere.
        rows: (m,) the target patches that were paired, counted among the target patches.
        columns: (m,) the query patches they were paired with.
        back: (m,) the support patches that the way back found for these.
        retained: (m,) bool, the way back ended on the target.
        similarity: (m,) float32 of the pairs.
        patches: The query patches that are kept.
        cost: (P, N) float32 in [0, 1]: (1 - similarity) / 2 of target patches and query patches.
    """

    target: np.ndarray
    rows: np.ndarray
    columns: np.ndarray
    back: np.ndarray
    retained: np.ndarray
    similarity: np.ndarray
    patches: list[int]
    cost: np.ndarray

    @property
    def points(self) -> np.ndarray:
        """(K, 2) int64, the kept patches' centres, (x, y) in pixels of the square."""
        index = np.array(self.patches, dtype=np.int64)
        return np.stack([index % GRID * PATCH + PATCH // 2, index // GRID * PATCH + PATCH // 2], axis=1)

    @property
    def box(self) -> np.ndarray:
        """(4,) int64: the extremes of the points, without a margin."""
        points = self.points
        return np.concatenate([points.min(0), points.max(0)])


def target_patches(masks: Tensor) -> np.ndarray:
    """(S N,) bool of (S, 518, 518) masks of 0 and 1: patches of which any pixel is covered.

    Where all masks are empty, the middle patch of every support stands in.
    """
    if not bool(masks.any()):
        masks = masks.clone()
        middle = slice(SIDE // 2 - PATCH // 2, SIDE // 2 + PATCH // 2)
        masks[:, middle, middle] = 1
    pooled = functional.max_pool2d(masks[:, None].float(), PATCH)
    return pooled.flatten().cpu().numpy() > 0


def match(supports: Tensor, query: Tensor, target: np.ndarray) -> Match:
    """Pair patches.

    Args:
        supports: (S N, D) float32 unit features of all supports.
        query: (N, D) float32 unit features.
        target: (S N,) bool.
    """
    similarity = (supports @ query.T).cpu().numpy()
    inside = similarity[target]
    rows, columns = linear_sum_assignment(inside, maximize=True)
    _, back = linear_sum_assignment(similarity.T[columns], maximize=True)
    values, retained = inside[rows, columns], target[back]
    kept = np.flatnonzero(retained) if retained.any() else np.arange(len(rows))
    kept = kept[np.argsort(-values[kept], kind="stable")]
    if len(kept) > UNCUT:
        kept = kept[: len(kept) // 2]
    # The published order of the points, which seeds the sampling, is that of a set of their numbers.
    patches = list({int(index) for index in columns[kept]})
    return Match(target, rows, columns, back, retained, values, patches, (1 - inside) / 2)


def unit_features(tokens: Tensor) -> Tensor:
    """(N, D) of length 1."""
    return functional.normalize(tokens, dim=-1)


def square_mask(mask: np.ndarray) -> Tensor:
    """(518, 518) float32 of 0 and 1: a (H, W) bool mask by nearest neighbour."""
    given = torch.from_numpy(mask.astype(np.float32))[None, None]
    return functional.interpolate(given, size=(SIDE, SIDE), mode="nearest")[0, 0]
