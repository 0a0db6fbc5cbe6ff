"""Class masks as run lengths: from the instances of an image to one mask a class, without drawing a pixel.

Run lengths are those of COCO: background and foreground in turn, down the columns, background first. What is made here
has no empty run but perhaps the first, so that equal masks have equal runs and equal texts.
"""

from collections.abc import Iterable

import numpy as np

from icvos.files.rle import compress_rle


def painted(instances: Iterable[tuple[int, np.ndarray]]) -> dict[int, np.ndarray]:
    """The run lengths of what is still seen of every class, each instance painted over those before it.

    Args:
        instances: (class, run lengths), in the order of painting; all of one size.
    """
    edges = [(kind, np.concatenate([[0], np.cumsum(runs)])) for kind, runs in instances]
    if not edges:
        return {}
    cuts = np.unique(np.concatenate([found for _, found in edges]))
    shown = np.zeros(len(cuts) - 1, dtype=np.int64)  # the class that is on top between two cuts
    for kind, found in edges:
        begun = np.bincount(np.searchsorted(cuts, found[1:-1:2]), minlength=len(cuts))
        ended = np.bincount(np.searchsorted(cuts, found[2::2]), minlength=len(cuts))
        shown[np.cumsum(begun - ended)[:-1] > 0] = kind
    return {kind: _runs(cuts, shown == kind) for kind in sorted({kind for kind, _ in edges}) if (shown == kind).any()}


def tidy(runs: np.ndarray) -> np.ndarray:
    """The same mask without empty runs."""
    if runs[1:].all():
        return runs
    return _runs(np.concatenate([[0], np.cumsum(runs)]), np.arange(len(runs)) % 2 == 1)


def _runs(cuts: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Run lengths of a mask given by whether each piece between two of the ascending ``cuts`` is foreground."""
    there = np.diff(cuts) > 0
    inside, starts = inside[there], cuts[:-1][there]
    return np.diff(np.concatenate([[0], starts[np.diff(inside, prepend=False)], cuts[-1:]]))


def area(runs: np.ndarray) -> int:
    """The number of foreground pixels."""
    return int(runs[1::2].sum())


def counts(runs: np.ndarray, size: tuple[int, int]) -> str:
    """The text of COCO's compressed RLE of a mask of ``size`` = (height, width)."""
    return str(compress_rle({"size": list(size), "counts": runs.tolist()})["counts"].decode("ascii"))
