"""Who shares a rank: rows that a bootstrap over what both were scored on cannot separate."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import cast

import numpy as np

from icvos.metrics.fewshot import EpisodeCounts
from icvos.metrics.summary import columns_above, surely_above
from icvos.tasks.image.means import fold_means, read_counts
from icvos.tasks.image.result import Fold, ImageResult
from icvos.tasks.result import FEWEST
from icvos.tasks.video.result import VideoResult
from leaderboard.tables.shape import Row


def with_ranks(rows: Sequence[Row]) -> list[Row]:
    """The rows, those that are ranked with their rank: one more than there are rows that are surely better.

    Rows that nothing separates from one another share a rank, and each names the others in `Row.ties`.
    """
    ranked = [row for row in rows if row.kind == "ranked" and row.entry]
    better = _better([row.entry.result for row in ranked if row.entry])
    found = {}
    for place, row in enumerate(ranked):
        ties = (other.label for k, other in enumerate(ranked) if k != place and not better[k, place] | better[place, k])
        found[row.label] = replace(row, rank=1 + int(better[:, place].sum()), ties=tuple(ties))
    return [found.get(row.label, row) if row.kind == "ranked" else row for row in rows]


def _better(results: Sequence[object]) -> np.ndarray:
    """(N, N) bool: at [i, j] whether result i is surely better than result j."""
    if results and all(isinstance(result, VideoResult) for result in results):
        return clips_better(
            [{clip: found.jf for clip, found in cast(VideoResult, one).clips.items()} for one in results]
        )
    if results and all(isinstance(result, ImageResult) for result in results):
        return episodes_better([cast(ImageResult, one) for one in results])
    return np.zeros((len(results), len(results)), dtype=bool)


def clips_better(figures: Sequence[Mapping[str, float]]) -> np.ndarray:
    """(N, N) bool from J&F by clip, over the clips that both of a pair have; few videos separate nothing."""
    if all(one.keys() == figures[0].keys() for one in figures):
        return _above(figures, sorted(figures[0]))
    better = np.zeros((len(figures), len(figures)), dtype=bool)
    for i, j in combinations(range(len(figures)), 2):
        pair = _above((figures[i], figures[j]), sorted(figures[i].keys() & figures[j].keys()))
        better[i, j], better[j, i] = pair[0, 1], pair[1, 0]
    return better


def _above(figures: Sequence[Mapping[str, float]], clips: Sequence[str]) -> np.ndarray:
    videos = [clip.rpartition("/")[0] for clip in clips]
    if len(set(videos)) < FEWEST:
        return np.zeros((len(figures), len(figures)), dtype=bool)
    return surely_above(np.array([[one[clip] for one in figures] for clip in clips]), videos)


def episodes_better(results: Sequence[ImageResult]) -> np.ndarray:
    """(N, N) bool from the counts of episodes, drawn again within each fold, for results of the same episodes.

    Others, as those of older programs, which held no counts, are apart where their intervals are.
    """
    bounds = [result.sure.miou if result.sure else (0.0, 1.0) for result in results]
    better = np.array([[one[0] > other[1] for other in bounds] for one in bounds], dtype=bool)
    alike: dict[object, list[int]] = {}
    for place, result in enumerate(results):
        if result.sure and all(fold.counts for fold in result.folds.values()):
            alike.setdefault(_episodes(result), []).append(place)
    for places in alike.values():
        better[np.ix_(places, places)] = columns_above(np.column_stack([_drawn(results[place]) for place in places]))
    return better


def _episodes(result: ImageResult) -> object:
    """What is asked, episode by episode: by it results are known to be of the same ones."""
    return tuple((number, tuple(kind for kind, _ in _counts(fold))) for number, fold in sorted(result.folds.items()))


def _drawn(result: ImageResult) -> np.ndarray:
    """(samples,) float64: mIoU when the episodes of every fold are drawn again, by the same draws for any result."""
    folds = (fold_means(int(number), _counts(fold)).samples for number, fold in sorted(result.folds.items()))
    return cast(np.ndarray, np.mean([samples[:, 0] for samples in folds], axis=0))


def _counts(fold: Fold) -> list[tuple[int, EpisodeCounts]]:
    return [read_counts(text) for text in fold.counts or ()]
