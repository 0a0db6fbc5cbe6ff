"""Mask PNGs, decoded with as little work as possible: values, or bits for `icvos.metrics`, never colours.

Only the plain kinds that masks come in are read here: grey levels or palette indices of 1 to 8 bits, not interlaced,
with every chunk in its place. `parse` returns None for whatever else a file may be, and Pillow, which knows all kinds
and names every fault, is asked then. The size of the pixels is known before anything is inflated, and never exceeded.
"""

import struct
from dataclasses import dataclass

import numpy as np
from numba import types
from zlib_ng import zlib_ng

from icvos.metrics.bits import PackedMask, pack, pack_lines, pack_rows
from icvos.metrics.kernel import BYTES, compiled

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MAX_PIXELS = 1 << 28  # as for Pillow in icvos.masks
GREY, PALETTE = 0, 3
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
    """

    height: int
    width: int
    depth: int
    palette: bool
    data: bytes

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)."""
        return self.height, self.width

    @property
    def mode(self) -> str:
        """What Pillow calls this kind."""
        return "P" if self.palette else "1" if self.depth == 1 else "L"

    def values(self) -> np.ndarray | None:
        """(H, W) uint8, as in Pillow's image of `mode`, whose one-bit pixels are 0 and 1; None: Pillow should look."""
        lines = self._lines()
        if lines is None:
            return None
        if self.depth == 8:
            return lines[:, : self.width]
        if self.depth == 1:
            return np.unpackbits(lines, axis=1, count=self.width)
        shifts = np.arange(8 - self.depth, -1, -self.depth, dtype=np.uint8)
        highest = (1 << self.depth) - 1
        values = (lines[..., None] >> shifts & highest).reshape(self.height, -1)[:, : self.width]
        return np.ascontiguousarray(values if self.palette else values * (255 // highest))

    def packed(self, size: tuple[int, int] | None = None) -> PackedMask | None:
        """Every non-zero pixel, resized as by `icvos.metrics.bits.pack`; None: Pillow should look."""
        if self.depth == 8:
            raw = self._inflate()
            if raw is not None and not raw[:: self.width + 1].any():  # no row is filtered: no need to copy them
                return pack_rows(raw, 1, self.width + 1, self.size, size)
        if self.depth == 1:
            lines = self._lines()
            return None if lines is None else pack_lines(lines, self.width, size)
        values = self.values()
        return None if values is None else pack(values, size)

    def _lines(self) -> np.ndarray | None:
        """The rows as bytes, filters undone: (H, B) uint8, B of one-bit images filled up to whole 64-bit words."""
        raw = self._inflate()
        if raw is None:
            return None
        length = len(raw) // self.height - 1
        padded = -(-length // 8) * 8 if self.depth == 1 else length
        lines = np.zeros((self.height, padded), dtype=np.uint8)
        return lines if undo_filters(raw, length, lines) else None

    def _inflate(self) -> np.ndarray | None:
        """(H * (1 + B),) uint8: every row with its filter before it. None unless there are exactly so many bytes."""
        wanted = self.height * (1 + (self.width * self.depth + 7) // 8)
        stream = zlib_ng.decompressobj()
        try:
            raw = stream.decompress(self.data, wanted + 1)
        except zlib_ng.error:
            return None
        return np.frombuffer(raw, dtype=np.uint8) if len(raw) == wanted and stream.eof else None


def parse(content: bytes) -> Png | None:
    """Read the chunks of a file; None: not a PNG of a kind that is read here. `PngError` for a wrong checksum."""
    header, data = None, []
    palette = ended = False
    position = len(SIGNATURE)
    if not content.startswith(SIGNATURE):
        return None
    while not ended:
        if position + 12 > len(content):
            return None
        length, name = _CHUNK.unpack_from(content, position)
        body = content[position + 8 : position + 8 + length]
        if position + 12 + length > len(content) or (header is None) != (name == b"IHDR"):
            return None
        if zlib_ng.crc32(body, zlib_ng.crc32(name)) != _CHECKSUM.unpack_from(content, position + 8 + length)[0]:
            raise PngError(f"wrong checksum of {name!r} at byte {position}")
        position += 12 + length
        if name == b"IDAT":
            data.append(body)
    return None


