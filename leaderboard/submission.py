"""From a folder of predictions to a result on the board: checked whole, then scored, then stored."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from icvos.errors import Fault, IcvosError, plural
from icvos.files.schema import Schema
from icvos.files.storage import require_writable
from icvos.tasks.record import read_records
from icvos.tasks.result import Result, refuse_random_records
from icvos.tasks.task import Silent, Task, Watch, open_task
from icvos.workers import Workers
from leaderboard.entry import MethodFacts, check_name
from leaderboard.store import Board

if TYPE_CHECKING:
    from icvos.protocol import Protocol


MISSING = ("missing-video", "missing-class", "missing-frame")
FINISH = "run its icvos eval again without --limit, --clips, --videos and --categories"


class SubmissionError(IcvosError):
    """A submission with faults. The message counts them; ``faults`` has every one, errors and warnings."""

    def __init__(self, message: str, faults: tuple[Fault, ...]) -> None:
        super().__init__(message)
        self.faults = faults


@dataclass(frozen=True, slots=True)
class Checked:
    """A folder of predictions that can be scored, and what was odd about it but allowed."""

    folder: Path
    warnings: tuple[Fault, ...]


@dataclass(frozen=True, slots=True)
class SubmissionReport:
    """What became of a submission: its file on the board, its figures, and what was odd about it but allowed."""

    path: Path
    result: Result
    warnings: tuple[Fault, ...]


@contextlib.contextmanager
def checked_folder(
    task: Task, predictions: Path, protocol: "Protocol", watch: Watch | None = None
) -> Iterator[Checked]:
    """The prediction or run folder that ``predictions`` is, or that the archive holds, and what is odd about it.

    Raises `SubmissionError`, with every fault of every draw or fold, if one of them is an error.
    """
    from icvos.files.archives.entries import ArchiveError
    from icvos.tasks.archive import relocate, submission_folder

    watch = watch or Silent()
    watch.stage("validate")
    try:
        with submission_folder(predictions, task.folders) as folder:
            found = task.check(folder, protocol, watch)
            faults = tuple(relocate(fault, folder, predictions) for fault in found)
            _refuse_errors(predictions, faults, lambda: _unfinished(task, folder))
            yield Checked(folder, faults)
    except ArchiveError as error:
        _refuse_errors(predictions, error.faults)


def _refuse_errors(predictions: Path, faults: tuple[Fault, ...], unfinished: Callable[[], str] | None = None) -> None:
    errors = [fault for fault in faults if fault.severity == "error"]
    if not errors:
        return
    count = plural(len(errors), "fault")
    part = unfinished() if unfinished and all(fault.kind in MISSING for fault in errors) else ""
    told = part or f"{count}, nothing was scored; fix what is listed and submit again"
    raise SubmissionError(f"{predictions}: {told}", faults)


def _unfinished(task: Task, folder: Path) -> str:
    """What to say of a folder that has nothing of some clips of a benchmark of videos; "" of any other."""
    if not task.clips or (least := task.covered(folder)) == task.clips:
        return ""
    made = any(record.given for record in read_records(folder, task.part).values())
    remedy = f"finish it: {FINISH}" if made else "predict the other clips"
    return f"covers {least:,} of {plural(task.clips, 'clip')}, nothing was scored; {remedy}, and submit again"


def submit(
    task: Task | Path | str,
    predictions: Path,
    protocol: "Protocol",
    *,
    board: Board | Path | str,
    name: str,
    revision: str = "1",
    notes: str = "",
    facts: MethodFacts | None = None,
    all_draws: bool = False,
    workers: Workers = 1,
    frames: bool = False,
    watch: Watch | None = None,
) -> SubmissionReport:
    """Check, score and store ``predictions`` under ``name`` and ``revision``.

    Args:
        task: The benchmark, or its folder.
        predictions: A prediction folder, a run with a folder for each draw or fold, or a zip or tar.gz file of either.
        protocol: Which frames count, and at which size masks are compared.
        board: Where the result goes.
        name: The method's name on the board.
        revision: Which state of the method.
        notes: Free text.
        facts: What is said of the method, by which the page can be filtered.
        all_draws: Refuse a run that is not over all support draws of the benchmark.
        workers: Processes for scoring.
        frames: On videos: also keep J and F of every frame, beside the result's file.
        watch: Is told how checking and scoring go on.

    Raises:
        SubmissionError: The check finds an error; nothing was scored.
        IcvosError: The board already holds other figures under that name and revision, or the run was made with random
            weights.

    >>> from icvos.protocol import PAPER
    >>> report = submit("IC-VOS", Path("masks"), PAPER, board="board", name="a copy of the truth")
    >>> report.path.parent.name, report.result.kind
    ('board', 'video')
    """
    check_name(name, "name")
    check_name(revision, "revision")
    board = board if isinstance(board, Board) else Board.open(board)
    require_writable(board.folder, folder=True)
    opened = open_task(task) if isinstance(task, Path | str) else task
    watch = watch or Silent()
    with checked_folder(opened, predictions, protocol, watch) as checked:
        refuse_random_records(read_records(checked.folder, opened.part).values(), predictions)
        watch.stage(f"score {protocol.id}")
        kept: list[Schema] = []
        result = opened.score(checked.folder, protocol, watch, workers=workers, keep=kept.append if frames else None)
    if all_draws and result.draws_note:
        raise IcvosError(f"{predictions}: {result.draws_note}; predict all, or leave out --all-draws")
    path = board.add(
        result, name=name, revision=revision, notes=notes, facts=facts, benchmark_clips=opened.clips, frames=kept
    )
    return SubmissionReport(path, result, checked.warnings)
