import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from icvos.errors import IcvosError
from leaderboard.entry import read_entry
from leaderboard.store import Board, collect

DIGEST = "sha256:" + "0123456789abcdef" * 4  # of the `scores` fixture
Make = Callable[..., dict[str, Any]]

DEEP = "[" * 200_000 + "]" * 200_000


def test_a_result_is_stored_and_read_back(tmp_path: Path, scores: Make) -> None:
    board = Board.open(tmp_path / "board")
    path = board.add(scores(), name="lite", revision="2", notes="first", benchmark_clips=7)
    assert path.name == "lite--2.paper@1.012345678.json"
    (entry,) = board.entries
    assert (entry.name, entry.revision, entry.notes, entry.protocol, entry.digest) == (
        "lite",
        "2",
        "first",
        "paper@1",
        DIGEST,
    )
    assert entry.scores == scores()
    assert (entry.shots, entry.draws, entry.clips, entry.benchmark_clips) == (1, 5, 5, 7)
    assert entry.seconds == 0.22
    assert entry.date == "2026-01-31"


def test_the_same_result_again_changes_nothing(tmp_path: Path, scores: Make) -> None:
    board = Board.open(tmp_path)
    path = board.add(scores(), name="lite")
    before = path.read_bytes()
    os.utime(path, (0, 0))
    assert board.add(scores(), name="lite") == path
    assert path.read_bytes() == before
    assert path.stat().st_mtime == 0


def test_tuples_in_scores_do_not_make_a_result_another(tmp_path: Path, scores: Make) -> None:
    board = Board.open(tmp_path)
    given = scores()
    given["overall"]["interval"]["jf"] = tuple(given["overall"]["interval"]["jf"])
    assert board.add(given, name="lite") == board.add(scores(), name="lite")


def test_other_figures_need_another_revision(tmp_path: Path, scores: Make) -> None:
    board = Board.open(tmp_path)
    path = board.add(scores(), name="lite")
    before = path.read_bytes()
    with pytest.raises(IcvosError, match="use another --revision"):
        board.add(scores(j=0.7), name="lite")
    assert path.read_bytes() == before
    board.add(scores(j=0.7), name="lite", revision="2")
    assert [entry.revision for entry in board.entries] == ["1", "2"]


def test_protocols_digests_and_odd_names_have_files_of_their_own(tmp_path: Path, scores: Make) -> None:
    board = Board.open(tmp_path)
    board.add(scores(), name="lite")
    board.add(scores(protocol="native@1"), name="lite")
    board.add(scores(digest="sha256:" + "f" * 64), name="lite")
    board.add(scores(digest=None), name="lite")
    board.add(scores(), name="a/b")
    board.add(scores(), name="a b")
    board.add(scores(), name="../../etc/passwd")
    board.add(scores(), name="网络")
    assert len(board.entries) == 8
    assert all(path.parent == tmp_path for path in tmp_path.rglob("*.json"))
    assert {entry.name for entry in board.entries} == {"lite", "a/b", "a b", "../../etc/passwd", "网络"}


@pytest.mark.parametrize("name", ["", " ", " lite", "lite\n", "x" * 81, "a\x1b[31mb"])
def test_names_that_cannot_be_shown_are_refused(tmp_path: Path, scores: Make, name: str) -> None:
    with pytest.raises(IcvosError, match="the name is"):
        Board.open(tmp_path).add(scores(), name=name)
    assert list(tmp_path.iterdir()) == []


def test_a_board_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(IcvosError, match="is a file"):
        Board.open(tmp_path / "file")
    assert Board.open(tmp_path / "new").entries == ()
    assert not (tmp_path / "new").exists()


def test_results_with_and_without_an_analysis_are_kept(tmp_path: Path, scores: Make) -> None:
    analysed = scores(j=0.4, analysed=True)
    board = Board.open(tmp_path)
    board.add(scores(), name="without")
    board.add(analysed, name="with")
    assert [entry.name for entry in board.entries] == ["with", "without"]
    assert board.entries[0].scores == json.loads(json.dumps(analysed))


def test_a_copied_result_is_noticed(tmp_path: Path, scores: Make) -> None:
    board = Board.open(tmp_path)
    path = board.add(scores(), name="lite")
    (tmp_path / "z.json").write_bytes(path.read_bytes())
    with pytest.raises(IcvosError, match="remove one of the two"):
        _ = board.entries


def _set(value: dict[str, Any], where: str, new: Any) -> None:
    *parents, last = where.split(".")
    for parent in parents:
        value = value[parent]
    if new is None:
        del value[last]
    else:
        value[last] = new


@pytest.mark.parametrize(
    ("where", "new", "message"),
    [
        ("format", 2, "not scores of format 1"),
        ("protocol", "../x@1", "protocol"),
        ("protocol", 3, "protocol"),
        ("digest", "md5:1", "digest"),
        ("digest", None, "digest"),
        ("overall", None, "overall is missing|not a result"),
        ("overall.j", 61.2, "overall.j is not a fraction"),
        ("overall.j", float("nan"), "overall.j is not a fraction"),
        ("overall.j", "0.5", "overall.j is not a fraction"),
        ("overall.j", True, "overall.j is not a fraction"),
        ("overall.jf", 0.99, "overall.jf is not the mean"),
        ("overall.clips", 0, "overall.clips is not a count"),
        ("overall.videos", None, "overall.videos is not a count"),
        ("overall.draws", {"a": 1}, "overall.draws is not a list"),
        ("overall.draws", [{"j": 2}], "overall.draws.0..j"),
        ("overall.interval.jf", [0.6, 0.5], "overall.interval.jf"),
        ("overall.interval.jf", [0.6], "overall.interval.jf"),
        ("overall.interval.level", None, "level"),
        ("categories", [], "categories is not an object"),
        ("categories.dog.f", -0.1, "categories.dog.f"),
        ("categories.dog.clips", "many", "categories.dog.clips"),
        ("sources.a\nb", {"j": 0.5, "f": 0.5, "jf": 0.5, "clips": 1}, "not printable"),
        ("clips.davis_dog/17.j", None, "clips.davis_dog/17.j"),
        ("clips.davis_dog/17.frames", "all", "clips.davis_dog/17.frames is not a count"),
        ("clips.davis_dog/17.instances", 0, "clips.davis_dog/17.instances is not a count"),
        ("clips.davis_dog/17.area", 1.5, "clips.davis_dog/17.area is not a share"),
        ("clips.davis_dog/17.area", "large", "clips.davis_dog/17.area is not a share"),
        ("clips.davis_dog/17.first", {"j": 1, "f": 1}, "clips.davis_dog/17.first.jf"),
        ("clips.davis_dog/17.after", [], "clips.davis_dog/17.after is missing"),
        ("clips.davis_dog/17.reappearance", {"j": 1, "f": 1, "jf": 1, "frames": 2}, "reappearance.runs is not a count"),
        ("overall.j_recall", "high", "overall.j_recall is not a share"),
        ("sources.davis.f_decay", float("nan"), "sources.davis.f_decay is not a share"),
        ("analysis", [], "analysis is not an object"),
        ("analysis", {"length": []}, "analysis.length is not an object"),
        ("analysis", {"area": {"1-4 %": {"j": 1, "f": 1, "jf": 1}}}, r"analysis.area.1-4 %.clips is not a count"),
        ("analysis", {"instances": {"1": {"j": 2, "f": 1, "jf": 1}}}, r"analysis.instances.1.j is not a fraction"),
        ("analysis", {"reappearance": 0.5}, "analysis.reappearance is missing"),
        ("analysis", {"propagation": [0.5]}, "analysis.propagation is not an object"),
        ("analysis", {"propagation": {"clips": 2}}, "analysis.propagation.first is missing"),
    ],
)
def test_scores_that_no_table_should_show_are_refused(
    tmp_path: Path, scores: Make, where: str, new: Any, message: str
) -> None:
    broken = scores()
    _set(broken, where, new)
    path = tmp_path / "scores.json"
    path.write_text(json.dumps(broken))
    with pytest.raises(IcvosError, match=message) as caught:
        read_entry(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    with pytest.raises(IcvosError, match=message):
        Board.open(tmp_path / "board").add(broken, name="lite")
    assert not (tmp_path / "board").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "cannot be read"),
        ("[]", "not a result"),
        ('{"a": 1}', "not a result"),
        (DEEP, "nested too deeply|cannot be read"),
        ('{"overall": ' + "[" * 40 + "]" * 40 + "}", "nested too deeply"),
        ('{"overall": "\\ud800"}', "not Unicode"),
        ('{"format": 9, "scores": {}}', "not a result of format 1"),
        ('{"format": 1, "name": 3, "revision": "1", "scores": SCORES}', "the name is"),
        ('{"format": 1, "name": "lite", "scores": SCORES}', "the revision is"),
        ('{"format": 1, "name": "lite", "revision": "1", "notes": [], "scores": SCORES}', "notes is not a text"),
    ],
)
def test_files_that_are_no_results_are_refused(tmp_path: Path, scores: Make, text: str, message: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(text.replace("SCORES", json.dumps(scores())))
    with pytest.raises(IcvosError, match=message) as caught:
        read_entry(path)
    assert str(path) in str(caught.value)
    assert len(str(caught.value)) < 1000


def test_a_strange_run_record_does_no_harm(tmp_path: Path, scores: Make) -> None:
    strange = scores()
    strange["run"] = {"shots": "many", "sees_truth": "yes", "seconds_per_frame": float("inf"), "benchmark": 3}
    (tmp_path / "scores.json").write_text(json.dumps(strange))
    entry = read_entry(tmp_path / "scores.json")
    assert (entry.shots, entry.sees_truth, entry.seconds, entry.benchmark_clips) == (None, False, None, None)
    assert entry.name == tmp_path.name


def test_collect_takes_runs_files_and_boards(tmp_path: Path, scores: Make) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "scores.json").write_text(json.dumps(scores()))
    (run / "scores-paper@1.json").write_text(json.dumps(scores()))
    (run / "scores-native@1.json").write_text(json.dumps(scores(protocol="native@1")))
    (run / "run.json").write_text("{}")
    board = Board.open(tmp_path / "board")
    board.add(scores(), name="lite")
    lone = board.add(scores(j=0.7), name="other")
    found = collect([run, tmp_path / "board", lone])
    assert [(entry.name, entry.revision, entry.protocol) for entry in found] == [
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
