"""The kinds of annotation that VRP-SAM takes a support with: its mask, a box, points, or scribbles.

All are drawn at the size of the network's input, of which the network sees every eighth pixel in either direction, as
published: most points are lost there, boxes and strokes are not.
"""

from collections.abc import Callable

import cv2
import numpy as np

from icvos.method import Mask

MOST = 20  # points or strokes
SEED = 321  # in evaluation
STROKES = ((12, 24), (6, 8))  # width and length of a step, in pixels of 512: the normal and the small stroke
STEPS = 12  # of a stroke
BEND = 0.5  # deviation of a stroke's turn at a step, in radians


def annotate(mask: Mask, condition: str, generator: np.random.Generator | None = None) -> Mask:
    """A (H, W) bool mask as the kind of annotation that is shown, one of `CONDITIONS`; an empty one stays empty.

    Without a generator, for evaluation, it follows from the mask alone; with one, for training, points and strokes and
    their number are free.
    """
    return CONDITIONS[condition](mask, generator) if mask.any() else mask


def whole(mask: Mask, generator: np.random.Generator | None) -> Mask:  # noqa: ARG001  # all kinds are called alike
    """The mask itself."""
    return mask


def box(mask: Mask, generator: np.random.Generator | None) -> Mask:  # noqa: ARG001
    """The filled tight box of the mask."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    filled = np.zeros_like(mask)
    filled[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = True
    return filled


def points(mask: Mask, generator: np.random.Generator | None) -> Mask:
    """Random pixels of the mask: 20, or all where there are fewer; in training any number up to that."""
    inside = np.flatnonzero(mask)
    most = min(MOST, len(inside))
    number = most if generator is None else int(generator.integers(1, most, endpoint=True))
    drawn = np.zeros_like(mask)
    drawn.flat[(generator or np.random.default_rng(SEED)).choice(inside, number, replace=False)] = True
    return drawn


def scribbles(mask: Mask, generator: np.random.Generator | None) -> Mask:
    """1 to 20 strokes from random pixels of the mask, all normal or all small, cut to the mask.

    A stroke is a bending walk; its shape is our own, the published text does not fix it.
    """
    chance = generator or np.random.default_rng(SEED)
    inside = np.flatnonzero(mask)
    width, step = STROKES[chance.integers(len(STROKES))]
    number = int(chance.integers(1, min(MOST, len(inside)), endpoint=True))
    starts = np.unravel_index(chance.choice(inside, number, replace=False), mask.shape)
    turns = chance.normal(0, BEND, (number, STEPS))
    turns[:, 0] = chance.uniform(0, 2 * np.pi, number)
    heading = turns.cumsum(1)
    walk = step * np.stack([np.cos(heading), np.sin(heading)], axis=2).cumsum(1)  # x, y
    start = np.stack([starts[1], starts[0]], axis=1)[:, None]
    lines = np.concatenate([start, start + walk], axis=1).round().astype(np.int32)
    canvas = np.zeros(mask.shape, dtype=np.uint8)
    cv2.polylines(canvas, list(lines), isClosed=False, color=1, thickness=width)
    return mask & (canvas > 0)


CONDITIONS: dict[str, Callable[[Mask, np.random.Generator | None], Mask]] = {
    "mask": whole,
    "box": box,
    "point": points,
    "scribble": scribbles,
}
