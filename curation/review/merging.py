"""`icvos curate merge`: curation files of several reviewers as one, with a log, as if they had reviewed one file."""

from collections.abc import Sequence
from pathlib import Path

from curation.review.agreement import decided
from curation.review.events import Event, Key, line_of, log_of, new_id, now, of_video
from curation.review.ledger import TOOL
from curation.review.standing import standings, status
from curation.video.rows import CurationRow, read_rows, refuse_existing, write_rows
from icvos.errors import IcvosError
from icvos.files.storage import write_text


def merge_files(out: Path, files: Sequence[Path]) -> dict[str, int]:
    """Merge curation files; what reviewers agree on stands, and what they differ on is disputed.

    Args:
        out: The merged file; its log is written beside it. Files that exist are refused.
        files: Those of the reviewers, each of one reviewer: who is in its rows, else the name of the file.

    Returns:
        How many videos are open, unsure, disputed, accepted and rejected.

    Raises:
        IcvosError: A file cannot be read, two are of one reviewer, or ``out`` or its log exists.
    """
    refuse_existing(out)
    refuse_existing(log_of(out))
    tables = [of_video(read_rows(path)) for path in files]
    names = [_reviewer(path, table) for path, table in zip(files, tables, strict=True)]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise IcvosError(f"{files[names.index(twice)]}: two files of {twice}; give one file for each reviewer")
    rows: dict[Key, tuple[CurationRow, ...]] = {}
    for table in tables:
        rows.update({key: found for key, found in table.items() if key not in rows and key not in decided(table)})
    events: list[Event] = []
    of: dict[Key, list[Event]] = {}
    for name, table in zip(names, tables, strict=True):
        for key, found in decided(table).items():
            event = _event(name, tuple(found), rows.get(key, ()))
            own = of.setdefault(key, [])
            event = event.model_copy(update={"after": standings([*own, event])[key].rows()})
            own.append(event)
            events.append(event)
            rows[key] = event.after
    write_rows(out, [row for key in sorted(rows) for row in rows[key]])
    write_text(log_of(out), "".join(map(line_of, events)))
    found_status = [status(rows, key) for key in rows]
    return {name: found_status.count(name) for name in ("open", "unsure", "disputed", "accepted", "rejected")}


def _reviewer(path: Path, table: dict[Key, tuple[CurationRow, ...]]) -> str:
    """Whose file it is: the one name in its rows, else its own."""
    names = {row.who for rows in table.values() for row in rows if row.who}
    name = names.pop() if len(names) == 1 else ""
    return name if name and "," not in name else path.stem


def _event(name: str, rows: tuple[CurationRow, ...], before: tuple[CurationRow, ...]) -> Event:
    when = max(row.when for row in rows) or now()
    stamped = tuple(row.model_copy(update={"who": name, "when": row.when or when}) for row in rows)
    return Event(
        id=new_id(), kind="decide", reviewer=name, when=when, tool=TOOL, source=rows[0].source, video=rows[0].video,
        rows=stamped, before=before, after=(),
    )  # fmt: skip
