"""`icvos render --explain`: a run's method, built again from the run's record, and what it shows."""

import json
from collections.abc import Sequence
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from PIL import Image as Pillow

from icvos.files.masks import write_binary
from icvos.method import Image, Panel, Step, Support
from icvos.tasks.video.benchmark import Benchmark
from tests.conftest import icvos
from tests.icvos.tasks.image.tiny_episodes import Colour, write_images


class Telling(Colour):
    """`Colour`, which says how it comes to its mask."""

    asked: ClassVar[list[tuple[float, list[str], tuple[int, ...], bool]]] = []

    def explain(self, supports: Sequence[Support], frame: Image, *, moving: bool) -> Sequence[Step]:
        names = [support.name for support in supports]
        Telling.asked.append((self.settings.distance, names, frame.shape, moving))
        far = frame.mean(axis=2).astype(np.float32)
        some = np.array([[True, False], [True, True]])
        panels = [Panel("far", far, "heat"), Panel("near", far < 90, "mask"), Panel("some", some, "kept", 0)]
        return [Step("Colours", "How far each is.", panels)]


class Beyond(Telling):
    """Explains over a support that it was not given."""

    def explain(self, supports: Sequence[Support], frame: Image, *, moving: bool) -> Sequence[Step]:
        (step,) = super().explain(supports, frame, moving=moving)
        return [Step("More", "Too far.", [*step.panels, Panel("none", np.ones((2, 2)), "heat", len(supports))])]


class Empty(Telling):
    def explain(self, supports: Sequence[Support], frame: Image, *, moving: bool) -> Any:  # noqa: ARG002
        return [Step("Nothing", "There is nothing.", [Panel("nothing", np.zeros((0, 4)), "heat")])]


class Wordy(Telling):
    def explain(self, supports: Sequence[Support], frame: Image, *, moving: bool) -> Any:  # noqa: ARG002
        return "by magic"


@pytest.fixture(autouse=True)
def methods(monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = {"telling": Telling, "colour": Colour, "beyond": Beyond, "empty": Empty, "wordy": Wordy}
    points = [EntryPoint(name, f"{kind.__module__}:{kind.__name__}", "icvos.methods") for name, kind in kinds.items()]
    monkeypatch.setattr("icvos.method.entry_points", lambda group: points)
    Telling.asked.clear()


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tiny") / "tiny"
    write_images(root)
    return root


def run(method: str, benchmark: Path, out: Path, *more: object) -> Path:
    icvos("eval", "--method", method, "--set", "distance=70", "--benchmark", benchmark, "--out", out, *more)
    return out


def test_an_episode_is_explained_with_the_settings_and_shots_of_its_run(pictures: Path, tmp_path: Path) -> None:
    ran = run("telling", pictures, tmp_path / "run", "--fold", 1, "--shots", 2, "--limit", 3)
    out = tmp_path / "out"
    said = icvos("render", pictures, "--predictions", ran, "--explain", "1/2", "--out", out).output
    assert said == f"{out / '1-2-explained.png'}: 1 file\n"
    ((distance, names, shape, moving),) = Telling.asked
    assert (distance, len(names), moving) == (70, 2, False)
    drawn = np.asarray(Pillow.open(out / "1-2-explained.png"))
    assert drawn.shape[1] > 4 * 300
    assert drawn.shape[0] > 3 * 240
    assert shape[2] == 3


def test_a_clip_is_explained_with_the_supports_of_its_draw(built: Path, tmp_path: Path) -> None:
    ran = run("telling", built, tmp_path / "run", "--draws", "1,2", "--limit", 1)
    benchmark = Benchmark.open(built)
    clip = benchmark.clips[0]
    for number, chosen in ((1, ran), (2, ran / "draw2")):
        icvos("render", built, "--predictions", chosen, "--explain", clip.id, "--out", tmp_path / f"out{number}")
        assert (tmp_path / f"out{number}" / f"{clip.id.replace('/', '-')}-explained.png").is_file()
        _, names, shape, moving = Telling.asked[-1]
        assert names == [support.name for support in benchmark.supports(clip, number, 1)]
        assert (shape[:2], moving) == (clip.video.size, True)


def test_files_that_were_moved_are_given_again(pictures: Path, tmp_path: Path) -> None:
    there = f"checkpoint={tmp_path}/best.pth"
    ran = run("telling", pictures, tmp_path / "run", "--fold", 0, "--limit", 1, "--set", there)
    record = ran / "fold0" / "run.json"
    record.write_text(record.read_text().replace(f'"name": "{tmp_path}/best.pth"', '"name": "best.pth"'))
    explain = ("render", pictures, "--predictions", ran, "--out", tmp_path / "out", "--explain", "0/0")
    lost = f"made with {there}, which is not there; add --set checkpoint=PATH"
    assert lost in icvos(*explain, status=2).output
    icvos(*explain, "--set", "checkpoint=moved.pth")
    other = "--set distance: a run is explained as it was made; --set is for files (checkpoint) and device"
    assert other in icvos(*explain, "--set", "distance=12", status=2).output


@pytest.mark.parametrize(
    ("method", "arguments", "says"),
    [
        (
            "colour",
            ["--explain", "0/0"],
            "method colour does not explain itself; --explain is for runs of beyond, empty",
        ),
        ("beyond", ["--explain", "0/0"], "method beyond explained 0/0 over support 1, it was given 1 from 0 on"),
        ("empty", ["--explain", "0/0"], "panel 'nothing' has values of (0, 4)"),
        ("wordy", ["--explain", "0/0"], "method wordy gave an explanation of 0/0 that is no sequence of Step"),
        ("telling", ["--explain", "0/1"], "has no mask of episode 0/1; choose one that it has"),
        ("telling", ["--explain", "1/0"], "has no mask of episode 1/0; choose one that it has"),
        ("telling", ["--explain", "dog"], "clip dog: on an image benchmark, write <fold>/<episode> like 0/12"),
        ("telling", ["--explain", "0/0", "--kind", "gif"], "--explain draws one picture of one clip"),
        ("telling", ["--explain", "0/0", "--clips", "0/0"], "--explain draws one picture of one clip"),
        ("telling", ["--set", "distance=3"], "--set is for the method of --explain"),
    ],
)
def test_one_line_for_what_cannot_be_explained(
    method: str, arguments: list[str], says: str, pictures: Path, tmp_path: Path
) -> None:
    ran = run(method, pictures, tmp_path / "run", "--fold", 0, "--limit", 1)
    found = icvos("render", pictures, "--predictions", ran, "--out", tmp_path / "out", *arguments, status=2)
    assert says in found.output
    assert found.output.count("\n") == 1
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


def test_explaining_needs_a_run_on_a_benchmark(pictures: Path, tmp_path: Path) -> None:
    found = icvos("render", pictures, "--explain", "0/0", "--out", tmp_path / "out", status=2)
    assert "give the benchmark, and the run by --predictions" in found.output


def test_weights_that_were_replaced_are_named(pictures: Path, tmp_path: Path) -> None:
    ran = run("telling", pictures, tmp_path / "run", "--fold", 0, "--limit", 1, "--set", "checkpoint=best.pth")
    record = ran / "fold0" / "run.json"
    content = json.loads(record.read_text())
    content["weights"][0]["sha256"] = "cd" * 32
    record.write_text(json.dumps(content))
    found = icvos("render", pictures, "--predictions", ran, "--out", tmp_path / "out", "--explain", "0/0", status=2)
    assert "made with best.pth of sha256 cdcdcdcd..., and that is another file now" in found.output


def test_masks_without_a_record_cannot_be_explained(built: Path, tmp_path: Path) -> None:
    clip = Benchmark.open(built).clips[0]
    for frame in clip.video.frames:
        write_binary(tmp_path / "masks" / clip.id / f"{frame}.png", np.zeros(clip.video.size, dtype=bool))
    arguments = ("--predictions", tmp_path / "masks", "--explain", clip.id, "--out", tmp_path / "out")
    assert "does not say by which method" in icvos("render", built, *arguments, status=2).output
