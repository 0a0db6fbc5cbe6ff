"""From the counts of episodes to the figures of folds, and from folds to those of a whole result."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from icvos.metrics.fewshot import EpisodeCounts, FewShotScores, few_shot_scores, resampled_scores
from icvos.metrics.summary import BOOTSTRAP_SAMPLES
from icvos.tasks.image import result
from icvos.tasks.result import FEWEST, INTERVAL_LEVEL

Episodes = Sequence[tuple[int, EpisodeCounts]]


@dataclass(frozen=True)
class FoldMeans:
    """What the episodes of a fold make.

    Args:
        scores: IoU of every class that is asked for, and their means.
        episodes: How many ask for each class.
        equal: How many masks equal the truth to the last pixel.
        samples: (samples, 2) mIoU and FB-IoU when the episodes are drawn again.
    """

    scores: FewShotScores
    episodes: Mapping[int, int]
    equal: int
    samples: np.ndarray

    @property
    def interval(self) -> result.FoldInterval | None:
        """How sure the figures are; None where episodes are too few."""
        return result.FoldInterval(**_bounds(self.samples)) if sum(self.episodes.values()) >= FEWEST else None


def fold_means(fold: int, episodes: Episodes) -> FoldMeans:
    """The figures of a fold by its number, from (class, counts) of every episode in the order of the fold's."""
    kinds = Counter(kind for kind, _ in episodes)
    return FoldMeans(
        few_shot_scores(episodes, sorted(kinds)),
        kinds,
        sum(0 < counts.inter_foreground == counts.union_foreground for _, counts in episodes),
        resampled_scores(episodes, stream=fold),
    )


def overall_interval(folds: Sequence[FoldMeans]) -> result.Interval | None:
    """How sure the means over folds are; None where a fold has too few episodes."""
    if any(fold.interval is None for fold in folds):
        return None
    bounds = _bounds(np.array([fold.samples for fold in folds]).mean(axis=0))
    return result.Interval(level=INTERVAL_LEVEL, samples=BOOTSTRAP_SAMPLES, **bounds)


def _bounds(samples: np.ndarray) -> dict[str, tuple[float, float]]:
    """The intervals of mIoU and of FB-IoU by their keys, from (samples, 2) of both."""
    tail = (1 - INTERVAL_LEVEL) / 2
    low, high = np.quantile(samples, [tail, 1 - tail], axis=0).tolist()
    return {"miou": (low[0], high[0]), "fb_iou": (low[1], high[1])}


def counts_text(kind: int, counts: EpisodeCounts) -> str:
    """An episode's counts as a result carries them.

    >>> counts_text(17, EpisodeCounts(90, 5, 95, 10))
    '17 90 5 95 10'
    """
    numbers = counts.inter_background, counts.inter_foreground, counts.union_background, counts.union_foreground
    return " ".join(map(str, (kind, *numbers)))


def read_counts(text: str) -> tuple[int, EpisodeCounts]:
    """The class and the counts in what `counts_text` writes.

    >>> read_counts("17 90 5 95 10")[1].foreground_iou
    0.5
    """
    kind, *numbers = map(int, text.split(" "))
    return kind, EpisodeCounts(*numbers)
