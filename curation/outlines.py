"""Class masks as run lengths: from the instances of an image to one mask a class, without drawing a pixel.

Run lengths are those of COCO: background and foreground in turn, down the columns, background first. What is made here
has no empty run but perhaps the first, so that equal masks have equal runs and equal texts.
"""

from collections.abc import Iterable
from typing import Literal

import numpy as np

from icvos.masks import compress_rle

Rule = Literal["union", "painted"]


def class_runs(instances: Iterable[tuple[int, np.ndarray]], rule: Rule) -> dict[int, np.ndarray]:
    """The run lengths of every class that is seen, by class.

    Args:
        instances: (class, run lengths of the instance), in the order of painting; all of one size.
        rule: ``union``: all instances of the class. ``painted``: later instances are painted over earlier ones of other
            classes, and the class keeps what is still seen.
    """
    edges = [(kind, np.concatenate([[0], np.cumsum(runs)])) for kind, runs in instances]
    if not edges:
        return {}
    cuts = np.unique(np.concatenate([found for _, found in edges]))
    inside: dict[int, np.ndarray] = {}  # class -> for every piece between two cuts, whether it is of the class
    for kind, found in edges:
        steps = np.zeros(len(cuts), dtype=np.int64)
        np.add.at(steps, np.searchsorted(cuts, found[1:-1:2]), 1)
        np.add.at(steps, np.searchsorted(cuts, found[2::2]), -1)
        covered = np.cumsum(steps)[:-1] > 0
        if rule == "painted":
            for other in inside.keys() - {kind}:
                inside[other] &= ~covered
        inside[kind] = inside[kind] | covered if kind in inside else covered
    return {kind: _runs(cuts, found) for kind, found in sorted(inside.items()) if found.any()}


def _runs(cuts: np.ndarray, inside: np.ndarray) -> np.ndarray:
    turns = cuts[:-1][np.diff(inside, prepend=False)]
    return np.diff(np.concatenate([[0], turns, cuts[-1:]]))


def area(runs: np.ndarray) -> int:
    """The number of foreground pixels."""
    return int(runs[1::2].sum())


def counts(runs: np.ndarray, size: tuple[int, int]) -> str:
    """The text of COCO's compressed RLE of a mask of ``size`` = (height, width)."""
    return str(compress_rle({"size": list(size), "counts": runs.tolist()})["counts"].decode("ascii"))
