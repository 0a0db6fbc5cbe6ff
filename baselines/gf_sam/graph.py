"""Which of the points' masks are the answer: clusters of masks that cover each other's points, and two tests.

Points are (K, 2) int64, x and y on the grid of n x n patches.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from baselines.gf_sam.similarity import Likeness, cosine, weighted


@dataclass(frozen=True, slots=True)
class Masks:
    """The mask of every point.

    Args:
        grid: n.
        full: (K, L, L) bool.
        hard: (K, n, n) bool, by nearest neighbour.
        soft: (K, n, n) float32, bilinear without aligned corners.
    """

    grid: int
    full: Tensor
    hard: Tensor
    soft: Tensor

    @classmethod
    def of(cls, full: Tensor, grid: int) -> "Masks":
        """Of (K, L, L) bool masks."""
        return cls(grid, full, *reduced(full, grid))

    @classmethod
    def joined(cls, parts: "list[Masks]") -> "Masks":
        """Several, one behind the other."""
        return cls(
            parts[0].grid, *(torch.cat([getattr(one, name) for one in parts]) for name in ("full", "hard", "soft"))
        )


def reduced(full: Tensor, grid: int) -> tuple[Tensor, Tensor]:
    """(K, n, n) bool by nearest neighbour and (K, n, n) float32 by bilinear interpolation, of (K, L, L) bool masks."""
    given = full[:, None].float()
    hard = functional.interpolate(given, size=(grid, grid), mode="nearest")[:, 0] > 0
    soft = functional.interpolate(given, size=(grid, grid), mode="bilinear", align_corners=False)[:, 0]
    return hard, soft


def covering(masks: Masks, points: Tensor) -> Tensor:
    """(K, K) bool: the mask of point i covers point j."""
    return masks.hard[:, points[:, 1], points[:, 0]]


def components(covers: Tensor) -> Tensor:
    """(K,) int64: the weakly connected component of each point, numbered by its first point."""
    linked = covers | covers.T
    number = torch.arange(len(covers), device=covers.device)
    while True:
        least = torch.where(linked, number, len(covers)).amin(1, keepdim=False).minimum(number)
        least = least[least]
        if torch.equal(least, number):
            break
        number = least
    return number.unique(return_inverse=True)[1]


def grow(masks: Masks, clusters: Tensor, maps: Likeness) -> tuple[Tensor, Tensor]:
    """Whether what a mask adds to the accepted ones before it, in its cluster, is more of the object than not.

    Returns:
        (K,) bool; and (K,) float32, the score of each point's cluster: by how much for the last of its masks, as
        published.
    """
    evidence = maps.evidence
    inside = (evidence > 0).float()
    weight = (masks.soft * evidence).sum((1, 2)) / (masks.soft.sum((1, 2)) + 1e-6)
    passed = torch.zeros(len(clusters), dtype=torch.bool, device=clusters.device)
    scores = torch.zeros(len(clusters), device=clusters.device)
    for cluster in range(int(clusters.max()) + 1):
        members = (clusters == cluster).nonzero()[:, 0]
        accepted = torch.zeros_like(evidence)
        # Equal masks have one weight, and all but the first of them add little: the order of ties is torch's own, as
        # in the published program.
        for member in members[weight[members].argsort(descending=True)].tolist():
            added = masks.soft[member] * (1 - accepted)
            more, less = (inside * added).sum(), ((1 - inside) * added).sum()
            if more > less:
                accepted += added
                passed[member] = True
            scores[members] = more - less
    return passed, scores


def consistent(masks: Masks, clusters: Tensor, points: Tensor, query: Tensor) -> Tensor:
    """(K,) bool: the cluster that a point resembles most, for its distance, is its own.

    None of a cluster of which fewer than half would be.

    Args:
        masks: The masks of the points.
        clusters: (K,), see `components`.
        points: (K, 2).
        query: (N, C) features.
    """
    count = int(clusters.max()) + 1
    unions = torch.stack([masks.full[clusters == cluster].any(0) for cluster in range(count)])
    _, soft = reduced(unions, masks.grid)
    maps = weighted(soft.flatten(1), cosine(query, query)).unflatten(1, (masks.grid, masks.grid))
    places = points.float()
    apart = torch.cdist(places, places, compute_mode="donot_use_mm_for_euclid_dist")
    distance = torch.stack([apart[clusters == cluster].amin(0) for cluster in range(count)])
    distance = torch.where(distance == 0, 1, distance)
    nearest = (maps[:, points[:, 1], points[:, 0]] / distance).argmax(0)
    own = nearest == clusters
    sizes, kept = torch.bincount(clusters, minlength=count), torch.bincount(clusters, own.float(), minlength=count)
    return own & (kept >= sizes - kept)[clusters]


@dataclass(frozen=True, slots=True)
class Chosen:
    """What became of the points.

    Args:
        covers: (K, K) bool, see `covering`.
        clusters: (K,) int64, see `components`.
        passed: (K,) bool, see `grow`.
        labels: (K,) int64: 1 passed and consistent, 2 one of the two, 0 neither.
        scores: (K,) float32, of each point's cluster; where no mask was left, 0 for points of another label than 2.
        mask: (L, L) bool, the answer.
    """

    covers: Tensor
    clusters: Tensor
    passed: Tensor
    labels: Tensor
    scores: Tensor
    mask: Tensor


def choose(masks: Masks, points: Tensor, maps: Likeness, query: Tensor) -> Chosen:
    """The union of the masks that pass both tests; where that is empty, one mask of the best cluster."""
    covers = covering(masks, points)
    clusters = components(covers)
    passed, scores = grow(masks, clusters, maps)
    agrees = consistent(masks, clusters, points, query)
    labels = torch.where(passed & agrees, 1, torch.where(passed | agrees, 2, 0))
    mask = masks.full[labels == 1].any(0)
    if not bool(mask.any()):
        scores = torch.where(labels == 2, scores, 0)
        mask = masks.full[int(scores.argmax())]
    return Chosen(covers, clusters, passed, labels, scores, mask)
