"""Mean, recall, decay and intervals, against recorded values and by their properties."""

import csv
import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from icvos.metrics import count
from icvos.metrics.summary import bootstrap_interval, decay, mean, quarter_edges, recall, resampled_means
from tests import Json
from tests.golden import GOLDEN
from tests.golden.masks import build

SEQUENCES: list[Json] = json.loads((GOLDEN / "protocol.json").read_text())
# the published program refuses sequences with more objects predicted than the first frame has
TAKEN_BY_DAVIS = [one for one in SEQUENCES if isinstance(one["results"]["davis2017 semi-supervised"], dict)]


def near(wanted: object) -> Any:
    return pytest.approx(wanted, rel=0, abs=1e-12)


def test_recorded_statistics() -> None:
    with (GOLDEN / "statistics.csv").open(newline="") as file:
        found = list(csv.DictReader(file))
    assert len(found) == 42
    for row in found:
        values = np.random.RandomState(int(row["length"])).rand(int(row["length"]))
        assert list(quarter_edges(len(values))) == [int(edge) for edge in row["bin_edges"].split()]
        assert mean(values) == near(float(row["mean"]))
        assert recall(values) == near(float(row["recall"]))
        assert decay(values) == near(float(row["decay_without_wrap"]))
        published = float(row["decay_as_published"])
        assert decay(values, published_uint8_edges=True) == pytest.approx(published, rel=0, abs=1e-12, nan_ok=True)


def test_the_published_defect_is_only_there_when_asked_for() -> None:
    values = np.linspace(1, 0, 256)
    assert math.isnan(decay(values, published_uint8_edges=True))
    assert decay(values) > 0.7


def test_a_value_of_one_half_is_not_recalled() -> None:
    assert recall(np.array([0.5, np.nextafter(0.5, 1)])) == 0.5


@given(st.integers(1, 2000))
def test_quarters_cover_all_frames(frames: int) -> None:
    edges = quarter_edges(frames)
    assert edges[0] == 0
    assert edges[4] == frames - 1
    assert list(edges) == sorted(edges)


@given(st.lists(st.tuples(st.sampled_from("abcde"), st.floats(0, 1)), min_size=1, max_size=30))
def test_interval_holds_the_mean_and_repeats(pairs: list[tuple[str, float]]) -> None:
    groups = [group for group, _ in pairs]
    values = np.array([[value, 1 - value] for _, value in pairs])
    low, high = bootstrap_interval(values, groups, samples=200)
    again = bootstrap_interval(values, groups, samples=200)
    assert np.array_equal(low, again[0])
    assert np.array_equal(high, again[1])
    assert (low <= high).all()
    assert (low >= values.min(axis=0) - 1e-12).all()
    assert (high <= values.max(axis=0) + 1e-12).all()


def test_interval_draws_videos_with_all_their_clips() -> None:
    groups = [f"video{k // 4}" for k in range(40)]
    apart = np.repeat(np.linspace(0, 1, 10), 4)[:, None]
    low, high = bootstrap_interval(apart, groups)
    alone_low, alone_high = bootstrap_interval(apart, [str(k) for k in range(40)])
    assert high - low > 1.6 * (alone_high - alone_low)
    deviation = np.linspace(0, 1, 10).std() / math.sqrt(10)
    assert high - low == pytest.approx(2 * 1.96 * deviation, rel=0.1)
    assert bootstrap_interval(apart[:4], groups[:4]) == (apart[0], apart[0])


def test_resampled_means_against_drawing_one_by_one() -> None:
    groups = ["a", "b", "b", "c", "c", "c"]
    values = np.arange(12, dtype=float).reshape(6, 2) ** 2
    drawn = np.random.RandomState(5).randint(0, 3, (2300, 3))  # more than are kept in memory at once
    found = resampled_means(values, groups, samples=2300, seed=5)
    assert found.shape == (2300, 2)
    for sample, videos in zip(found, drawn, strict=True):
        members = [k for video in videos for k in range(6) if groups[k] == "abc"[video]]
        assert sample == near(values[members].mean(axis=0))


def labels(frame: dict[str, str], height: int, width: int) -> np.ndarray:
    """(H, W) uint8: objects drawn in the order given, later ones on top."""
    out = np.zeros((height, width), dtype=np.uint8)
    for key, spec in frame.items():
        out[build(spec, height, width)] = int(key)
    return out


def label_maps(sequence: Json) -> tuple[list[np.ndarray], list[np.ndarray]]:
    size = sequence["height"], sequence["width"]
    return [labels(frame, *size) for frame in sequence["gt"]], [labels(frame, *size) for frame in sequence["pred"]]


def object_values(truth: list[np.ndarray], prediction: list[np.ndarray], key: int) -> dict[str, np.ndarray]:
    counts = [count(t == key, p == key) for t, p in zip(truth, prediction, strict=True)]
    return {"J": np.array([one.j for one in counts]), "F": np.array([one.f for one in counts])}


@pytest.mark.parametrize("sequence", TAKEN_BY_DAVIS, ids=lambda sequence: sequence["name"])
def test_recorded_davis_semi_supervised_results(sequence: Json) -> None:
    wanted = sequence["results"]["davis2017 semi-supervised"]
    truth, prediction = label_maps(sequence)
    truth = [np.where(frame == 255, 0, frame) for frame in truth]  # void becomes background
    found: dict[str, dict[str, list[float]]] = {m: {"mean": [], "recall": [], "decay": []} for m in "JF"}
    for key in range(1, int(truth[0].max()) + 1):
        for measure, values in object_values(truth[1:-1], prediction[1:-1], key).items():
            found[measure]["mean"].append(mean(values))
            found[measure]["recall"].append(recall(values))
            found[measure]["decay"].append(decay(values))
    for measure in "JF":
        for statistic, values in found[measure].items():
            assert values == near(wanted[measure][statistic]), (measure, statistic)


@pytest.mark.parametrize("skip_ends", [True, False], ids=["inner frames", "all frames"])
@pytest.mark.parametrize("sequence", SEQUENCES, ids=lambda sequence: sequence["name"])
def test_recorded_vos_benchmark_results(sequence: Json, skip_ends: bool) -> None:
    wanted = sequence["results"]["vos-benchmark and sa-v" + ("" if skip_ends else ", all frames")]
    truth, prediction = label_maps(sequence)
    if skip_ends:
        truth, prediction = truth[1:-1], prediction[1:-1]
    keys = sorted({int(key) for frame in truth for key in np.unique(frame)} - {0})
    assert [str(key) for key in keys] == sorted(wanted["J"], key=int)
    for key in keys:
        seen = [bool((t == key).any() or (p == key).any()) for t, p in zip(truth, prediction, strict=True)]
        start = seen.index(True)
        for measure, values in object_values(truth[start:], prediction[start:], key).items():
            assert mean(values) == near(wanted[measure][str(key)]), (key, measure)
