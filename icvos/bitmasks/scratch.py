"""Memory that is filled again and again: new pages from the system cost more than what is done in them."""

import threading
from math import prod

import numpy as np

MAX_BYTES = 1 << 26  # of one piece that is kept


class Scratch(threading.local):
    """Pieces of memory by what they are for, in every thread its own."""

    def __init__(self) -> None:
        self._kept: dict[str, np.ndarray] = {}

    def take(self, purpose: str, shape: tuple[int, ...], dtype: type[np.unsignedinteger]) -> np.ndarray:
        """An array with anything in it, which the next call for the same ``purpose`` gives out again."""
        size = prod(shape)
        kept = self._kept.get(purpose)
        if kept is None or len(kept) < size:
            kept = np.empty(size, dtype=dtype)
            if kept.nbytes <= MAX_BYTES:
                self._kept[purpose] = kept
        return kept[:size].reshape(shape)


scratch = Scratch()
