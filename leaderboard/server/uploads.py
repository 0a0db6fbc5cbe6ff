"""A form with a file, taken in as it comes: the file goes to the disk in pieces, nothing of it stays in memory.

It has its own name on the disk once it is there whole; only then the database hears of it.
"""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, BinaryIO

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request

from icvos.errors import printable
from icvos.files.leftovers import temporary_file
from icvos.files.storage import sync
from leaderboard.server.forms import require_utf8
from leaderboard.server.refusals import RefusedError
from leaderboard.server.submissions import Received, new_code

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

MAX_FIELDS, MAX_FIELD_BYTES, MAX_HEADER_BYTES = 30, 16_384, 2048
PIECE_BYTES = 1 << 20  # written at once
ENVELOPE_BYTES = 1 << 19  # of a form around its file, at most
DRAIN_SECONDS = 3.0  # for a sender who should read why its file was refused
FILE_FIELD = "file"
NO_FILE = "the form has no file; send it in the field file"


@dataclass(frozen=True, slots=True)
class Bounds:
    """What an upload may take.

    Args:
        size: Bytes of the file.
        seconds: From its first byte to its last.
        idle_seconds: Without a byte.
    """

    size: int
    seconds: float
    idle_seconds: float


@dataclass(slots=True)
class _Form:
    """What the parser has found so far: the fields, and what of the file is not yet written."""

    fields: dict[str, str] = field(default_factory=dict)
    file_name: str | None = None
    pieces: list[bytes] = field(default_factory=list)
    waiting: int = 0
    ended: bool = False
    header: bytearray = field(default_factory=bytearray)
    value: bytearray = field(default_factory=bytearray)
    name: str = ""
    in_file: bool = False
    content: bytearray = field(default_factory=bytearray)
    disposition: bytes = b""

    def callbacks(self) -> "MultipartCallbacks":
        """What the parser calls."""
        return {
            "on_part_begin": self._begin_part,
            "on_header_field": lambda data, start, end: self._more(self.header, data[start:end], MAX_HEADER_BYTES),
            "on_header_value": lambda data, start, end: self._more(self.value, data[start:end], MAX_HEADER_BYTES),
            "on_header_end": self._end_header,
            "on_headers_finished": self._end_headers,
            "on_part_data": self._data,
            "on_part_end": self._end_part,
            "on_end": self._end,
        }

    def _more(self, where: bytearray, data: bytes, most: int) -> None:
        where += data
        if len(where) > most:
            raise RefusedError("a field or header of the form is too long; shorten it", 413)

    def _begin_part(self) -> None:
        self.disposition, self.in_file = b"", False
        self.content.clear()

    def _end_header(self) -> None:
        if bytes(self.header).lower() == b"content-disposition":
            self.disposition = bytes(self.value)
        self.header.clear()
        self.value.clear()

    def _end_headers(self) -> None:
        _, options = parse_options_header(self.disposition)
        self.name = options.get(b"name", b"").decode("utf-8", "replace")
        if b"filename" in options and self.name == FILE_FIELD:
            if self.file_name is not None:
                raise RefusedError("the form has two files; send one")
            self.file_name = shown_name(options[b"filename"].decode("utf-8", "replace"))
            self.in_file = True
        elif len(self.fields) >= MAX_FIELDS:
            raise RefusedError("the form has too many fields", 413)

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self.in_file:
            self.pieces.append(data[start:end])
            self.waiting += end - start
        else:
            self._more(self.content, data[start:end], MAX_FIELD_BYTES)

    def _end_part(self) -> None:
        if not self.in_file:
            try:
                self.fields[self.name] = self.content.decode()
            except UnicodeDecodeError:
                raise RefusedError(f"the field {printable(self.name, 40)} is not UTF-8") from None
        self.in_file = False

    def _end(self) -> None:
        self.ended = True


def shown_name(given: str) -> str:
    """What a submitter calls a file, without folders, fit to be shown.

    >>> shown_name("C:\\\\masks\\\\mine.zip"), shown_name("../../etc/passwd"), shown_name("")
    ('mine.zip', 'passwd', 'submission')
    """
    name = PurePosixPath(PureWindowsPath(given).name).name
    return printable(name, 100).strip() or "submission"


def require_length(request: Request, bounds: Bounds) -> None:
    """Refuse a form that says beforehand that it is too long."""
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > bounds.size + ENVELOPE_BYTES:
        raise _too_large(bounds)


def _too_large(bounds: Bounds) -> RefusedError:
    return RefusedError(f"the file is larger than {bounds.size:,} bytes, which is the most here", 413)


async def receive(
    request: Request, folder: Path, bounds: Bounds, begin: Callable[[dict[str, str]], Awaitable[None]]
) -> tuple[dict[str, str], Received]:
    """The fields of a form, and its file, which is now ``folder / received.code``.

    Args:
        request: A POST of the kind ``multipart/form-data``.
        folder: Of uploads.
        bounds: What it may take.
        begin: Called with the fields that came before the file, before anything of the file is kept.

    Raises:
        RefusedError: The form is none, too large or too slow; nothing is left of it.
    """
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    if kind != b"multipart/form-data" or not options.get(b"boundary"):
        raise RefusedError("send a form as multipart/form-data, the file in the field file", 415)
    require_utf8(options)
    form, code = _Form(), new_code()
    parser = MultipartParser(options[b"boundary"], form.callbacks())
    hasher, size, begun = hashlib.sha256(), 0, False
    with temporary_file(folder, code) as temporary:
        with temporary.open("wb") as file:
            async for chunk in _chunks(request, bounds):
                _parse(parser, chunk)
                if form.file_name is not None and not begun:
                    begun = True
                    await begin(form.fields)
                if form.waiting >= PIECE_BYTES or form.ended:
                    size += form.waiting
                    if size > bounds.size:
                        raise _too_large(bounds)
                    await run_in_threadpool(_write, file, form, hasher)
        if form.file_name is None:
            raise RefusedError(NO_FILE)
        if not form.ended:
            raise RefusedError("the form ended in its middle; send it again")
        await run_in_threadpool(_keep, temporary, folder / code)
    return form.fields, Received(code, form.file_name, hasher.hexdigest(), size)


def _parse(parser: MultipartParser, chunk: bytes) -> None:
    try:
        parser.write(chunk)
    except FormParserError as error:
        raise RefusedError(f"not a form ({printable(str(error), 200)}); send multipart/form-data") from error


async def _chunks(request: Request, bounds: Bounds) -> AsyncIterator[bytes]:
    """The body as it comes; `RefusedError` for one that comes too slowly."""
    end = time.monotonic() + bounds.seconds
    stream = request.stream()
    while True:
        left = min(bounds.idle_seconds, end - time.monotonic())
        try:
            yield await asyncio.wait_for(anext(stream), left)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise RefusedError("the upload is too slow, so it was ended; send it again", 408) from None
        except ClientDisconnect:
            raise RefusedError("the sender went away", 400) from None


def _write(file: BinaryIO, form: _Form, hasher: "hashlib._Hash") -> None:
    for piece in form.pieces:
        hasher.update(piece)
        file.write(piece)
    form.pieces.clear()
    form.waiting = 0


def _keep(temporary: Path, path: Path) -> None:
    """Give a file that is whole its name, so that it outlives a power failure."""
    temporary.chmod(0o600)
    sync(temporary)
    temporary.replace(path)
    sync(path.parent)


async def drain(request: Request) -> None:
    """Read on for a moment, so that a sender who is in the middle of it reads why it was refused."""
    end = time.monotonic() + DRAIN_SECONDS
    stream = request.stream()
    try:
        while time.monotonic() < end:
            await asyncio.wait_for(anext(stream), end - time.monotonic())
    except (StopAsyncIteration, TimeoutError, ClientDisconnect, RuntimeError):  # RuntimeError: it was read to its end
        return
