"""The kinds of annotation that VRP-SAM takes."""

import cv2
import numpy as np
import pytest

from baselines.parts.annotation import CONDITIONS, annotate
from tests import parity

MASK = parity.mask(3, 512, 512).astype(bool)


def test_box_is_filled_and_tight() -> None:
    mask = np.zeros((6, 8), dtype=bool)
    mask[1, 2] = mask[3, 5] = True
    box = annotate(mask, "box")
    assert box.sum() == 12
    assert box[1:4, 2:6].all()
    assert np.array_equal(annotate(mask, "mask"), mask)


@pytest.mark.parametrize("condition", ["point", "scribble"])
def test_evaluation_follows_from_the_mask_alone(condition: str) -> None:
    shown = annotate(MASK, condition)
    np.random.default_rng(0).random(7)
    assert np.array_equal(annotate(MASK, condition), shown)
    assert not np.array_equal(annotate(np.roll(MASK, 9, axis=0), condition), shown)
    generator = np.random.default_rng(0)
    drawn = [annotate(MASK, condition, generator) for _ in range(40)]
    assert len({one.tobytes() for one in drawn}) == 40  # free in training
    again = np.random.default_rng(0)
    assert all(np.array_equal(annotate(MASK, condition, again), one) for one in drawn)
    for one in (shown, *drawn):
        assert one.any()
        assert not (one & ~MASK).any()
        assert one.sum() < MASK.sum()


def test_points_are_twenty_or_all_and_any_number_in_training() -> None:
    assert annotate(MASK, "point").sum() == 20
    few = np.zeros((9, 9), dtype=bool)
    few[4, 2:7] = True
    assert np.array_equal(annotate(few, "point"), few)
    generator = np.random.default_rng(0)
    assert {int(annotate(few, "point", generator).sum()) for _ in range(100)} == {1, 2, 3, 4, 5}
    assert {int(annotate(MASK, "point", generator).sum()) for _ in range(400)} == set(range(1, 21))


def test_scribbles_are_strokes_of_two_widths() -> None:
    everything = np.ones((512, 512), dtype=bool)
    generator = np.random.default_rng(0)
    widths = set()
    for _ in range(60):
        drawn = annotate(everything, "scribble", generator)
        depth = cv2.distanceTransform(np.pad(drawn, 1).astype(np.uint8), cv2.DIST_L2, 5)
        widths.add("normal" if np.median(depth[drawn.nonzero()[0] + 1, drawn.nonzero()[1] + 1]) > 2.2 else "small")
        assert 0 < drawn.mean() < 0.3
    assert widths == {"normal", "small"}


@pytest.mark.parametrize("condition", list(CONDITIONS))
@pytest.mark.parametrize("generator", [None, np.random.default_rng(0)])
def test_empty_single_and_full_masks(condition: str, generator: np.random.Generator | None) -> None:
    empty = np.zeros((5, 7), dtype=bool)
    assert not annotate(empty, condition, generator).any()
    empty[4, 6] = True
    assert np.array_equal(annotate(empty, condition, generator), empty)
    assert annotate(np.ones((5, 7), dtype=bool), condition, generator).any()
