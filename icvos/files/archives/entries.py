"""What an archive lists, judged before anything in it is unpacked.

An archive is hostile until its list has been read whole: names stay inside the folder, files are files, nothing is
encrypted or packed twice, and what comes out is bounded in number and size.
"""

import os
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from icvos.errors import Fault, IcvosError, plural

ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".zst")
MAX_DEPTH = 16
MAX_NAME_BYTES = 255  # of one part of a path, as file systems have it
MAX_LISTED = 1000


@dataclass(frozen=True, slots=True)
class Limits:
    """What an archive may hold; a submission of IC-VOS has 100,000 files of some 5 kB.

    Args:
        entries: Files and folders.
        folders: Folders that its files lie in, named or implied; five draws of 437 clips have some 5,000.
        directory_bytes: Length of the list of entries of a zip file.
        entry_bytes: One file, unpacked.
        total_bytes: All files, unpacked.
        ratio: Unpacked over packed length, of files above ``ratio_from`` bytes and of the whole. Deflate reaches 1032.
        ratio_from: Below it any ratio is harmless.
        archives: Whether a file may be an archive itself, which is not opened.
    """

    entries: int = 300_000
    folders: int = 20_000
    directory_bytes: int = 1 << 26
    entry_bytes: int = 1 << 26
    total_bytes: int = 1 << 33
    ratio: int = 200
    ratio_from: int = 1 << 20
    archives: bool = False

    def too_many(self, path: Path) -> Fault:
        """The fault of an archive with more entries."""
        return Fault("limit", str(path), f"more than {self.entries:,} files; pack one draw, or clips as RLE JSON")

    def too_long(self, path: Path, total: int) -> Fault:
        """The fault of an archive whose files have ``total`` bytes."""
        what = f"{total:,} bytes unpacked, {self.total_bytes:,} at most; pack one draw"
        return Fault("limit", str(path), what)

    def too_dense(self, path: Path, length: int, total: int) -> Fault:
        """The fault of an archive of ``length`` bytes that unpacks to at least ``total``."""
        what = f"unpacks {length:,} bytes to {total:,}, more than {self.ratio} times as many; pack masks only"
        return Fault("limit", str(path), what)


LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that an archive lists.

    Args:
        name: Its path, with slashes between its parts.
        kind: ``other`` is a link or a special file.
        size: Its bytes, unpacked.
        packed: Its bytes in the archive; None where all files are packed as one stream.
        flaw: The kind of fault, and what is wrong, where its content is not read: encrypted, or an unknown method.
        source: What zipfile knows of it.
    """

    name: str
    kind: Literal["file", "folder", "other"]
    size: int
    packed: int | None = None
    flaw: tuple[str, str] | None = None
    source: zipfile.ZipInfo | None = None

    @property
    def parts(self) -> list[str]:
        """The parts of its path."""
        return self.name.rstrip("/").split("/")


class ArchiveError(IcvosError):
    """A submission that is not read, or not unpacked. The message counts its faults; ``faults`` has every one."""

    def __init__(self, message: str, faults: tuple[Fault, ...]) -> None:
        super().__init__(message)
        self.faults = faults

    def __reduce__(self) -> tuple[type, tuple[str, tuple[Fault, ...]]]:
        return ArchiveError, (str(self), self.faults)


def refused(path: Path, faults: Sequence[Fault]) -> ArchiveError:
    """The error of an archive with ``faults``, at least one."""
    count = plural(len(faults), "fault")
    return ArchiveError(f"{path}: {count}, not unpacked; {faults[0].what}", tuple(faults))


def inspect(
    path: Path, entries: Sequence[Entry], limits: Limits = LIMITS, wanted: Callable[[Entry], bool] = lambda _: True
) -> Iterator[Fault]:
    """Every fault that the list of entries shows.

    What is not ``wanted`` will not be unpacked, so that only its name and kind are judged.
    """
    if len(entries) > limits.entries:
        yield limits.too_many(path)
        return
    folders = _folders(entries, limits.folders)
    if folders is None:
        what = f"its files lie in more than {limits.folders:,} folders; pack <video>/<class>/<frame>.png"
        yield Fault("limit", str(path), what)
        return
    yield from _each(path, entries, limits, wanted)
    for name in sorted(folders & {entry.name for entry in entries if entry.kind != "folder"})[:MAX_LISTED]:
        yield Fault("duplicate", f"{path}/{name}", "both a file and a folder; pack it again")
    yield from _sums(path, [entry for entry in entries if wanted(entry)], limits)


def _each(path: Path, entries: Sequence[Entry], limits: Limits, wanted: Callable[[Entry], bool]) -> Iterator[Fault]:
    seen: set[str] = set()
    listed = 0
    for entry in entries:
        fault = _misplaced(entry, seen) or (_unreadable(entry, limits) if wanted(entry) else None)
        seen.add(entry.name.rstrip("/"))
        if fault is not None:
            listed += 1
            if listed <= MAX_LISTED:
                yield replace(fault, where=f"{path}/{fault.where}")
    if listed > MAX_LISTED:
        yield Fault("path", str(path), f"{listed - MAX_LISTED:,} more files with such faults; pack it again")


def _sums(path: Path, entries: Sequence[Entry], limits: Limits) -> Iterator[Fault]:
    total, packed = sum(entry.size for entry in entries), sum(entry.packed or 0 for entry in entries)
    if total > limits.total_bytes:
        yield limits.too_long(path, total)
    length = path.stat().st_size
    if packed > length:
        what = f"its files take {packed:,} packed bytes, the archive has {length:,}: they overlap; pack it again"
        yield Fault("limit", str(path), what)
    elif total > max(limits.ratio_from, limits.ratio * length):
        yield limits.too_dense(path, length, total)


def _folders(entries: Sequence[Entry], most: int) -> set[str] | None:
    """Every folder that one of ``entries`` lies in; None for more than ``most``."""
    found: set[str] = set()
    for entry in entries:
        folder = entry.name.rstrip("/").rpartition("/")[0]
        while folder and folder not in found:
            found.add(folder)
            if len(found) > most:
                return None
            folder = folder.rpartition("/")[0]
    return found


def _misplaced(entry: Entry, seen: set[str]) -> Fault | None:
    """The worst thing about the path and kind of one entry; ``seen`` are the paths before it."""
    name, parts = entry.name, entry.parts
    places = name.replace("\\", "/").split("/")
    found: tuple[str, str] | None = None
    if not places[0] or ".." in places or ":" in places[0]:
        found = "path", "leads out of the archive's own folder (absolute, .. or drive); pack relative paths"
    elif "\\" in name:
        found = "path", "has a backslash where other names have slashes; pack it again with one program"
    elif not all(parts) or "." in parts or "\0" in name or len(parts) > MAX_DEPTH:
        found = "path", "not a plain path like <video>/<class>/<frame>.png; pack it again"
    elif any(len(os.fsencode(part.encode("utf-8", "replace"))) > MAX_NAME_BYTES for part in parts):
        found = "path", "a name too long for a file; rename it"
    elif entry.kind == "other":
        found = "link", "a link or a special file; pack the file itself"
    elif name.rstrip("/") in seen:
        found = "duplicate", "is in the archive twice; pack it again"
    return Fault(found[0], name, found[1]) if found else None


def _unreadable(entry: Entry, limits: Limits) -> Fault | None:
    """The worst thing about the content of one entry."""
    found: tuple[str, str] | None = None
    if entry.flaw and entry.flaw[0] == "encrypted":
        found = entry.flaw
    elif entry.name.lower().endswith(ARCHIVES) and not limits.archives:
        found = "nested", "an archive inside the archive is not opened; pack the masks themselves"
    elif entry.flaw:
        found = entry.flaw
    elif entry.size > limits.entry_bytes:
        found = "limit", f"{entry.size:,} bytes unpacked, {limits.entry_bytes:,} at most; pack masks only"
    elif entry.packed is not None and entry.size > max(limits.ratio_from, limits.ratio * entry.packed):
        found = "limit", f"unpacks to more than {limits.ratio} times its size; pack masks only"
    return Fault(found[0], entry.name, found[1]) if found else None
