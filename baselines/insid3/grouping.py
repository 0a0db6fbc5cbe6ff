"""What INSID3 computes of features: positions projected out, candidates, clusters, and which of them are the target.

Features are (C, h, w) maps, of unit length over C unless said otherwise; N = h w patches, row by row.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

FEWEST_QUANTILE = 0.9  # above which patches are candidates where none is positively similar


def positional_basis(black: Tensor, count: int) -> Tensor:
    """The directions in which features of an all-black picture differ from one another, which only position does.

    Args:
        black: (C, h, w), of any length.
        count: How many directions.

    Returns:
        (C, min(count, C, N)) float32, orthonormal: the first left singular vectors of the features less their mean.
    """
    features = functional.normalize(black, dim=0).flatten(1)
    directions, _, _ = torch.linalg.svd(features - features.mean(1, keepdim=True), full_matrices=False)
    return directions[:, :count]


def debiased(features: Tensor, basis: Tensor) -> Tensor:
    """(..., C, h, w) of unit length: features without their part in the span of ``basis``."""
    flat = features.flatten(-2)
    return functional.normalize(flat - basis @ (basis.T @ flat), dim=-2).view_as(features)


def patch_mask(mask: Tensor, grid: tuple[int, int]) -> Tensor:
    """(h, w) bool: the patches of a support's object, never none.

    A patch is of the object where most of its middle is. Where no patch is, its corner counts; where no corner is in
    the mask either, the patch in the middle of the mask's pixels stands in.

    Args:
        mask: (L, L) float32 of 0 and 1, not empty.
        grid: h and w, each dividing L.
    """
    for resized in (
        functional.interpolate(mask[None, None], size=grid, mode="bilinear", align_corners=False),
        functional.interpolate(mask[None, None], size=grid, mode="nearest"),
    ):
        found = resized[0, 0] > 0.5
        if bool(found.any()):
            return found
    row, column = (mask.nonzero().float().mean(0) / (mask.shape[1] // grid[1])).long().tolist()
    found = torch.zeros(grid, dtype=torch.bool, device=mask.device)
    found[row, column] = True
    return found


def prototype_of(features: Tensor, masks: Tensor) -> Tensor:
    """(C,) of unit length: the mean feature of each support's object, and the mean of these over the supports.

    Args:
        features: (S, C, h, w), debiased.
        masks: (S, h, w) bool, none empty.
    """
    means = torch.stack([found[:, mask].mean(1) for found, mask in zip(features, masks, strict=True)])
    return functional.normalize(means.mean(0), dim=0)


def candidates_of(similarity: Tensor, target: Tensor, supports: Tensor, masks: Tensor) -> Tensor:
    """(h, w) bool: patches that are like the prototype, and whose nearest patch in a support is of its object.

    Args:
        similarity: (h, w), of the target's patches to the prototype.
        target: (C, h, w), debiased.
        supports: (S, C, h, w), debiased.
        masks: (S, h, w) bool.
    """
    forward = similarity > 0
    if not bool(forward.any()):
        forward = similarity > torch.quantile(similarity, FEWEST_QUANTILE)
    asked = target[:, forward]  # others are no candidates, whatever they resemble
    votes = torch.zeros(asked.shape[1], dtype=torch.long, device=target.device)
    for found, mask in zip(supports, masks, strict=True):
        nearest = (asked.T @ found.flatten(1)).argmax(1)
        votes += mask.flatten()[nearest]
    chosen = torch.zeros_like(forward)
    chosen[forward] = votes >= (len(supports) + 1) // 2
    return chosen


def clusters_of(features: Tensor, tau: float) -> Tensor:
    """(h, w) int64: the cluster of each patch, by average linkage of cosine distances, merged below 1 - ``tau``.

    Clusters have no sense of place and are numbered by their first patches.
    """
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    flat = features.flatten(1)
    count = flat.shape[1]
    if count == 1:
        return torch.zeros(features.shape[1:], dtype=torch.long, device=features.device)
    apart = 1 - (flat.T @ flat).clamp(-1, 1)
    condensed = squareform(apart.cpu().numpy(), checks=False)
    found = fcluster(linkage(condensed, "average"), np.nextafter(1 - tau, -np.inf), "distance")
    _, first, numbers = np.unique(found, return_index=True, return_inverse=True)
    order = np.argsort(np.argsort(first))
    return torch.from_numpy(order[numbers]).view(features.shape[1:]).to(features.device)


@dataclass(frozen=True, slots=True)
class Groups:
    """What is known of each of K clusters.

    Args:
        seed: The number of the cluster that is most like the prototype, of those with candidates.
        coverage: (K,), the share of its patches that are candidates.
        cross: (K,), the mean similarity of its patches to the prototype.
        intra: (K,), its likeness to the seed.
        combined: (K,), the product of the three, the coverage of the seed taken for 1.
    """

    seed: int
    coverage: Tensor
    cross: Tensor
    intra: Tensor
    combined: Tensor


def weigh(
    clusters: Tensor, candidates: Tensor, similarity: Tensor, prototype: Tensor, features: Tensor, target: Tensor
) -> Groups:
    """Compare the clusters with the prototype and with each other.

    Args:
        clusters: (h, w) int64, 0..K - 1.
        candidates: (h, w) bool, at least one.
        similarity: (h, w), of patches to the prototype.
        prototype: (C,).
        features: (C, h, w) as they are.
        target: (C, h, w) debiased.
    """
    number = clusters.flatten()
    count = int(number.max()) + 1
    sizes = torch.bincount(number, minlength=count).to(similarity.dtype)

    def means(values: Tensor) -> Tensor:
        """(D, K) of (D, N)."""
        return values.new_zeros(len(values), count).index_add_(1, number, values) / sizes

    coverage = means(candidates.flatten()[None].to(similarity.dtype))[0]
    cross = means(similarity.flatten()[None])[0]
    own = functional.normalize(means(target.flatten(1)), dim=0)
    whole = functional.normalize(means(features.flatten(1)), dim=0)
    likeness = (prototype @ own).masked_fill(coverage == 0, -torch.inf)
    seed = int(likeness.argmax())
    intra = whole[:, seed] @ whole
    counted = coverage.clone()
    counted[seed] = 1
    return Groups(seed, coverage, cross, intra, cross * intra * counted)


def to_pixels(patches: Tensor, side: int, size: tuple[int, int]) -> Tensor:
    """(H, W) bool of (h, w) bool: first to the square that the backbone saw, then to the picture's own size."""
    found = patches.float()[None, None]
    for wanted in ((side, side), size):
        found = (functional.interpolate(found, size=wanted, mode="bilinear", align_corners=False) > 0.5).float()
    return found[0, 0] > 0.5
