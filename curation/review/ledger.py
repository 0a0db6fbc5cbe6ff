"""Where decisions are kept: the curation file, and the log beside it.

The log is written first and the file after it, both under a lock, so that any number of servers may work on one file.
A kill between the two is mended by the next one who looks. The file alone says what is built: it may be edited by hand
at any time, and what was decided before the edit then counts no more.
"""

import importlib.metadata
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from curation.review.events import Event, Key, Log, append, log_of, new_id, now, of_video
from curation.review.standing import Standing, last_of, standings
from curation.video.rows import CurationRow, read_rows, write_rows
from icvos.errors import IcvosError
from icvos.files.locks import lock_file
from icvos.files.storage import storable

Signature = tuple[int, int, int] | None  # of a file: changes with its content
TOOL = f"icvos {importlib.metadata.version('icvos')} review"


@dataclass(frozen=True, slots=True)
class Table:
    """What is stored.

    Args:
        rows: The curation file's rows of each video.
        events: The log.
        standings: What the log amounts to.
    """

    rows: dict[Key, tuple[CurationRow, ...]]
    events: tuple[Event, ...]
    standings: dict[Key, Standing] = field(default_factory=dict)


class Ledger:
    """A curation file and its log.

    Args:
        path: The curation file; where it is not there, the first decision makes it.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.log = path, log_of(path)
        self._growing = Log(self.log)
        self._lock = path.with_name(f".{path.name}.lock")
        self._known: tuple[tuple[Signature, Signature], Table] | None = None
        self._reading = threading.Lock()

    def read(self) -> Table:
        """What is stored now; raises `IcvosError` for a file that cannot be read."""
        with self._reading:
            signatures = _signature(self.path), _signature(self.log)
            if self._known is None or self._known[0] != signatures:
                events = self._growing.read()
                rows = of_video(read_rows(self.path)) if self.path.exists() else {}
                self._known = signatures, Table(rows, events, standings(events))
            return self._known[1]

    def repair(self) -> Table:
        """Mend what a kill left between the log and the file, and read both."""
        with lock_file(self._lock, str(self.path), wait=True):
            return self._repaired()

    def decide(
        self,
        kind: Literal["decide", "settle", "again"],
        reviewer: str,
        rows: Sequence[CurationRow],
        seconds: float | None = None,
    ) -> Event:
        """Keep a decision on one video.

        Args:
            kind: As `Event` says; "again" changes no row.
            reviewer: Who decided.
            rows: All rows of the video; who, when and by what tool is filled in.
            seconds: How long the video had been shown.

        Returns:
            The event, when it is on the disk.
        """
        when = now()
        stamp = {"who": reviewer, "when": when, "tool": TOOL}
        stamped = tuple(row.model_copy(update={**stamp, "reason": _plain(row.reason)}) for row in rows)
        source, video = stamped[0].source, stamped[0].video
        return self._record(
            Event(
                id=new_id(), kind=kind, reviewer=reviewer, when=when, tool=TOOL, seconds=seconds,
                source=source, video=video, rows=stamped, before=(), after=(),
            )
        )  # fmt: skip

    def undo(self, reviewer: str) -> Event:
        """Take the reviewer's last decision back; raises `IcvosError` where there is none."""
        with lock_file(self._lock, str(self.path), wait=True):
            last = last_of(reviewer, self._repaired().events)
            if last is None:
                raise IcvosError(f"{self.log}: {reviewer} has decided nothing that could be undone")
            event = Event(
                id=new_id(), kind="undo", reviewer=reviewer, when=now(), tool=TOOL,
                source=last.source, video=last.video, rows=(), before=(), after=(), undoes=last.id,
            )  # fmt: skip
            return self._write(event)

    def _record(self, event: Event) -> Event:
        with lock_file(self._lock, str(self.path), wait=True):
            self._repaired()
            return self._write(event)

    def _write(self, event: Event) -> Event:
        """Append an event and write the file; the lock is held and nothing is left to repair."""
        table = self.read()
        before = table.rows.get(event.key, ())
        standing = table.standings.get(event.key)
        edited = standing is not None and standing.last is not None and before != standing.last.after
        event = event.model_copy(update={"before": before, "edited": edited and event.kind != "again"})
        after = before
        if event.kind != "again":
            after = standings((*table.events, event))[event.key].rows()
        event = event.model_copy(update={"after": after})
        append(self.log, event)
        if after != before:
            self._write_rows(table, event)
        return event

    def _write_rows(self, table: Table, event: Event) -> None:
        rows = {**table.rows, event.key: event.after}
        write_rows(self.path, [row for same in rows.values() for row in same])

    def _repaired(self) -> Table:
        table = self.read()
        last = table.events[-1] if table.events else None
        if last is None or last.kind == "again" or last.before == last.after:
            return table
        if table.rows.get(last.key, ()) == last.before:
            self._write_rows(table, last)
        return self.read()


def _plain(text: str) -> str:
    """A text as it comes back out of a cell: on one line, no space around it."""
    return " ".join(storable(text).split())


def _signature(path: Path) -> Signature:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def decided_alone(table: Table, reviewer: str) -> dict[Key, tuple[CurationRow, ...]]:
    """The rows of one reviewer alone, as the log has them, by video."""
    return {
        key: standing.decisions[reviewer].rows
        for key, standing in table.standings.items()
        if reviewer in standing.decisions
    }


def reviewers(table: Table) -> list[str]:
    """Who has a decision that counts, in order of name."""
    return sorted({name for standing in table.standings.values() for name in standing.decisions})
