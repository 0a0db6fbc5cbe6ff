"""Every fault of a submission on images in one pass: folds, records, lines that answer no episode, broken masks."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from icvos.errors import Fault, PredictionError
from icvos.tasks.image.benchmark import Episode, ImageBenchmark
from icvos.tasks.image.predictions import EPISODES, Answer, fault_of, read_answers
from icvos.tasks.image.score import fold_shots
from icvos.tasks.mixture import mixture
from icvos.tasks.record import RECORD, RunRecord, read_record
from icvos.tasks.runs import fold_folders

MAX_LISTED = 1000  # faults of one kind of one fold


def fold_names(benchmark: ImageBenchmark) -> set[str]:
    """The folders that a run on the benchmark may hold."""
    return {f"fold{number}" for number in range(len(benchmark.folds))}


def check_images(
    benchmark: ImageBenchmark, folder: Path | str, *, progress: Callable[[int], None] | None = None
) -> list[Fault]:
    """Every fault of a run folder, from one pass that reads every mask once.

    A fold that is there must have all its episodes. One that is not there is a warning, since a network is trained for
    each; so is a fold that equals the truth in every episode. ``progress`` is called with each fold that is read.
    """
    folder = Path(folder)
    try:
        folders = fold_folders(folder)
    except PredictionError as error:
        return [error.fault]
    found: list[Fault] = []
    shots: dict[int, Path] = {}
    records: dict[int, tuple[Path, RunRecord]] = {}
    for fold in range(len(benchmark.folds)):
        if fold not in folders and benchmark.folds[fold].episodes:
            what = "no such fold; the result is partial and not ranked"
            found.append(Fault("missing-fold", str(folder / f"fold{fold}"), what, "warning"))
    for fold, place in folders.items():
        try:
            record = read_record(place / RECORD)
            shots.setdefault(fold_shots(benchmark, fold, record, place), place)
            records[fold] = place, record
            found += _check_fold(benchmark.episodes(fold), place)
        except PredictionError as error:
            found.append(error.fault)
        if progress is not None:
            progress(fold)
    if len(shots) > 1:
        what = f"folds of {' and '.join(map(str, sorted(shots)))} shots; submit each number of shots by itself"
        found.append(Fault("record", str(folder), what))
    else:
        found += mixture(records, "fold")
    return found


def _check_fold(episodes: tuple[Episode, ...], place: Path) -> Iterator[Fault]:
    """Faults of the lines in their order, then the episodes that no line answers."""
    seen: set[int] = set()
    equal, broken = True, 0
    for answer in read_answers(place / EPISODES):
        fault = answer if isinstance(answer, Fault) else fault_of(answer, episodes, seen)
        if isinstance(answer, Answer) and fault is None:
            seen.add(answer.episode)
            fault, right = _examine(answer, episodes[answer.episode])
            equal = equal and right
        if fault is not None:
            equal, broken = False, broken + 1
            if broken > MAX_LISTED:
                yield Fault("limit", str(place / EPISODES), f"more than {MAX_LISTED:,} broken lines; write it again")
                return
            yield fault
    absent = [episode.index for episode in episodes if episode.index not in seen]
    for index in absent[:MAX_LISTED]:
        yield Fault("missing-episode", f"{place / EPISODES}: episode {index}", "no such line; predict it")
    if len(absent) > MAX_LISTED:
        what = f"{len(absent) - MAX_LISTED:,} more episodes are missing; predict them"
        yield Fault("missing-episode", str(place / EPISODES), what)
    if equal and not absent:
        what = "equal to the true masks in every episode; submit predictions, not annotations"
        yield Fault("truth", str(place), what, "warning")


def _examine(answer: Answer, episode: Episode) -> tuple[Fault | None, bool]:
    """What is wrong with a mask, and whether it is the true one."""
    try:
        return None, np.array_equal(answer.mask(), episode.query.mask(episode.kind))
    except PredictionError as error:
        return error.fault, False
