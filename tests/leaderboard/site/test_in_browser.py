"""The page's script, in a browser."""

import re
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from icvos.tasks.record import RunRecord
from icvos.tasks.task import parse_result
from icvos.tasks.video import result
from icvos.tasks.video.comparison import compare
from icvos.tasks.video.means import summarise
from icvos.tasks.video.result import Pair, VideoResult
from leaderboard.entry import Entry, MethodFacts
from leaderboard.site.build import build_site
from tests.conftest import CHROMIUM
from tests.leaderboard.conftest import DIGEST, Make

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


def dumped(page: Path, address: str, tmp_path: Path) -> str:
    """The page at an address behind the #, once its script has run."""
    assert CHROMIUM
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    return subprocess.run(
        [*command, "--dump-dom", f"{page.as_uri()}#{address}"], capture_output=True, text=True, check=True, timeout=120
    ).stdout


def seen(page: Path, address: str, tmp_path: Path) -> tuple[Board, str]:
    """What a reader sees of the board at an address."""
    text = dumped(page, address, tmp_path)
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


def varied(seed: int, clips: int) -> VideoResult:
    """A result on as many videos, some of which have two clips."""
    random = np.random.default_rng(seed)
    found = {}
    for k in range(clips):
        j, f = random.uniform(0.3, 0.7, 2).tolist()
        draw = result.ClipDraw(draw=0, j=j, f=f)
        found[f"davis_{k % 12:02d}/{17 + k // 12}"] = result.Clip(**dict(Pair.of(j, f)), frames=50, draws=(draw,))
    sources = dict.fromkeys(found, "davis")
    return summarise(found, sources, protocol="paper@1", digest=DIGEST, run=RunRecord())


def test_two_results_are_compared_as_diff_does(tmp_path: Path) -> None:
    a, b = varied(1, 18), varied(2, 16)
    build_site([Entry(name, "1", own, Path(name)) for name, own in (("a", a), ("b b", b))], tmp_path / "site")
    (page,) = (tmp_path / "site" / "compare").iterdir()
    text = dumped(page, "a=b+b&b=a", tmp_path)
    expected = compare(b, a, "b", "a")
    assert "over the 16 clips of 12 videos that both have" in text
    assert "2 clips of B alone left out" in text
    for name in ("j", "f", "jf"):
        pair = getattr(expected.overall, name)
        bounds = " to ".join(map(signed, pair.interval))
        cells = f'<td class="number">{signed(pair.difference)}</td><td class="number">{bounds}</td>'
        assert cells in text, name
    table = text.partition('id="items"')[2]
    shown = re.findall(r"<bdi>([^ ]*) ", table.partition("</table>")[0])
    by_clip = sorted(expected.by_clip, key=lambda clip: -expected.by_clip[clip].difference)
    assert shown == by_clip
    assert '<option value="1">b b</option>' in text


def signed(value: float) -> str:
    return f"{100 * value:+.2f}".replace("-", "−")
