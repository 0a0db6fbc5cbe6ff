"""Submissions scored as Codabench does it: folders laid out, the program started, its files read, no network."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from icvos.files.masks import write_binary
from icvos.files.storage import write_json
from icvos.tasks.calls import score
from icvos.tasks.video.benchmark import Benchmark
from leaderboard.codabench.bundle import codabench
from leaderboard.codabench.scoring import main
from tests import ROOT
from tests.icvos.handmade import write_benchmark, write_predictions
from tests.icvos.tasks.image.test_score import write_run
from tests.icvos.tasks.image.tiny_episodes import write_images
from tests.leaderboard.codabench.test_bundle import write_wheels

ALONE = ("unshare", "--map-root-user", "--net")  # a process without any network, where the system lets us make one


def without_network() -> tuple[str, ...]:
    return ALONE if shutil.which("unshare") and subprocess.call([*ALONE, "true"], stderr=-3) == 0 else ()


@dataclass(frozen=True)
class Scored:
    """What a run of the scoring program left."""

    status: int
    stdout: str
    stderr: str
    out: Path

    @property
    def scores(self) -> Any:
        return json.loads((self.out / "scores.json").read_text())

    @property
    def page(self) -> str:
        return (self.out / "detailed_results.html").read_text()


def lay_out(bundle: Path, submission: Path, app: Path) -> None:
    """What Codabench's worker puts into /app."""
    for name, place in (("scoring_program.zip", "program"), ("reference_data.zip", "input/ref")):
        with zipfile.ZipFile(bundle) as archive, archive.open(name) as file, zipfile.ZipFile(file) as inner:
            inner.extractall(app / place)
    shutil.copytree(submission, app / "input" / "res")
    (app / "input" / "res" / "metadata").write_text("elapsedTime: null\n")
    (app / "output").mkdir()


def run_program(bundle: Path, submission: Path, app: Path) -> Scored:
    """Run the command of metadata.yaml in ``app`` in the place of /app."""
    lay_out(bundle, submission, app)
    words = (app / "program" / "metadata.yaml").read_text().removeprefix("command: ").split()
    command = [word.replace("/app/", f"{app}/") for word in words]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    done = subprocess.run(
        [*without_network(), sys.executable, *command[1:]],
        cwd=app / "program",
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return Scored(done.returncode, done.stdout, done.stderr, app / "output")


@pytest.fixture(scope="module")
def handmade(tmp_path_factory: pytest.TempPathFactory) -> Benchmark:
    return write_benchmark(tmp_path_factory.mktemp("benchmark"))


@pytest.fixture(scope="module")
def run(handmade: Benchmark, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    for draw in (0, 1):
        write_predictions(handmade, folder / f"draw{draw}", draw)
        write_json(folder / f"draw{draw}" / "run.json", {"method": "<b>mine</b>", "draw": draw, "shots": 1})
    return folder


@pytest.fixture(scope="module")
def bundle(handmade: Benchmark, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return codabench(handmade.root, tmp_path_factory.mktemp("bundle") / "bundle.zip", image="ours")


def run_here(bundle: Path, submission: Path, app: Path, capsys: pytest.CaptureFixture[str]) -> Scored:
    """The same in this process alone, which is faster."""
    lay_out(bundle, submission, app)
    capsys.readouterr()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("leaderboard.codabench.scoring.MAX_WORKERS", 1)
        status = main([str(app / "input"), str(app / "output"), "paper@1"])
    return Scored(status, *capsys.readouterr(), app / "output")


def test_scores_are_those_of_icvos_score(bundle: Path, handmade: Benchmark, run: Path, tmp_path: Path) -> None:
    (tmp_path / "packed").mkdir()
    (tmp_path / "packed" / "my run").symlink_to(run)  # a folder around everything, as zip programs make it
    found = run_program(bundle, tmp_path / "packed", tmp_path / "app")
    assert (found.status, found.stderr) == (0, "")
    expected = score(run, handmade.root)
    assert json.loads((found.out / "icvos-scores.json").read_text()) == expected.to_json()
    overall = expected.to_json()["overall"]
    assert found.scores["jf"] == pytest.approx(100 * overall["jf"], abs=1e-8)
    assert found.scores["j"] == pytest.approx(100 * overall["j"], abs=1e-8)
    assert (found.scores["clips"], found.scores["draws"]) == (len(handmade.clips), 2)
    assert f"J&F {100 * overall['jf']:.2f}" in found.stdout
    assert f"<td>{100 * overall['jf']:.2f}</td>" in found.page
    assert not {"ref", "Annotations"} & set((found.stdout + found.page).replace("/", " ").split())


@pytest.mark.slow  # compiles anew what was just installed
def test_wheels_are_installed_without_a_network(handmade: Benchmark, run: Path, tmp_path: Path) -> None:
    """icvos comes from its wheel; the wheels of what it depends on are empty here, and Python's own packages serve."""
    bundle = codabench(handmade.root, tmp_path / "bundle.zip", wheels=write_wheels(tmp_path / "wheels"))
    found = run_program(bundle, run, tmp_path / "app")
    assert (found.status, found.stderr) == (0, "")
    assert found.scores["jf"] == pytest.approx(100 * score(run, handmade.root).to_json()["overall"]["jf"], abs=1e-8)
    (tmp_path / "app" / "program" / "settings.json").write_text('{"protocol": "paper@1", "python": "3.1"}')
    program = [sys.executable, tmp_path / "app" / "program" / "scoring.py"]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "the wheels are for Python 3.1, and this image has" in done.stderr
    assert "tell the organisers" in done.stderr


def test_episodes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    benchmark = write_images(tmp_path / "tiny")
    run = write_run(benchmark, tmp_path / "run")
    found = run_here(codabench(benchmark.root, tmp_path / "b.zip", image="a"), run, tmp_path / "app", capsys)
    assert (found.status, found.stderr) == (0, "")
    overall = score(run, benchmark.root).to_json()["overall"]
    assert found.scores["miou"] == pytest.approx(100 * overall["miou"], abs=1e-8)
    assert found.scores["fb_iou"] == pytest.approx(100 * overall["fb_iou"], abs=1e-8)
    assert found.scores.keys() >= {"fold_0", "fold_1", "shots"}
    assert "metadata" not in found.stdout + found.page


def test_what_codabench_writes_is_no_fault(
    bundle: Path, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = run_here(bundle, run, tmp_path / "app", capsys)
    assert (found.status, found.stderr) == (0, "")
    assert "warning" not in found.stdout
    assert "odd" not in found.page


def no_frame(folder: Path) -> None:
    (folder / "draw0" / "davis_dog" / "17" / "00002.png").unlink()


def small(folder: Path) -> None:
    write_binary(folder / "draw1" / "davis_dog" / "17" / "00001.png", np.ones((3, 4), dtype=bool))


def nothing(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


def markup(folder: Path) -> None:
    (folder / "draw0" / "<script>alert(1)").mkdir()
    no_frame(folder)


def random(folder: Path) -> None:
    write_json(folder / "draw0" / "run.json", {"method": "mine", "draw": 0, "random_weights": True})
    write_json(folder / "draw1" / "run.json", {"method": "mine", "draw": 1, "random_weights": True})


def told_the_truth(folder: Path) -> None:
    for draw in (0, 1):
        write_json(folder / f"draw{draw}" / "run.json", {"method": "mine", "draw": draw, "sees_truth": True})


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (no_frame, "error: submission/draw0/davis_dog/17/00002.png: no such frame among the predictions; predict it"),
        (small, "error: submission/draw1/davis_dog/17/00001.png: mask of 4x3 pixels, the video is 40x30"),
        (nothing, "error: "),
        (markup, "submission/draw0/<script>alert(1): "),
        (random, "made with random weights"),
        (told_the_truth, "Upper bound: sees true masks, not ranked"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_bad_submissions_fail_and_say_why(
    spoil: Callable[[Path], None],
    told: str,
    bundle: Path,
    run: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shutil.copytree(run, tmp_path / "spoilt")
    spoil(tmp_path / "spoilt")
    found = run_here(bundle, tmp_path / "spoilt", tmp_path / "app", capsys)
    assert found.status == 1
    assert told in found.stderr
    assert str(tmp_path) not in found.stdout + found.stderr + found.page
    assert [path.name for path in found.out.iterdir()] == ["detailed_results.html"]
    assert "<script>" not in found.page


def test_copies_of_the_truth_fail(
    bundle: Path, handmade: Benchmark, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for clip in handmade.clips:
        shutil.copytree(clip.folder, tmp_path / "masks" / clip.id)
    found = run_here(bundle, tmp_path / "masks", tmp_path / "app", capsys)
    assert found.status == 1
    assert "submission: Equal to the truth: not ranked" in found.stderr
    assert not (found.out / "scores.json").exists()
