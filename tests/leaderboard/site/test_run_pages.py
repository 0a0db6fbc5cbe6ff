"""The page of each result."""

from pathlib import Path

import pytest

from icvos.tasks.task import parse_result
from leaderboard.entry import Entry
from leaderboard.site.build import build_site
from leaderboard.site.run_pages import run_parts
from leaderboard.tables.build import build_tables
from tests.leaderboard.conftest import CLIPS, Make
from tests.leaderboard.image_results import make_image_result
from tests.leaderboard.site.test_build import HOSTILE, Page


def pages(*entries: Entry, out: Path) -> dict[str, str]:
    build_site(entries, out)
    return {path.stem[4:]: path.read_text() for path in sorted((out / "runs").iterdir())}


def test_clips_stand_with_the_worst_first(scores: Make) -> None:
    (table,) = build_tables([Entry("lite", "1", parse_result(scores(analysed=True), "lite"), Path("x"))])
    *groups, clips = run_parts(table, table.rows[0])
    assert [part.caption.split(",")[0] for part in groups] == ["By source", "By category", "By condition"]
    assert [name for name, _ in clips.rows][:2] == ["mose_0a43a414/1", "lvos_0tCWPOrc/9"]
    assert [text for text, _ in clips.rows[0][1]] == ["person", "80", "40.00", "50.00", "45.00", "100.00", "45.00"]
    assert len(clips.rows) == len(CLIPS)
    dogs = dict(groups[1].rows)["dog"]
    assert [text for text, _ in dogs] == ["2", "54.00", "64.00", "59.00"]


def test_of_images_there_are_folds_and_classes(tmp_path: Path) -> None:
    (text,) = pages(Entry("lite", "1", make_image_result(), Path("x")), out=tmp_path).values()
    for shown in ("By fold, per cent", "By class, per cent", "airplane", "Coco-20i, 1 shot", "rank 1"):
        assert shown in text, shown


def test_a_page_says_where_its_result_comes_from_and_leads_back(scores: Make, tmp_path: Path) -> None:
    entries = [
        Entry("lite", "2", parse_result(scores(), "lite"), Path("x")),
        Entry("half", "1", parse_result(scores(clips=3), "half"), Path("y")),
    ]
    found = pages(*entries, out=tmp_path)
    lite, half = (next(text for name, text in found.items() if name.startswith(start)) for start in ("lite", "half"))
    for shown in ("sha256 " + "ab" * 32, "top_k 10, radius 12", "rank 1", 'href="../index.html#table=video-paper-1-'):
        assert shown in lite, shown
    for shown in ("Partial results: not ranked", "scored on 3 of 6 clips only", "too few videos"):
        assert shown in half, shown
    index = Page((tmp_path / "index.html").read_text())
    for link in index.all("a"):
        target = link["href"] or ""
        assert not target.startswith("runs/") or (tmp_path / target).is_file()
    for text in found.values():
        for link in Page(text).all("a"):
            assert (tmp_path / "runs" / (link["href"] or "").partition("#")[0]).is_file()


@pytest.mark.parametrize("text", [HOSTILE, "</title><script>", "{{ 1 }}"])
def test_nothing_in_a_result_becomes_a_part_of_its_page(scores: Make, tmp_path: Path, text: str) -> None:
    made = parse_result(scores(settings={text: text}, device=text), "x")
    (page,) = pages(Entry(text, "1", made, Path("x"), notes=text), out=tmp_path).values()
    assert len(Page(page).scripts) == 1
    assert len(Page(page).all("title")) == 1
    assert "<script>alert" not in page


def test_pages_of_results_that_are_gone_are_gone(scores: Make, tmp_path: Path) -> None:
    entries = [Entry(name, "1", parse_result(scores(), name), Path(name)) for name in ("a", "b")]
    assert len(pages(*entries, out=tmp_path)) == 2
    assert len(pages(entries[0], out=tmp_path)) == 1
