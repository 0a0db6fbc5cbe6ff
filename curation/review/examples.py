"""Annotated objects of COCO as examples of their categories, and how near an object is to each category."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import BadZipFile

import numpy as np

from curation.sources.coco import Coco
from icvos.categories import COCO
from icvos.errors import IcvosError
from icvos.files.images import read_image
from icvos.files.storage import atomic_file

if TYPE_CHECKING:
    from curation.review.features import Eye, Look

PER_CATEGORY = 12  # examples of a category at most
LEAST_PIXELS = 32 * 32  # of an example: smaller ones show little
NEAREST = 3  # examples of a category whose mean likeness counts
TEMPERATURE = 0.05  # at which the confidences on objects of COCO val2017 are about right
VERSION = 2  # of how examples are described: another one is another file


@dataclass(frozen=True, slots=True)
class Examples:
    """What examples look like.

    Args:
        categories: (N,) the class index of each.
        blocks: (N, C), each of length 1.
        heads: (N, D), each of length 1.
    """

    categories: np.ndarray
    blocks: np.ndarray
    heads: np.ndarray

    def likeness(self, look: "Look") -> dict[int, float]:
        """How near an object is to each category that has examples, -1 to 1: the mean of the nearest ones."""
        near = sum(
            _centred(these, these.mean(axis=0)) @ _centred(one[None], these.mean(axis=0))[0]
            for these, one in ((self.blocks, look.block), (self.heads, look.head))
        )
        found = {}
        for index in np.unique(self.categories):
            same = np.sort(0.5 * np.asarray(near)[self.categories == index])[::-1]
            found[int(index)] = float(same[:NEAREST].mean())
        return found

    def proposals(self, look: "Look", most: int = 3) -> list[tuple[str, float]]:
        """The nearest categories, the nearest first, with confidences that are 1 over all categories."""
        found = self.likeness(look)
        weights = {index: np.exp((value - max(found.values())) / TEMPERATURE) for index, value in found.items()}
        total = sum(weights.values())
        best = sorted(weights, key=lambda index: (-weights[index], index))[:most]
        return [(COCO[index - 1].name, float(weights[index] / total)) for index in best]


def _centred(looks: np.ndarray, mean: np.ndarray) -> np.ndarray:
    shifted = looks - mean
    found: np.ndarray = shifted / np.maximum(np.linalg.norm(shifted, axis=1, keepdims=True), 1e-6)
    return found


def examples_of(coco: Coco, eye: "Eye", stopped: Callable[[], bool] = lambda: False) -> Examples:
    """Describe examples of every category, the first of COCO in order of image; `IcvosError` where there is none."""
    looks: list[tuple[int, Look]] = []
    for one in COCO:
        found = 0
        for image in coco.images_of(one.index):
            for mask in coco.instance_masks(image, one.index):
                if found < PER_CATEGORY and mask.sum() >= LEAST_PIXELS and not stopped():
                    looks.append((one.index, eye.look(read_image(image.file), mask)))
                    found += 1
            if found >= PER_CATEGORY:
                break
    if not looks:
        raise IcvosError(f"{coco.annotation_file}: no object of {LEAST_PIXELS} pixels; give a larger COCO split")
    parts: Mapping[str, Sequence[np.ndarray]] = {
        "blocks": [look.block for _, look in looks],
        "heads": [look.head for _, look in looks],
    }
    return Examples(np.array([index for index, _ in looks]), **{name: np.stack(part) for name, part in parts.items()})


def name_of(coco: Coco) -> str:
    """What the examples of a COCO split are called: another one for other annotations."""
    found = coco.annotation_file.stat()
    return f"{coco.split}-{len(coco.images)}-{found.st_size}-{PER_CATEGORY}-{VERSION}"


def keep(examples: Examples, path: Path) -> None:
    """Write examples to a file, whole or not at all."""
    with atomic_file(path) as temporary:
        np.savez(
            temporary,
            categories=examples.categories,
            blocks=examples.blocks,
            heads=examples.heads,
        )


def kept(path: Path) -> Examples | None:
    """The examples in a file; None where there is none, or it cannot be read and is to be made anew."""
    try:
        with np.load(path, allow_pickle=False) as found:
            return Examples(found["categories"], found["blocks"], found["heads"])
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None
