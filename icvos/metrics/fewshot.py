"""Scores of few-shot segmentation over image episodes: mIoU and FB-IoU.

Both divide sums of pixels, they do not average episodes: mIoU per class of the fold and then over the classes, FB-IoU
over all episodes with the classes pooled.
"""

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from icvos.metrics.summary import BOOTSTRAP_SAMPLES, BOOTSTRAP_SEED

PART = 1 << 22  # drawn episodes that are in memory at a time


@dataclass(frozen=True, slots=True)
class EpisodeCounts:
    """Pixels of one episode, or summed over several: intersections and unions of background and foreground."""

    inter_background: int = 0
    inter_foreground: int = 0
    union_background: int = 0
    union_foreground: int = 0

    def __add__(self, other: "EpisodeCounts") -> "EpisodeCounts":
        return EpisodeCounts(
            self.inter_background + other.inter_background,
            self.inter_foreground + other.inter_foreground,
            self.union_background + other.union_background,
            self.union_foreground + other.union_foreground,
        )

    @property
    def background_iou(self) -> float:
        """IoU of the background; 0 where nothing was counted, as in the published code."""
        return self.inter_background / self.union_background if self.union_background else 0.0

    @property
    def foreground_iou(self) -> float:
        """IoU of the foreground; 0 where nothing was counted, as in the published code."""
        return self.inter_foreground / self.union_foreground if self.union_foreground else 0.0


@dataclass(frozen=True, slots=True)
class FewShotScores:
    """Fractions: the IoU of every class of the fold, their mean, and FB-IoU with its two halves."""

    class_iou: dict[int, float]
    miou: float
    fb_iou: float
    background_iou: float
    foreground_iou: float


def count_episode(truth: np.ndarray, prediction: np.ndarray, ignore: np.ndarray | None = None) -> EpisodeCounts:
    """Count one episode: ``truth`` and ``prediction`` are (H, W) bool, 1 = the class; ``ignore`` pixels are left out.

    Raises `ValueError` where the shapes differ.

    >>> count_episode(np.array([[True, True, False]]), np.array([[True, False, False]]))
    EpisodeCounts(inter_background=1, inter_foreground=1, union_background=2, union_foreground=2)
    """
    truth, prediction = np.asarray(truth, dtype=bool), np.asarray(prediction, dtype=bool)
    if truth.shape != prediction.shape:
        raise ValueError(f"truth of shape {truth.shape} and prediction of shape {prediction.shape}: expected the same")
    if ignore is not None:
        truth, prediction = truth[~ignore], prediction[~ignore]
    both = int(np.count_nonzero(truth & prediction))
    either = int(np.count_nonzero(truth | prediction))
    return EpisodeCounts(truth.size - either, both, truth.size - both, either)


def few_shot_scores(episodes: Iterable[tuple[int, EpisodeCounts]], classes: Sequence[int]) -> FewShotScores:
    """mIoU over ``classes``, the fold's, and FB-IoU, from (class, counts) of every episode.

    A class that was never drawn counts as 0, as in the published code. Raises `ValueError` for a class of another fold.
    """
    per_class = dict.fromkeys(classes, EpisodeCounts())
    pooled = EpisodeCounts()
    for kind, counts in episodes:
        if kind not in per_class:
            raise ValueError(f"episode of class {kind}, which is not one of the fold's: {', '.join(map(str, classes))}")
        per_class[kind] += counts
        pooled += counts
    class_iou = {kind: counts.foreground_iou for kind, counts in per_class.items()}
    return FewShotScores(
        class_iou,
        sum(class_iou.values()) / len(class_iou),
        (pooled.background_iou + pooled.foreground_iou) / 2,
        pooled.background_iou,
        pooled.foreground_iou,
    )


def resampled_scores(
    episodes: Sequence[tuple[int, EpisodeCounts]], *, samples: int = BOOTSTRAP_SAMPLES, stream: int = 0
) -> np.ndarray:
    """(samples, 2) float64: mIoU and FB-IoU of a fold when its episodes are drawn again, with replacement.

    mIoU is over the classes that were drawn. Deterministic: sums are of whole numbers, exact in any order.

    Args:
        episodes: (class, counts), at least one.
        samples: How many times as many episodes are drawn.
        stream: Another number is another stream of random numbers, for another fold.
    """
    kinds, place = np.unique([kind for kind, _ in episodes], return_inverse=True)
    # (E, 4): intersections of background and foreground, then their unions
    counts = np.array([dataclasses.astuple(counts) for _, counts in episodes], dtype=np.float64)
    drawn = np.eye(len(kinds))[place]  # (E, C): 1 where the episode is of the class
    parts = [drawn * counts[:, 1, None], drawn * counts[:, 3, None], drawn, counts]
    figures = np.concatenate(parts, axis=1)
    total, edges = len(episodes), np.cumsum([part.shape[1] for part in parts[:-1]])
    random = np.random.RandomState([BOOTSTRAP_SEED, stream])
    scores = np.empty((samples, 2))
    step = max(1, PART // total)
    for start in range(0, samples, step):
        some = min(step, samples - start)
        chosen = random.randint(0, total, (some, total)) + total * np.arange(some)[:, None]
        times = np.bincount(chosen.reshape(-1), minlength=some * total).reshape(some, total)
        inter, union, present, pooled = np.split(times.astype(np.float64) @ figures, edges, axis=1)
        scores[start : start + some, 0] = (inter / np.maximum(union, 1)).sum(axis=1) / (present > 0).sum(axis=1)
        scores[start : start + some, 1] = (pooled[:, :2] / np.maximum(pooled[:, 2:], 1)).mean(axis=1)
    return scores
