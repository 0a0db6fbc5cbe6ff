"""Scores of few-shot segmentation over image episodes: mIoU and FB-IoU.

Both divide sums of pixels, they do not average episodes: mIoU per class of the fold and then over the classes, FB-IoU
over all episodes with the classes pooled.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np


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
