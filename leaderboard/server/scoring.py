"""What becomes of one upload: its faults, or its figures under each protocol. Nothing of the truth but figures.

The check and the score are those of `leaderboard.submission`; here is what a stranger may read of what they say.
"""

import contextlib
import json
import logging
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from icvos.errors import Fault, IcvosError, printable
from icvos.protocol import Protocol
from icvos.tasks.kinds import MAX_WRITTEN
from icvos.tasks.record import read_records
from icvos.tasks.result import Result, refuse_random_records
from icvos.tasks.task import Task, Watch
from leaderboard.server.movies import draw_movies
from leaderboard.submission import SubmissionError, checked_folder

LOG = logging.getLogger("icvos.server")
HIDDEN = "the server could not score it; whoever runs it can read why in its log"
DRAWS = "predict all draws: this server takes no part of them"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is recorded of a submission.

    Args:
        state: ``scored``, ``faults`` or ``refused``.
        reason: Why it was refused, or how many faults there are.
        faults: Errors and warnings, as the submitter knows the files.
        more_faults: That are not among them.
        scores: The JSON of the result under each protocol.
    """

    state: str
    reason: str = ""
    faults: tuple[Fault, ...] = ()
    more_faults: int = 0
    scores: tuple[tuple[str, str], ...] = ()


def score_upload(
    task: Task,
    upload: Path,
    shown: str,
    protocols: Sequence[Protocol],
    watch: Watch,
    *,
    all_draws: bool = False,
    movies: Path | None = None,
) -> Outcome:
    """Check an upload under all protocols, then score it under each.

    Args:
        task: The benchmark, with the truth.
        upload: The file.
        shown: What the submitter calls it.
        protocols: Under which it is scored.
        watch: Is told how it goes on; what it raises ends the work.
        all_draws: Refuse a run that is not over all support draws.
        movies: The folder for clips to watch; None: none are drawn.
    """
    try:
        warnings, results = _scored(task, upload, protocols, watch, movies)
    except SubmissionError as error:
        faults = tell(error.faults, upload, shown, task)
        reason = _told(str(error), upload, shown, task)
        return Outcome("faults", reason, faults[:MAX_WRITTEN], max(0, len(faults) - MAX_WRITTEN))
    except IcvosError as error:
        return Outcome("refused", _told(str(error), upload, shown, task))
    note = next((result.draws_note for result in results if result.draws_note), "")
    if all_draws and note:
        return Outcome("refused", f"{note}; {DRAWS}")
    faults = tell(warnings, upload, shown, task)
    scores = tuple((result.protocol, json.dumps(result.to_json())) for result in results)
    return Outcome("scored", "", faults[:MAX_WRITTEN], max(0, len(faults) - MAX_WRITTEN), scores)


def _scored(
    task: Task, upload: Path, protocols: Sequence[Protocol], watch: Watch, movies: Path | None
) -> tuple[tuple[Fault, ...], list[Result]]:
    folder, warnings = upload, dict[Fault, None]()
    with contextlib.ExitStack() as stack:
        for protocol in protocols:  # the first unpacks the archive, the others look at the same folder
            try:
                checked = stack.enter_context(checked_folder(task, folder, protocol, watch))
            except SubmissionError as error:
                raise SubmissionError(str(error), _in_upload(error.faults, folder, upload)) from error
            warnings |= dict.fromkeys(_in_upload(checked.warnings, folder, upload))
            folder = checked.folder
        refuse_random_records(read_records(folder, task.part).values(), upload)
        results = []
        for protocol in protocols:
            watch.stage(f"score {protocol.id}")
            results.append(task.score(folder, protocol, watch))
        if movies is not None:
            draw_movies(task, folder, results, movies, watch)
    return tuple(warnings), results


def _in_upload(faults: Sequence[Fault], folder: Path, upload: Path) -> tuple[Fault, ...]:
    return tuple(_replaced(fault, str(folder), str(upload)) for fault in faults)


def _replaced(fault: Fault, old: str, new: str) -> Fault:
    return replace(fault, where=fault.where.replace(old, new), what=fault.what.replace(old, new))


def tell(faults: Sequence[Fault], upload: Path, shown: str, task: Task) -> tuple[Fault, ...]:
    """Faults as the submitter knows the files, errors first; one that would name a place on the server does not."""
    told = (_replaced(fault, str(upload), shown) for fault in sorted(faults, key=lambda fault: fault.severity))
    hidden = _places(task, upload)
    return tuple(
        replace(fault, where=_without(fault.where, hidden, shown), what=_without(fault.what, hidden, HIDDEN))
        for fault in told
    )


def _told(text: str, upload: Path, shown: str, task: Task) -> str:
    told = _without(text.replace(str(upload), shown), _places(task, upload), HIDDEN)
    if told == HIDDEN:
        LOG.warning("%s", printable(text))
    return told


def _places(task: Task, upload: Path) -> tuple[str, ...]:
    """The folders of the server that a message could name."""
    folders = (
        task.root,
        upload.parent.parent,
        Path(tempfile.gettempdir()),
        Path(sys.prefix),
        Path(__file__).parents[2],
    )
    every = {*folders, *(folder.resolve() for folder in folders), *(folder.absolute() for folder in folders)}
    return tuple(str(folder) for folder in every if len(folder.parts) > 1)


def _without(text: str, places: Sequence[str], instead: str) -> str:
    return instead if any(place in text for place in places) else printable(text)
