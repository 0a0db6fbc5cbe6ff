"""A result on images proves itself: whatever is changed in its figures, or in its counts, is named."""

import copy
import json
from pathlib import Path

import pytest

from icvos.errors import IcvosError
from icvos.protocol import PAPER
from icvos.tasks.image.score import score_images
from icvos.tasks.task import parse_result
from tests import Json
from tests.icvos.tasks.image.test_score import write_run
from tests.icvos.tasks.image.tiny_episodes import write_images
from tests.icvos.tasks.video.test_proof import changed, leaves
from tests.leaderboard.image_results import make_image_scores


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Json:
    """A result of two folds, as it is written."""
    benchmark = write_images(tmp_path_factory.mktemp("images") / "tiny")
    run = write_run(benchmark, tmp_path_factory.mktemp("run"), settings={"size": 3})
    found: Json = json.loads(json.dumps(score_images(benchmark, run, PAPER).to_result().to_json()))
    return found


def test_a_sound_result_is_read_as_it_is(sound: Json) -> None:
    assert parse_result(sound, "x").to_json() == sound


@pytest.mark.parametrize("part", ["overall", "folds", "categories", "benchmark"])
def test_every_changed_figure_is_refused_by_its_key(sound: Json, part: str) -> None:
    for way in leaves(sound[part], part):
        if "run" in way:
            continue
        old = json.loads(json.dumps(sound))
        for key in way:
            old = old[key]
        new = old + 1 if isinstance(old, int) else old - 1e-6 if old > 0.5 else old + 1e-6
        with pytest.raises(IcvosError) as caught:
            parse_result(changed(sound, way, new), "x.json")
        words = str(caught.value)
        assert words.startswith("x.json: ")
        assert words.endswith("; score the predictions again with icvos score")
        assert str(way[0]) in words or "folds" in words, (way, words)


@pytest.mark.parametrize(
    ("way", "new", "words"),
    [
        (("folds", "0", "counts", 0), "1 90 5 95 11", "folds.0.counts[0] are of no picture"),
        (("folds", "0", "counts", 0), "1 90 12 98 10", "folds.0.counts[0] are of no picture"),
        (("folds", "0", "counts", 0), "1 0 0 0 0", "folds.0.counts[0] are of no picture"),
        (("folds", "0", "counts", 0), "1 90 5 95", "folds.0.counts[0] is"),
        (("folds", "0", "counts", 0), "1 90000 0 99000 9000", "does not follow from its counts"),
        (("folds", "0", "counts", 0), None, "folds.0."),
        (("folds", "0", "counts"), [], "folds.0."),
        (("folds", "0", "equal"), 9, "folds.0.equal does not follow from its counts"),
        (("partial",), True, "partial does not agree with folds and benchmark"),
        (("benchmark", "episodes"), 30, "benchmark.episodes does not agree with its folds"),
        (("benchmark", "episodes"), 10, "benchmark.episodes does not agree with its folds"),
        (("benchmark", "folds"), 3, "partial does not agree with folds and benchmark"),
        (("overall", "seconds_per_image"), 0.5, "overall.seconds_per_image does not follow from the folds"),
    ],
)
def test_what_contradicts_itself_is_refused(sound: Json, way: tuple[str | int, ...], new: object, words: str) -> None:
    with pytest.raises(IcvosError) as caught:
        parse_result(changed(sound, way, new), "x")
    assert words in str(caught.value)


def test_older_results_have_no_counts_and_are_read(sound: Json) -> None:
    old = copy.deepcopy(sound)
    for fold in old["folds"].values():
        del fold["counts"], fold["equal"]
    parse_result(old, "x")
    with pytest.raises(IcvosError, match=r"overall\.miou is not the mean of its folds"):
        parse_result(changed(old, ("folds", "0", "miou"), 0.5), "x")


def test_classes_have_numbers_of_their_own() -> None:
    value = make_image_scores()
    parse_result(value, "x")
    with pytest.raises(IcvosError, match=r"categories\.bicycle\.class is 1, the number of another class"):
        parse_result(changed(value, ("categories", "bicycle", "class"), 1), "x")


def test_a_claim_about_the_benchmark_changes_no_other_row(tmp_path: Path) -> None:
    from leaderboard.entry import Entry
    from leaderboard.tables.build import build_tables

    honest = [parse_result(make_image_scores(miou=0.3 + 0.1 * n), "x") for n in range(2)]
    liar = parse_result(make_image_scores() | {"benchmark": {"name": "coco-20i", "folds": 900, "episodes": 10**9}}, "x")
    entries = [Entry(f"m{n}", "1", found, tmp_path / f"{n}.json") for n, found in enumerate((liar, *honest))]
    for chosen in (entries, entries[:2], entries[::-1]):
        (table,) = build_tables(chosen, reported=False)
        assert table.counts["folds"] == 4
        kinds = {row.label: row.kind for row in table.rows}
        assert kinds == {"m0": "partial"} | dict.fromkeys(kinds.keys() - {"m0"}, "ranked")
