"""Points, strokes and boxes in the place of a support's mask, made from it."""

from typing import Literal

import cv2
import numpy as np

from baselines.parts.annotation import annotate
from icvos.method import Mask, Prompt

Kind = Literal["mask", "point", "scribble", "box"]
Box = tuple[float, float, float, float]


def prompt_of(mask: Mask, kind: Kind, generator: np.random.Generator | None = None) -> Prompt:
    """What is shown of a support, in pixels of its (H, W) bool mask.

    Args:
        mask: The mask; of an empty one the corner stands in for points and boxes, as published.
        kind: What to make of it. Every pixel of a stroke is a point.
        generator: For points and strokes in training; without it they follow from the mask alone.
    """
    if kind == "mask":
        return Prompt(mask=mask)
    if kind == "box":
        return Prompt(box=np.array(largest_box(mask), np.float32))
    places = np.argwhere(annotate(mask, kind, generator))[:, ::-1] if mask.any() else np.zeros((1, 2))
    return Prompt(points=places.astype(np.float32), labels=np.ones(len(places), np.int64))


def clicks_of(prompt: Prompt) -> tuple[np.ndarray, np.ndarray]:
    """(N, 2) points and (N,) labels of a prompt of points or a box, whose corners are 2 and 3."""
    if prompt.box is not None:
        return prompt.box.reshape(2, 2), np.array([2, 3])
    assert prompt.points is not None
    assert prompt.labels is not None
    return prompt.points, prompt.labels


def largest_box(mask: Mask) -> Box:
    """x0, y0, x1, y1 of the largest of the boxes around an (H, W) mask's parts, the last pixels left in.

    Boxes that overlap are united, in one pass: those that come to overlap by it stay apart, as published.
    """
    kept: list[Box] = []
    for box in component_boxes(mask):
        for place, other in enumerate(kept):
            if min(box[2], other[2]) > max(box[0], other[0]) and min(box[3], other[3]) > max(box[1], other[1]):
                united = (*map(min, box[:2], other[:2]), *map(max, box[2:], other[2:]))
                kept[place] = (united[0], united[1], united[2], united[3])
                break
        else:
            kept.append(box)
    return max(kept, key=lambda one: (one[2] - one[0]) * (one[3] - one[1]), default=(0, 0, 0, 0))


def component_boxes(mask: Mask) -> list[Box]:
    """The box of each connected part (4 neighbours), in the order in which a reader comes upon them."""
    count, parts = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)
    first = [int((parts == part).argmax()) for part in range(1, count)]
    found = []
    for part in np.argsort(first) + 1:
        rows, columns = np.nonzero(parts == part)
        found.append((float(columns.min()), float(rows.min()), float(columns.max() + 1), float(rows.max() + 1)))
    return found
