"""Zip and tar files: listed, judged, and unpacked; the bounds hold while unpacking, whatever the list said."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from icvos.errors import Fault, IcvosError
from icvos.files.archives import tars, zips
from icvos.files.archives.entries import LIMITS, ArchiveError, Entry, Limits, inspect, refused
from icvos.files.listing import is_passed_over

ZIP = b"PK"
SUFFIXES = (".tar.gz", ".tgz", ".tar", ".zip")


def require_archive(path: Path, expected: str) -> None:
    """Raise `IcvosError` for what is neither a zip nor a tar file; ``expected`` says what a folder would hold."""
    try:
        if not path.exists():
            named = path.name.lower().endswith(SUFFIXES)
            remedy = "no such file, check the name" if named else f"no such folder; expected {expected}"
            raise IcvosError(f"{path}: {remedy}")
        known = path.is_file() and _kind(path) is not None
    except OSError as error:
        raise IcvosError(f"{path}: cannot be read ({error.strerror}); give a folder, zip or tar.gz file") from error
    if not known:
        what = "neither a folder nor a zip or tar.gz file; give a folder of predictions, or pack it"
        raise IcvosError(f"{path}: {what}")


def bare_name(path: Path) -> str:
    """The name of an archive without its suffix.

    >>> bare_name(Path("runs/masks.v2.tar.gz")), bare_name(Path("masks.zip"))
    ('masks.v2', 'masks')
    """
    return next((path.name[: -len(end)] for end in SUFFIXES if path.name.lower().endswith(end)), path.stem)


def _kind(path: Path) -> str | None:
    with path.open("rb") as file:
        start = file.read(tars.BLOCK)
    if start.startswith(ZIP):
        return "zip"
    return "tar" if tars.is_tar(start) else None


def unpack(path: Path, folder: Path, limits: Limits = LIMITS) -> None:
    """Unpack an archive into the empty ``folder``, or raise `ArchiveError` with everything wrong with it.

    Hidden files and leftovers of file managers stay in it.
    """
    found = listed(path, limits)
    faults = list(inspect(path, found, limits))
    if faults:
        raise refused(path, faults)
    write(path, [entry for entry in found if not any(map(is_passed_over, entry.parts))], folder, limits)


def listed(path: Path, limits: Limits = LIMITS) -> list[Entry]:
    """What an archive lists, not judged yet; `ArchiveError` for one that cannot be listed or lists far too much."""
    kind = _kind(path)
    try:
        return zips.entries(path, limits) if kind == "zip" else tars.entries(path, limits)
    except (*zips.BROKEN, *tars.BROKEN) as error:
        raise _unreadable(path, kind, error) from error


def write(
    path: Path,
    chosen: Sequence[Entry],
    folder: Path,
    limits: Limits = LIMITS,
    *,
    remedy: str = "free some space or set TMPDIR",
    told: Callable[[int], None] = lambda size: None,
) -> None:
    """Write the files among the ``chosen`` entries, judged before, into ``folder``; no byte beyond what was listed.

    Args:
        path: The archive.
        chosen: What is written of it.
        folder: Where; none of the files is there yet.
        limits: What it may hold.
        remedy: What to do where a file cannot be written.
        told: Is told how many more bytes are written.
    """
    files = [entry for entry in chosen if entry.kind == "file"]
    writer = _Writer(path, folder, limits, remedy, told)
    kind = _kind(path)
    try:
        if kind == "zip":
            zips.read_each(path, files, writer.put)
        else:
            tars.read_each(path, files, writer.put, limits)
    except (*zips.BROKEN, *tars.BROKEN) as error:
        raise _unreadable(path, kind, error) from error
    if writer.faults:
        raise refused(path, writer.faults)


def _unreadable(path: Path, kind: str | None, error: Exception) -> ArchiveError:
    return refused(path, [Fault("unreadable", str(path), f"cannot be read as a {kind} file ({error}); pack it again")])


class _Writer:
    """Writes files one by one, and collects faults of those that cannot be unpacked."""

    def __init__(self, path: Path, folder: Path, limits: Limits, remedy: str, told: Callable[[int], None]) -> None:
        self.path, self.folder, self.limits, self.remedy, self.told = path, folder, limits, remedy, told
        self.left = limits.total_bytes
        self.made: set[Path] = set()
        self.faults: list[Fault] = []

    def put(self, entry: Entry, content: Iterator[bytes]) -> None:
        """Write one file."""
        target = self.folder.joinpath(*entry.parts)
        try:
            if target.parent not in self.made:
                target.parent.mkdir(parents=True, exist_ok=True)
                self.made.add(target.parent)
            with target.open("xb") as file:
                self._copy(entry, content, file)
        except OSError as error:
            what = f"cannot be written ({error.strerror}); {self.remedy}"
            raise IcvosError(f"{target.parent}: {what}") from error

    def _copy(self, entry: Entry, content: Iterator[bytes], file: BinaryIO) -> None:
        size = 0
        for chunk in self._read(entry, content):
            size, self.left = size + len(chunk), self.left - len(chunk)
            if size > min(entry.size, self.limits.entry_bytes) or self.left < 0:
                self._fault(entry, "longer than it says")
                return
            file.write(chunk)
            self.told(len(chunk))

    def _read(self, entry: Entry, content: Iterator[bytes]) -> Iterator[bytes]:
        """``content`` up to where it breaks; ValueError where it is part of one stream, whose rest is lost too."""
        try:
            yield from content
        except zips.BROKEN as error:
            if entry.packed is None:
                raise ValueError(str(error)) from error
            self._fault(entry, str(error))

    def _fault(self, entry: Entry, why: str) -> None:
        what = f"cannot be unpacked ({why}); pack it again"
        self.faults.append(Fault("unreadable", f"{self.path}/{entry.name}", what))
