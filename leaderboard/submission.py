"""From a folder of predictions to a result on the board: checked whole, then scored, then stored."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from icvos.errors import IcvosError
from leaderboard.entry import check_name, refuse_random
from leaderboard.store import Board

if TYPE_CHECKING:
    from icvos.errors import Fault
    from icvos.protocol import Protocol
    from icvos.tasks.image.benchmark import ImageBenchmark
    from icvos.tasks.video.benchmark import Benchmark


class SubmissionError(IcvosError):
    """A submission with faults. The message counts them; ``faults`` has every one, errors and warnings."""

    def __init__(self, message: str, faults: tuple["Fault", ...]) -> None:
        super().__init__(message)
        self.faults = faults


@dataclass(frozen=True, slots=True)
class Checked:
    """A folder of predictions that can be scored, and what was odd about it but allowed."""

    folder: Path
    warnings: tuple["Fault", ...]


@dataclass(frozen=True, slots=True)
class SubmissionReport:
    """What became of a submission: its file on the board, its scores, and what was odd about it but allowed."""

    path: Path
    scores: dict[str, Any]
    warnings: tuple["Fault", ...]


@dataclass(frozen=True, slots=True)
class _Task:
    """How predictions for a benchmark are checked and scored.

    Args:
        names: The folders by which a run is known inside an archive.
        records: Where the records of its parts are.
        check: Of a folder, every fault.
        score: Of a folder, the result.
        clips: How many the benchmark of videos has.
    """

    names: set[str]
    records: str
    check: "Callable[[Path], list[Fault]]"
    score: Callable[..., Any]
    clips: int | None = None


def _task(benchmark: "Benchmark | ImageBenchmark", protocol: "Protocol") -> _Task:
    from icvos.tasks.image.benchmark import ImageBenchmark

    if isinstance(benchmark, ImageBenchmark):
        from icvos.tasks.image.check import check_images, fold_names
        from icvos.tasks.image.score import score_images

        return _Task(
            fold_names(benchmark),
            "fold*/run.json",
            partial(check_images, benchmark),
            partial(score_images, benchmark, protocol=protocol),
        )
    from icvos.tasks.video.check import check
    from icvos.tasks.video.score import score

    videos = {video.name for video in benchmark.videos}
    return _Task(
        videos,
        "draw*/run.json",
        lambda folder: check(benchmark, folder, protocol),
        lambda folder, **given: score(benchmark, folder, protocol, **given),
        len(benchmark.clips),
    )


@contextlib.contextmanager
def checked_folder(
    benchmark: "Benchmark | ImageBenchmark", predictions: Path, protocol: "Protocol"
) -> Iterator[Checked]:
    """The prediction or run folder that ``predictions`` is, or that the zip file holds, and what is odd about it.

    Raises `SubmissionError`, with every fault of every draw or fold, if one of them is an error.
    """
    from icvos.tasks.archive import ArchiveError, relocate, submission_folder

    task = _task(benchmark, protocol)
    try:
        with submission_folder(predictions, task.names) as folder:
            faults = tuple(relocate(fault, folder, predictions) for fault in task.check(folder))
            _refuse_errors(predictions, faults)
            yield Checked(folder, faults)
    except ArchiveError as error:
        _refuse_errors(predictions, error.faults)


def _refuse_errors(predictions: Path, faults: tuple["Fault", ...]) -> None:
    errors = [fault for fault in faults if fault.severity == "error"]
    if errors:
        noun = "fault" if len(errors) == 1 else "faults"
        raise SubmissionError(
            f"{predictions}: {len(errors)} {noun}, nothing was scored; mend what is listed and submit again", faults
        )


def submit(
    benchmark: "Benchmark | ImageBenchmark",
    predictions: Path,
    protocol: "Protocol",
    *,
    board: Board | Path | str,
    name: str,
    revision: str = "1",
    notes: str = "",
    workers: int = 1,
    progress: Callable[..., None] | None = None,
) -> SubmissionReport:
    """Check, score and store ``predictions`` under ``name`` and ``revision``.

    ``predictions`` is a prediction folder, a run with one such folder for each draw, a run on images, or a zip file of
    either. ``workers`` and ``progress`` are passed on to the scoring. Raises `SubmissionError` before anything is
    scored where the check finds an error, and `IcvosError` where the board already holds other figures under that name
    and revision.
    """
    from icvos.files.untrusted import read_record

    check_name(name, "name")
    check_name(revision, "revision")
    board = board if isinstance(board, Board) else Board.open(board)
    task = _task(benchmark, protocol)
    with checked_folder(benchmark, predictions, protocol) as checked:
        for record in (checked.folder / "run.json", *sorted(checked.folder.glob(task.records))):
            refuse_random({"run": read_record(record)}, predictions)
        scores = task.score(checked.folder, workers=workers, progress=progress).to_json()
    path = board.add(scores, name=name, revision=revision, notes=notes, benchmark_clips=task.clips)
    return SubmissionReport(path, scores, checked.warnings)
