"""The records of a run's draws, to which several processes add.

What a process has made it says at once in a small file of its own beside the claims (`icvos.files.leases`). Whoever
comes by next puts all such files into ``draw<N>/run.json``, and removes them: a record is written by one process at a
time. If that is killed, the files are still there. If it is stopped for longer than its lease in the moment between its
last look and its write, a clip may be missing from the record, and is made again.
"""

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from icvos.errors import IcvosError
from icvos.files.leases import Leases
from icvos.files.schema import Schema, read_schema, write_schema
from icvos.files.storage import json_text, write_bytes
from icvos.tasks.record import RECORD, ClipRun, RunRecord
from icvos.tasks.runs import now
from icvos.tasks.video.together import Work

OPENING = "record"  # the claim on writing records
MADE = "made"  # begins the name of a file that says what was made
GROWS = {"clips", "finished", "frames", "seconds_per_frame"}  # keys of a record that change as clips are made
REST = 20  # times as long as it took to write the records, for each process, until they are written again


class MadeClips(Schema):
    """What one pass over a video made in one draw. Lies in a run for a moment only.

    Args:
        of: `stamp` of the record that it belongs to.
        draw: The draw.
        clips: By clip what it took.
    """

    of: str
    draw: int
    clips: dict[str, ClipRun]


def stamp(record: RunRecord) -> str:
    """What tells a run from another that came in its place."""
    begun = {key: value for key, value in record.to_json().items() if key not in GROWS}
    return hashlib.sha256(json.dumps(begun, sort_keys=True).encode()).hexdigest()


class Records:
    """The records of a run, as this process knows them.

    Args:
        out: The run folder.
        opened: By draw the record as it was when this process opened it.
        places: By clip its place in the benchmark, which is that in the record.
        leases: The claims of this process in the folder.
    """

    def __init__(self, out: Path, opened: Mapping[int, RunRecord], places: Mapping[str, int], leases: Leases) -> None:
        self.out, self.places, self.leases = out, places, leases
        self.stamps = {draw: stamp(record) for draw, record in opened.items()}
        self.written = dict(opened)  # as in the files
        self.changes = 0  # how often others were found to have changed something
        self._signatures: dict[int, tuple[int, int, int]] = {}
        self._made: dict[str, MadeClips] = {}  # files that are not in the records yet,
        self._news: dict[int, dict[str, ClipRun]] = {draw: {} for draw in opened}  # and what they say, by draw
        self._count = 0
        self._rests_until = 0.0

    def made(self, item: Work) -> ClipRun | None:
        """What is known of a clip of a draw; None where nobody has made it."""
        clip = item.clip.id
        return self._news[item.draw].get(clip) or self.written[item.draw].clips.get(clip)

    def refresh(self) -> None:
        """Take notice of what others have made; `IcvosError` where another run has come in the place of this one."""
        found = {}  # before the records, into which they go before they are removed
        for path in self._files():
            known = self._made.get(path.name) or _read_made(path)
            if known is not None:
                found[path.name] = known
        self.changes += found.keys() != self._made.keys()
        self._made = found
        for draw in self.written:
            self._read_record(draw)
        self._unite()

    def add(self, clips: Sequence[tuple[Work, ClipRun]]) -> None:
        """Say what this process has made, then `merge` unless that was done a moment ago."""
        for draw in sorted({item.draw for item, _ in clips}):
            of_draw = {item.clip.id: one for item, one in clips if item.draw == draw}
            made = MadeClips(of=self.stamps[draw], draw=draw, clips=of_draw)
            name = f"{MADE}-{draw}-{self.leases.own.token}-{self._count}.json"
            write_bytes(self.leases.folder / name, json_text(made.to_json()).encode(), lasting=False)
            self._made[name] = made
        self._count += 1
        self._unite()
        if time.monotonic() >= self._rests_until and self.leases.take(OPENING):
            try:
                self._write()
            finally:
                self.leases.release(OPENING)

    def merge(self) -> None:
        """Put everything that was made into the records."""
        with self.leases.kept(OPENING):
            self._write()

    def drop(self, items: Sequence[Work]) -> None:
        """Take clips out of the records, so that nothing vouches for them while they are made again."""
        if not any(self.made(item) for item in items):
            return
        with self.leases.kept(OPENING):
            self._write(items)

    def _write(self, dropped: Sequence[Work] = ()) -> None:
        """Write the records that are not up to date; only while `OPENING` is claimed."""
        began = time.monotonic()
        self.refresh()
        gone = {item.key for item in dropped}
        for draw, news in self._news.items():
            there = {**self.written[draw].clips, **news}
            clips = {clip: one for clip, one in there.items() if (draw, clip) not in gone}
            if clips != self.written[draw].clips:
                record = with_clips(self.written[draw], dict(sorted(clips.items(), key=self._place)))
                if not self.leases.holds(OPENING):
                    return  # was stopped for so long that another writes them now
                write_schema(self._path(draw), record)
                self.written[draw] = record
                self._signatures[draw] = _signature(self._path(draw))
        for name in self._made:
            (self.leases.folder / name).unlink(missing_ok=True)
        self._made = {}
        self._unite()
        ended = time.monotonic()
        # all processes together write for a small part of the time, and each reads what all others write
        self._rests_until = ended + REST * (ended - began) * (1 + len(self.leases.others()))

    def _unite(self) -> None:
        self._news = {draw: {} for draw in self.written}
        for made in self._made.values():
            if made.of == self.stamps[made.draw]:
                self._news[made.draw] |= made.clips

    def _place(self, named: tuple[str, Any]) -> tuple[int, str]:
        return self.places.get(named[0], len(self.places)), named[0]

    def _path(self, draw: int) -> Path:
        return self.out / f"draw{draw}" / RECORD

    def _files(self) -> list[Path]:
        """What was made of these draws and is not in their records."""
        starts = tuple(f"{MADE}-{draw}-" for draw in self.stamps)
        with contextlib.suppress(FileNotFoundError):
            return sorted(path for path in self.leases.folder.iterdir() if path.name.startswith(starts))
        return []

    def _read_record(self, draw: int) -> None:
        path = self._path(draw)
        seen = _signature(path)
        if seen == self._signatures.get(draw):
            return
        found = read_schema(path, RunRecord, "the record of a run", "run the same command again")
        if stamp(found) != self.stamps[draw]:
            raise IcvosError(f"{path}: another run has begun in this folder; choose another --out")
        self.written[draw], self._signatures[draw] = found, seen
        self.changes += 1


def with_clips(record: RunRecord, clips: dict[str, ClipRun]) -> RunRecord:
    """The record with these clips, and its figures over them."""
    frames = sum(one.frames for one in clips.values())
    known = [one.seconds for one in clips.values() if one.seconds is not None]
    seconds = round(sum(known) / frames, 4) if frames and len(known) == len(clips) else None
    return record.model_copy(update={"clips": clips, "finished": now(), "frames": frames, "seconds_per_frame": seconds})


def _signature(path: Path) -> tuple[int, int, int]:
    """What changes when a file is replaced, asked of the file server and not of a cache."""
    try:
        with path.open("rb") as file:
            about = os.fstat(file.fileno())
    except OSError:
        return 0, 0, 0
    return about.st_ino, about.st_mtime_ns, about.st_size


def _read_made(path: Path) -> MadeClips | None:
    """What a file says; None where it is in the records by now, or cut off by a power failure."""
    try:
        return MadeClips.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
