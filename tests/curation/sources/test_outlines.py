"""Painting on run lengths against painting on pixels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.sources.outlines import area, counts, painted, tidy
from icvos.files.rle import decode_rle, encode_rle, rle_runs


def masks(seed: int, number: int, size: tuple[int, int]) -> list[tuple[int, np.ndarray]]:
    random = np.random.default_rng(seed)
    found = []
    for _ in range(number):
        mask = np.zeros(size, dtype=bool)
        for _ in range(random.integers(0, 3)):
            rows, columns = np.sort(random.integers(0, size[0] + 1, 2)), np.sort(random.integers(0, size[1] + 1, 2))
            mask[rows[0] : rows[1], columns[0] : columns[1]] ^= True
        found.append((int(random.integers(1, 4)), mask))
    return found


def runs_of(mask: np.ndarray) -> np.ndarray:
    return rle_runs(encode_rle(mask))[2]


@given(seed=st.integers(0, 10**6), number=st.integers(0, 6), height=st.integers(1, 9), width=st.integers(1, 9))
@settings(max_examples=200, deadline=None)
def test_painting_equals_painting_on_pixels(seed: int, number: int, height: int, width: int) -> None:
    instances = masks(seed, number, (height, width))
    label = np.zeros((height, width), dtype=int)
    for kind, mask in instances:
        label[mask] = kind
    found = painted((kind, runs_of(mask)) for kind, mask in instances)
    assert list(found) == sorted(set(np.unique(label).tolist()) - {0})
    for kind, runs in found.items():
        text = counts(runs, (height, width))
        assert np.array_equal(decode_rle({"size": [height, width], "counts": text}), label == kind)
        assert text == encode_rle(label == kind)["counts"]
        assert area(runs) == (label == kind).sum()


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        ([0, 4], [0, 4]),
        ([4], [4]),
        ([1, 2, 0, 3, 2], [1, 5, 2]),
        ([1, 0, 2, 3], [3, 3]),
        ([2, 3, 1, 0], [2, 3, 1]),
        ([0, 0, 3, 0, 1], [4]),
        ([1, 2, 0, 0, 3], [1, 2, 3]),
    ],
)
def test_empty_runs_are_left_out(runs: list[int], expected: list[int]) -> None:
    assert tidy(np.array(runs)).tolist() == expected
