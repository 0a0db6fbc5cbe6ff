"""Results on images: what a table believes, which tables there are, and how they are shown."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from icvos.errors import IcvosError
from icvos.tasks.result import Result
from icvos.tasks.task import parse_result
from leaderboard.entry import Entry, read_entry
from leaderboard.site.build import build_site
from leaderboard.site.view import row_facts
from leaderboard.store import Board, collect
from leaderboard.tables.build import build_tables, render
from leaderboard.tables.reported import REPORTED_ON_IMAGES
from leaderboard.tables.shape import Table
from tests import Json
from tests.conftest import icvos
from tests.leaderboard.image_results import IMAGE_DIGEST, make_image_result, make_image_scores
from tests.leaderboard.site.test_build import HOSTILE, Page

Make = Callable[..., Json]


def entry(scores: Json, name: str = "lite", revision: str = "1") -> Entry:
    return Entry(name, revision, parse_result(scores, name), Path(f"/results/{name}/scores.json"))


def only(*entries: Entry, reported: bool = False) -> Table:
    (table,) = build_tables(entries, reported=reported)
    return table


def change(value: Json, where: str, new: Any) -> Json:
    """``value`` with the part at ``where`` replaced, or removed where ``new`` is None."""
    *parents, last = where.split(".")
    part = value
    for parent in parents:
        part = part[parent]
    if new is None:
        del part[last]
    else:
        part[last] = new
    return value


def test_a_right_result_is_believed(tmp_path: Path) -> None:
    for scores in (make_image_scores(), make_image_scores(folds=1, episodes=7), make_image_scores(shots=5)):
        (tmp_path / "scores.json").write_text(json.dumps(scores))
        found = read_entry(tmp_path / "scores.json")
        result = found.result
        assert (result.kind, result.benchmark_name, result.shots) == ("image", "coco-20i", scores["shots"])
        assert (found.name, result.seconds) == ("lite", 0.2)
        assert found.date == "2026-01-31" if len(scores["folds"]) > 1 else "2026-01-30"
        assert list(found.records) == [f"fold {number}" for number in scores["folds"]]


@pytest.mark.parametrize(
    ("where", "new", "message"),
    [
        ("digest", None, "digest is missing"),
        ("digest", "sha1:12345678", 'digest is "sha1:12345678", should match'),
        ("surprise", 1, "surprise is not a key of a result"),
        ("benchmark", None, "benchmark is missing"),
        ("benchmark.name", "<b>coco", 'benchmark.name is "<b>coco", should match'),
        ("benchmark.folds", 0, "benchmark.folds is 0, should be greater than"),
        ("benchmark.folds", 10**9, "benchmark.folds is 1000000000, should be less than"),
        ("benchmark.folds", 2, "folds has one beyond the benchmark's 2"),
        ("shots", None, "shots is missing"),
        ("shots", 10**9, "shots is 1000000000, should be less than or equal to 1000"),
        ("overall", [], "overall is not a JSON object"),
        ("overall.miou", 0.9, "overall.miou is not the mean of its folds"),
        ("overall.fb_iou", 1.1, "overall.fb_iou is 1.1, should be less than"),
        ("overall.folds", 3, "overall.folds is not the number of folds"),
        ("overall.episodes", 4001, "overall.episodes is not the sum of its folds"),
        ("overall.classes", True, "overall.classes is true, should be a valid integer"),
        ("overall.interval", None, "overall.interval is missing"),
        ("overall.interval.level", 95, "overall.interval.level is 95, should be less than 1"),
        ("overall.interval.miou", [0.9, 0.1], "overall.interval.miou is not [low, high]"),
        ("overall.interval.miou", [0.9], "overall.interval.miou[1] is missing"),
        ("overall.seconds_per_image", -1, "overall.seconds_per_image is -1, should be greater than"),
        ("folds", {}, "folds is {}, should have at least 1 item"),
        ("folds", [], "folds is not a JSON object"),
        ("folds.01", {}, 'folds.01 is "01", should match'),
        ("folds.0", "none", "folds.0 is not a JSON object"),
        ("folds.0.miou", 41.2, "folds.0.miou is 41.2, should be less than"),
        ("folds.0.miou", 0.41, "overall.miou is not the mean of its folds"),
        ("folds.0.foreground_iou", 0.1, "folds.0 has an fb_iou that is not the mean of its foreground_iou"),
        ("folds.0.episodes", 1001, "folds.0 has more classes than episodes, or more episodes than there are"),
        ("folds.0.of", "many", 'folds.0.of is "many", should be a valid integer'),
        ("folds.0.without", "toaster", 'folds.0.without is "toaster", should be a valid array'),
        ("folds.0.without", ["\x1b[31m"], "folds.0.without[0] is not printable"),
        ("folds.0.run", None, "folds.0.run is missing"),
        ("folds.0.interval.fb_iou", [0, 2], "folds.0.interval.fb_iou[1] is 2, should be less than"),
        ("folds.0.seconds_per_image", "fast", 'folds.0.seconds_per_image is "fast"'),
        ("categories", None, "categories is missing"),
        ("categories.person.iou", 0.6, "folds.0.miou is not the mean of its categories"),
        ("categories.person.iou", True, "categories.person.iou is true, should be a valid number"),
        ("categories.person.class", 0, "categories.person.class is 0, should be greater than 0"),
        ("categories.person.fold", 9, "categories.person.fold is not one of the folds"),
        ("categories.person.fold", False, "categories.person.fold is false, should be a valid integer"),
        ("categories.person.fold", [0], "categories.person.fold is [0], should be a valid integer"),
        ("categories.person.fold", 1, "folds.0 has other classes or episodes than its categories"),
        ("categories.person.episodes", 3, "folds.0 has other classes or episodes than its categories"),
        ("categories.a\nb", {}, "categories.a?b is not printable"),
    ],
)
def test_what_no_table_should_show_is_refused(tmp_path: Path, where: str, new: Any, message: str) -> None:
    broken = change(make_image_scores(), where, new)
    path = tmp_path / "scores.json"
    path.write_text(json.dumps(broken))
    with pytest.raises(IcvosError) as caught:
        read_entry(path)
    assert str(caught.value).startswith(f"{path}: {message}")
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("fold", ["0", "3"])
def test_random_weights_in_any_fold_are_refused(tmp_path: Path, fold: str) -> None:
    scores = make_image_scores()
    scores["folds"][fold]["run"]["weights"] = [{"name": "x", "sha256": None, "random": True}]
    (tmp_path / "scores.json").write_text(json.dumps(scores))
    with pytest.raises(IcvosError, match="made with random weights"):
        collect([tmp_path / "scores.json"])
    with pytest.raises(IcvosError, match="made with random weights"):
        Board.open(tmp_path / "board").add(parse_result(scores, "lite"), name="lite")


def test_one_table_for_each_benchmark_protocol_digest_and_number_of_shots(scores: Make) -> None:
    entries = [
        entry(make_image_scores(shots=5)),
        entry(make_image_scores(protocol="native@1")),
        entry(scores()),
        entry(make_image_scores()),
        entry(make_image_scores(benchmark="pascal-5i")),
        entry(make_image_scores(digest="sha256:" + "a" * 64)),
        entry(make_image_scores(), "second"),
    ]
    tables = build_tables(entries, reported=False)
    assert [(table.task, table.name, table.protocol, (table.digest or "")[7:10]) for table in tables] == [
        ("video", "IC-VOS", "paper@1", "012"),
        ("image", "coco-20i, 1 shot", "paper@1", "aaa"),
        ("image", "coco-20i, 1 shot", "paper@1", "fed"),
        ("image", "coco-20i, 5 shots", "paper@1", "fed"),
        ("image", "coco-20i, 1 shot", "native@1", "fed"),
        ("image", "pascal-5i, 1 shot", "paper@1", "fed"),
    ]
    assert [len(table.measured) for table in tables] == [1, 1, 2, 1, 1, 1]


def test_rows_are_ranked_by_the_mean_over_all_folds() -> None:
    table = only(
        entry(make_image_scores(miou=0.3), "b"),
        entry(make_image_scores(miou=0.59, folds=1), "one fold"),
        entry(make_image_scores(miou=0.53, episodes=10), "few"),
        entry(make_image_scores(miou=0.52, sees_truth=True), "oracle"),
        entry(make_image_scores(miou=0.5, device="cuda"), "a"),
    )
    assert [(row.label, row.kind, row.rank) for row in table.rows] == [
        ("a", "ranked", 1),
        ("b", "ranked", 2),
        ("one fold", "partial", None),
        ("few", "partial", None),
        ("oracle", "upper bound", None),
    ]
    assert table.footnotes == {"a": "the mean of 1 of 4 folds only", "b": "scored on 40 of 4,000 episodes only"}
    assert table.rows[0].best == {"miou", "fb_iou", *(f"fold_{fold}" for fold in range(4))}  # other devices: no speed
    assert table.rows[2].figures["fold_1"] is None
    assert table.coverage == "4,000 episodes, 4 folds, 7 classes asked for"
    (classes,) = table.breakdowns
    assert classes.counts["boat"] == 1000
    assert classes.best["boat"] == {0}
    assert classes.figures["bus"][2] is None


def test_what_papers_report_stands_beneath_the_protocol_it_is_nearest_to() -> None:
    def reported(**how: Any) -> Json:
        rows = only(entry(make_image_scores(**how)), reported=True).rows
        return {row.label: row.figures["miou"] for row in rows if row.kind == "reported"}

    coco = reported()
    expected = {
        "DC-SAM, ResNet-50": 55.5,
        "DC-SAM, DINOv2-B": 62.0,
        "SegGPT": 56.1,
        "Matcher": 52.7,
        "HSNet, ResNet-50": 39.2,
    }
    assert {name: coco[name] for name in expected} == pytest.approx({name: x / 100 for name, x in expected.items()})
    assert "HDMNet, ResNet-50" not in coco  # its paper compares masks at their own size
    assert reported(protocol="native@1")["PFENet, VGG-16"] == pytest.approx(0.363)
    assert reported(benchmark="pascal-5i", shots=5) == pytest.approx(
        {"DC-SAM, VGG-16": 0.743, "DC-SAM, ResNet-50": 0.765, "GF-SAM": 0.826}
    )
    assert reported(benchmark="coco-to-pascal")["RPMM, ResNet-50"] == pytest.approx(0.496)
    assert set(reported(protocol="native@1", shots=5)) >= {"HDMNet, ResNet-50", "PFENet, VGG-16"}
    assert reported(shots=5) == pytest.approx({"GF-SAM": 0.6683, "SANSA": 0.643})
    assert reported(benchmark="all-coco") == {}
    table = only(entry(make_image_scores()), reported=True)
    rows = {row.label: row for row in table.rows}
    row = rows["VRP-SAM, ResNet-50"]
    assert [row.figures[f"fold_{fold}"] for fold in range(4)] == pytest.approx([0.481, 0.558, 0.6, 0.516])
    assert (row.rank, row.best) == (None, frozenset())
    notes = [table.footnotes[rows[name].notes[0]] for name in ("VRP-SAM, ResNet-50", "HSNet, ResNet-50")]
    assert ["quotes" in note for note in notes] == [False, True]
    assert all("arXiv 2504.12080" in note for note in notes)


def test_reported_rows_of_generalists_say_so() -> None:
    table = only(entry(make_image_scores()), reported=True)
    seen = {row.label: row.classes_seen for row in table.rows if row.kind == "reported"}
    assert {label for label, said in seen.items() if said} == {"Painter", "SegGPT"}
    facts = {row.label: row_facts(row) for row in table.rows}
    assert facts["SegGPT"]["classes"] == "yes"
    assert facts["Matcher"]["classes"] == "unknown"


def test_every_reported_figure_has_its_source() -> None:
    for found in REPORTED_ON_IMAGES:
        assert "arXiv" in found.source
        assert all(0 < figure < 100 for figure in (found.miou, *found.folds.values()))
    keys = [(found.method, found.benchmark, found.shots) for found in REPORTED_ON_IMAGES]
    assert len(keys) == len(set(keys))


def test_every_format_shows_the_figures(scores: Make) -> None:
    tables = build_tables(
        [entry(make_image_scores(miou=0.41234)), entry(make_image_scores(miou=0.3), HOSTILE), entry(scores())]
    )
    for format in ("terminal", "markdown", "csv", "latex"):
        text = render(tables, format)
        for shown in ("41.23", "43.23", "44.23", "64.23", "33.00", "55.50", "coco-20i", "43.63", "44.93"):
            assert shown in text, (format, shown)
        assert "<script>" not in text or format in ("csv", "terminal")
    line = next(line for line in render(tables, "markdown").splitlines() if line.startswith("| 1 | lite | **41.23**"))
    best = " | ".join(f"**{figure}**" for figure in ("41.23", "43.23", "45.23", "47.23", "44.23", "64.23"))
    assert line == f"| 1 | lite | {best} | 43.63–44.93 | 4 | **0.20** |"
    latex = render(tables, "latex")
    assert latex.count(r"\begin{") == latex.count(r"\end{")
    assert r"lite & \textbf{41.23} & \textbf{43.23}" in latex


def test_csv_has_folds_and_classes() -> None:
    tables = build_tables([entry(make_image_scores(miou=0.4), revision="")], reported=False)
    rows = list(csv.DictReader(io.StringIO(render(tables, "csv"))))
    assert [row["group"] for row in rows] == ["overall", *["fold"] * 4, *["class"] * 7]
    assert (rows[0]["miou"], rows[0]["miou_low"], rows[0]["fold_3"], rows[0]["folds"]) == (
        "43.00",
        "42.40",
        "46.00",
        "4",
    )
    assert {row["shots"] for row in rows} == {"1"}
    assert {row["revision"] for row in rows} == {""}
    (boat,) = [row for row in rows if row["key"] == "boat"]
    assert (boat["miou"], boat["episodes"], boat["fb_iou"]) == ("46.00", "1000", "")


def test_episodes_always_have_a_digest() -> None:
    with pytest.raises(IcvosError, match="digest is null, should be a valid string"):
        parse_result(make_image_scores() | {"digest": None}, "x")


def test_a_board_keeps_shots_and_benchmarks_apart(tmp_path: Path) -> None:
    board = Board.open(tmp_path)
    paths = [board.add(make_image_result(shots=shots), name="lite") for shots in (1, 5)]
    paths.append(board.add(make_image_result(benchmark="pascal-5i"), name="lite"))
    assert [path.name for path in paths] == [
        "lite--1.coco-20i.1-shot.paper@1.fedcba987.json",
        "lite--1.coco-20i.5-shot.paper@1.fedcba987.json",
        "lite--1.pascal-5i.1-shot.paper@1.fedcba987.json",
    ]
    assert board.add(make_image_result(), name="lite") == paths[0]
    with pytest.raises(IcvosError, match="use another --revision"):
        board.add(make_image_result(miou=0.5), name="lite")
    assert len(board.entries) == 3


def test_the_page_has_both_and_says_what_they_are(tmp_path: Path, result: Callable[..., Result]) -> None:
    board = Board.open(tmp_path / "board")
    board.add(result(), name="lite")
    video_only = build_site(board.entries, tmp_path / "videos").read_text()
    assert "FB-IoU" not in video_only
    mixed = make_image_scores()
    for number, fold in mixed["folds"].items():
        fold["run"]["weights"] = [{"name": f"fold{number}.pth", "sha256": number * 64}]
        fold["run"]["settings"] = {"checkpoint": HOSTILE}
    board.add(parse_result(mixed, "mixed"), name=HOSTILE, notes=HOSTILE)
    board.add(make_image_result(miou=0.3), name="second")
    text = build_site(board.entries, tmp_path / "site").read_text()
    page = Page(text)
    assert len(page.scripts) == 1
    assert len(page.all("caption")) == len(page.all("table")) == 5
    for shown in (
        *("coco-20i, 1 shot", "mIoU", "Fold 3", "By class", "airplane", "43.00", "Weights: fold 2: fold2.pth"),
        *("sha256 " + "2" * 64, "Seconds per image", "masks compared at 512 x 512", "55.50", "not run here"),
    ):
        assert shown in text or shown.capitalize() in text, shown
    identifiers = [attributes["id"] for _, attributes in page.elements if attributes.get("id")]
    assert len(identifiers) == len(set(identifiers))
    data = json.loads((tmp_path / "site" / "results.json").read_text())
    assert [(table["task"], table["benchmark"]) for table in data["tables"]] == [
        ("video", "IC-VOS"),
        ("image", "coco-20i"),
    ]
    assert data["tables"][1]["rows"][0]["miou"] == pytest.approx(0.43)


def test_a_page_of_images_alone(tmp_path: Path) -> None:
    text = build_site([entry(make_image_scores())], tmp_path / "site").read_text()
    assert "Best measured mIoU" in text
    assert len(Page(text).all("table")) == 2


def test_the_command_writes_a_csv_for_each_task(tmp_path: Path, result: Callable[..., Result]) -> None:
    board = Board.open(tmp_path / "board")
    board.add(make_image_result(), name="lite")
    out = tmp_path / "out"
    output = icvos("leaderboard", tmp_path / "board", "--out", out).output
    assert "coco-20i, 1 shot, protocol paper@1" in output
    assert sorted(path.name for path in out.glob("*.csv")) == ["leaderboard-images.csv"]
    board.add(result(), name="lite")
    icvos("leaderboard", tmp_path / "board", "--out", out)
    assert sorted(path.name for path in out.glob("*.csv")) == ["leaderboard-images.csv", "leaderboard.csv"]
    assert "miou" not in (out / "leaderboard.csv").read_text()
    assert IMAGE_DIGEST in (out / "leaderboard-images.csv").read_text()
