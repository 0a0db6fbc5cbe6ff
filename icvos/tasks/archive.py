"""Submissions, folders and zip files: looked through before anything is read, and before a zip file is unpacked.

An archive is hostile until its directory has been read whole: names stay inside the folder, files are files, nothing is
encrypted or packed twice, and what comes out is bounded in number and size. The bounds hold again while it is unpacked,
whatever the directory said. What comes out of it is a folder that is removed at the end.

Nothing in a submission is a link: in a folder as in a zip file, what a link points to is not the submitter's.
"""

import contextlib
import os
import stat
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from icvos.errors import Fault, IcvosError
from icvos.files.listing import is_passed_over
from icvos.files.submitted import find_links
from icvos.tasks.wrapping import deeper, further_up, shortened

METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # others may need gigabytes of memory to unpack a few bytes
ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".zst")
BROKEN_ZIP = (
    zipfile.BadZipFile,
    OSError,
    ValueError,
    NotImplementedError,
    RuntimeError,
    EOFError,
    struct.error,
    zlib.error,
)
CHUNK = 1 << 18
MAX_DEPTH = 16
MAX_NAME_BYTES = 255  # of one part of a path, as file systems have it
MAX_LISTED = 1000


@dataclass(frozen=True, slots=True)
class Limits:
    """What an archive may hold; a submission of IC-VOS has 100,000 files of some 5 kB.

    Args:
        entries: Files and folders.
        folders: Folders that its files lie in, named or implied; five draws of 437 clips have some 5,000.
        directory_bytes: Length of the list of entries.
        entry_bytes: One file, unpacked.
        total_bytes: All files, unpacked.
        ratio: Unpacked over packed length, of files above ``ratio_from`` bytes and of the whole. Deflate reaches 1032.
        ratio_from: Below it any ratio is harmless.
    """

    entries: int = 300_000
    folders: int = 20_000
    directory_bytes: int = 1 << 26
    entry_bytes: int = 1 << 26
    total_bytes: int = 1 << 33
    ratio: int = 200
    ratio_from: int = 1 << 20


LIMITS = Limits()


class ArchiveError(IcvosError):
    """A submission that is not read, or not unpacked. The message counts its faults; ``faults`` has every one."""

    def __init__(self, message: str, faults: tuple[Fault, ...]) -> None:
        super().__init__(message)
        self.faults = faults

    def __reduce__(self) -> tuple[type, tuple[str, tuple[Fault, ...]]]:
        return ArchiveError, (str(self), self.faults)


@contextlib.contextmanager
def submission_folder(path: Path | str, videos: Collection[str], limits: Limits = LIMITS) -> Iterator[Path]:
    """``path`` itself where it is a folder; of a zip file a temporary folder with its content, removed at the end.

    Folders around the predictions in an archive are passed over; a folder must be the right one. ``videos`` are names
    of videos, or of folds, by which predictions are known. Raises `ArchiveError` for an archive with faults, for a
    folder with links and for one above or below the predictions, `IcvosError` for what is neither.
    """
    path = Path(path)
    if path.is_dir():
        refuse_links(path)
        _refuse_other_place(path, videos)
        yield path
        return
    _require_zip(path)
    with tempfile.TemporaryDirectory(prefix="icvos-") as temporary:
        folder = Path(temporary).resolve() / "submission"
        folder.mkdir()
        unpack(path, folder, limits)
        inside = deeper(folder, videos)
        if len(inside) > 1:
            what = f"holds several folders of predictions ({shortened(inside, folder)}); pack one of them"
            raise _unread(path, [Fault("layout", str(path), what)])
        yield inside[0] if inside else folder


def refuse_links(folder: Path) -> None:
    """Raise `ArchiveError` where something that may be read in a submitted folder is a link or a special file."""
    faults = find_links(folder)
    if faults:
        raise _unread(folder, faults)


def _refuse_other_place(path: Path, names: Collection[str]) -> None:
    """Raise `ArchiveError` for a folder around the predictions, or within them."""
    inside, above = deeper(path, names), further_up(path, names)
    if above is not None:
        what = f"is a part of the predictions in {above}: give that folder instead"
    elif len(inside) == 1:
        what = f"the predictions lie deeper, in {inside[0]}: give that folder instead"
    elif inside:
        what = f"holds several folders of predictions ({shortened(inside, path)}): give one of them"
    else:
        return
    raise _unread(path, [Fault("layout", str(path), what)])


def _unread(path: Path, faults: Sequence[Fault]) -> ArchiveError:
    if len(faults) == 1:
        return ArchiveError(str(faults[0]), tuple(faults))
    return ArchiveError(f"{path}: {len(faults):,} faults, not read; {faults[0]}", tuple(faults))


def _require_zip(path: Path) -> None:
    try:
        if not path.exists():
            zipped = path.suffix.lower() in ARCHIVES
            what = "file" if zipped else "folder; expected predictions as <video>/<class>/<frame>.png"
            raise IcvosError(f"{path}: no such {what}{', check the name' if zipped else ''}")
        start = b""
        if path.is_file():
            with path.open("rb") as file:
                start = file.read(2)
    except OSError as error:
        raise IcvosError(f"{path}: cannot be read ({error.strerror}); give a folder or zip file of yours") from error
    if start != b"PK":
        raise IcvosError(f"{path}: neither a folder nor a zip file; give a folder of predictions, or zip it")


def relocate(fault: Fault, folder: Path, path: Path) -> Fault:
    """``fault`` as it concerns the archive ``path`` and not the temporary ``folder`` that it was unpacked into."""
    if folder == path:
        return fault
    old, new = str(folder), str(path)
    return replace(fault, where=fault.where.replace(old, new), what=fault.what.replace(old, new))


def unpack(path: Path, folder: Path, limits: Limits = LIMITS) -> None:
    """Unpack the zip file ``path`` into the empty ``folder``, or raise `ArchiveError` with everything wrong with it."""
    try:
        entries = _count_entries(path, limits)
        if entries is None:
            what = f"more than {limits.entries:,} files; pack one draw, or clips as RLE JSON"
            _refuse(path, [Fault("limit", str(path), what)])
        with zipfile.ZipFile(path) as archive:
            found = archive.infolist()
            faults = list(inspect(path, found, limits))
            if faults:
                _refuse(path, faults)
            faults = list(_write(path, archive, plain_names(found), folder, limits))
    except BROKEN_ZIP as error:
        _refuse(path, [Fault("unreadable", str(path), f"cannot be read as a zip file ({error}); pack it again")])
    if faults:
        _refuse(path, faults)


def _refuse(path: Path, faults: Sequence[Fault]) -> None:
    count = "1 fault" if len(faults) == 1 else f"{len(faults):,} faults"
    raise ArchiveError(f"{path}: {count}, not unpacked; {faults[0].what}", tuple(faults))


def _count_entries(path: Path, limits: Limits) -> int | None:
    """How many entries the archive's directory has at most, or None for too many; the directory is not parsed.

    Python's reader makes an object of every entry before anybody can ask how many there are.
    """
    with path.open("rb") as file:
        length = file.seek(0, os.SEEK_END)
        tail_start = max(0, length - (1 << 16) - 22)
        file.seek(tail_start)
        tail = file.read()
        place = tail.rfind(b"PK\x05\x06")
        if place < 0 or len(tail) < place + 22:
            raise zipfile.BadZipFile("no list of files at its end: cut off, or no zip file")
        declared, size = struct.unpack("<HL", tail[place + 10 : place + 16])
        end = tail_start + place
        if tail[place - 20 : place - 16] == b"PK\x06\x07" and end >= 76:
            file.seek(end - 76)
            record = file.read(56)
            if record[:4] == b"PK\x06\x06":
                declared, size = struct.unpack("<QQ", record[32:48])
                end -= 76
        if declared > limits.entries or size > limits.directory_bytes:
            return None
        if size > end:
            raise zipfile.BadZipFile("its list of files is longer than the file")
        file.seek(end - size)
        counted = file.read(size).count(b"PK\x01\x02")
    return None if counted > limits.entries else counted


def plain_names(entries: Sequence[zipfile.ZipInfo]) -> list[tuple[zipfile.ZipInfo, str]]:
    """The entries with their paths: ``./`` in front means nothing, and a program may write backslashes throughout.

    Windows PowerShell 5 does. In an archive that has slashes too, a backslash is a character of a name.
    """
    turned = not any("/" in entry.filename.removeprefix("./") for entry in entries)
    found = []
    for entry in entries:
        name = entry.filename.replace("\\", "/") if turned else entry.filename
        while name.startswith("./"):
            name = name[2:]
        if name:
            found.append((entry, name))
    return found


def inspect(path: Path, entries: Sequence[zipfile.ZipInfo], limits: Limits = LIMITS) -> Iterator[Fault]:
    """Every fault that the archive's directory shows."""
    if len(entries) > limits.entries:
        yield Fault("limit", str(path), f"more than {limits.entries:,} files; pack one draw, or clips as RLE JSON")
        return
    seen: set[str] = set()
    listed = 0
    names = plain_names(entries)
    folders = _folders([name for _, name in names], limits.folders)
    if folders is None:
        what = f"its files lie in more than {limits.folders:,} folders; pack <video>/<class>/<frame>.png"
        yield Fault("limit", str(path), what)
        return
    for entry, name in names:
        fault = _fault_of(entry, name, seen, limits)
        seen.add(name.rstrip("/"))
        if fault is not None:
            listed += 1
            if listed <= MAX_LISTED:
                yield replace(fault, where=f"{path}/{fault.where}")
    if listed > MAX_LISTED:
        yield Fault("path", str(path), f"{listed - MAX_LISTED:,} more files with such faults; pack it again")
    for name in sorted(folders & {name for _, name in names if not name.endswith("/")})[:MAX_LISTED]:
        yield Fault("duplicate", f"{path}/{name}", "both a file and a folder; pack it again")
    total, packed = sum(entry.file_size for entry in entries), sum(entry.compress_size for entry in entries)
    if total > limits.total_bytes:
        yield Fault("limit", str(path), f"{total:,} bytes unpacked, {limits.total_bytes:,} at most; pack one draw")
    length = path.stat().st_size
    if packed > length:
        what = f"its files take {packed:,} packed bytes, the archive has {length:,}: they overlap; pack it again"
        yield Fault("limit", str(path), what)
    elif total > max(limits.ratio_from, limits.ratio * length):
        what = f"unpacks {length:,} bytes to {total:,}, more than {limits.ratio} times as many; pack masks only"
        yield Fault("limit", str(path), what)


def _folders(names: Sequence[str], most: int) -> set[str] | None:
    """Every folder that one of ``names`` lies in; None for more than ``most``."""
    found: set[str] = set()
    for name in names:
        folder = name.rstrip("/").rpartition("/")[0]
        while folder and folder not in found:
            found.add(folder)
            if len(found) > most:
                return None
            folder = folder.rpartition("/")[0]
    return found


def _fault_of(entry: zipfile.ZipInfo, name: str, seen: set[str], limits: Limits) -> Fault | None:
    """The worst thing about one entry at the path ``name``; ``seen`` are the paths before it."""
    parts = name.rstrip("/").split("/")
    places = name.replace("\\", "/").split("/")
    kind = stat.S_IFMT(entry.external_attr >> 16)
    found: tuple[str, str] | None = None
    if not places[0] or ".." in places or ":" in places[0]:
        found = "path", "leads out of the archive's own folder (absolute, .. or drive); pack relative paths"
    elif "\\" in name:
        found = "path", "has a backslash where other names have slashes; pack it again with one program"
    elif not all(parts) or "." in parts or "\0" in entry.orig_filename or len(parts) > MAX_DEPTH:
        found = "path", "not a plain path like <video>/<class>/<frame>.png; pack it again"
    elif any(len(os.fsencode(part.encode("utf-8", "replace"))) > MAX_NAME_BYTES for part in parts):
        found = "path", "a name too long for a file; rename it"
    elif kind and not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
        found = "link", "a link or a special file; pack the file itself"
    elif name.rstrip("/") in seen:
        found = "duplicate", "is in the archive twice; pack it again"
    elif entry.flag_bits & 0x41:
        found = "encrypted", "is encrypted; pack without a password"
    elif name.lower().endswith(ARCHIVES):
        found = "nested", "an archive inside the archive is not opened; pack the masks themselves"
    elif entry.compress_type not in METHODS:
        found = "method", f"packed by method {entry.compress_type}; pack with deflate, as zip does by default"
    elif entry.file_size > limits.entry_bytes:
        found = "limit", f"{entry.file_size:,} bytes unpacked, {limits.entry_bytes:,} at most; pack masks only"
    elif entry.file_size > max(limits.ratio_from, limits.ratio * entry.compress_size):
        found = "limit", f"unpacks to more than {limits.ratio} times its size; pack masks only"
    return Fault(found[0], name, found[1]) if found else None


def _write(
    path: Path,
    archive: zipfile.ZipFile,
    entries: Sequence[tuple[zipfile.ZipInfo, str]],
    folder: Path,
    limits: Limits,
) -> Iterator[Fault]:
    """Write every file; faults for those that cannot be unpacked. No byte beyond what the directory said is written."""
    left = limits.total_bytes
    made: set[Path] = set()
    for entry, name in entries:
        parts = name.rstrip("/").split("/")
        if name.endswith("/") or any(map(is_passed_over, parts)):
            continue
        target = folder.joinpath(*parts)
        if target.parent not in made:
            target.parent.mkdir(parents=True, exist_ok=True)
            made.add(target.parent)
        try:
            with archive.open(entry) as source, target.open("xb") as file:
                size = 0
                while chunk := source.read(CHUNK):
                    size, left = size + len(chunk), left - len(chunk)
                    if size > min(entry.file_size, limits.entry_bytes) or left < 0:
                        raise zipfile.BadZipFile("longer than it says")
                    file.write(chunk)
        except OSError as error:
            raise IcvosError(
                f"{target.parent}: cannot be written ({error.strerror}); free some space or set TMPDIR"
            ) from error
        except BROKEN_ZIP as error:
            what = f"cannot be unpacked ({error}); pack it again"
            yield Fault("unreadable", f"{path}/{name}", what)
