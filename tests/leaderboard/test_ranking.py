"""Results side by side: tables, and the folder that shows them."""

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from icvos.errors import IcvosError
from icvos.tasks.result import Result
from leaderboard.ranking import rank, write_site
from leaderboard.store import Board
from leaderboard.tables.build import render
from tests.leaderboard.image_results import make_image_result

Results = Callable[..., Result]


@pytest.fixture
def board(tmp_path: Path, result: Results) -> Path:
    board = Board.open(tmp_path / "board")
    board.add(result(), name="lite")
    board.add(make_image_result(), name="lite")
    return board.folder


def test_a_folder_shows_every_kind_of_table(board: Path, tmp_path: Path) -> None:
    tables = rank([board])
    assert [table.task for table in tables] == ["video", "image"]
    picture = tmp_path / "a dog.png"
    Image.new("RGB", (4, 3)).save(picture)
    page = write_site(tables, tmp_path / "site", [picture])
    assert page == tmp_path / "site" / "index.html"
    assert 'alt="a dog"' in page.read_text()
    found = {path.name for path in page.parent.iterdir()}
    assert found == {
        *("index.html", "results.json", "pictures", "tables", "entries", "runs"),
        *("leaderboard.md", "leaderboard.tex", "leaderboard.csv", "leaderboard-images.csv"),
    }
    assert (page.parent / "leaderboard.md").read_text() == render(tables, "markdown")
    assert (page.parent / "leaderboard.csv").read_text() == render(tables[:1], "csv")
    assert (page.parent / "leaderboard-images.csv").read_text() == render(tables[1:], "csv")


def test_without_results_there_is_a_head_alone(tmp_path: Path) -> None:
    write_site([], tmp_path / "site")
    assert [path.name for path in tmp_path.glob("site/*.csv")] == ["leaderboard.csv"]
    assert len((tmp_path / "site" / "leaderboard.csv").read_text().splitlines()) == 1


def test_nothing_is_written_beside_something_else(board: Path) -> None:
    with pytest.raises(IcvosError, match="choose an empty folder"):
        write_site(rank([board]), board)
    assert {path.suffix for path in board.iterdir()} == {".json"}
