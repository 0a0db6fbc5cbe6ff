"""The values that occur in a mask are those that sorting finds, whatever its size, layout and depth."""

import numpy as np
import pytest

from icvos.bitmasks.values import occurring


@pytest.mark.parametrize("shape", [(480, 854), (1, 64), (3, 65), (7, 9), (0, 5)])
@pytest.mark.parametrize("highest", [1, 2, 255])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_the_values_are_those_of_sorting(shape: tuple[int, int], highest: int, kind: type) -> None:
    random = np.random.default_rng(0)
    noise = random.integers(0, highest + 1, shape).astype(kind)
    blocks = np.zeros(shape, kind)
    blocks[shape[0] // 3 :, : shape[1] // 2] = highest
    for mask in (noise, blocks, blocks[:, ::2], blocks.T):
        found = occurring(mask)
        assert found.tolist() == np.unique(mask).tolist()
        assert found.dtype == np.int64


def test_one_pixel_of_its_own_is_found_anywhere() -> None:
    for place in range(200):
        mask = np.full(200, 7, np.uint8)
        mask[place] = 9
        assert occurring(mask).tolist() == [7, 9]


def test_a_mask_that_may_not_be_written_is_read() -> None:
    mask = np.frombuffer(bytes([0, 255, 255, 0]), np.uint8)
    assert occurring(mask).tolist() == [0, 255]
