"""Tar files, plain or packed by gzip: their entries, and the content of each.

A tar file has no directory, so it is read through. Python's tarfile keeps in memory what extended headers and maps of
sparse files say, however long they are; here no header has more than `MAX_HEADER` bytes, and all that says where a
file's bytes go in some other way than one after the other is refused as a special file.
"""

import contextlib
import gzip
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from icvos.files.archives.entries import ArchiveError, Entry, Limits, refused
from icvos.files.archives.zips import CHUNK, Put

BLOCK = 512
MAX_HEADER = 1 << 16  # bytes of an extended header: a path and a few numbers
MAX_HEADERS = 8  # extended ones before a file
GZIP = b"\x1f\x8b"
MAGIC, MAGIC_AT = b"ustar", 257
BROKEN = (OSError, EOFError, ValueError, zlib.error)
FILE, FOLDER, SPARSE = (b"0", b"\0", b"7"), b"5", b"S"
WITHOUT_CONTENT = (b"1", b"2", b"3", b"4", FOLDER, b"6")  # whatever size their headers state
LONG_NAME, LONG_LINK, EXTENDED, GLOBAL = b"L", b"K", b"x", b"g"  # say something of the file after them


def is_tar(start: bytes) -> bool:
    """Whether a file that begins with ``start`` (`BLOCK` bytes) is packed by gzip or a tar file."""
    return start.startswith(GZIP) or start[MAGIC_AT : MAGIC_AT + len(MAGIC)] == MAGIC


def entries(path: Path, limits: Limits) -> list[Entry]:
    """What a tar file lists; one of `BROKEN` for a file that cannot be read as such."""
    found: list[Entry] = []
    total = 0
    with _opened(path, limits) as stream:
        for entry in _walk(stream):
            found.append(entry)
            total += entry.size
            if len(found) > limits.entries:
                raise refused(path, [limits.too_many(path)])
            if total > limits.total_bytes:
                raise refused(path, [limits.too_long(path, total)])
    return found


def read_each(path: Path, chosen: Sequence[Entry], put: Put, limits: Limits) -> None:
    """Hand ``put`` the content of each of ``chosen``, in chunks, in the order in which they are packed."""
    names = {entry.name for entry in chosen}
    with _opened(path, limits) as stream:
        for entry in _walk(stream):
            if entry.name in names:
                put(entry, stream.content())


class _Stream:
    """A tar file's bytes, read forward once and not beyond what its archive may unpack to."""

    def __init__(self, file: BinaryIO, path: Path, limits: Limits) -> None:
        self.file, self.path, self.limits = file, path, limits
        self.length = path.stat().st_size
        headers = limits.entries * 4 * BLOCK
        self.most = min(max(limits.ratio_from, limits.ratio * self.length), limits.total_bytes + headers)
        self.done = 0
        self.left = 0  # of the content of the entry at hand

    def some(self, size: int) -> bytes:
        """The next bytes, ``size`` at most; none at the end."""
        found = self.file.read(min(size, CHUNK))
        self.done += len(found)
        if self.done > self.most:
            fault = self.limits.too_dense(self.path, self.length, self.done)
            raise ArchiveError(str(fault), (fault,))
        return found

    def exactly(self, size: int) -> bytes:
        """The next ``size`` bytes, `MAX_HEADER` at most."""
        found = b""
        while len(found) < size:
            more = self.some(size - len(found))
            if not more:
                raise EOFError("cut off")
            found += more
        return found

    def content(self) -> Iterator[bytes]:
        """What is left of the content of the entry at hand."""
        while self.left:
            chunk = self.some(self.left)
            if not chunk:
                raise EOFError("cut off")
            self.left -= len(chunk)
            yield chunk

    def skip(self, size: int) -> None:
        self.left = size
        for _ in self.content():
            pass


@contextlib.contextmanager
def _opened(path: Path, limits: Limits) -> Iterator[_Stream]:
    with path.open("rb") as file:
        packed = file.read(2) == GZIP
        file.seek(0)
        if not packed:
            yield _Stream(file, path, limits)
            return
        with gzip.GzipFile(fileobj=file) as unpacked:
            yield _Stream(unpacked, path, limits)  # type: ignore[arg-type]


def _walk(stream: _Stream) -> Iterator[Entry]:
    """Each entry, while its content lies ahead in ``stream``; then the rest up to the checksum at gzip's end."""
    while (block := _header(stream)) is not None:
        said: dict[str, str] = {}
        for _ in range(MAX_HEADERS):
            if block[156:157] not in (LONG_NAME, LONG_LINK, EXTENDED, GLOBAL):
                break
            said |= _extended(stream, block)
            following = _header(stream)
            if following is None:
                raise EOFError("cut off")
            block = following
        else:
            raise ValueError("too many headers before a file")
        entry, stream.left = _entry(block, said), _content_length(stream, block, said)
        padding = -stream.left % BLOCK
        if entry.name:
            yield entry
        stream.skip(stream.left)
        stream.skip(padding)
    while stream.some(CHUNK):
        pass


def _header(stream: _Stream) -> bytes | None:
    """The next header; None at the end, which is a block of zeros or, of some programs, nothing."""
    first = stream.some(BLOCK)
    if not first:
        return None
    block = first + (stream.exactly(BLOCK - len(first)) if len(first) < BLOCK else b"")
    if not any(block):
        return None
    written = _number(block[148:156])
    plain = block[:148] + b" " * 8 + block[156:]
    signed = sum(byte - 256 if byte > 127 else byte for byte in plain)  # of old programs
    if written not in (sum(plain), signed):
        raise ValueError("no tar file, or a damaged one: the checksum of a header is wrong")
    return block


def _number(field: bytes) -> int:
    """A number in octal, or in bytes as GNU writes large ones."""
    if field[:1] == b"\x80":
        return int.from_bytes(field[1:], "big")
    text = field.split(b"\0")[0].strip()
    if text and not text.isdigit():
        raise ValueError("a header holds no number where there should be one")
    return int(text or b"0", 8)


def _extended(stream: _Stream, block: bytes) -> dict[str, str]:
    """What an extended header says of the file after it."""
    size, kind = _number(block[124:136]), block[156:157]
    if size > MAX_HEADER:
        raise ValueError(f"an extended header of {size:,} bytes, {MAX_HEADER:,} at most")
    content = stream.exactly(size)
    stream.skip(-size % BLOCK)
    if kind == LONG_NAME:
        return {"path": _text(content)}
    return _records(content) if kind == EXTENDED else {}


def _records(content: bytes) -> dict[str, str]:
    """The ``<length> <key>=<value>`` lines of a pax header."""
    found = {}
    while content:
        digits, space, _ = content.partition(b" ")
        length = int(digits) if digits.isdigit() and len(digits) < 7 else 0
        key, equals, value = content[len(digits) + 1 : length].partition(b"=")
        if not space or not equals or value[-1:] != b"\n" or length > len(content):
            raise ValueError("an extended header that cannot be read")
        found[_text(key)] = value[:-1].decode("utf-8", "surrogateescape")
        content = content[length:]
    return found


def _text(field: bytes) -> str:
    return field.split(b"\0")[0].decode("utf-8", "surrogateescape")


def _content_length(stream: _Stream, block: bytes, said: dict[str, str]) -> int:
    """How many bytes of content follow the header ``block``, past the maps of a sparse file."""
    kind = block[156:157]
    more = kind == SPARSE and block[482]
    while more:
        more = stream.exactly(BLOCK)[504]
    size = said.get("size", "")
    if not size:
        length = _number(block[124:136])
    elif size.isascii() and size.isdecimal() and len(size) < 20:
        length = int(size)
    else:
        raise ValueError("an extended header holds no number where there should be one")
    return 0 if kind in WITHOUT_CONTENT else length


def _entry(block: bytes, said: dict[str, str]) -> Entry:
    kind, name = block[156:157], _text(block[:100])
    prefix = _text(block[345:500]) if block[MAGIC_AT : MAGIC_AT + 8] == b"ustar\x0000" else ""
    name = said.get("path", f"{prefix}/{name}" if prefix else name)
    while name.startswith("./"):
        name = name[2:]
    if name == ".":
        name = ""
    sparse = any(key.startswith("GNU.sparse.") for key in said)
    if kind == FOLDER or (kind in FILE and name.endswith("/")):
        return Entry(f"{name.rstrip('/')}/" if name.strip("/") else name, "folder", 0)
    if kind not in FILE or sparse:
        return Entry(name, "other", 0)
    return Entry(name, "file", int(said.get("size") or _number(block[124:136])))
