"""Which values occur in a mask."""

import numpy as np


def occurring(values: np.ndarray) -> np.ndarray:
    """The values of a uint8 or uint16 array that occur, ascending, as int64.

    >>> occurring(np.array([[3, 0], [255, 3]], dtype=np.uint8)).tolist()
    [0, 3, 255]
    """
    if values.dtype != np.uint8:
        return np.flatnonzero(np.bincount(values.ravel()))
    from icvos.bitmasks import packing  # imports numba, which takes its time

    seen = np.zeros(256, dtype=bool)
    packing.mark_values(np.ascontiguousarray(values).ravel(), seen)
    return np.flatnonzero(seen)
