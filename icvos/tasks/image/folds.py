"""The classes and folds of the known image benchmarks, and what the published lists hold of each fold."""

from dataclasses import dataclass
from typing import Literal

from icvos.categories import COCO, PASCAL

Folds = Literal["interleaved", "contiguous"]
OF_COCO = ("coco-20i", "all-coco")  # the others ask PASCAL's pictures


@dataclass(frozen=True, slots=True)
class FoldList:
    """The published few-shot lists of one fold in numbers; None: not known.

    Args:
        pairs: Pairs of a picture of evaluation and a tested class in it.
        pictures: Pictures of evaluation.
        training_apart: Pictures to train on without those listed for a tested class.
    """

    pairs: int | None = None
    pictures: int | None = None
    training_apart: int | None = None


# COCO-20i: interleaved folds of val2014
FOLD_LISTS: dict[tuple[str, int], FoldList] = {
    ("coco-20i", 1): FoldList(17_912, 15_305),
    ("coco-20i", 2): FoldList(14_563, 13_138),
    ("coco-20i", 3): FoldList(14_315, 12_640),
    ("pascal-5i", 0): FoldList(365, 364, 4208),
    ("pascal-5i", 1): FoldList(467, 445, 3726),
    ("pascal-5i", 2): FoldList(734, 592, 2752),
    ("pascal-5i", 3): FoldList(357, 336, 4510),
    ("coco-to-pascal", 0): FoldList(836, 685),
    ("coco-to-pascal", 1): FoldList(299, 299),
    ("coco-to-pascal", 2): FoldList(456, 447),
    ("coco-to-pascal", 3): FoldList(332, 328),
}


def class_names(name: str) -> dict[int, str]:
    """Class number -> name: COCO's 80, or PASCAL's 20 where the pictures are PASCAL's."""
    return {found.index: found.name for found in (COCO if name in OF_COCO else PASCAL)}


def fold_classes(name: str, folds: Folds = "interleaved") -> list[tuple[list[int], list[int]]]:
    """(classes to test, classes to train on) of every fold.

    >>> fold_classes("pascal-5i")[1][0], fold_classes("coco-to-pascal")[1]
    ([6, 7, 8, 9, 10], ([2, 6, 13, 18], []))
    """
    if name == "all-coco":
        every = [found.index for found in COCO]
        return [(every, every)]
    if name == "coco-20i" and folds == "interleaved":
        fold_of = {found.index: found.fold_interleaved for found in COCO}
    elif name == "coco-20i":
        fold_of = {found.index: found.fold_contiguous for found in COCO}
    elif name == "pascal-5i":
        fold_of = {found.index: found.fold for found in PASCAL}
    else:
        fold_of = {found.index: found.fold_domain_shift for found in PASCAL}
    tests = [[kind for kind in fold_of if fold_of[kind] == fold] for fold in range(4)]
    if name == "coco-to-pascal":
        return [(test, []) for test in tests]
    return [(test, [kind for kind in fold_of if kind not in test]) for test in tests]
