"""The log beside a curation file: a line for everything that a reviewer did, which is only ever appended to."""

import os
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal
from uuid import uuid4

from pydantic import Field

from curation.video.rows import CurationRow
from icvos.errors import IcvosError
from icvos.files.schema import FormatOne, Name, Schema, Seconds, parse_schema
from icvos.files.storage import end_last_line, is_object, json_text, sync, unwritable

Kind = Literal["decide", "settle", "undo", "again"]
Key = tuple[str, str]  # source and video
WHAT, REMEDY = "an event of a review", "mend or remove the line; the curation file itself keeps the decisions"


class Event(Schema):
    """One thing that a reviewer did to one video."""

    format: FormatOne = Field(default=1, description="The layout of the line.")
    id: Name = Field(description="By which another event names it.")
    kind: Kind = Field(
        description="decide: a decision. settle: one that stands above those of all reviewers. undo: takes one of the "
        "reviewer's own events back. again: a decided video shown once more, which changes no row."
    )
    reviewer: Name = Field(description="Who did it.")
    when: Name = Field(description="When, in UTC.")
    tool: Name = Field(description="What wrote the line, with its version.")
    seconds: Seconds | None = Field(default=None, description="How long the video had been shown.")
    source: Name = Field(description="The data set of the video.")
    video: Name = Field(description="The video, as the data set calls it.")
    rows: tuple[CurationRow, ...] = Field(description="What the reviewer decided; of undo, nothing.")
    before: tuple[CurationRow, ...] = Field(description="The video's rows in the curation file before it.")
    after: tuple[CurationRow, ...] = Field(description="The video's rows in the curation file after it.")
    undoes: Name | None = Field(default=None, description="Of undo: the id of what it takes back.")
    edited: bool = Field(
        default=False,
        description="Whether the rows before it were written by hand since the last event: what was decided "
        "earlier then no longer counts.",
    )

    @property
    def key(self) -> Key:
        """Source and video."""
        return self.source, self.video


def new_id() -> str:
    """An id for an event."""
    return uuid4().hex[:16]


def now() -> str:
    """The time in UTC, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def log_of(rows: Path) -> Path:
    """The log of a curation file: ``rows.log.jsonl`` beside ``rows.csv``."""
    return rows.with_name(f"{rows.stem}.log.jsonl")


class Log:
    """A log that grows: each reading parses what was added since the last one.

    Args:
        path: The file; where there is none, it has no events.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._begin()

    def _begin(self) -> None:
        self._events: tuple[Event, ...] = ()
        self._lines = 0
        self._end = 0  # of what is parsed, in bytes
        self._last = b""  # what is before it: where that is another, the file was replaced or edited

    def read(self) -> tuple[Event, ...]:
        """The events in order.

        A last line that a kill cut off counts for nothing. Any other line that does not fit raises `IcvosError` with
        its number.
        """
        try:
            data = self._added()
        except FileNotFoundError:
            self._begin()
            return ()
        except OSError as error:
            raise IcvosError(f"{self.path}: cannot be read as the log of a review ({error.strerror})") from error
        *lines, tail = data.split(b"\n")
        found = [event for number, line in enumerate(lines, start=1) for event in self._parsed(number, line)]
        self._events += tuple(found)
        self._lines += len(lines)
        self._end += len(data) - len(tail)
        if lines:
            self._last = lines[-1] + b"\n"
        return (*self._events, *self._parsed(1, tail)) if is_object(tail) else self._events

    def _parsed(self, number: int, line: bytes) -> Iterator[Event]:
        if line.strip():
            yield parse_schema(line, Event, f"{self.path}, line {self._lines + number}", WHAT, REMEDY)

    def _added(self) -> bytes:
        with self.path.open("rb") as file:
            file.seek(max(0, self._end - len(self._last)))
            if file.read(len(self._last)) != self._last:
                self._begin()
                file.seek(0)
            return file.read()


def read_events(path: Path) -> tuple[Event, ...]:
    """The events of a log in order; errors as for `Log.read`."""
    return Log(path).read()


def append(path: Path, event: Event) -> None:
    """Add an event to a log, for good: it is on the disk when this returns.

    The caller keeps others from writing at the same time. A last line that a kill cut off is removed first.
    """
    is_new = not path.exists()
    line = line_of(event).encode()
    try:
        end_last_line(path)
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            _write(handle, line)
            os.fsync(handle)
        finally:
            os.close(handle)
        if is_new:
            sync(path.parent)
    except OSError as error:
        raise unwritable(path, error) from error


def line_of(event: Event) -> str:
    """The line of an event, with its end."""
    return json_text(event.model_dump(mode="json", by_alias=True), indent=None)


def _write(handle: int, data: bytes) -> None:
    while data:
        data = data[os.write(handle, data) :]


def of_video(rows: Iterable[CurationRow]) -> dict[Key, tuple[CurationRow, ...]]:
    """Rows by their video, in order of the videos' first rows."""
    found: dict[Key, list[CurationRow]] = {}
    for row in rows:
        found.setdefault((row.source, row.video), []).append(row)
    return {key: tuple(same) for key, same in found.items()}


def judgement(rows: Sequence[CurationRow]) -> frozenset[tuple[int, tuple[int, ...], str]]:
    """What rows say, without the words: (class index or 0, objects, decision) of each."""
    return frozenset((row.key[2], row.objects, row.decision) for row in rows)
