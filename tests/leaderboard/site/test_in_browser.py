"""The page's script, in a browser."""

import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

from icvos.tasks.task import parse_result
from leaderboard.entry import Entry, MethodFacts
from leaderboard.site.build import build_site
from tests.leaderboard.conftest import Make

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium; on Debian: apt-get install chromium"),
    pytest.mark.slow,
]


class Board(HTMLParser):
    """What a reader sees of the board: the rows that are not hidden, and the headings of columns."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: list[str] = []
        self.columns: list[str | None] = []
        self._hidden = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "tr":
            self._hidden = "hidden" in found
        if tag == "th" and "data-column" in found and "hidden" not in found:
            self.columns.append(found["data-column"])
        if tag == "th" and found.get("class") == "name" and "data-sort" in found and not self._hidden:
            self.rows.append(found["data-sort"] or "")


def seen(page: Path, address: str, tmp_path: Path) -> tuple[Board, str]:
    """The page at an address behind the #, once its script has run."""
    assert CHROMIUM
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    text = subprocess.run(
        [*command, "--dump-dom", f"{page.as_uri()}#{address}"], capture_output=True, text=True, check=True, timeout=120
    ).stdout
    status = re.search(r'<span id="status" role="status">([^<]*)</span>', text)
    assert status
    return Board(text), status[1]


def test_an_address_holds_the_view(scores: Make, tmp_path: Path) -> None:
    facts = {"a": MethodFacts(training="none"), "b": MethodFacts(training="trained"), "c": MethodFacts(training="none")}
    entries = [
        Entry(name, "1", parse_result(scores(j=0.4 + n / 10, seconds_per_frame=0.1 + n), name), Path(name), facts=said)
        for n, (name, said) in enumerate(facts.items())
    ]
    page = build_site(entries, tmp_path / "site")
    board, status = seen(page, "", tmp_path)
    assert board.rows[:3] == ["c", "b", "a"]
    assert status == "11 rows"
    view = "training=training-free&sort=seconds_per_frame:ascending&columns=jf,category.dog,seconds_per_frame"
    board, status = seen(page, view, tmp_path)
    assert board.rows == ["a", "c"]
    assert board.columns == ["rank", "method", "jf", "seconds_per_frame", "category.dog"]
    assert status == "2 of 11 rows"
