"""The compiled part of reading PNG files: undoing the filters of their rows."""

import numba
import numpy as np
from numba import types

from icvos.bitmasks.compiled import EVERY, compiled, equal_bits

BYTES = types.Array(types.uint8, 1, "C", readonly=True)
LINES = types.Array(types.uint8, 2, "C")


@numba.njit(inline="always")
def _guess(kind: int, left: int, up: int, corner: int) -> np.int64:
    """What the filters 1 (left), 3 (average) and 4 (Paeth's predictor) add to a byte."""
    if kind == 1:
        return np.int64(left)
    a, b, c = np.int64(left), np.int64(up), np.int64(corner)
    if kind == 3:
        return (a + b) >> 1
    by_left, by_up, by_corner = abs(b - c), abs(a - c), abs(a + b - 2 * c)
    if by_left <= by_up and by_left <= by_corner:
        return a
    return b if by_up <= by_corner else c


@compiled(types.boolean(BYTES, types.int64, LINES))
def undo_filters(raw: np.ndarray, length: int, lines: np.ndarray) -> bool:
    """Undo the row filters of a PNG image whose pixels take one byte or less; False for a filter that does not exist.

    Most of a mask is constant over many pixels, in the row above as well: 64 such pixels are filled in at once.

    Args:
        raw: (H * (1 + ``length``),) uint8: before every row the number of its filter.
        length: Bytes of a row.
        lines: (1 + H, at least ``length``) uint8 zeros; all but the first row are filled.
    """
    for y in range(1, len(lines)):
        start = (y - 1) * (length + 1)
        kind, source, line, above = raw[start], raw[start + 1 : start + 1 + length], lines[y], lines[y - 1]
        if kind == 0:
            for x in range(length):
                line[x] = source[x]
        elif kind == 2:
            for x in range(length):
                line[x] = np.uint8(source[x] + above[x])
        elif kind <= 4:
            left = corner = np.uint8(0)
            for first in range(0, length, 64):
                end = min(first + 64, length)
                whole = end == first + 64 and (kind == 1 or left == corner)
                if whole and equal_bits(source, first, np.uint8(0)) == EVERY:
                    whole = kind == 1 or equal_bits(above, first, left) == EVERY
                else:
                    whole = False
                if whole:
                    line[first:end] = left
                    continue
                for x in range(first, end):
                    up = above[x]
                    left = np.uint8(source[x] + _guess(kind, left, up, corner))
                    line[x], corner = left, up
        else:
            return False
    return True
