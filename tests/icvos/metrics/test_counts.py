"""J and F of a mask pair: by hand, against an obvious reference, by their properties, and against recorded values."""

import csv
import itertools
import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pycocotools import mask as coco_mask

from icvos.bitmasks.mask import pack
from icvos.files.masks import read_binary, resize_nearest
from icvos.files.rle import encode_rle, pack_rle
from icvos.metrics import Counts, count
from icvos.metrics.boundary import tolerance_px
from tests.golden import GOLDEN
from tests.golden.masks import build
from tests.icvos.handmade import sample_masks


@pytest.fixture(scope="module")
def davis_osvos() -> Path:
    return sample_masks()


def rows(name: str) -> list[dict[str, str]]:
    with (GOLDEN / name).open(newline="") as file:
        return list(csv.DictReader(file))


def as_recorded(counts: Counts) -> tuple[float, ...]:
    return (
        counts.inter,
        counts.union,
        counts.prediction_boundary,
        counts.truth_boundary,
        counts.prediction_matched,
        counts.truth_matched,
        counts.j,
        counts.precision,
        counts.recall,
        counts.f,
    )


def recorded(row: dict[str, str]) -> tuple[float, ...]:
    integers = [int(row[key]) for key in ("inter", "union", "n_pred", "n_gt", "hit_pred", "hit_gt")]
    return (*integers, *(float(row[key]) for key in ("J", "precision", "recall", "F")))


def test_recorded_synthetic_pairs_come_out_to_the_last_bit() -> None:
    found = rows("jf_synthetic.csv")
    assert len(found) == 577
    for row in found:
        size = int(row["height"]), int(row["width"])
        truth, prediction = build(row["gt"], *size), build(row["pred"], *size)
        void = None if row["void"] == "-" else build(row["void"], *size)
        tolerance = float(row["bound_th"])
        assert tolerance_px(*size, tolerance) == int(row["radius"]), row
        assert as_recorded(count(truth, prediction, void, tolerance=tolerance)) == recorded(row), row


def test_recorded_real_frames_come_out_to_the_last_bit(davis_osvos: Path) -> None:
    for row in rows("osvos_frames.csv"):
        name = f"{row['sequence']}/{row['frame']}.png"
        truth, prediction = read_binary(davis_osvos / "gt" / name), read_binary(davis_osvos / "osvos" / name)
        assert as_recorded(count(truth, prediction)) == recorded(row), name
        small = count(resize_nearest(truth, (512, 512)), resize_nearest(prediction, (512, 512)))
        assert (small.j, small.f) == (float(row["J_512"]), float(row["F_512"])), name


def test_equal_to_vos_benchmark_on_real_frames(davis_osvos: Path) -> None:
    evaluators = pytest.importorskip("vos_benchmark.evaluator", reason="vos-benchmark is not installed")
    for row in rows("osvos_frames.csv")[::20]:
        name = f"{row['sequence']}/{row['frame']}.png"
        truth, prediction = read_binary(davis_osvos / "gt" / name), read_binary(davis_osvos / "osvos" / name)
        compare_with(evaluators, truth, prediction)


@pytest.mark.parametrize("shares", [(0.5, 0.5), (0.01, 0.3), (0.001, 0.999)])
@pytest.mark.parametrize("size", [(48, 64), (90, 33), (120, 200)])
def test_equal_to_vos_benchmark_on_noise(size: tuple[int, int], shares: tuple[float, float]) -> None:
    evaluators = pytest.importorskip("vos_benchmark.evaluator", reason="vos-benchmark is not installed")
    random = np.random.RandomState(7)
    for _ in range(5):
        compare_with(evaluators, random.rand(*size) < shares[0], random.rand(*size) < shares[1])


def compare_with(evaluators: Any, truth: np.ndarray, prediction: np.ndarray) -> None:
    evaluator = evaluators.Evaluator()
    evaluator.feed_frame(prediction.astype(np.uint8), truth.astype(np.uint8))
    counts = count(truth, prediction)
    assert (evaluator.object_iou[1], evaluator.boundary_f[1]) == ([counts.j], [counts.f])


@pytest.mark.parametrize("size", [(48, 64), (120, 200)])
def test_equal_to_trackeval_on_noise(size: tuple[int, int]) -> None:
    metrics = pytest.importorskip("trackeval.metrics", reason="trackeval is not installed")
    random = np.random.RandomState(11)
    for share in (0.5, 0.05):
        truth, prediction = random.rand(*size) < share, random.rand(*size) < 0.3
        rles = [coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8)) for mask in (truth, prediction)]
        data = {"gt_dets": [[rles[0]]], "tracker_dets": [[rles[1]]], "gt_ids": [[0]], "tracker_ids": [[0]]}
        data |= {"num_timesteps": 1, "num_tracker_ids": 1, "num_gt_ids": 1}
        found, counts = metrics.JAndF().eval_sequence(data), count(truth, prediction)
        assert (found["J-Mean"], found["F-Mean"]) == pytest.approx((counts.j, counts.f), abs=1e-12)


@given(st.integers(0, 2**32 - 1), st.integers(0, 40), st.integers(1, 9))
@settings(max_examples=50, deadline=None)
def test_flips_and_equal_padding_away_from_the_border_change_nothing(seed: int, padding: int, radius: int) -> None:
    random = np.random.default_rng(seed)
    pair = [np.pad(random.random((17, 70)) < 0.4, 12) for _ in range(2)]
    counts = count(*pair, radius_px=radius)
    for change in (np.flipud, np.fliplr, np.rot90, lambda mask: np.pad(mask, padding)):
        assert count(*(np.ascontiguousarray(change(mask)) for mask in pair), radius_px=radius) == counts


def slow_boundary(mask: np.ndarray) -> list[tuple[int, int]]:
    height, width = mask.shape
    found = []
    for y in range(height):
        for x in range(width):
            neighbours = []
            if x < width - 1:
                neighbours.append((y, x + 1))
            if y < height - 1:
                neighbours.append((y + 1, x))
            if x < width - 1 and y < height - 1:
                neighbours.append((y + 1, x + 1))
            if x == width - 1 or y == height - 1:
                neighbours = neighbours[:1]
            if any(mask[y, x] != mask[place] for place in neighbours):
                found.append((y, x))
    return found


def slow_count(truth: np.ndarray, prediction: np.ndarray, radius: int) -> Counts:
    boundaries = slow_boundary(truth), slow_boundary(prediction)

    def matched(some: list[tuple[int, int]], others: list[tuple[int, int]]) -> int:
        return sum(any((y - v) ** 2 + (x - u) ** 2 <= radius**2 for v, u in others) for y, x in some)

    return Counts(
        sum(bool(a and b) for a, b in zip(truth.flat, prediction.flat, strict=True)),
        sum(map(bool, truth.flat)),
        sum(map(bool, prediction.flat)),
        len(boundaries[0]),
        len(boundaries[1]),
        matched(boundaries[0], boundaries[1]),
        matched(boundaries[1], boundaries[0]),
    )


def boundary_map(mask: np.ndarray) -> np.ndarray:
    """`slow_boundary` as (H, W) bool, fast enough for large frames."""
    edges = np.zeros_like(mask)
    edges[:, :-1] = mask[:, :-1] ^ mask[:, 1:]
    edges[:-1] |= mask[:-1] ^ mask[1:]
    edges[:-1, :-1] |= mask[:-1, :-1] ^ mask[1:, 1:]
    return edges


def dense_count(truth: np.ndarray, prediction: np.ndarray, radius: int) -> Counts:
    """`slow_count` by dilating with a disk, fast enough for large frames."""
    edges = boundary_map(truth), boundary_map(prediction)
    offset = np.arange(-radius, radius + 1) ** 2
    disk = (offset[:, None] + offset <= radius**2).astype(np.uint8)
    near = [cv2.dilate(one.astype(np.uint8), disk, borderType=cv2.BORDER_CONSTANT, borderValue=0) > 0 for one in edges]
    wanted = truth & prediction, truth, prediction, *edges, edges[0] & near[1], edges[1] & near[0]
    return Counts(*(int(np.count_nonzero(one)) for one in wanted))


small_shapes = st.tuples(st.integers(1, 12), st.integers(1, 70))
small_pairs = small_shapes.flatmap(
    lambda shape: st.tuples(*(arrays.arrays(np.bool_, shape, fill=st.just(False)) for _ in range(2)))
)
noise_pairs = st.builds(
    lambda shape, seed, shares: tuple(
        np.random.RandomState(seed + k).rand(*shape) < share for k, share in enumerate(shares)
    ),
    small_shapes,
    st.integers(0, 10_000),
    st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
pairs = st.one_of(small_pairs, noise_pairs)


@given(pairs, st.integers(0, 15))
@settings(max_examples=100, deadline=None)
def test_equal_to_the_obvious_reference(pair: tuple[np.ndarray, np.ndarray], radius: int) -> None:
    assert count(*pair, radius_px=radius) == slow_count(*pair, radius)


SIZES = [(1, 1), (1, 64), (64, 1), (2, 65), (63, 63), (64, 128), (480, 854), (512, 512), (1080, 1920), (2160, 3840)]
PATTERNS = ["ellipses:1", "ellipses:2", "noise", "specks", "checkerboard", "ring", "empty", "full"]


def pattern(name: str, size: tuple[int, int]) -> np.ndarray:
    random = np.random.RandomState(3)
    mask = np.zeros(size, dtype=bool)
    if name == "noise":
        mask = random.rand(*size) < 0.5
    elif name == "specks":
        mask = random.rand(*size) < 0.001
    elif name == "checkerboard":
        mask = np.indices(size).sum(axis=0) % 2 == 1
    elif name == "ring":
        mask[[0, -1]], mask[:, [0, -1]] = True, True
    else:
        mask = build(name, *size)
    return mask


@pytest.mark.parametrize("size", SIZES)
def test_equal_to_dilation_at_every_size(size: tuple[int, int]) -> None:
    radius = tolerance_px(*size)
    masks = {name: pattern(name, size) for name in PATTERNS}
    step = 1 + size[0] * size[1] // 700_000  # dilation with large disks takes seconds
    for truth, prediction in itertools.islice(itertools.combinations(PATTERNS, 2), 0, None, step):
        found = count(masks[truth], masks[prediction])
        assert found == dense_count(masks[truth], masks[prediction], radius), (truth, prediction)


@pytest.mark.parametrize("radius", [0, 1, 2, 18, 36, 63, 64, 65, 71, 130])
def test_equal_to_dilation_for_every_radius(radius: int) -> None:
    for truth, prediction in [("ellipses:1", "ellipses:2"), ("specks", "ring"), ("ring", "ellipses:1")]:
        masks = pattern(truth, (150, 260)), pattern(prediction, (150, 260))
        assert count(*masks, radius_px=radius) == dense_count(*masks, radius), (truth, prediction)


@given(noise_pairs, st.integers(1, 90), st.integers(1, 700))
@settings(max_examples=200, deadline=None)
def test_packed_masks_are_the_same_masks(pair: tuple[np.ndarray, np.ndarray], height: int, width: int) -> None:
    mask = pair[0]
    assert np.array_equal(pack(mask).unpack(), mask)
    assert pack(mask).area == mask.sum()
    resized = resize_nearest(mask, (height, width))
    found = pack(mask, (height, width))
    assert np.array_equal(found.unpack(), resized)
    assert found == pack(resized)
    assert (found.area, found.window) == (pack(resized).area, pack(resized).window)


@given(noise_pairs, st.integers(1, 90), st.integers(1, 300))
@settings(max_examples=100, deadline=None)
def test_run_lengths_are_packed_alike(pair: tuple[np.ndarray, np.ndarray], height: int, width: int) -> None:
    for mask in (pair[0], np.zeros_like(pair[0]), np.ones_like(pair[0])):
        rle = encode_rle(mask)
        assert pack_rle(rle) == pack(mask)
        found = pack_rle(rle, (height, width))
        assert found == pack(mask, (height, width))
        assert (found.area, found.window) == (pack(mask, (height, width)).area, pack(mask, (height, width)).window)


def test_empty_masks_are_counted_but_not_resized() -> None:
    for shape in ((0, 0), (0, 70), (70, 0)):
        mask = np.zeros(shape, dtype=bool)
        assert count(mask, mask) == Counts(0, 0, 0, 0, 0, 0, 0)
        with pytest.raises(ValueError, match="cannot be resized"):
            pack(mask, (5, 6))


def test_code_is_compiled_also_where_no_cache_can_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    from numba import types

    from icvos.bitmasks import compiled

    compile_function, asked = compiled.numba.njit, []

    def refuse(signature: Any, *, cache: bool = False, **options: Any) -> Any:
        asked.append(cache)
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return compile_function(signature, **options)

    monkeypatch.setattr(compiled.numba, "njit", refuse)
    assert compiled.compiled(types.int64(types.int64))(lambda value: 2 * value)(21) == 42
    assert asked == [True, False]


def test_masks_of_other_layouts_are_packed_alike() -> None:
    mask = pattern("ellipses:1", (90, 130))
    wanted = pack(mask)
    frozen = mask.copy()
    frozen.flags.writeable = False
    for same in (np.asfortranarray(mask), np.repeat(mask, 2, axis=1)[:, ::2], frozen, mask.astype(np.uint8) * 255):
        assert pack(same) == wanted
    assert pack(~mask) != wanted


@given(pairs, st.integers(0, 15))
@settings(max_examples=100, deadline=None)
def test_properties(pair: tuple[np.ndarray, np.ndarray], radius: int) -> None:
    truth, prediction = pair
    there, back = count(truth, prediction, radius_px=radius), count(prediction, truth, radius_px=radius)
    assert (there.j, there.f) == (back.j, back.f)
    assert (there.precision, there.recall) == (back.recall, back.precision)
    assert 0 <= there.j <= 1
    assert 0 <= there.f <= 1
    same = count(truth, truth, radius_px=radius)
    assert (same.j, same.f) == (1, 1)
    inverse = count(~truth, ~prediction, radius_px=radius)
    assert (inverse.precision, inverse.recall, inverse.f) == (there.precision, there.recall, there.f)
    wider = count(truth, prediction, radius_px=radius + 1)
    assert wider.truth_matched >= there.truth_matched
    assert wider.prediction_matched >= there.prediction_matched


@given(pairs, st.integers(0, 1000), st.floats(0, 1))
@settings(max_examples=50, deadline=None)
def test_void_empties_both_masks(pair: tuple[np.ndarray, np.ndarray], seed: int, share: float) -> None:
    truth, prediction = pair
    void = np.random.RandomState(seed).rand(*truth.shape) < share
    assert count(truth, prediction, void) == count(truth & ~void, prediction & ~void)
    assert count(truth, prediction, np.ones_like(void)) == Counts(0, 0, 0, 0, 0, 0, 0)


def test_masks_are_left_as_they_were() -> None:
    truth, prediction = build("ellipses:1", 60, 80), build("ellipses:2", 60, 80)
    before = truth.copy(), prediction.copy()
    count(truth, prediction, build("rect:0,0,30,80", 60, 80))
    assert np.array_equal(truth, before[0])
    assert np.array_equal(prediction, before[1])


@pytest.mark.parametrize(
    ("truth", "prediction", "j", "precision", "recall", "f"),
    [
        ("empty", "empty", 1, 1, 1, 1),
        ("empty", "rect:5,5,10,10", 0, 0, 1, 0),
        ("rect:5,5,10,10", "empty", 0, 1, 0, 0),
        ("full", "empty", 0, 1, 1, 1),
        ("full", "full", 1, 1, 1, 1),
        ("rect:2,2,5,5", "rect:20,20,24,24", 0, 0, 0, 0),
    ],
)
def test_conventions(truth: str, prediction: str, j: float, precision: float, recall: float, f: float) -> None:
    counts = count(build(truth, 30, 40), build(prediction, 30, 40))
    assert (counts.j, counts.precision, counts.recall, counts.f) == (j, precision, recall, f)


@pytest.mark.parametrize(("y", "x", "expected"), [(0, 0, 1), (4, 5, 4), (9, 11, 3), (0, 5, 2), (9, 5, 4), (5, 11, 4)])
def test_boundary_of_one_pixel(y: int, x: int, expected: int) -> None:
    mask = np.zeros((10, 12), dtype=bool)
    mask[y, x] = True
    assert np.argwhere(boundary_map(mask)).tolist() == [list(place) for place in slow_boundary(mask)]
    assert count(mask, mask).truth_boundary == expected


def test_radius_is_exact_for_every_common_size() -> None:
    for height in range(1, 2200, 7):
        for width in (1, 2, height, 640, 854, 1920, 3840):
            wanted = math.isqrt(-(-64 * (height * height + width * width) // 1_000_000) - 1) + 1
            assert tolerance_px(height, width) == wanted, (height, width)


@pytest.mark.parametrize("tolerance", [-0.1, 1.5, 2.25])
def test_lopsided_tolerances_are_refused(tolerance: float) -> None:
    with pytest.raises(ValueError, match="tolerance"):
        tolerance_px(480, 854, tolerance)


@pytest.mark.parametrize("shapes", [((4, 5), (5, 4)), ((4, 5, 1), (4, 5, 1)), ((20,), (20,))])
def test_other_shapes_are_refused(shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    with pytest.raises(ValueError, match="expected"):
        count(np.zeros(shapes[0], dtype=bool), np.zeros(shapes[1], dtype=bool))
