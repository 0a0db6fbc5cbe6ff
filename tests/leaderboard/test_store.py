import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from icvos.errors import IcvosError
from icvos.tasks.result import Result
from icvos.tasks.task import parse_result
from leaderboard import store
from leaderboard.entry import Entry, read_entry
from leaderboard.store import Board, collect
from tests import ROOT, Json

DIGEST = "sha256:" + "0123456789abcdef" * 4  # of the `scores` fixture
Make = Callable[..., Json]
Results = Callable[..., Result]


def test_a_result_is_stored_and_read_back(tmp_path: Path, result: Results) -> None:
    board = Board.open(tmp_path / "board")
    path = board.add(result(), name="lite", revision="2", notes="first", benchmark_clips=7)
    assert path.name == "lite--2.paper@1.012345678.json"
    (entry,) = board.entries
    assert (entry.name, entry.revision, entry.notes, entry.result.protocol, entry.result.digest) == (
        "lite",
        "2",
        "first",
        "paper@1",
        DIGEST,
    )
    assert entry.result == result()
    assert (entry.result.shots, entry.result.seconds, entry.declared_clips) == (1, 0.22, 7)
    assert entry.date == "2026-01-31"


def test_the_same_result_again_changes_nothing(tmp_path: Path, result: Results) -> None:
    board = Board.open(tmp_path)
    path = board.add(result(), name="lite")
    before = path.read_bytes()
    os.utime(path, (0, 0))
    assert board.add(result(), name="lite") == path
    assert path.read_bytes() == before
    assert path.stat().st_mtime == 0


def test_what_a_file_leaves_out_and_another_states_is_the_same_result(tmp_path: Path, scores: Make) -> None:
    board = Board.open(tmp_path)
    path = board.add(parse_result(scores(), "old"), name="lite")
    assert "task" not in json.loads(path.read_text())["scores"]
    stated = parse_result({"task": "video", **scores(), "analysis": {}}, "new")
    assert board.add(stated, name="lite") == path


def test_text_that_is_no_unicode_is_not_stored(tmp_path: Path, result: Results) -> None:
    with pytest.raises(IcvosError, match="lite: cannot be read as a result on a board"):
        Board.open(tmp_path / "board").add(result(), name="lite", notes="\udcff")
    assert not (tmp_path / "board").exists()


def test_a_new_result_is_not_compared_with_those_of_other_names(
    tmp_path: Path, result: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = Board.open(tmp_path)
    for number in range(4):
        board.add(result(), name=f"lite {number}")
    read = list[str]()

    def counted(path: Path) -> Entry:
        read.append(path.name.partition("--")[0])
        return read_entry(path)

    monkeypatch.setattr(store, "read_entry", counted)
    board.add(result(), name="another")
    board.add(result(), name="lite 2", revision="2")
    assert read == []
    board.add(result(), name="lite 2")
    assert len(read) == 1
    assert len(board.entries) == 6


def test_other_figures_need_another_revision(tmp_path: Path, result: Results) -> None:
    board = Board.open(tmp_path)
    path = board.add(result(), name="lite")
    before = path.read_bytes()
    with pytest.raises(IcvosError, match="use another --revision"):
        board.add(result(j=0.7), name="lite")
    assert path.read_bytes() == before
    board.add(result(j=0.7), name="lite", revision="2")
    assert [entry.revision for entry in board.entries] == ["1", "2"]


def test_protocols_digests_and_odd_names_have_files_of_their_own(tmp_path: Path, result: Results) -> None:
    board = Board.open(tmp_path)
    board.add(result(), name="lite")
    board.add(result(protocol="native@1"), name="lite")
    board.add(result(digest="sha256:" + "f" * 64), name="lite")
    board.add(result(digest=None), name="lite")
    board.add(result(), name="a/b")
    board.add(result(), name="a b")
    board.add(result(), name="../../etc/passwd")
    board.add(result(), name="网络")
    assert len(board.entries) == 8
    assert all(path.parent == tmp_path for path in tmp_path.rglob("*.json"))
    assert {entry.name for entry in board.entries} == {"lite", "a/b", "a b", "../../etc/passwd", "网络"}


@pytest.mark.parametrize("name", ["", " ", " lite", "lite\n", "x" * 81, "a\x1b[31mb"])
def test_names_that_cannot_be_shown_are_refused(tmp_path: Path, result: Results, name: str) -> None:
    with pytest.raises(IcvosError, match="the name is"):
        Board.open(tmp_path).add(result(), name=name)
    assert list(tmp_path.iterdir()) == []


def test_a_board_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(IcvosError, match="is a file"):
        Board.open(tmp_path / "file")
    assert Board.open(tmp_path / "new").entries == ()
    assert not (tmp_path / "new").exists()


def test_results_with_and_without_an_analysis_are_kept(tmp_path: Path, result: Results) -> None:
    analysed = result(j=0.4, analysed=True)
    board = Board.open(tmp_path)
    board.add(result(), name="without")
    board.add(analysed, name="with")
    assert [entry.name for entry in board.entries] == ["with", "without"]
    assert board.entries[0].result == analysed


def test_a_copied_result_is_noticed(tmp_path: Path, result: Results) -> None:
    board = Board.open(tmp_path)
    path = board.add(result(), name="lite")
    (tmp_path / "z.json").write_bytes(path.read_bytes())
    with pytest.raises(IcvosError, match="remove one of the two"):
        _ = board.entries


def test_collect_takes_runs_files_and_boards(tmp_path: Path, scores: Make, result: Results) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "scores.json").write_text(json.dumps(scores()))
    (run / "scores-paper@1.json").write_text(json.dumps(scores()))
    (run / "scores-native@1.json").write_text(json.dumps(scores(protocol="native@1")))
    (run / "run.json").write_text("{}")
    board = Board.open(tmp_path / "board")
    board.add(result(), name="lite")
    lone = board.add(result(j=0.7), name="other")
    found = collect([run, tmp_path / "board", lone])
    assert [(entry.name, entry.revision, entry.result.protocol) for entry in found] == [
        ("lite", "1", "paper@1"),
        ("other", "1", "paper@1"),
        ("lite", "", "native@1"),
    ]


@pytest.mark.parametrize("kind", ["missing", "empty"])
def test_collect_says_what_to_do_where_there_is_nothing(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / kind
    if kind == "empty":
        folder.mkdir()
    with pytest.raises(IcvosError, match=r"no such file|icvos score"):
        collect([folder])


RACE = """
import json, sys, time
from pathlib import Path
from icvos.errors import IcvosError
from icvos.tasks.task import parse_result
from leaderboard.store import Board
root, me, name = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
result = parse_result(json.loads((root / f"{me}.json").read_text()), "given")
for turn in range(20):
    (root / f"{me}-{turn}").touch()
    while len(list(root.glob(f"*-{turn}"))) < 2:
        pass
    try:
        print(Board.open(root / f"board{turn}").add(result, name=name).name)
    except IcvosError as error:
        print(error)
"""


@pytest.mark.parametrize(
    ("figures", "names", "kept"), [((0.5, 0.7), "aa", 1), ((0.5, 0.5), "aa", 1), ((0.5, 0.7), "ab", 2)]
)
def test_two_at_once_lose_nothing(
    tmp_path: Path, scores: Make, figures: tuple[float, float], names: str, kept: int
) -> None:
    """Of two results of one name, one is kept and the other told; equal ones and those of two names both succeed."""
    for me, j in zip("xy", figures, strict=True):
        (tmp_path / f"{me}.json").write_text(json.dumps(scores(j=j)))
    given = [[sys.executable, "-c", RACE, str(tmp_path), me, name] for me, name in zip("xy", names, strict=True)]
    started = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for command in given]
    said = [process.communicate()[0].splitlines() for process in started]
    for turn, lines in enumerate(zip(*said, strict=True)):
        board = tmp_path / f"board{turn}"
        refusals = [line for line in lines if "holds another result of this name" in line]
        assert len(refusals) == (1 if figures[0] != figures[1] and kept == 1 else 0), lines
        files = sorted(path.name for path in board.iterdir())
        assert len(files) == kept
        assert {line for line in lines if line not in refusals} == set(files)
        winner = json.loads((board / files[0]).read_text())["scores"]["overall"]["j"]
        if refusals:
            assert winner == pytest.approx(figures[lines.index(refusals[0]) - 1])


def test_a_board_on_a_file_system_without_links_and_locks(
    tmp_path: Path, result: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    board = Board.open(tmp_path)
    path = board.add(result(), name="lite")
    assert board.add(result(), name="lite") == path
    with pytest.raises(IcvosError, match="use another --revision"):
        board.add(result(j=0.7), name="lite")
    assert [found.name for found in tmp_path.iterdir()] == [path.name]


def test_what_no_table_could_read_is_not_stored(tmp_path: Path, result: Results) -> None:
    """A file of more than the 64 MiB that readers take would spoil the whole board."""
    board = Board.open(tmp_path / "board")
    with pytest.raises(IcvosError, match="big: a result of 64 MiB, 64 at most"):
        board.add(result(), name="big", notes="x" * (1 << 26))
    assert board.entries == ()
