"""Which proposals are the target: three metrics, filters, and the union of the best.

The filters by coverage and purity come before the earth mover's distance, which is computed for the survivors alone and
once for equal pooled masks: the same choice as the published program's, which computes it for all.
"""

from dataclasses import dataclass, field

import cv2
import numpy as np

from icvos.models.backbones.patches import GRID


@dataclass(frozen=True, slots=True)
class Merging:
    """How proposals are scored, chosen and united; defaults are those of COCO-20i.

    Args:
        alpha: Weight of 1 - earth mover's distance.
        beta: Weight of purity times coverage ** exponent.
        exponent: See ``beta``.
        emd_filter: Least 1 - distance, or less where none reaches it; 0 = no filter. So for purity and coverage:
        purity_filter: Least purity.
        coverage_filter: Least coverage.
        score_filter: Choose by the gap to the best score; else the best few.
        gap: Largest 1 - score that the gap's rule lets pass.
        relative_gap: Largest gap to the best, over the largest 1 - score.
        least_share: Share of the best score that each of the best few must exceed; 0 = any above 0.
        most: How many proposals are united at most.
    """

    alpha: float = 1.0
    beta: float = 0.0
    exponent: float = 0.0
    emd_filter: float = 0.0
    purity_filter: float = 0.02
    coverage_filter: float = 0.0
    score_filter: bool = True
    gap: float = 0.33
    relative_gap: float = 0.1
    least_share: float = 0.0
    most: int = 9


@dataclass(slots=True)
class Metrics:
    """The metrics of M proposals; higher is better for all.

    Args:
        pooled: (M, 37, 37) bool.
        purity: (M,) points inside over patches covered.
        coverage: (M,) points inside over all points.
        cost: (P, N) cost of moving from target patches to query patches.
        moved: 1 - distance, by pooled mask.
    """

    pooled: np.ndarray
    purity: np.ndarray
    coverage: np.ndarray
    cost: np.ndarray
    moved: dict[bytes, float] = field(default_factory=dict)

    def emd(self, which: np.ndarray) -> np.ndarray:
        """(len(which),) float32: 1 - the earth mover's distance from the target patches to each pooled mask."""
        return np.array([self._emd(self.pooled[index].ravel()) for index in which], dtype=np.float32)

    def _emd(self, covered: np.ndarray) -> float:
        key = covered.tobytes()
        if key not in self.moved:
            import ot

            block = np.ascontiguousarray(self.cost[:, covered], dtype=np.float64)
            rows, columns = block.shape
            self.moved[key] = 1 - float(ot.emd2(np.full(rows, 1 / rows), np.full(columns, 1 / columns), block))
        return self.moved[key]

    def score(self, which: np.ndarray, merging: Merging) -> np.ndarray:
        """alpha * emd + beta * purity * coverage ** exponent."""
        rest = self.purity[which] * self.coverage[which] ** merging.exponent
        score: np.ndarray = (merging.alpha * self.emd(which) + merging.beta * rest).astype(np.float32)
        return score


def pool(mask: np.ndarray) -> np.ndarray:
    """(37, 37) bool: patches that a (518, 518) mask touches; an empty mask counts as covering all of them."""
    small = cv2.resize(mask.astype(np.float32), (GRID, GRID), interpolation=cv2.INTER_AREA) > 0
    touched: np.ndarray = small if small.any() else np.ones_like(small)
    return touched


def measure(masks: np.ndarray, points: np.ndarray, cost: np.ndarray) -> Metrics:
    """The metrics of (M, 518, 518) bool masks under (K, 2) matched points."""
    pooled = np.stack([pool(mask) for mask in masks])
    inside = masks[:, points[:, 1], points[:, 0]].sum(1)
    purity = (inside / pooled.sum((1, 2)) + 1e-6).astype(np.float32)
    coverage = (inside / len(points) + 1e-6).astype(np.float32)
    return Metrics(pooled, purity, coverage, cost)


def choose(metrics: Metrics, merging: Merging) -> np.ndarray:
    """The sorted numbers of the proposals whose union is the answer."""
    left = np.arange(len(metrics.purity))
    left = left[_passes(metrics.coverage[left], merging.coverage_filter)]
    if merging.emd_filter:
        left = left[_passes(metrics.emd(left), merging.emd_filter)]
    left = left[_passes(metrics.purity[left], merging.purity_filter)]
    score = metrics.score(left, merging)
    order = np.argsort(-score, kind="stable")
    left, score = left[order], score[order]
    if merging.score_filter:
        missing = 1 - score
        good = missing < merging.gap
        good[0] = True
        good &= (missing - missing.min()) / (missing.max() + 1e-6) < merging.relative_gap
        return np.sort(left[good][: merging.most])
    left, score = left[: merging.most], score[: merging.most]
    good = score / score[0] > merging.least_share if merging.least_share > 0 else score > 0
    return np.sort(left[good])


def _passes(values: np.ndarray, least: float) -> np.ndarray:
    """Values of at least ``least``, or of the highest where that is lower; all for 0."""
    if least <= 0 or not len(values):
        return np.ones(len(values), dtype=bool)
    passes: np.ndarray = values >= min(least, float(values.max()))
    return passes
