"""The episodes of a benchmark with the true masks of their queries, or with those of a run."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from icvos.files.rle import encode_rle
from icvos.tasks.image.benchmark import Episode, ImageBenchmark
from icvos.tasks.image.predictions import EPISODES, right_answers
from icvos.tasks.runs import fold_folders
from icvos.tasks.tracks import Track


def tracks(benchmark: ImageBenchmark, run: Path | None) -> dict[str, Iterator[Track]]:
    """By fold the episodes that it has, with the masks of ``run``; None: all folds, with the true masks."""
    if run is None:
        return {f"fold{fold}": _true(benchmark, fold) for fold in range(len(benchmark.folds))}
    return {folder.name: _predicted(benchmark, fold, folder) for fold, folder in fold_folders(run).items()}


def _true(benchmark: ImageBenchmark, fold: int) -> Iterator[Track]:
    for episode in benchmark.episodes(fold):
        yield _track(benchmark, episode, episode.query.mask(episode.kind))


def _predicted(benchmark: ImageBenchmark, fold: int, folder: Path) -> Iterator[Track]:
    episodes = benchmark.episodes(fold)
    for answer in right_answers(folder / EPISODES, episodes):
        yield _track(benchmark, episodes[answer.episode], answer.mask())


def _track(benchmark: ImageBenchmark, episode: Episode, mask: np.ndarray) -> Track:
    return Track(
        id=f"{episode.fold}/{episode.index}",
        video="",
        kind=episode.kind,
        category=benchmark.classes[episode.kind],
        files=(episode.query.name,),
        size=episode.query.size,
        masks=(encode_rle(mask) if mask.any() else None,),
    )
