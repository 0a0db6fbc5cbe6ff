"""Looking closer at what was found."""

import numpy as np

from icvos.method import Image, Mask
from icvos.models.zoom import bounds, large_parts, look_closer, surroundings


def test_small_stray_parts_are_dropped() -> None:
    mask = np.zeros((40, 60), dtype=bool)
    mask[2:22, 2:22] = mask[2:12, 40:50] = mask[30:33, 30:33] = True
    found = large_parts(mask, 0.1)
    assert found[:25].sum() == 500
    assert not found[25:].any()
    assert not large_parts(np.zeros((4, 4), dtype=bool), 0.1).any()


def test_surroundings_stay_inside_the_picture() -> None:
    mask = np.zeros((40, 60), dtype=bool)
    mask[30:40, 20:25] = True
    assert bounds(mask) == (slice(30, 40), slice(20, 25))
    assert surroundings(mask, 2.0) == (slice(25, 40), slice(16, 29))


def test_what_is_looked_at_again_is_the_part_around_what_was_found() -> None:
    """From afar the object is a block; seen again, it has its shape."""
    image = np.zeros((80, 120, 3), dtype=np.uint8)
    image[30:38, 50:60] = 255
    seen = []

    def segment(shown: Image) -> Mask:
        seen.append(shown.shape[:2])
        bright = shown[..., 0] > 0
        if shown.shape == image.shape:
            bright[28:40, 48:64] = True
            bright[2, 2] = True  # a stray pixel, which no window is laid around
        return bright

    look = {"surround": 2.0, "closest": 0.5, "part": 0.1}
    assert np.array_equal(look_closer(segment, image, 1, **look), image[..., 0] > 0)
    assert seen == [(80, 120), (24, 32)]
    assert look_closer(segment, image, 0, **look).sum() == 12 * 16
    assert look_closer(segment, image, 1, **look | {"closest": 0.01}).sum() == 12 * 16
    assert not look_closer(lambda shown: np.zeros(shown.shape[:2], bool), image, 3, **look).any()
