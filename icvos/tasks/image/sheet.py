"""The episodes of a benchmark as pictures: supports, truth and prediction side by side."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from icvos.drawing.overlays import render_frames
from icvos.drawing.panels import evenly
from icvos.errors import IcvosError
from icvos.tasks.case import Case
from icvos.tasks.image.benchmark import Episode, ImageBenchmark
from icvos.tasks.image.predictions import EPISODES, Answer, right_answers
from icvos.tasks.image.score import fold_shots
from icvos.tasks.record import RECORD, read_record
from icvos.tasks.runs import fold_folders
from icvos.tasks.task import Drawing, Sheet

EPISODES_SHOWN = 8  # of a fold, where none are chosen


def sheets(
    benchmark: ImageBenchmark, predictions: Path | None, chosen: Sequence[str], drawing: Drawing
) -> Iterator[Sheet]:
    """A contact sheet for every fold that has predictions, or for all.

    Args:
        benchmark: The truth.
        predictions: A run, shown beside the truth; None: the truth alone.
        chosen: Episodes, ``<fold>/<episode>``; none: `EPISODES_SHOWN` of each fold, evenly chosen.
        drawing: How they are drawn.
    """
    if drawing.kind not in (None, "sheet") or drawing.every != 1:
        raise IcvosError(f"{benchmark.root}: episodes are pictures; render them with --kind sheet, without --every")
    folders = fold_folders(predictions) if predictions else {}
    picked = picked_episodes(chosen, benchmark)
    for fold in picked or folders or range(len(benchmark.folds)):
        episodes = benchmark.episodes(fold, _shots(benchmark, fold, folders))
        answers = _answers(folders, fold, episodes)
        numbers = picked.get(fold)
        if numbers is None:
            there = sorted(answers) if predictions else range(len(episodes))
            numbers = [there[place] for place in evenly(len(there), EPISODES_SHOWN)]
        if numbers:
            rows = _rows(benchmark, [episodes[number] for number in numbers], answers, drawing)
            yield Sheet(f"{benchmark.name}-fold{fold}", "sheet", rows, rows=True)


def picked_episodes(chosen: Iterable[str], benchmark: ImageBenchmark) -> dict[int, list[int]]:
    """``<fold>/<episode>`` texts as fold -> episodes; `IcvosError` for others."""
    picked: dict[int, list[int]] = {}
    for text in chosen:
        fold, slash, episode = text.partition("/")
        if not slash or not fold.isdecimal() or not episode.isdecimal():
            raise IcvosError(f"clip {text}: on an image benchmark, write <fold>/<episode> like 0/12")
        if int(episode) >= len(benchmark.fold(int(fold)).episodes):
            raise IcvosError(f"clip {text}: fold {fold} has {len(benchmark.folds[int(fold)].episodes)} episodes")
        picked.setdefault(int(fold), []).append(int(episode))
    return picked


def _shots(benchmark: ImageBenchmark, fold: int, folders: Mapping[int, Path]) -> int:
    """As many supports as the predictions were made with, else one."""
    if fold not in folders:
        return 1
    return fold_shots(benchmark, fold, read_record(folders[fold] / RECORD), folders[fold])


def _answers(folders: Mapping[int, Path], fold: int, episodes: tuple[Episode, ...]) -> dict[int, Answer]:
    if fold not in folders:
        return {}
    return {answer.episode: answer for answer in right_answers(folders[fold] / EPISODES, episodes)}


def _rows(
    benchmark: ImageBenchmark, episodes: Sequence[Episode], answers: Mapping[int, Answer], drawing: Drawing
) -> Iterator[np.ndarray]:
    """For each episode its supports, the query with the true mask, and with the predicted one where there is one."""
    for episode in episodes:
        name, answer = f"{episode.fold}/{episode.index}", answers.get(episode.index)
        yield from render_frames(
            [(name, episode.query.image())],
            truth={name: episode.query.mask(episode.kind)}.__getitem__,
            masks={name: answer.mask()}.__getitem__ if answer else None,
            supports=episode.shown(),
            category=benchmark.classes[episode.kind],
            errors=drawing.errors,
            height_px=drawing.height_px,
            word="episode",
        )


def case(benchmark: ImageBenchmark, name: str, run: Path) -> Case:
    """The episode called ``<fold>/<episode>``, with the mask of ``run``; `IcvosError` where that has none."""
    ((fold, (number,)),) = picked_episodes([name], benchmark).items()
    folders = fold_folders(run)
    episodes = benchmark.episodes(fold, _shots(benchmark, fold, folders))
    answer = _answers(folders, fold, episodes).get(number)
    if answer is None:
        raise IcvosError(f"{run}: has no mask of episode {name}; choose one that it has, or go on with the run")
    episode = episodes[number]
    return Case(
        name,
        benchmark.classes[episode.kind],
        episode.shown(),
        episode.query.image(),
        moving=False,
        truth=episode.query.mask(episode.kind),
        answer=answer.mask(),
        folder=folders[fold],
        record=read_record(folders[fold] / RECORD),
    )
