"""Fetch a file: resumed after a dropped connection, checked against what is published, there whole or not at all.

Bytes go to ``<file>.part``, which stays for the next attempt unless its content proves wrong. Addresses are asked in
order; every one must give the same bytes, so any of them may go on where another stopped.
"""

import contextlib
import http.client
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from icvos.errors import IcvosError
from icvos.files.locks import lock_file
from icvos.files.storage import sha256, sync, unwritable

CHUNK_BYTES = 1 << 18
TIMEOUT_SECONDS = 30.0
ATTEMPTS = 4  # of one address without a new byte
PAUSE_SECONDS = 1.0  # before the second attempt; doubled before each further one
PERMANENT = frozenset({400, 401, 403, 404, 405, 406, 410, 414, 451})  # no use in asking again
FINAL = (socket.gaierror, ssl.SSLCertVerificationError)  # no such host, or an impostor
RANGE_NOT_SATISFIABLE = 416
PARTIAL_CONTENT = 206

Progress = Callable[[int, int | None], None]


@dataclass(frozen=True, slots=True)
class Offer:
    """A file that others hand out.

    Args:
        name: What errors call it.
        urls: Its addresses, the publisher's own first.
        fault: What is wrong with a whole file, by its path and SHA-256, as "is a web page"; "" for the right one.
        remedy: What to do where no address gives it, after a semicolon.
        size: Bytes, where they are published.
        headers: Sent to the addresses themselves, and to none that they redirect to: who asks is not its business.
    """

    name: str
    urls: tuple[str, ...]
    fault: Callable[[Path, str], str]
    remedy: str
    size: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


class _RefusedError(Exception):
    """An address that will not give the file, however often it is asked."""


class _CutOffError(Exception):
    """A transfer that ended early; asking again may help."""


def part_of(target: Path) -> Path:
    """Where the bytes of ``target`` are that have arrived."""
    return target.with_name(f"{target.name}.part")


def download(
    offer: Offer,
    target: Path,
    *,
    noted: Callable[[str], None] = lambda digest: None,
    pause: float = PAUSE_SECONDS,
    progress: Progress = lambda done, total: None,
) -> bool:
    """Fetch a file to ``target``, where it is not there yet; whether it was fetched just now, and so is the right one.

    Args:
        offer: What to fetch.
        target: Where it goes; its folder is made.
        noted: Told its SHA-256, before it is there.
        pause: Seconds before the second attempt of an address.
        progress: Told the bytes that are there and those in all, or None.

    Raises `IcvosError` where no address gives the right file, it cannot be written, or another process fetches it.
    """
    if target.is_file():
        return False
    with lock_file(target.with_name(f"{target.name}.lock"), str(target)):
        if target.is_file():  # another process may have fetched it while this one came
            return False
        part = part_of(target)
        with _opened(part) as file:
            digest = _fill(file, part, offer, pause, progress)
        noted(digest)
        sync(part)
        part.replace(target)
        return True


@contextlib.contextmanager
def _opened(part: Path) -> Iterator[BinaryIO]:
    """The partial file, open for reading and writing at its end; removed where it stays empty."""
    try:
        file = part.open("ab")
    except OSError as error:
        raise unwritable(part, error) from error
    with file:
        try:
            yield file
        finally:
            if _size(file) == 0:
                part.unlink(missing_ok=True)


def _fill(file: BinaryIO, part: Path, offer: Offer, pause: float, progress: Progress) -> str:
    """Make the partial file whole and right, from whichever address can; its SHA-256."""
    faults = []
    for url in offer.urls:
        attempts, most = 0, _size(file)
        while attempts < ATTEMPTS:
            if attempts:
                time.sleep(pause * 2 ** (attempts - 1))
            before = _size(file)
            try:
                _transfer(url, file, part, offer, progress)
            except _RefusedError as error:
                faults.append(f"{url}: {error}")
                break
            except _CutOffError as error:
                faults.append(f"{url}: {error}")
                attempts = attempts + 1 if _size(file) <= most else 1
                most = max(most, _size(file))
                continue
            digest = sha256(part)
            fault = offer.fault(part, digest)
            if not fault:
                return digest
            _empty(file, part)
            faults.append(f"{url}: what it gave {fault}")
            if not before:  # all of it came from here in one go, and would again
                break
            attempts += 1
    raise IcvosError(f"{offer.name}: cannot be fetched ({'; '.join(dict.fromkeys(faults))}); {offer.remedy}")


def _transfer(url: str, file: BinaryIO, part: Path, offer: Offer, progress: Progress) -> None:
    """Append what is missing; raises `_CutOffError` for a transfer that ended early."""
    start = _size(file)
    if offer.size is not None and start >= offer.size:
        if start == offer.size:
            return
        _empty(file, part)
        start = 0
    try:
        with urllib.request.urlopen(_request(url, offer, start), timeout=TIMEOUT_SECONDS) as response:
            if start and (response.status != PARTIAL_CONTENT or _range_start(response) != start):
                if response.status == PARTIAL_CONTENT:
                    raise _RefusedError("answers with another part of the file than it was asked for")
                _empty(file, part)  # it ignores ranges and sends all
                start = 0
            length = response.headers.get("Content-Length")
            total = start + int(length) if length and length.isdecimal() else None
            if offer.size is not None and total is not None and total != offer.size:
                raise _RefusedError(f"offers {total} bytes, published are {offer.size}")
            _append(response, file, part, total or offer.size, progress)
    except urllib.error.HTTPError as error:
        if error.code == RANGE_NOT_SATISFIABLE and start:
            _empty(file, part)
            raise _CutOffError("has no more bytes than are here; beginning again") from None
        kind = _RefusedError if error.code in PERMANENT else _CutOffError
        raise kind(f"HTTP {error.code} {error.reason}") from None
    except urllib.error.URLError as error:
        kind = _RefusedError if isinstance(error.reason, FINAL) else _CutOffError
        raise kind(f"no connection ({error.reason})") from None
    except (http.client.HTTPException, OSError) as error:
        raise _CutOffError(f"connection lost ({str(error) or type(error).__name__})") from None


def _request(url: str, offer: Offer, start: int) -> urllib.request.Request:
    headers = {"User-Agent": "icvos", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    request = urllib.request.Request(url, headers=headers)
    for name, value in offer.headers.items():
        request.add_unredirected_header(name, value)
    return request


def _range_start(response: http.client.HTTPResponse) -> int | None:
    """Where the part begins that the server sends: ``Content-Range: bytes 100-199/200`` gives 100."""
    unit, _, rest = (response.headers.get("Content-Range") or "").partition(" ")
    first = rest.partition("-")[0]
    return int(first) if unit == "bytes" and first.isdecimal() else None


def _append(
    response: http.client.HTTPResponse, file: BinaryIO, part: Path, total: int | None, progress: Progress
) -> None:
    """Copy the response; raises `_CutOffError` where it ends before ``total`` bytes are there."""
    done = _size(file)
    progress(done, total)
    while chunk := response.read1(CHUNK_BYTES):
        if total is not None:
            chunk = chunk[: total - done]
        try:
            file.write(chunk)
            file.flush()
        except OSError as error:
            raise IcvosError(f"{part}: cannot be written ({error.strerror}); free some space") from error
        done += len(chunk)
        progress(done, total)
        if done == total:
            return
    if total is not None and done < total:
        raise _CutOffError(f"ended after {done} of {total} bytes")


def _size(file: BinaryIO) -> int:
    return file.seek(0, 2)


def _empty(file: BinaryIO, part: Path) -> None:
    """Begin again."""
    try:
        file.truncate(0)
        file.seek(0)
    except OSError as error:
        raise IcvosError(f"{part}: cannot be written ({error.strerror}); remove it") from error
