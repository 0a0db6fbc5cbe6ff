"""Names and texts of strangers in every form of a table: escaped for each, and of bounded width."""

import csv
import io
import re
from dataclasses import replace
from pathlib import Path

import pytest

from icvos.tasks.task import parse_result
from leaderboard.entry import Entry
from leaderboard.site.build import build_site
from leaderboard.tables.build import FORMATS, build_tables, render
from leaderboard.tables.shape import Table
from tests.icvos.test_shown import BIDI, CONTROL, HIDDEN
from tests.leaderboard.conftest import Make

EVIL = f"x\x1b[2J{BIDI}{HIDDEN}"
STARTS = ("=1+1", "+1", "-1", "@SUM(A1)", "＝1", "[3cm]", "*star", "$x$", "www.example.org", "see http://example.org")
PLACES = ("label", "benchmark", "coverage", "footnote", "group")


def table_with(scores: Make, text: str, place: str) -> Table:
    """A table with a hostile text, as if no schema had stood before it."""
    entry = Entry("lite", "1", parse_result(scores(), "scores"), Path("a.json"))
    (table, *_) = build_tables([entry])
    row = next(row for row in table.rows if row.entry)
    if place == "label":
        changed = replace(row, label=text)
        parts = tuple(replace(part, labels=(text,)) for part in table.breakdowns)
        return replace(table, rows=(changed,), breakdowns=parts)
    if place == "group":
        groups = {kind: {text: next(iter(found.values()))} for kind, found in row.groups.items() if found}
        return replace(table, rows=(replace(row, groups=groups),))
    if place == "footnote":
        return replace(table, rows=(replace(row, notes=("a",)),), footnotes={"a": text})
    return replace(table, rows=(row,), **{place: text})


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("place", PLACES)
def test_nothing_steers_or_hides(scores: Make, format: str, place: str) -> None:
    text = render([table_with(scores, EVIL, place)], format)
    assert not set(BIDI + HIDDEN + CONTROL) & set(text)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("place", PLACES)
def test_long_texts_are_cut(scores: Make, format: str, place: str) -> None:
    plain = render([table_with(scores, "a", place)], format)
    assert len(render([table_with(scores, "ab" * 50_000, place)], format)) < 50 * len(plain)


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("place", ["label", "group", "footnote", "benchmark"])
def test_no_cell_is_a_formula(scores: Make, start: str, place: str) -> None:
    rows = list(csv.reader(io.StringIO(render([table_with(scores, start, place)], "csv"))))
    for row in rows:
        for found in row:
            assert not found.startswith(tuple("=+@＝\t\r"))
            assert not found.startswith("-") or re.fullmatch(r"-[0-9.]+", found)


@pytest.mark.parametrize("start", STARTS)
def test_no_row_of_latex_begins_with_an_option(scores: Make, start: str) -> None:
    for line in render([table_with(scores, start, "label")], "latex").splitlines():
        assert not line.startswith(("[", "*", "$x"))


@pytest.mark.parametrize("start", STARTS)
def test_markdown_makes_no_link_and_no_formula(scores: Make, start: str) -> None:
    text = render([table_with(scores, start, "label")], "markdown")
    assert not re.search(r"(?<!\\)\$|https?://|www\.", text)


def test_the_page_is_free_of_it_and_keeps_names_apart(scores: Make, tmp_path: Path) -> None:
    made = scores(method="lite", device=EVIL, settings={EVIL.replace("\udc80", ""): EVIL.replace("\udc80", "")})
    entry = Entry("אבג", "1", parse_result(made, "scores"), Path("a.json"), notes=f"two\nlines{EVIL}")
    page = build_site([entry], tmp_path / "site").read_text(encoding="utf-8")
    assert not set(BIDI + HIDDEN + CONTROL) & set(page)
    assert "<bdi>אבג</bdi>" in page
    assert "two\nlines" in page
