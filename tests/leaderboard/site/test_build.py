import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from icvos.errors import IcvosError
from icvos.tasks.result import Result
from icvos.tasks.task import parse_result
from leaderboard.site.build import build_site
from leaderboard.store import Board
from leaderboard.tables.build import build_tables
from tests import Json

DIGEST = "sha256:" + "0123456789abcdef" * 4  # of the `scores` fixture
Make = Callable[..., Json]
Results = Callable[..., Result]

HOSTILE = '<script>alert(1)</script>" onload="x'
VOID = {"meta", "img", "br", "link", "input", "rect", "path", "use", "circle"}


class Page(HTMLParser):
    """Collects the elements of a page and checks that they are nested properly."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    @property
    def scripts(self) -> list[dict[str, str | None]]:
        """What is run, without data."""
        return [attributes for attributes in self.all("script") if attributes.get("type") != "application/json"]

    @property
    def runs(self) -> list[dict[str, str | None]]:
        """Where results say where they come from."""
        return [attributes for attributes in self.all("details") if attributes.get("class") == "run"]

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture
def board(tmp_path: Path, result: Results) -> Board:
    board = Board.open(tmp_path / "board")
    board.add(result(j=0.41, f=0.45), name="lite", notes="the first")
    board.add(result(j=0.45, f=0.49, shots=5), name="lite", revision="2")
    board.add(result(j=0.2, f=0.3, run=False), name=HOSTILE)
    board.add(result(j=0.7, f=0.8, sees_truth=True), name="oracle")
    board.add(result(j=0.8, f=0.8, clips=3), name="half")
    board.add(result(j=0.4, protocol="native@1"), name="lite")
    return board


def test_the_page_stands_on_its_own(board: Board, tmp_path: Path) -> None:
    index = build_site(board.entries, tmp_path / "site")
    assert index == tmp_path / "site" / "index.html"
    names = sorted(path.name for path in index.parent.iterdir())
    assert names == ["compare", "entries", "index.html", "results.json", "runs", "tables"]
    page = Page(index.read_text())
    assert len(page.scripts) == 1
    assert not page.all("link")
    for tag, attributes in page.elements:
        for key in ("src", "href"):
            target = attributes.get(key) or ""
            if tag == "a" and target.startswith("https://arxiv.org/"):
                continue
            assert not re.match(r"[a-z]+:|//", target), (tag, target)
            assert target.startswith("#") or not target or (index.parent / target.partition("#")[0]).is_file(), target
    identifiers = [attributes["id"] for _, attributes in page.elements if attributes.get("id")]
    assert len(identifiers) == len(set(identifiers))
    anchors = {(link["href"] or "")[1:] for link in page.all("a") if (link["href"] or "").startswith("#")}
    assert anchors <= set(identifiers)


def test_the_page_shows_every_row_and_where_it_comes_from(board: Board, tmp_path: Path) -> None:
    text = build_site(build_tables(board.entries), tmp_path / "site").read_text()
    page = Page(text)
    assert len(page.runs) == 6
    for shown in (
        *("41.00", "45.00", "43.00", "47.00", "68.38", "20.44", "mean 25.44", "scored on 3 of 6 clips only"),
        *("Reported in papers, not run here", "Upper bound", "Partial results", "paper@1", "native@1"),
        *("sha256 " + "ab" * 32, "top_k 10, radius 12", "the first", "2026-01-31", "6 clips, 6 videos, 880 frames"),
        *("the submission came without a run.json", "cpu float32", "0123456789abcdef" * 4),
    ):
        assert shown in text, shown
    assert text.index("not run here") > text.index("lite")


def test_conditions_are_shown_where_results_have_them(tmp_path: Path, scores: Make, result: Results) -> None:
    board = Board.open(tmp_path / "board")
    board.add(result(), name="older")
    assert "By condition" not in build_site(board.entries, tmp_path / "site").read_text()
    hard = scores(j=0.4, f=0.4, analysed=True)
    board.add(parse_result(hard, "hard"), name="lite")
    text = build_site(board.entries, tmp_path / "site").read_text()
    page = Page(text)
    assert len(page.all("caption")) == len(page.all("table")) == 4
    for shown in ("By condition", "length: 50-99 frames", "while it is absent", "50.00", "100.00"):
        assert shown in text, shown


def test_tables_are_marked_up_for_reading_aloud(board: Board, tmp_path: Path) -> None:
    page = Page(build_site(board.entries, tmp_path / "site").read_text())
    assert len(page.all("caption")) == len(page.all("table")) == 6
    assert all(heading.get("scope") in ("col", "row", "rowgroup") for heading in page.all("th"))
    assert all(picture.get("aria-label") for picture in page.all("svg"))
    assert page.all("html")[0]["lang"] == "en"


def test_results_cannot_put_anything_into_the_page(board: Board, tmp_path: Path, scores: Make) -> None:
    evil = scores(
        j=0.35,
        method="<img src=x onerror=alert(1)>",
        settings={"</dd><script>": "<script>alert(2)</script>"},
        weights=[{"name": "'\"><script>", "sha256": "ab" * 32}, "<q>"],
        versions={"</details>": "<s>"},
        seed="<p>",
        finished="<i>2026",
        device="<u>",
    )
    board.add(parse_result(evil, "evil"), name="evil", notes="</section><script>alert(4)</script>")
    picture = tmp_path / "x.png"
    Image.new("RGB", (4, 3)).save(picture)
    text = build_site(
        board.entries, tmp_path / "site", pictures=[(picture, '"><script>alert(5)</script>')], title="<script>"
    ).read_text()
    page = Page(text)
    assert len(page.scripts) == 1
    assert [attributes.get("src") for attributes in page.all("img")] == ["pictures/01-x.png"]
    assert not [attributes for _, attributes in page.elements if any(key.startswith("on") for key in attributes)]
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert len(page.runs) == 7


def test_the_policy_names_the_one_script(board: Board, tmp_path: Path) -> None:
    import base64
    import hashlib

    text = build_site(board.entries, tmp_path / "site").read_text()
    (script,) = re.findall(r"<script>(.*?)</script>", text, flags=re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in text


def test_the_data_file_has_the_whole_results(board: Board, tmp_path: Path) -> None:
    index = build_site(board.entries, tmp_path / "site")
    data = json.loads((index.parent / "results.json").read_text())
    assert [table["protocol"] for table in data["tables"]] == ["paper@1", "native@1"]
    rows = {row["label"]: row for row in data["tables"][0]["rows"]}
    lite = {entry.key: entry for entry in board.entries}["lite", "1", "paper@1", DIGEST]
    own = json.loads((index.parent / rows["lite, 1 shot"]["result"]).read_text())
    assert own == json.loads(lite.path.read_text())
    assert own["scores"] == lite.result.to_json()
    assert rows["DC-SAM"]["result"] is None
    assert "contradicts" in rows["Matcher + SAM 2"]["notes"][1]


def test_pictures_are_copied_and_shown(board: Board, tmp_path: Path) -> None:
    still, movie = tmp_path / "an overlay!.GIF", tmp_path / "b.mp4"
    Image.new("L", (4, 3)).save(still)
    movie.write_bytes(b"movie")
    index = build_site(board.entries, tmp_path / "site", pictures=[(still, "a dog"), (movie, "a cow")])
    assert (index.parent / "pictures" / "01-an-overlay.gif").read_bytes() == still.read_bytes()
    assert (index.parent / "pictures" / "02-b.mp4").read_bytes() == b"movie"
    page = Page(index.read_text())
    assert page.all("img")[0]["alt"] == "a dog"
    assert page.all("video")[0]["src"] == "pictures/02-b.mp4"


@pytest.mark.parametrize(("name", "message"), [("x.svg", "not a picture"), ("x.png", "no such picture")])
def test_other_files_are_no_pictures(board: Board, tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(IcvosError, match=message):
        build_site(board.entries, tmp_path / "site", pictures=[(tmp_path / name, "")])
    assert not (tmp_path / "site").exists()


def test_an_earlier_page_is_replaced_and_anything_else_left_alone(board: Board, tmp_path: Path) -> None:
    index = build_site(board.entries, tmp_path / "site")
    before = index.read_bytes()
    assert build_site(board.entries, tmp_path / "site").read_bytes() == before
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.tex").write_text("x")
    with pytest.raises(IcvosError, match="choose an empty folder"):
        build_site(board.entries, other)
    with pytest.raises(IcvosError, match="is a file"):
        build_site(board.entries, other / "thesis.tex")
    assert [path.name for path in other.iterdir()] == ["thesis.tex"]


def test_an_empty_board_still_has_a_page(tmp_path: Path) -> None:
    assert "No results yet" in build_site([], tmp_path / "site").read_text()


def test_the_data_file_is_standard_json(tmp_path: Path, scores: Make) -> None:
    odd = parse_result(scores(settings={"reach": float("inf"), "seed": float("nan")}), "odd")
    board = Board.open(tmp_path / "board")
    board.add(odd, name="lite")
    index = build_site(board.entries, tmp_path / "site")
    row = json.loads((index.parent / "results.json").read_text(), parse_constant=pytest.fail)["tables"][0]["rows"][0]
    own = json.loads((index.parent / row["result"]).read_text(), parse_constant=pytest.fail)
    assert own["scores"]["run"]["settings"] == {"reach": None, "seed": None}


def test_deep_settings_are_shown(tmp_path: Path, scores: Make) -> None:
    deep: Json = {}
    for _ in range(150):
        deep = {"x": deep}
    board = Board.open(tmp_path / "board")
    board.add(parse_result(scores(settings=deep), "deep"), name="lite")
    assert "x x x x" in build_site(board.entries, tmp_path / "site").read_text()
