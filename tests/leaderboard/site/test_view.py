"""What rows, columns and tables are chosen by, and what the page links to."""

import csv
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from icvos.tasks.task import parse_result
from leaderboard.entry import Entry, MethodFacts
from leaderboard.site.build import DRAWN_TITLE, FEW, build_site
from leaderboard.site.plots import LINE_PX, MOST_LINES, plots
from leaderboard.site.view import build_name, parts, row_facts, scale_of, slugs
from leaderboard.tables.build import build_tables
from leaderboard.tables.shape import Table
from tests.leaderboard.conftest import DIGEST, Make
from tests.leaderboard.image_results import make_image_result
from tests.leaderboard.site.test_build import Page


def entry(
    scores: Make, name: str = "lite", revision: str = "1", facts: MethodFacts | None = None, **given: Any
) -> Entry:
    result = parse_result(scores(**given), name)
    return Entry(name, revision, result, Path(f"/{name}/x.json"), facts=facts or MethodFacts())


def only(*entries: Entry) -> Table:
    (table,) = build_tables(entries)
    return table


@pytest.mark.parametrize(
    ("facts", "revision", "expected"),
    [
        (MethodFacts(), "1", {"origin": "submitted", "training": "unknown", "classes": "unknown", "parameters": ""}),
        (MethodFacts(), "", {"origin": "measured here"}),
        (
            MethodFacts(training="none", classes_seen=False, uses_text=True, licence="MIT", parameters=5),
            "1",
            {"training": "training-free", "classes": "no", "text": "yes", "licence": "MIT", "parameters": "5"},
        ),
        (MethodFacts(training="trained", classes_seen=True), "1", {"training": "trained", "classes": "yes"}),
    ],
)
def test_what_is_said_of_a_method_is_what_rows_are_chosen_by(
    scores: Make, facts: MethodFacts, revision: str, expected: dict[str, str]
) -> None:
    found = row_facts(only(entry(scores, facts=facts, revision=revision)).rows[0])
    assert expected.items() <= found.items()
    assert found["shots"] == "1"


def test_reported_rows_are_known_as_such(scores: Make) -> None:
    found = row_facts(only(entry(scores)).rows[-1])
    assert (found["origin"], found["training"], found["parameters"]) == ("reported", "unknown", "")


def test_tables_have_names_of_their_own(scores: Make) -> None:
    images = [Entry("x", "1", make_image_result(shots=shots), Path("x")) for shots in (1, 5)]
    close = DIGEST[:-1] + "0"  # differs where the name has been cut
    entries = [entry(scores), entry(scores, digest=None), entry(scores, digest=close), *images]
    tables = build_tables(entries)
    names = slugs(tables)
    assert sorted(names.values()) == [
        "image-coco-20i-1-shot-paper-1-fedcba987",
        "image-coco-20i-5-shot-paper-1-fedcba987",
        "video-paper-1-012345678",
        "video-paper-1-012345678--2",
        "video-paper-1-no-digest",
    ]
    assert build_name(tables[0]) == "IC-VOS · no digest"


def test_columns_to_choose_are_figures_over_all_rows(scores: Make) -> None:
    table = only(entry(scores, "a", j=0.4, f=0.4), entry(scores, "b", j=0.3, f=0.3, clips=2))
    found = json.loads(parts(table))
    assert found["category.dog"]["figures"][:2] == [44.0, 34.0]
    assert found["category.cow"]["figures"][:2] == [45.0, None]
    assert {len(part["figures"]) for part in found.values()} == {len(table.rows)}
    assert found["source.davis"]["kind"] == "J&F by source"


def test_the_scale_holds_every_interval(scores: Make) -> None:
    scale = scale_of(only(entry(scores, "a", j=0.42, f=0.42), entry(scores, "b", j=0.6, f=0.6)))
    assert (scale.low, scale.high) == (30, 70)
    assert scale.place(0.5) == 50
    assert scale_of(only(entry(scores, clips=2))).high == 100


def test_points_lie_where_their_figures_are(scores: Make) -> None:
    table = only(
        entry(scores, "fast", j=0.5, f=0.5, seconds_per_frame=0.1, facts=MethodFacts(parameters=10**6)),
        entry(scores, "slow", j=0.7, f=0.7, seconds_per_frame=1.0, facts=MethodFacts(parameters=10**8)),
        entry(scores, "silent", run=False),
    )
    seconds, parameters = plots(table)
    for plot in (seconds, parameters):
        points = {point.label: point for point in plot.points}
        assert set(points) == {"fast", "slow"}
        assert points["fast"].x < points["slow"].x
        assert points["fast"].y > points["slow"].y  # down is less
        assert all(plot.left <= point.x <= plot.right and plot.top <= point.y <= plot.bottom for point in plot.points)
    assert "fast: 50.00 at 0.1 s" in {point.about for point in seconds.points}
    assert plots(only(entry(scores))) == []


def test_the_first_frame_and_those_after_it_are_plotted(scores: Make) -> None:
    table = only(*(entry(scores, name, j=j, f=j, run=False, analysed=True) for name, j in (("a", 0.4), ("b", 0.6))))
    propagation, _ = plots(table)
    assert {point.about for point in propagation.points} == {
        "a: 100.00 in the first frame, 40.00 after it",
        "b: 100.00 in the first frame, 60.00 after it",
    }
    a, b = (next(point for point in propagation.points if point.label == name) for name in "ab")
    assert a.x == b.x
    assert a.y > b.y
    assert propagation.lines == ()  # no figure is as good after it as in it


def test_lines_by_length_are_of_the_first_results(scores: Make) -> None:
    many = [entry(scores, f"m{n}", j=0.6 - n / 99, f=0.6, run=False, analysed=True) for n in range(MOST_LINES + 2)]
    *_, lengths = plots(only(*many))
    assert [line.label for line in lengths.lines] == [f"m{n}" for n in range(MOST_LINES)]
    assert [text for _, text in lengths.x_ticks] == ["under 50", "50-99", "100-199", "400 and more"]
    assert "m0: 58.00 on clips of under 50 frames" in {point.about for point in lengths.points}
    heights = [line.label_y for line in lengths.lines]
    assert all(b - a >= LINE_PX for a, b in pairwise(heights))
    assert {line.kind for line in lengths.lines} == {f"line-{n}" for n in range(MOST_LINES)}
    assert len(plots(only(entry(scores, run=False, analysed=True)))) == 0


def test_no_name_in_a_plot_lies_over_another(scores: Make) -> None:
    many = [entry(scores, f"method {n}", j=0.5 + n / 1e4, f=0.5, seconds_per_frame=0.5 + n / 100) for n in range(30)]
    (plot,) = plots(only(*many))
    named = [point for point in plot.points if point.label]
    assert len(plot.points) == 30
    assert 1 <= len(named) < 10
    assert not any(abs(a.y - b.y) < 10 and a.before == b.before for a in named for b in named if a is not b)


def test_every_form_of_a_table_lies_beside_the_page(scores: Make, tmp_path: Path) -> None:
    build_site([entry(scores, "a"), entry(scores, "b", j=0.3)], tmp_path)
    slug = "video-paper-1-012345678"
    assert {path.name for path in (tmp_path / "tables").iterdir()} == {
        f"{slug}.{end}" for end in ("csv", "json", "md", "tex")
    }
    rows = list(csv.DictReader((tmp_path / "tables" / f"{slug}.csv").open()))
    data = json.loads((tmp_path / "tables" / f"{slug}.json").read_text())
    assert [row["method"] for row in rows if row["group"] == "overall"] == [row["label"] for row in data["rows"]]
    assert data["rows"][0]["groups"]["category"]["cow"]["jf"] == pytest.approx(0.6)
    assert data in json.loads((tmp_path / "results.json").read_text())["tables"]


def test_results_that_are_gone_are_gone_from_the_folder(scores: Make, tmp_path: Path) -> None:
    build_site([entry(scores, "a"), entry(scores, "b", j=0.3)], tmp_path)
    (tmp_path / "entries" / "notes.txt").write_text("mine")
    build_site([entry(scores, "a")], tmp_path)
    assert {path.suffix for path in (tmp_path / "entries").iterdir()} == {".json", ".txt"}
    assert len(list((tmp_path / "entries").iterdir())) == 2


def test_long_boards_have_columns_to_choose_in_place_of_wide_tables(scores: Make, tmp_path: Path) -> None:
    entries = [entry(scores, f"m{n}", j=0.3 + n / 100) for n in range(FEW + 1)]
    assert len(Page(build_site(entries, tmp_path).read_text()).all("table")) == 1
    assert len(Page(build_site(entries[1:], tmp_path).read_text()).all("table")) == 3


def test_a_drawn_world_is_no_ic_vos(scores: Make, tmp_path: Path) -> None:
    made = scores()
    real = entry(scores, "real")
    made["benchmark"] = {"clips": 6, "draws": 5, "drawn": True}
    made["digest"] = "sha256:" + "d" * 64
    drawn = Entry("lite", "1", parse_result(made, "drawn"), Path("drawn.json"))
    table = only(drawn)
    assert table.title.startswith("a drawn world, not IC-VOS, protocol paper@1")
    assert [row.kind for row in table.rows] == ["ranked"]
    alone = build_site([drawn], tmp_path / "alone").read_text()
    assert f"<title>{DRAWN_TITLE}</title>" in alone
    assert f"<h1>{DRAWN_TITLE}</h1>" in alone
    both = build_site([drawn, real], tmp_path / "both").read_text()
    assert "<title>IC-VOS leaderboard</title>" in both
    assert "A drawn world, not IC-VOS" in both
