"""Where results live: a board is a folder with a file for each result, told apart by `leaderboard.entry.Entry.key`.

A board only grows: a result that is there is never changed, new figures are a new revision. So a board can be a folder
under version control, and a submission a pull request.
"""

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from icvos.errors import IcvosError
from icvos.files.locks import lock_folder
from icvos.files.schema import Schema
from icvos.files.storage import json_text, write_new
from icvos.tasks.result import MAX_BYTES, Result, is_frames, keep_frames, refuse_random, scores_files
from icvos.tasks.task import read_object
from leaderboard.entry import REMEDY, WHAT, Entry, MethodFacts, check_name, entry_json, parse_entry, read_entry


@dataclass(frozen=True, slots=True)
class Board:
    """A folder of results; make one with `Board.open`."""

    folder: Path

    @classmethod
    def open(cls, folder: Path | str) -> "Board":
        """The board in ``folder``, which need not exist yet; raises `IcvosError` where something else is in the way."""
        folder = Path(folder)
        if folder.exists() and not folder.is_dir():
            raise IcvosError(f"{folder}: is a file; a board is a folder, give another name")
        return cls(folder)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All results, read and checked now, in order of name, revision, protocol and digest."""
        entries: dict[tuple[str, ...], Entry] = {}
        for path in self._files:
            entry = _named(path)
            if entry.key in entries:
                raise IcvosError(f"{path}: same result as {entries[entry.key].path.name}; remove one of the two")
            entries[entry.key] = entry
        return tuple(entries[key] for key in sorted(entries))

    @property
    def _files(self) -> list[Path]:
        """The files of the results."""
        found = sorted(self.folder.glob("*.json")) if self.folder.is_dir() else []
        return [path for path in found if not path.name.startswith(".") and not is_frames(path)]

    def add(
        self,
        result: Result,
        *,
        name: str,
        revision: str = "1",
        notes: str = "",
        facts: MethodFacts | None = None,
        benchmark_clips: int | None = None,
        frames: Sequence[Schema] = (),
    ) -> Path:
        """Put one result on the board and return its file; the same result again changes nothing.

        Args:
            result: What was scored.
            name: The method's name on the board.
            revision: Which state of the method.
            notes: Free text.
            facts: What is said of the method.
            benchmark_clips: How many clips the whole benchmark has, by which a partial result is told from a whole one.
            frames: J and F of every frame, where they were kept; they lie beside the result's file.

        Raises:
            IcvosError: The board holds other figures under the same `leaderboard.entry.Entry.key`, or the result has no
                place on a board.
        """
        check_name(name, "name")
        check_name(revision, "revision")
        refuse_random(result, name)
        added = datetime.now(UTC).isoformat(timespec="seconds")
        value = entry_json(
            Entry(name, revision, result, Path(name), notes, facts or MethodFacts(), added, benchmark_clips)
        )
        entry = parse_entry(value, Path(name))  # as it will be read back, so that the same result compares equal
        data = json_text(value).encode()
        if len(data) > MAX_BYTES:
            raise IcvosError(f"{name}: a result of {len(data) >> 20} MiB, {MAX_BYTES >> 20} at most; shorten run.json")
        path = self.folder / file_name(entry)
        with lock_folder(self.folder, wait=True):
            # where the file system has no locks, another process may still be first: the second look finds its file
            if (found := self._same(entry)) or write_new(path, data) or (found := self._same(entry)):
                keep_frames(found or path, frames)
                return found or path
        raise IcvosError(f"{path}: holds another name that is written alike; use another --name")

    def _same(self, entry: Entry) -> Path | None:
        """The file that holds this very result already; `IcvosError` where other figures have its key.

        Of other names and revisions no more is read than that, since to prove their figures takes many times as long.
        """
        for path in self._files:
            said = read_object(path, WHAT, REMEDY)
            if "revision" in said and (said.get("name"), said["revision"]) != (entry.name, entry.revision):
                continue
            found = _named(path)
            if found.key == entry.key:
                if _content(found) == _content(entry):
                    return found.path
                raise IcvosError(
                    f"{found.path}: holds another result of this name and revision; use another --revision"
                )
        return None


def _content(entry: Entry) -> tuple[Result, str, MethodFacts, int | None]:
    return entry.result, entry.notes, entry.facts, entry.declared_clips


def file_name(entry: Entry) -> str:
    """``<name>--<revision>.<protocol>.<digest>.json``, with whatever a file system might refuse replaced.

    On images ``<benchmark>.<K>-shot`` stands before the protocol.
    """
    protocol, digest, *more = entry.result.identity
    short = (digest or "no-digest").removeprefix("sha256:")[:9]
    return ".".join((f"{_stem(entry.name)}--{_stem(entry.revision)}", *more, protocol, short, "json"))


def _stem(text: str) -> str:
    plain = re.sub(r"[^A-Za-z0-9_.+-]+", "-", text).strip("-.")
    if plain == text:
        return plain
    return f"{plain or 'x'}-{hashlib.sha256(text.encode()).hexdigest()[:6]}"  # two texts never share a file


def collect(paths: Iterable[Path | str]) -> list[Entry]:
    """The results in any mix of run folders, result files and boards, in a fixed order.

    A run that is also on a board under the same name counts once, as the board has it. Files for J and F of every frame
    are passed over, so that all files of a folder can be given.
    """
    entries: list[Entry] = []
    for path in map(Path, paths):
        entries += [] if is_frames(path) and path.is_file() else _entries_of(path)
    unique: list[Entry] = []
    for entry in sorted(entries, key=lambda entry: (not entry.revision, entry.key, str(entry.path))):
        if not any(entry.name == other.name and entry.result == other.result for other in unique):
            unique.append(entry)
    return unique


def _named(path: Path) -> Entry:
    """The result in a file of a board."""
    entry = _ranked(path)
    if not entry.revision:
        raise IcvosError(f"{path}: scores without a name; put them on the board with icvos submit")
    return entry


def _ranked(path: Path) -> Entry:
    """The result in ``path`` if a table may show it."""
    entry = read_entry(path)
    refuse_random(entry.result, path)
    return entry


def _entries_of(path: Path) -> list[Entry]:
    if path.is_file():
        return [_ranked(path)]
    if not path.is_dir():
        raise IcvosError(f"{path}: no such file or folder; give run folders, result files or a board")
    if runs := scores_files(path):
        return [_ranked(found) for found in runs]
    entries = Board.open(path).entries
    if not entries:
        raise IcvosError(
            f"{path}: holds no scores.json and no results; score the run first with: icvos score {path} --benchmark ..."
        )
    return list(entries)
