import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from icvos.errors import Fault, IcvosError
from icvos.protocol import NATIVE, PAPER, Protocol
from icvos.tasks.image.benchmark import ImageBenchmark
from icvos.tasks.result import Result
from icvos.tasks.task import Watch
from icvos.tasks.video.benchmark import Benchmark
from leaderboard.store import Board
from leaderboard.submission import SubmissionError, submit
from tests.icvos.tasks.image.test_score import write_run
from tests.icvos.tasks.image.tiny_episodes import write_images

Results = Callable[..., Result]

FRAMES = 4


@dataclass(frozen=True)
class FakeTask:
    """A task that finds ``faults`` and scores ``result``, and writes down what was asked of it."""

    faults: list[Fault]
    result: Result
    calls: list[str] = field(default_factory=list)
    folders: frozenset[str] = frozenset({"dog"})
    part: str = "draw"
    clips: int = 2

    def check(self, folder: Path, protocol: Protocol, watch: Watch) -> list[Fault]:
        self.calls.append(f"check {folder.name} {protocol.id}")
        watch.advance()
        return self.faults

    def score(self, folder: Path, protocol: Protocol, watch: Watch, **given: Any) -> Result:
        self.calls.append(f"score {folder.name} {protocol.id} {given['workers']}")
        watch.advance()
        return self.result


@pytest.fixture
def run(tmp_path: Path) -> Path:
    (tmp_path / "run" / "draw0").mkdir(parents=True)
    return tmp_path / "run"


@pytest.fixture
def benchmark(tmp_path: Path) -> Path:
    """Two videos of a square that moves, in the published layout."""
    for video, category in (("dog", 17), ("cows", 20)):
        _write_masks(tmp_path / "benchmark" / video / "Annotations" / str(category), 0)
        frames = tmp_path / "benchmark" / video / "JPEGImages"
        frames.mkdir()
        for number in range(FRAMES):
            Image.new("RGB", (48, 32)).save(frames / f"{number:05d}.jpg")
    return tmp_path / "benchmark"


def _write_masks(folder: Path, shift: int, size: tuple[int, int] = (32, 48)) -> None:
    folder.mkdir(parents=True)
    for number in range(FRAMES):
        mask = np.zeros(size, np.uint8)
        mask[8:24, 4 + number + shift : 24 + number + shift] = 1
        Image.fromarray(mask).save(folder / f"{number:05d}.png")


@pytest.fixture
def predictions(tmp_path: Path) -> Path:
    """Masks that lie two pixels beside the true ones."""
    _write_masks(tmp_path / "predictions" / "dog" / "17", 2)
    _write_masks(tmp_path / "predictions" / "cows" / "20", 2)
    return tmp_path / "predictions"


def test_all_is_checked_before_anything_is_scored(tmp_path: Path, run: Path, result: Results) -> None:
    warning = Fault("palette", "dog/17/00000.png", "is 0/255", "warning")
    task: Any = FakeTask([warning], result())
    report = submit(task, run, PAPER, board=tmp_path / "board", name="mine", revision="3", notes="n", workers=2)
    assert task.calls == ["check run paper@1", "score run paper@1 2"]
    assert (report.warnings, report.result) == ((warning,), result())
    (entry,) = Board.open(tmp_path / "board").entries
    assert entry.path == report.path
    assert (entry.name, entry.revision, entry.notes, entry.declared_clips) == ("mine", "3", "n", 2)


def test_a_fault_stops_the_submission_and_all_are_given(tmp_path: Path, run: Path, result: Results) -> None:
    faults = [
        Fault("missing", "dog/17/00001.png", "is missing", "error"),
        Fault("palette", "dog/17/00000.png", "is 0/255", "warning"),
        Fault("size", "cows/20/00000.png", "is 3 x 3", "error"),
    ]
    task: Any = FakeTask(faults, result())
    with pytest.raises(SubmissionError, match="2 faults, nothing was scored") as caught:
        submit(task, run, PAPER, board=tmp_path / "board", name="mine")
    assert list(caught.value.faults) == faults
    assert task.calls == ["check run paper@1"]
    assert not (tmp_path / "board").exists()


def test_a_part_of_a_run_is_told_as_what_it_covers_and_how_to_finish_it(built: Path, tmp_path: Path) -> None:
    opened = Benchmark.open(built)
    for clip in opened.clips[:2]:
        shutil.copytree(clip.folder, tmp_path / "masks" / clip.id)
    covers = f"masks: covers 2 of {len(opened.clips)} clips, nothing was scored; "
    with pytest.raises(SubmissionError, match=f"{covers}predict the other clips, and submit again"):
        submit(built, tmp_path / "masks", PAPER, board=tmp_path / "board", name="mine")
    (tmp_path / "masks" / "run.json").write_text('{"method": "lite"}')
    with pytest.raises(SubmissionError, match=f"{covers}finish it: run its icvos eval again without --limit"):
        submit(built, tmp_path / "masks", PAPER, board=tmp_path / "board", name="mine")


def test_random_weights_in_any_part_are_refused_before_the_work(tmp_path: Path, run: Path, result: Results) -> None:
    task: Any = FakeTask([], result())
    (run / "draw0" / "run.json").write_text('{"weights": [{"name": "x", "sha256": null, "random": true}]}')
    with pytest.raises(IcvosError, match=f"{run}: made with random weights"):
        submit(task, run, PAPER, board=tmp_path / "board", name="mine")
    assert task.calls == ["check run paper@1"]


def test_a_bad_name_is_refused_before_the_work(tmp_path: Path, run: Path, result: Results) -> None:
    task: Any = FakeTask([], result())
    with pytest.raises(IcvosError, match="the name is empty"):
        submit(task, run, PAPER, board=tmp_path / "board", name="")
    with pytest.raises(IcvosError, match="the revision is empty"):
        submit(task, run, PAPER, board=tmp_path / "board", name="mine", revision=" ")
    assert task.calls == []


@pytest.mark.parametrize("protocol", [PAPER, NATIVE])
def test_a_folder_of_masks_becomes_a_result(tmp_path: Path, benchmark: Path, predictions: Path, protocol: Any) -> None:
    board = Board.open(tmp_path / "board")
    report = submit(benchmark, predictions, protocol, board=board, name="shifted")
    overall = report.result.to_json()["overall"]
    if protocol is NATIVE:
        assert overall["j"] == pytest.approx(18 / 22)  # 20 pixels wide, 2 beside: 18 of 22 columns are common
    assert 0.7 < overall["j"] < 0.9
    (entry,) = board.entries
    assert (entry.name, entry.result.protocol, entry.declared_clips, overall["clips"]) == (
        "shifted",
        protocol.id,
        2,
        2,
    )
    assert entry.result == report.result
    assert submit(benchmark, predictions, protocol, board=board, name="shifted").path == report.path


def test_a_broken_folder_is_listed_whole_and_not_stored(tmp_path: Path, benchmark: Path, predictions: Path) -> None:
    (predictions / "dog" / "17" / "00002.png").unlink()
    Image.new("L", (7, 5)).save(predictions / "cows" / "20" / "00001.png")
    with pytest.raises(SubmissionError) as caught:
        submit(benchmark, predictions, PAPER, board=tmp_path / "board", name="broken")
    text = "\n".join(f"{fault.where} {fault.what}" for fault in caught.value.faults if fault.severity == "error")
    assert "dog/17" in text
    assert "cows/20" in text
    assert not (tmp_path / "board").exists()


def test_importing_the_leaderboard_is_light() -> None:
    code = (
        "import sys, leaderboard.store, leaderboard.tables.build, leaderboard.submission, leaderboard.ranking;"
        "print([name for name in ('torch', 'rich', 'jinja2', 'pandas', 'numpy', 'cv2') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


@pytest.fixture
def images(tmp_path: Path) -> tuple[Path, Path]:
    """A tiny image benchmark, and a whole run on it."""
    benchmark = write_images(tmp_path / "images")
    return benchmark.root, write_run(benchmark, tmp_path / "image-run", method="shift")


def test_image_runs_are_checked_scored_and_stored(tmp_path: Path, images: tuple[Path, Path]) -> None:
    benchmark, run = images
    report = submit(benchmark, run, PAPER, board=tmp_path / "board", name="shift")
    assert report.warnings == ()
    (entry,) = Board.open(tmp_path / "board").entries
    result = entry.result
    digest = ImageBenchmark.open(benchmark).digest
    assert (result.kind, result.benchmark_name, result.shots, result.digest) == ("image", "tiny", 1, digest)
    assert entry.declared_clips is None
    assert submit(benchmark, run, PAPER, board=tmp_path / "board", name="shift").path == report.path
    archive = Path(shutil.make_archive(str(tmp_path / "packed"), "zip", tmp_path, "image-run"))
    zipped = submit(benchmark, archive, NATIVE, board=tmp_path / "board", name="shift")
    assert len(Board.open(tmp_path / "board").entries) == 2
    assert zipped.result.to_json()["overall"]["folds"] == 2


def test_image_runs_with_faults_are_refused_whole(tmp_path: Path, images: tuple[Path, Path]) -> None:
    benchmark, run = images
    lines = (run / "fold0" / "episodes.jsonl").read_bytes().splitlines(keepends=True)
    (run / "fold0" / "episodes.jsonl").write_bytes(b"".join(lines[1:]))
    with pytest.raises(SubmissionError, match="1 fault, nothing was scored") as caught:
        submit(benchmark, run, PAPER, board=tmp_path / "board", name="shift")
    assert [fault.kind for fault in caught.value.faults] == ["missing-episode"]
    shutil.rmtree(run / "fold0")
    report = submit(benchmark, run, PAPER, board=tmp_path / "board", name="shift")  # a whole fold is a partial result
    assert [(fault.kind, fault.severity) for fault in report.warnings] == [("missing-fold", "warning")]
    (run / "fold1" / "run.json").write_text('{"shots": 1, "random_weights": true}')
    with pytest.raises(IcvosError, match="made with random weights"):
        submit(benchmark, run, NATIVE, board=tmp_path / "board", name="shift")
