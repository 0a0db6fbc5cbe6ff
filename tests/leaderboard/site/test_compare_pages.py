"""The page on which two results of a table are compared."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from icvos.tasks.task import parse_result
from leaderboard.entry import Entry
from leaderboard.site.build import build_site
from leaderboard.site.compare_pages import SCALE, comparison
from leaderboard.site.downloads import entry_places
from leaderboard.site.run_pages import run_places
from leaderboard.site.view import slugs
from leaderboard.tables.build import build_tables
from tests import Json
from tests.leaderboard.conftest import CLIPS, Make
from tests.leaderboard.image_results import make_image_result
from tests.leaderboard.site.test_build import HOSTILE, Page


def entry(scores: Make, name: str, **given: Any) -> Entry:
    return Entry(name, "1", parse_result(scores(**given), name), Path(name))


def compared(*entries: Entry) -> Json:
    """What the page of one table compares."""
    tables = build_tables(entries)
    names = slugs(tables)
    (table,) = tables
    return dict(json.loads(comparison(table, names[id(table)], run_places(entry_places(tables, names)))))


def test_figures_stand_by_clip_and_videos_one_after_another(scores: Make) -> None:
    found = compared(entry(scores, "lite", j=0.5, f=0.6), entry(scores, "half", j=0.4, f=0.5, clips=3))
    assert [name for name, *_ in found["items"]] == sorted(CLIPS)
    assert [unit for *_, unit in found["items"]] == list(range(len(CLIPS)))
    assert found["groups"] == ["person", "boat", "dog", "cow"]
    lite, half = found["runs"]
    assert (lite["name"], half["name"]) == ("lite", "half")
    cows = sorted(CLIPS).index("davis_cows/20")
    assert [lite["figures"][k][cows] for k in (0, 1)] == [55_000, 65_000]
    assert SCALE == 100_000
    assert half["figures"][0].count(None) == 3
    assert half["caveats"][0] == "scored on 3 of 6 clips only"
    assert half["ties"] is None
    assert found["bootstrap"] == {"level": 0.95, "samples": 10_000, "seed": 0, "fewest": 6}


def test_a_clip_of_another_length_is_not_compared(scores: Make) -> None:
    longer = scores()
    longer["clips"]["davis_dog/17"]["frames"] += 1
    longer["overall"]["frames"] += 1
    longer["categories"]["dog"]["frames"] += 1
    longer["sources"]["davis"]["frames"] += 1
    odd = Entry("odd", "1", parse_result(longer, "odd"), Path("odd"))
    found = compared(entry(scores, "a"), entry(scores, "b"), odd)
    missing = {run["name"]: run["figures"][0].count(None) for run in found["runs"]}
    assert missing == {"a": 0, "b": 0, "odd": 1}


def test_images_are_compared_by_class_and_told_apart_by_their_ranks() -> None:
    results = {"a": make_image_result(miou=0.5), "b": make_image_result(miou=0.4), "c": make_image_result(miou=0.401)}
    found = compared(*(Entry(name, "1", result, Path(name)) for name, result in results.items()))
    assert found["measures"] == ["IoU"]
    assert found["bootstrap"] is None
    assert {"person", "airplane"} <= {name for name, *_ in found["items"]}
    assert {run["name"]: run["ties"] for run in found["runs"]} == {"a": [], "c": [2], "b": [1]}


def test_links_lead_to_the_page_and_back(scores: Make, tmp_path: Path) -> None:
    index = build_site([entry(scores, "a b&c"), entry(scores, "ü", j=0.3)], tmp_path)
    (page,) = (tmp_path / "compare").iterdir()
    for start in (index, *(tmp_path / "runs").iterdir()):
        links = [link["href"] or "" for link in Page(start.read_text()).all("a")]
        found = [link for link in links if "compare/" in link]
        assert found, start
        assert all((start.parent / link.partition("#")[0]).resolve() == page for link in found)
    assert "#a=a%20b%26c" in index.read_text()
    data = re.search(r'id="figures">(.*?)</script>', page.read_text())
    assert data
    for run in json.loads(data[1])["runs"]:
        assert (page.parent / run["page"]).is_file()
    assert "icvos diff A B" in page.read_text()


def test_one_result_is_compared_with_nothing(scores: Make, tmp_path: Path) -> None:
    build_site([entry(scores, "a"), entry(scores, "b")], tmp_path)
    index = build_site([entry(scores, "a")], tmp_path)
    assert not list((tmp_path / "compare").iterdir())
    assert "compare/" not in index.read_text()


@pytest.mark.parametrize("text", [HOSTILE, "</script><script>alert(1)", "{{ 1 }}", "<!--<script>"])
def test_nothing_in_a_result_becomes_a_part_of_the_page(scores: Make, tmp_path: Path, text: str) -> None:
    build_site([entry(scores, text), entry(scores, "b")], tmp_path)
    (page,) = (tmp_path / "compare").iterdir()
    found = Page(page.read_text())
    assert len(found.scripts) == 1
    assert len(found.all("script")) == 2
    assert "<script>alert" not in page.read_text()
    assert "innerHTML" not in page.read_text()


def test_a_large_board_stays_small(scores: Make) -> None:
    """As many figures as 200 results on 437 clips have, but for names, take less than 2 MB."""
    few = compared(*(entry(scores, f"method {n}", j=0.3 + n / 99) for n in range(4)))
    size = sum(len(json.dumps(run["figures"], separators=(",", ":"))) for run in few["runs"])
    assert size / (4 * len(CLIPS)) * 200 * 437 < 1.2e6
