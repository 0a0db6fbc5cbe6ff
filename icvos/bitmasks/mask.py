"""Masks as bits, 64 pixels a word: a small fraction of the memory, and what J and F are counted on."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from icvos.bitmasks.scratch import scratch

SPARE = 8  # rows of zeros below the last one; it also keeps columns of 512 rows from sharing all their cache sets
ALL = (1 << 64) - 1
Window = tuple[int, int, int, int]  # first and last row, first and last word of a row


@dataclass(frozen=True, slots=True, eq=False)
class PackedMask:
    """A mask of one frame; make one with `pack` or `icvos.files.masks.read_packed`.

    Args:
        words: (K, height + `SPARE`) uint64: word ``k`` of row ``y`` at ``[k, y]``; see `icvos.bitmasks.packing`.
        height: In pixels.
        width: In pixels.
        area: How many pixels are set.
        window: What the mask's boundary can touch.
    """

    words: np.ndarray
    height: int
    width: int
    area: int
    window: Window

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)."""
        return self.height, self.width

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PackedMask) and self.size == other.size and np.array_equal(self.words, other.words)

    def unpack(self) -> np.ndarray:
        """The mask as (H, W) bool.

        >>> int(pack(np.eye(3, dtype=bool)).unpack().sum())
        3
        """
        rows = np.ascontiguousarray(self.words[:, : self.height].T).astype("<u8", copy=False).view(np.uint8)
        return np.unpackbits(rows, axis=1, count=self.width, bitorder="little").view(bool)


def pack(mask: np.ndarray, size: tuple[int, int] | None = None) -> PackedMask:
    """Pack a mask: every non-zero pixel is set.

    Args:
        mask: (H, W) bool or uint8.
        size: (height, width) to resize to, by `icvos.files.masks.resize_nearest`; None: the mask's own.
    """
    values = np.ascontiguousarray(mask).view(np.uint8)
    height, width = values.shape
    return pack_rows(values.reshape(-1), 0, width, (height, width), size)


def pack_rows(
    values: np.ndarray, start: int, stride: int, shape: tuple[int, int], size: tuple[int, int] | None = None
) -> PackedMask:
    """`pack` for an image whose row ``y`` begins at ``start + y * stride`` of (N,) uint8 ``values``."""
    from icvos.bitmasks import packing  # imports numba, which takes its time

    height, width = shape
    rows, columns = size or shape
    if not len(values) and size not in (None, shape):
        raise ValueError(f"a mask of {height} x {width} pixels cannot be resized to {rows} x {columns}")
    words = _room(rows, width, kept=columns == width)
    extent = packing.pack_bytes(words, values, start, stride, height, width, rows, 0, ALL)
    return _of_width(words, extent, rows, width, columns)


def pack_lines(lines: np.ndarray, width: int, size: tuple[int, int] | None = None) -> PackedMask:
    """`pack` for an image of one bit a pixel, the first in a byte's highest bit: (H, 8 K) uint8, rows filled up."""
    from icvos.bitmasks import packing

    rows, columns = size or (len(lines), width)
    words = _room(rows, width, kept=columns == width)
    extent = packing.pack_bits(words, lines.view(np.uint64), width, rows)
    return _of_width(words, extent, rows, width, columns)


def pack_runs(runs: np.ndarray, shape: tuple[int, int], size: tuple[int, int] | None = None) -> PackedMask:
    """`pack` for the run lengths of a COCO RLE: (N,) int64 that add up to the pixels of ``shape``."""
    from icvos.bitmasks import packing

    height, width = shape
    rows, columns = size or shape
    words = _room(height, width, kept=size in (None, shape))
    packing.pack_runs(words, np.ascontiguousarray(runs), height)
    if rows != height:
        chosen = np.concatenate([np.arange(rows) * height // rows, np.arange(height, height + SPARE)])
        words = words.take(chosen, axis=1)
    return _of_width(words, packing.extent(words), rows, width, columns)


def _room(rows: int, width: int, *, kept: bool) -> np.ndarray:
    """Memory for the words of a mask; where they are not ``kept``, the next call in this thread gives it out again."""
    shape = -(-width // 64) + 1, rows + SPARE
    return np.empty(shape, dtype=np.uint64) if kept else scratch.take("wide", shape, np.uint64)


def _of_width(words: np.ndarray, extent: tuple[int, Window], height: int, width: int, columns: int) -> PackedMask:
    from icvos.bitmasks import packing

    if columns < width:
        words, extent = packing.narrow(words, _narrowing(width, columns), columns)
    elif columns > width:
        words, extent = packing.stretch(words, _stretching(width, columns), columns)
    area, window = extent
    return PackedMask(words, height, columns, area, window)


@lru_cache(maxsize=64)
def _narrowing(width: int, columns: int) -> np.ndarray:
    """The plan of `packing.narrow`: which pixels of a row the old nearest rule takes, and how they move together."""
    taken = np.zeros(-(-width // 64) * 64, dtype=bool)
    taken[np.arange(columns) * width // columns] = True
    plan = np.zeros((len(taken) // 64, 7), dtype=np.uint64)
    for word, keep in enumerate(taken.reshape(-1, 64)):
        places = np.flatnonzero(keep)
        way = places - np.arange(len(places))  # how far each bit has to move
        plan[word, 0] = _bits(places)
        for step in range(6):
            moving = way >> step & 1 == 1
            plan[word, step + 1] = _bits(places[moving])
            places = places - (moving << step)
    return plan


@lru_cache(maxsize=64)
def _stretching(width: int, columns: int) -> np.ndarray:
    """The plan of `packing.stretch`: which pixel of a row every pixel of the wider one repeats, and how it gets there.

    Bits move by the large steps first. A bit between has one source only, since repeated pixels lie side by side and
    the way of the next one is the same or one longer.
    """
    sources = np.arange(columns) * width // columns
    plan = np.zeros((-(-columns // 64), 8), dtype=np.uint64)
    for word in range(len(plan)):
        wanted = sources[64 * word : 64 * word + 64]
        plan[word, 0] = wanted[0]
        plan[word, 7] = _bits(np.arange(len(wanted)))
        places = np.arange(len(wanted))
        way = places - (wanted - wanted[0])
        for step in range(5, -1, -1):  # from the last move back to the first
            moving = way >> (5 - step) & 1 == 1
            plan[word, step + 1] = _bits(places[moving])
            places = places - (moving << (5 - step))
    return plan


def _bits(places: np.ndarray) -> int:
    return sum(1 << place for place in set(places.tolist()))
