"""Which values occur in a mask."""

import numpy as np
from numba import types

from icvos.bitmasks.compiled import EVERY, compiled, equal_bits

PIXELS = types.Array(types.uint8, 1, "C", readonly=True)
SEEN = types.Array(types.boolean, 1, "C")


@compiled(types.void(PIXELS, SEEN))
def _mark(pixels: np.ndarray, seen: np.ndarray) -> None:
    """Set ``seen`` at every value of ``pixels``; most of a mask is 64 pixels of one value in a row."""
    whole = len(pixels) // 64 * 64
    for first in range(0, whole, 64):
        if equal_bits(pixels, first, pixels[first]) == EVERY:
            seen[pixels[first]] = True
        else:
            for x in range(first, first + 64):
                seen[pixels[x]] = True
    for x in range(whole, len(pixels)):
        seen[pixels[x]] = True


def occurring(values: np.ndarray) -> np.ndarray:
    """The values of a uint8 or uint16 array that occur, ascending, as int64.

    >>> occurring(np.array([[3, 0], [255, 3]], dtype=np.uint8)).tolist()
    [0, 3, 255]
    """
    if values.dtype != np.uint8:
        return np.flatnonzero(np.bincount(values.ravel()))
    seen = np.zeros(256, dtype=bool)
    _mark(np.ascontiguousarray(values).ravel(), seen)
    return np.flatnonzero(seen)
