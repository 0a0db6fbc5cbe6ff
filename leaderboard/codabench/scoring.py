"""Scoring one submission in the folders that Codabench lays out.

    input/ref     the truth, as `icvos.tasks.task.Task.truth_files` packs it
    input/res     the submission, unpacked by Codabench, with a file called metadata that it writes beside it
    output/scores.json             a figure for each column of the leaderboard
    output/detailed_results.html   the figures and what they are made of, or every fault
    output/icvos-scores.json       the result as icvos score writes it

A submission that cannot be ranked leaves no ``scores.json``, and its reasons in the log: Codabench then shows it as
failed. Nothing of the truth is printed but figures.
"""

import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from icvos.errors import Fault, IcvosError, printable_lines
from icvos.files.storage import write_json, write_text
from icvos.notices import show_notices
from icvos.protocol import Protocol
from icvos.protocol import protocol as find_protocol
from icvos.tasks.archive import relocate
from icvos.tasks.kinds import lines
from icvos.tasks.record import read_records
from icvos.tasks.result import Result, refuse_random_records
from icvos.tasks.task import SILENT, Task, open_task
from icvos.tasks.wrapping import deeper, shortened
from leaderboard.codabench.templates import fill
from leaderboard.entry import Entry
from leaderboard.submission import SubmissionError, checked_folder
from leaderboard.tables.build import build_tables, columns_of
from leaderboard.tables.formats import cell, percent
from leaderboard.tables.shape import KINDS, Column, Table

METADATA = "metadata"  # Codabench's own, no part of the submission
SUBMISSION = Path("submission")  # what the folder is called in messages: the container's paths mean nothing outside
MAX_WORKERS = 8


def leaderboard_columns(task: Task) -> tuple[Column, ...]:
    """The columns of the leaderboard: the one that ranks, what else is better or worse, and counts."""
    found = columns_of(task.kind, len(task.parts))
    kept = [column for column in found if column.kind != "interval" and (column.shown or column.key == "shots")]
    return tuple(sorted(kept, key=lambda column: not column.better))


def codabench_figures(task: Task, table: Table) -> dict[str, float | int]:
    """A figure for each column that has one; shares in per cent, to as many digits as Codabench keeps."""
    row, found = table.measured[0], {}
    for column in leaderboard_columns(task):
        value = row.figures[column.key]
        if value is not None:
            found[column.key] = round(100 * value, 8) if column.kind == "percent" else round(value, 8)
    return found


def score_submission(given: Path, out: Path, protocol: Protocol) -> Result:
    """Score the submission in ``given/res`` against ``given/ref`` into ``out``.

    Raises:
        SubmissionError: It has faults; ``out`` has them all.
        IcvosError: It can be scored and not be ranked.
    """
    task, folder = open_task(given / "ref"), given / "res"
    try:
        return _score(task, folder, out, protocol)
    except SubmissionError as error:
        faults = _shown(error.faults, folder)
        told = SubmissionError(_told(error, folder), faults)
        _write_page(out, task, protocol, reason=str(told), faults=faults)
        raise told from error
    except IcvosError as error:
        told_so = IcvosError(_told(error, folder))
        _write_page(out, task, protocol, reason=str(told_so))
        raise told_so from error


def _told(error: IcvosError, folder: Path) -> str:
    return str(error).replace(str(folder), str(SUBMISSION))


def _shown(faults: Iterable[Fault], folder: Path) -> tuple[Fault, ...]:
    """The faults as the submitter knows the files, errors first."""
    own = (fault for fault in faults if fault.where != str(folder / METADATA))
    return tuple(relocate(fault, folder, SUBMISSION) for fault in sorted(own, key=lambda fault: fault.severity))


def _predictions(folder: Path, task: Task) -> Path:
    """The predictions in a submission, where they lie deeper as where they do not."""
    inside = deeper(folder, task.folders)
    if len(inside) > 1:
        what = f"holds several folders of predictions ({shortened(inside, folder)}); pack one of them"
        raise SubmissionError(f"{folder}: {what}", (Fault("layout", str(folder), what),))
    return inside[0] if inside else folder


def _score(task: Task, folder: Path, out: Path, protocol: Protocol) -> Result:
    predictions = _predictions(folder, task)
    with checked_folder(task, predictions, protocol) as checked:
        refuse_random_records(read_records(checked.folder, task.part).values(), predictions)
        result = task.score(checked.folder, protocol, SILENT, workers=_workers())
    entry = Entry("submission", "", result, SUBMISSION, declared_clips=task.clips)
    table = build_tables([entry], reported=False)[0]
    row = table.measured[0]
    if row.kind != "ranked":
        notes = "; ".join(table.footnotes[mark] for mark in row.notes)
        raise IcvosError(f"{predictions}: {KINDS[row.kind]}{f' ({notes})' if notes else ''}; submit another")
    warnings = _shown(checked.warnings, folder)
    write_json(out / "icvos-scores.json", result.to_json())
    _write_page(out, task, protocol, table=table, faults=warnings)
    write_json(out / "scores.json", codabench_figures(task, table))
    for line in (*lines(warnings), *result.lines("scores.json")):
        print(printable_lines(line))
    return result


def _workers() -> int:
    return min(MAX_WORKERS, os.cpu_count() or 1)


def _write_page(
    out: Path,
    task: Task,
    protocol: Protocol,
    *,
    table: Table | None = None,
    reason: str = "",
    faults: Sequence[Fault] = (),
) -> None:
    page = fill(
        "detailed_results.html.jinja",
        name=task.name,
        protocol=protocol,
        table=table,
        row=table.measured[0] if table else None,
        reason=reason,
        faults=lines(faults),
        cell=cell,
        percent=percent,
    )
    write_text(out / "detailed_results.html", page)


def main(arguments: Sequence[str]) -> int:
    """``INPUT OUTPUT PROTOCOL``: score, and say in one line why not; the exit status."""
    given, out, protocol = arguments
    show_notices()
    try:
        score_submission(Path(given), Path(out), find_protocol(protocol))
    except SubmissionError as error:
        for line in (*lines(error.faults), str(error)):
            print(printable_lines(line), file=sys.stderr)
        return 1
    except IcvosError as error:
        print(printable_lines(str(error)), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
