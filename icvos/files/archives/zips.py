"""Zip files: their entries, and the content of each."""

import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from icvos.files.archives.entries import Entry, Limits, refused

METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # others may need gigabytes of memory to unpack a few bytes
BROKEN = (
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
Put = Callable[[Entry, Iterator[bytes]], None]  # takes an entry's content, and raises what reading it raises


def entries(path: Path, limits: Limits) -> list[Entry]:
    """What a zip file lists; one of `BROKEN` for a file that cannot be read as such."""
    if _count_entries(path, limits) is None:
        raise refused(path, [limits.too_many(path)])
    with zipfile.ZipFile(path) as archive:
        return [_entry(info, name) for info, name in plain_names(archive.infolist())]


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


def plain_names(found: Sequence[zipfile.ZipInfo]) -> list[tuple[zipfile.ZipInfo, str]]:
    """The entries with their paths: ``./`` in front means nothing, and a program may write backslashes throughout.

    Windows PowerShell 5 does. In an archive that has slashes too, a backslash is a character of a name.
    """
    turned = not any("/" in info.filename.removeprefix("./") for info in found)
    named = []
    for info in found:
        name = info.filename.replace("\\", "/") if turned else info.filename
        while name.startswith("./"):
            name = name[2:]
        if name:
            named.append((info, name))
    return named


def _entry(info: zipfile.ZipInfo, name: str) -> Entry:
    kind = stat.S_IFMT(info.external_attr >> 16)
    flaw = None
    if info.flag_bits & 0x41:
        flaw = "encrypted", "is encrypted; pack without a password"
    elif info.compress_type not in METHODS:
        flaw = "method", f"packed by method {info.compress_type}; pack with deflate, as zip does by default"
    if "\0" in info.orig_filename:  # zipfile cuts the name there
        name = info.orig_filename
    plain = not kind or stat.S_ISREG(kind) or stat.S_ISDIR(kind)
    return Entry(
        name=name,
        kind="other" if not plain else "folder" if name.endswith("/") else "file",
        size=info.file_size,
        packed=info.compress_size,
        flaw=flaw,
        source=info,
    )


def read_each(path: Path, chosen: Sequence[Entry], put: Put) -> None:
    """Hand ``put`` the content of each of ``chosen``, in chunks."""
    with zipfile.ZipFile(path) as archive:
        for entry in chosen:
            put(entry, _content(archive, entry))


def _content(archive: zipfile.ZipFile, entry: Entry) -> Iterator[bytes]:
    with archive.open(entry.source or entry.name) as source:
        while chunk := source.read(CHUNK):
            yield chunk
