"""mIoU and FB-IoU, against recorded values and by hand."""

import csv
import json

import numpy as np
import pytest

from icvos.metrics.fewshot import EpisodeCounts, count_episode, few_shot_scores, resampled_scores
from icvos.metrics.summary import BOOTSTRAP_SEED
from tests.golden import GOLDEN
from tests.golden.masks import build

WANTED = json.loads((GOLDEN / "fss_scores.json").read_text())


def episodes(with_ignore: bool) -> list[tuple[int, EpisodeCounts]]:
    found = []
    suffix = "" if with_ignore else "_noignore"
    with (GOLDEN / "fss_episodes.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            size = int(row["height"]), int(row["width"])
            truth, prediction = build(row["gt"], *size), build(row["pred"], *size)
            ignore = None if row["ignore"] == "-" else build(row["ignore"], *size)
            if ignore is not None:
                truth = truth & ~ignore
            counts = count_episode(truth, prediction, ignore if with_ignore else None)
            names = ("inter_bg", "inter_fg", "union_bg", "union_fg")
            assert counts == EpisodeCounts(*(int(row[name + suffix]) for name in names)), row
            found.append((int(row["class_id"]), counts))
    assert len(found) == 80
    return found


@pytest.mark.parametrize("with_ignore", [True, False])
def test_recorded_scores(with_ignore: bool) -> None:
    wanted = WANTED["with_ignore" if with_ignore else "without_ignore"]["exact"]
    scores = few_shot_scores(episodes(with_ignore), WANTED["class_ids"])
    assert scores.class_iou == {
        int(kind): pytest.approx(value, abs=1e-12) for kind, value in wanted["class_iou"].items()
    }
    assert 100 * scores.miou == pytest.approx(wanted["miou"], abs=1e-12)
    assert 100 * scores.fb_iou == pytest.approx(wanted["fb_iou"], abs=1e-12)
    assert scores.background_iou == pytest.approx(wanted["background_iou"], abs=1e-12)
    assert scores.foreground_iou == pytest.approx(wanted["foreground_iou"], abs=1e-12)


def test_the_published_conventions_agree_to_what_they_round_to() -> None:
    scores = few_shot_scores(episodes(True), WANTED["class_ids"])
    for name, places in (("hsnet_convention_float32", 1e-5), ("pfenet_convention", 1e-9)):
        recorded = WANTED["with_ignore"][name]
        assert 100 * scores.miou == pytest.approx(recorded["miou"], abs=places)
        assert 100 * scores.fb_iou == pytest.approx(recorded["fb_iou"], abs=places)


def test_sums_of_pixels_are_divided_not_episodes_averaged() -> None:
    small, large = EpisodeCounts(0, 1, 0, 1), EpisodeCounts(0, 0, 0, 99)
    scores = few_shot_scores([(3, small), (3, large)], [3, 4])
    assert scores.class_iou == {3: 0.01, 4: 0.0}
    assert scores.miou == 0.005


def test_ignored_pixels_count_nowhere() -> None:
    truth = np.array([[True, False], [False, False]])
    counts = count_episode(truth, np.ones((2, 2), dtype=bool), np.array([[False, True], [True, True]]))
    assert counts == EpisodeCounts(0, 1, 0, 1)


def test_other_classes_and_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="class 9"):
        few_shot_scores([(9, EpisodeCounts())], [1, 2])
    with pytest.raises(ValueError, match="shape"):
        count_episode(np.zeros((2, 3), dtype=bool), np.zeros((3, 2), dtype=bool))


def test_resampling_is_that_of_a_plain_loop() -> None:
    drawn = episodes(True)
    found = resampled_scores(drawn, samples=40, stream=3)
    random = np.random.RandomState([BOOTSTRAP_SEED, 3])
    for row in found:
        again = [drawn[index] for index in random.randint(0, len(drawn), len(drawn))]
        scores = few_shot_scores(again, sorted({kind for kind, _ in again}))
        assert row == pytest.approx([scores.miou, scores.fb_iou], abs=1e-12)


def test_resampling_in_parts_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = resampled_scores(episodes(True), samples=30)
    monkeypatch.setattr("icvos.metrics.fewshot.PART", 7 * 80)
    assert np.array_equal(resampled_scores(episodes(True), samples=30), whole)
    assert not np.array_equal(resampled_scores(episodes(True), samples=30, stream=1), whole)


def test_one_episode_has_an_interval_without_width() -> None:
    counts = EpisodeCounts(90, 5, 95, 10)
    assert np.array_equal(resampled_scores([(4, counts)], samples=5), np.tile([0.5, (90 / 95 + 0.5) / 2], (5, 1)))
