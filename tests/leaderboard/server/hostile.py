"""Files that were made to do harm: each as bytes, with the kind of fault that it is known by, or "" for none."""

import io
import stat
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from tests.leaderboard.server.served import SIZE, predictions_zip

MANY = 300_001  # entries: one more than are taken


def members(folder: Path) -> dict[str, bytes]:
    """The files of good predictions."""
    with zipfile.ZipFile(predictions_zip(folder)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(found: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, content in found.items():
            archive.writestr(name, content)
    return stream.getvalue()


def with_entry(folder: Path, name: str, content: bytes = b"x", mode: int = 0, flags: int = 0) -> bytes:
    """Good predictions and one more entry."""
    stream = io.BytesIO(zipped(members(folder)))
    with zipfile.ZipFile(stream, "a") as archive:
        info = zipfile.ZipInfo(name)
        info.external_attr = mode << 16
        archive.writestr(info, content)
        info.flag_bits |= flags
    return stream.getvalue()


def duplicate(folder: Path) -> bytes:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return with_entry(folder, "dog/17/00000.png")


def overlapping(_: Path) -> bytes:
    """Many entries that are all the same bytes of the archive."""
    packed = zlib.compress(b"\0" * 1_000_000)[2:-4]
    check = zlib.crc32(b"\0" * 1_000_000)
    common = struct.pack("<HHHHHIII", 20, 0, 8, 0, 0, check, len(packed), 1_000_000)
    local = b"PK\x03\x04" + common + struct.pack("<HH", 1, 0) + b"a" + packed
    names = [f"dog/17/{n:05d}.png".encode() for n in range(500)]
    central = b"".join(
        b"PK\x01\x02" + struct.pack("<H", 20) + common + struct.pack("<HHHHHII", len(name), 0, 0, 0, 0, 0, 0) + name
        for name in names
    )
    end = struct.pack("<HHHHIIH", 0, 0, len(names), len(names), len(central), len(local), 0)
    return local + central + b"PK\x05\x06" + end


def many(count: int) -> bytes:
    """A list of entries alone, of more than are taken; the number at its end says fewer."""
    central = (b"PK\x01\x02" + bytes(42)) * count
    return central + b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(central), 0, 0)


def nested(folder: Path) -> bytes:
    return zipped({**members(folder), "dog/more.zip": zipped({"a": bytes(1000)})})


def dense(folder: Path) -> bytes:
    return zipped({**members(folder), "dog/17/notes.txt": bytes(20 << 20)})


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(height: int, width: int, pixels: bytes) -> bytes:
    """A PNG that says to be of a size, whatever its pixels are."""
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = (png_chunk(b"IHDR", head), png_chunk(b"IDAT", zlib.compress(pixels, 9)), png_chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def large_png(folder: Path) -> bytes:
    """A mask of 3.6 thousand million pixels."""
    return zipped({**members(folder), "dog/17/00000.png": png(60_000, 60_000, bytes(1000))})


def long_png(folder: Path) -> bytes:
    """A mask of the right size with 64 MB of pixels, of which no more are unpacked than the mask has."""
    content = png(*SIZE, bytes(64 << 20))
    return zipped({**members(folder), "dog/17/00000.png": content}, zipfile.ZIP_STORED)


def other_picture(folder: Path) -> bytes:
    """A picture of another format that is called a PNG."""
    stream = io.BytesIO()
    Image.new("L", SIZE[::-1]).save(stream, "TIFF")
    return zipped({**members(folder), "dog/17/00000.png": stream.getvalue()})


FILES: dict[str, tuple[Callable[[Path], bytes], str]] = {
    "traversal": (lambda folder: with_entry(folder, "../../../tmp/evil.png"), "path"),
    "absolute": (lambda folder: with_entry(folder, "/tmp/evil.png"), "path"),
    "drive": (lambda folder: with_entry(folder, "C:/evil.png"), "path"),
    "link": (lambda folder: with_entry(folder, "dog/17/00004.png", b"/etc/passwd", stat.S_IFLNK | 0o777), "link"),
    "device": (lambda folder: with_entry(folder, "dog/17/00004.png", b"", stat.S_IFCHR | 0o666), "link"),
    "encrypted": (lambda folder: with_entry(folder, "dog/17/00004.png", flags=1), "encrypted"),
    "duplicate": (duplicate, "duplicate"),
    "overlapping": (overlapping, "limit"),
    "many entries": (lambda _: many(MANY), "limit"),
    "a million entries": (lambda _: many(1_000_000), "limit"),
    "nested": (nested, "nested"),
    "dense": (dense, "limit"),
    "cut off": (lambda folder: zipped(members(folder))[:-40], "unreadable"),
    "large PNG": (large_png, "size"),
    "long PNG": (long_png, ""),
    "another format": (other_picture, "unreadable"),
}
