"""Mask PNGs, decoded with as little work as possible: values, or bits for `icvos.metrics`, never colours.

Only the plain kinds that masks come in are read here: grey levels or palette indices of 1 to 8 bits, not interlaced,
with every chunk in its place, and without anything that makes one doubt how they are meant. `parse` returns None for
whatever else a file may be; Pillow decodes it then, and `icvos.files.mask_rules` says what it means. The size of the
pixels is known before anything is inflated, and never exceeded.
"""

import io
import struct
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from zlib_ng import zlib_ng

from icvos.bitmasks.mask import PackedMask, pack, pack_lines, pack_rows
from icvos.bitmasks.scratch import scratch

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MAX_PIXELS = 1 << 28  # as for Pillow in icvos.files.masks
MAX_TEXT = 1 << 16  # bytes of a comment
GREY, PALETTE = 0, 3
DARK = 32  # below it in all of red, green and blue, a colour is shown as black
_CHUNK = struct.Struct(">I4s")
_HEADER = struct.Struct(">IIBBBBB")
_CHECKSUM = struct.Struct(">I")
_HARMLESS = {b"gAMA": 4, b"cHRM": 32, b"sRGB": 1, b"pHYs": 9, b"tIME": 7}  # of these lengths, they change no value


class PngError(ValueError):
    """A PNG that is damaged in a way that Pillow may not notice."""


@dataclass(frozen=True, slots=True)
class Png:
    """A mask PNG whose pixels are still compressed.

    Args:
        height: In pixels.
        width: In pixels.
        depth: Bits of a pixel: 1, 2, 4 or 8.
        palette: Values are palette indices; else grey levels, of which those of 2 and 4 bits are spread over 0..255.
        data: The compressed pixels.
        colours: Red, green and blue of every palette index.
    """

    height: int
    width: int
    depth: int
    palette: bool
    data: bytes
    colours: bytes = b""

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)."""
        return self.height, self.width

    def values(self) -> np.ndarray | None:
        """(H, W) uint8: palette indices, or grey levels with those of one bit as 0 and 1; None: Pillow should look."""
        raw = self._inflate()
        lines = None if raw is None else self._lines(raw, again=False)
        if lines is None:
            return None
        if self.depth == 8:
            return lines
        if self.depth == 1:
            return np.unpackbits(lines, axis=1, count=self.width)
        shifts = np.arange(8 - self.depth, -1, -self.depth, dtype=np.uint8)
        highest = (1 << self.depth) - 1
        values = (lines[..., None] >> shifts & highest).reshape(self.height, -1)[:, : self.width]
        return np.ascontiguousarray(values if self.palette else values * (255 // highest))

    def packed(self, size: tuple[int, int] | None = None) -> PackedMask | None:
        """Every non-zero pixel, resized as by `icvos.bitmasks.mask.pack`; None: Pillow should look."""
        if self.depth in (2, 4):
            values = self.values()
            return None if values is None else pack(values, size)
        raw = self._inflate()
        if raw is None:
            return None
        if self.depth == 8 and not raw[:: self.width + 1].any():  # no row is filtered: no need to copy them
            return pack_rows(raw, 1, self.width + 1, self.size, size)
        lines = self._lines(raw, again=True)
        if lines is None:
            return None
        return pack(lines, size) if self.depth == 8 else pack_lines(lines, self.width, size)

    def _lines(self, raw: np.ndarray, *, again: bool) -> np.ndarray | None:
        """The rows as bytes, filters undone: (H, B) uint8, B of one-bit images filled up to whole 64-bit words.

        With ``again`` they lie in memory that the next call in this thread fills again.
        """
        from icvos.files.png_filters import undo_filters  # imports numba, which takes its time

        length = len(raw) // self.height - 1
        shape = 1 + self.height, -(-length // 8) * 8 if self.depth == 1 else length
        lines = scratch.take("lines", shape, np.uint8) if again else np.empty(shape, dtype=np.uint8)
        lines[0] = 0
        return lines[1:] if undo_filters(raw, length, lines) else None

    def _inflate(self) -> np.ndarray | None:
        """(H * (1 + B),) uint8: every row with its filter before it. None unless the number of bytes is right."""
        wanted = self.height * (1 + (self.width * self.depth + 7) // 8)
        stream = zlib_ng.decompressobj()
        try:
            raw = stream.decompress(self.data, wanted + 1)
        except zlib_ng.error:  # type: ignore[misc]
            return None
        return np.frombuffer(raw, dtype=np.uint8) if len(raw) == wanted and stream.eof else None


def is_whole(file: BinaryIO) -> bool:
    """Whether a PNG file, open at its beginning, has an end: chunk after chunk up to IEND. Nothing is decoded."""
    file.seek(len(SIGNATURE))
    while len(head := file.read(_CHUNK.size)) == _CHUNK.size:
        length, name = _CHUNK.unpack(head)
        if name == b"IEND":
            return True
        file.seek(length + _CHECKSUM.size, io.SEEK_CUR)
    return False


def parse(content: bytes) -> Png | None:
    """Read the chunks of a file; None: not a PNG of a kind that is read here.

    `PngError` for a wrong checksum, and for a file that is cut off.
    """
    chunks = _chunks(content)
    names = [name for name, _ in chunks]
    if names[:1] != [b"IHDR"]:
        return None
    if names[-1] != b"IEND":
        raise PngError(f"cut off: it has no end (IEND) in its {len(content)} bytes")
    if len(chunks[0][1]) != _HEADER.size:
        return None
    width, height, depth, kind, compression, filters, interlaced = _HEADER.unpack(chunks[0][1])
    plain = kind in (GREY, PALETTE) and depth in (1, 2, 4, 8) and not (compression or filters or interlaced)
    if not plain or not 0 < height * width <= MAX_PIXELS:
        return None
    first = names.index(b"IDAT") if b"IDAT" in names else len(names)
    last = first + names.count(b"IDAT")
    if names[first:last] != [b"IDAT"] * (last - first) or (kind == PALETTE and b"PLTE" not in names[:first]):
        return None
    beside = (*chunks[1:first], *chunks[last:-1])
    if not all(_is_harmless(name, body, kind) for name, body in beside) or (kind == PALETTE and _is_turned(beside)):
        return None
    data = b"".join(body for _, body in chunks[first:last])
    colours = next((body for name, body in beside if name == b"PLTE"), b"") if kind == PALETTE else b""
    return Png(height, width, depth, kind == PALETTE, data, colours)


def _chunks(content: bytes) -> list[tuple[bytes, bytes]]:
    """Name and content of every chunk up to IEND, or up to where the file breaks off; checksums are compared."""
    found: list[tuple[bytes, bytes]] = []
    position = len(SIGNATURE) if content.startswith(SIGNATURE) else len(content)
    while position + 12 <= len(content) and (not found or found[-1][0] != b"IEND"):
        length, name = _CHUNK.unpack_from(content, position)
        end = position + 8 + length
        if end + 4 > len(content):
            break
        body = content[position + 8 : end]
        if zlib_ng.crc32(content[position + 4 : end]) != _CHECKSUM.unpack_from(content, end)[0]:
            raise PngError(f"wrong checksum of the chunk {name!r} at byte {position}")
        found.append((name, body))
        position = end + 4
    return found


def _is_harmless(name: bytes, body: bytes, kind: int) -> bool:
    """Whether a chunk beside the pixels is one that changes no value, and of a length that Pillow accepts."""
    if name == b"tRNS" and kind == GREY:
        return body == b"\0\0"  # black is transparent: background in any case
    if name in (b"PLTE", b"tRNS"):
        return (1 if kind == PALETTE else 2) <= len(body) <= 768
    if name == b"tEXt":
        return len(body) < MAX_TEXT and not body.startswith(b"Raw profile type")  # which may be EXIF data
    return len(body) == _HARMLESS.get(name)


def _is_turned(chunks: tuple[tuple[bytes, bytes], ...]) -> bool:
    """Whether a palette may show objects as background and the reverse, if all of its indices are used."""
    found = dict(reversed(chunks))
    colours, alpha = found[b"PLTE"], found.get(b"tRNS", b"")
    if max(colours[:3], default=0) < DARK and (not alpha.count(0) or not alpha[0]):
        return False  # as in nearly every file
    palette = np.frombuffer(colours[: len(colours) // 3 * 3], dtype=np.uint8).reshape(-1, 3)
    return bool(turned_indices(palette, alpha).any())


def turned_indices(colours: np.ndarray, alpha: bytes) -> np.ndarray:
    """(N,) bool: which indices are shown as background is, black or transparent, where index 0 is shown as objects are.

    Args:
        colours: (N, 3) uint8, the palette.
        alpha: Of the first indices, 0 = transparent; those beyond it are opaque.
    """
    opaque = np.full(len(colours), 255, dtype=np.uint8)
    opaque[: len(alpha)] = np.frombuffer(alpha[: len(colours)], dtype=np.uint8)
    clear = opaque == 0
    background = clear | (colours < DARK).all(axis=1)
    return (background & ~background[:1]) | (clear & ~clear[:1])
