"""``frames.json``: J and F of every frame, kept beside the scores and believed where they agree with them."""

import json
import os
from pathlib import Path

import pytest

from icvos.errors import IcvosError
from icvos.protocol import PAPER
from icvos.tasks.result import frames_path, keep_frames
from icvos.tasks.video import curves
from icvos.tasks.video.benchmark import Benchmark
from icvos.tasks.video.curves import Curves, read_curves, to_curves
from icvos.tasks.video.result import VideoResult
from icvos.tasks.video.score import Scores, score
from leaderboard.store import Board, collect
from tests import Json
from tests.conftest import icvos
from tests.icvos.handmade import write_benchmark, write_predictions


@pytest.fixture(scope="module")
def handmade(tmp_path_factory: pytest.TempPathFactory) -> Benchmark:
    return write_benchmark(tmp_path_factory.mktemp("benchmark"))


@pytest.fixture(scope="module")
def scored(handmade: Benchmark, tmp_path_factory: pytest.TempPathFactory) -> Scores:
    """A run of two draws."""
    run = tmp_path_factory.mktemp("run")
    for draw in (0, 1):
        write_predictions(handmade, run / f"draw{draw}", draw)
    return score(handmade, run, PAPER)


@pytest.fixture
def result(scored: Scores) -> VideoResult:
    return scored.to_result()


def kept(scored: Scores, tmp_path: Path) -> tuple[Path, Json]:
    """Where the scores would lie, and the content of the file beside them, which is written."""
    path = tmp_path / "scores.json"
    keep_frames(path, [to_curves(scored)])
    return path, json.loads((tmp_path / "frames.json").read_text())


def test_frames_are_means_over_draws_in_hundredths_of_a_per_cent(
    scored: Scores, result: VideoResult, tmp_path: Path
) -> None:
    path, content = kept(scored, tmp_path)
    assert content.keys() == {"format", "protocol", "digest", "clips"}
    first, second = scored.values[0]
    clip = content["clips"][first.clip]
    assert clip["frames"] == [*first.frames]
    wanted = [round(10_000 * (a + b) / 2) for a, b in zip(first.j.tolist(), second.j.tolist(), strict=True)]
    assert clip["j"] == wanted
    found = read_curves(path, result)
    assert found is not None
    assert found.to_json() == content
    assert (tmp_path / "frames.json").read_text().count("\n") == 1


def test_a_result_without_them_has_none(result: VideoResult, tmp_path: Path) -> None:
    assert read_curves(tmp_path / "scores.json", result) is None


def changed(content: Json, where: str, value: object) -> Json:
    *way, last = where.split(".")
    place = content
    for key in way:
        place = place[key]
    place[last] = value
    return content


@pytest.mark.parametrize(
    ("where", "value", "message"),
    [
        ("protocol", "native@1", "protocol is native@1, that of the scores paper@1, so it is of other scores"),
        ("digest", None, "digest is None"),
        ("clips.davis_dog/17.j", [0] * 5, r"the mean of clips.davis_dog/17.j is 0.000 %, in the scores \d"),
        ("clips.davis_dog/17.frames", ["00000"], "has 1 frames, 5 figures of J and 5 of F"),
        ("clips.davis_dog/17", {"frames": ["0"], "j": [1], "f": [1]}, "has 1 frames, in the scores 5"),
        ("clips.davis_dog/17.f", [10_001] * 5, "less than or equal to 10000"),
        ("clips.davis_dog/17.f", [0.5] * 5, "valid integer"),
        ("clips.other/1", {"frames": ["0"], "j": [1], "f": [1]}, "clips.other/1 is in one of the two alone"),
        ("format", 2, "format is 2, this icvos reads 1"),
        ("more", 1, "more is not a key"),
    ],
)
def test_what_does_not_agree_is_not_believed(
    scored: Scores, result: VideoResult, tmp_path: Path, where: str, value: object, message: str
) -> None:
    path, content = kept(scored, tmp_path)
    frames_path(path).write_text(json.dumps(changed(content, where, value)))
    with pytest.raises(IcvosError, match=message) as error:
        read_curves(path, result)
    assert str(error.value).startswith(str(tmp_path / "frames.json"))
    assert "score the predictions again with --frames" in str(error.value)


def test_rounding_is_no_disagreement_and_more_is_one(scored: Scores, result: VideoResult, tmp_path: Path) -> None:
    path, content = kept(scored, tmp_path)
    values = content["clips"]["davis_dog/17"]["j"]
    content["clips"]["davis_dog/17"]["j"] = [value + (1 if value < 10_000 else -1) for value in values]
    frames_path(path).write_text(json.dumps(content))
    with pytest.raises(IcvosError, match="the mean of"):
        read_curves(path, result)


def test_hostile_sizes_and_links_are_refused_unread(
    result: VideoResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(curves, "MAX_BYTES", 1 << 20)
    path = tmp_path / "scores.json"
    frames_path(path).write_bytes(b"[" * ((1 << 20) + 1))
    with pytest.raises(IcvosError, match="larger than 1 MiB"):
        read_curves(path, result)
    frames_path(path).write_bytes(b"[" * 100_000)
    with pytest.raises(IcvosError, match="cannot be read as J and F of every frame"):
        read_curves(path, result)
    frames_path(path).write_text('{"format": 1, "format": 1, "protocol": "paper@1", "digest": null, "clips": {}}')
    with pytest.raises(IcvosError, match="occurs twice"):
        read_curves(path, result)
    frames_path(path).unlink()
    os.mkfifo(frames_path(path))
    with pytest.raises(IcvosError, match="a device, pipe or socket"):
        read_curves(path, result)
    frames_path(path).unlink()
    frames_path(path).symlink_to("/dev/zero")
    with pytest.raises(IcvosError, match="links are not followed"):
        read_curves(path, result)


def test_eval_score_and_submit_keep_them_beside_their_results(handmade: Benchmark, tmp_path: Path) -> None:
    run = tmp_path / "run"
    write_predictions(handmade, run)
    icvos("score", run, "--benchmark", handmade.root)
    assert not (run / "frames.json").exists()
    icvos("score", run, "--benchmark", handmade.root, "--frames", "--protocol", "native@1")
    icvos("score", run, "--benchmark", handmade.root, "--frames", "--videos", "davis_dog")
    assert {path.name for path in run.glob("*.json")} == {
        *("scores.json", "scores-native@1.json", "frames-native@1.json", "scores-partial.json", "frames-partial.json")
    }
    oracle = ("eval", "--method", "oracle", "--benchmark", handmade.root, "--out", tmp_path / "oracle", "--frames")
    icvos(*oracle, "--set", "short_side=32")
    assert Curves.model_validate_json((tmp_path / "oracle" / "frames.json").read_bytes()).clips
    board = tmp_path / "board"
    submission = ("submit", run, "--benchmark", handmade.root, "--name", "mine", "--board", board)
    icvos(*submission)
    assert len(list(board.iterdir())) == 1
    icvos(*submission, "--frames")  # of a result that is there already
    (entry,) = Board.open(board).entries
    assert {path.name for path in board.iterdir()} == {entry.path.name, f"{entry.path.stem}.frames.json"}
    assert len(collect([board, run])) == 3
    assert len(collect([*board.iterdir(), *run.glob("*.json")])) == 4
    assert isinstance(entry.result, VideoResult)
    assert read_curves(entry.path, entry.result) is not None


def test_frames_go_with_a_file_of_scores_on_a_benchmark(handmade: Benchmark, tmp_path: Path) -> None:
    run = write_predictions(handmade, tmp_path / "run")
    printed = icvos("score", run, "--benchmark", handmade.root, "--frames", "--json", "-", status=2).output
    assert "--frames lies beside the scores; give a file to --json" in printed
    alone = icvos("score", run, tmp_path, "--frames", status=2).output
    assert "--frames is for scoring against a --benchmark" in alone
