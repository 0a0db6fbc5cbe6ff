import contextlib
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from icvos.errors import IcvosError
from icvos.protocol import NATIVE, PAPER
from icvos.tasks.archive import ArchiveError
from icvos.tasks.image.benchmark import ImageBenchmark
from icvos.tasks.video.benchmark import Benchmark
from leaderboard.store import Board
from leaderboard.submission import SubmissionError, submit
from tests.icvos.tasks.image.test_score import write_run
from tests.icvos.tasks.image.tiny_episodes import write_images

Make = Callable[..., dict[str, Any]]

FRAMES = 4


@dataclass(frozen=True)
class FakeFault:
    kind: str
    where: str
    what: str
    severity: str


@pytest.fixture
def benchmark(tmp_path: Path) -> Benchmark:
    """Two videos of a square that moves, in the published layout."""
    for video, category in (("dog", 17), ("cows", 20)):
        _write_masks(tmp_path / "benchmark" / video / "Annotations" / str(category), 0)
        frames = tmp_path / "benchmark" / video / "JPEGImages"
        frames.mkdir()
        for number in range(FRAMES):
            Image.new("RGB", (48, 32)).save(frames / f"{number:05d}.jpg")
    return Benchmark.open(tmp_path / "benchmark")


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


def fake_modules(
    monkeypatch: pytest.MonkeyPatch, faults: list[FakeFault], scores: Callable[[], dict[str, Any]]
) -> list[str]:
    """Stand-ins for checking and scoring; returns the list in which they write what was called."""
    calls: list[str] = []

    def check(_benchmark: Any, folder: Path, _protocol: Any, clips: Any = None) -> list[FakeFault]:  # noqa: ARG001
        calls.append(f"check {folder.name}")
        return faults

    def score(_benchmark: Any, path: Path, _protocol: Any, **_options: Any) -> SimpleNamespace:
        calls.append(f"score {path.name}")
        return SimpleNamespace(to_json=scores)

    @contextlib.contextmanager
    def submission_folder(path: Path, _videos: set[str]) -> Iterator[Path]:
        yield path

    archive = SimpleNamespace(
        ArchiveError=ArchiveError, relocate=lambda fault, *_: fault, submission_folder=submission_folder
    )
    monkeypatch.setitem(sys.modules, "icvos.tasks.archive", archive)  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "icvos.tasks.video.check", SimpleNamespace(check=check))  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "icvos.tasks.video.score", SimpleNamespace(score=score))  # type: ignore[arg-type]
    return calls


def test_all_is_checked_before_anything_is_scored(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, benchmark: Benchmark, scores: Make
) -> None:
    warning = FakeFault("palette", "dog/17/00000.png", "is 0/255", "warning")
    calls = fake_modules(monkeypatch, [warning], scores)
    report = submit(benchmark, tmp_path / "run", PAPER, board=tmp_path / "board", name="mine", revision="3", notes="n")
    assert calls == ["check run", "score run"]
    assert report.warnings == (warning,)
    (entry,) = Board.open(tmp_path / "board").entries
    assert entry.path == report.path
    assert (entry.name, entry.revision, entry.notes, entry.declared_clips) == ("mine", "3", "n", 2)


def test_a_fault_stops_the_submission_and_all_are_given(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, benchmark: Benchmark, scores: Make
) -> None:
    faults = [
        FakeFault("missing", "dog/17/00001.png", "is missing", "error"),
        FakeFault("palette", "dog/17/00000.png", "is 0/255", "warning"),
        FakeFault("size", "cows/20/00000.png", "is 3 x 3", "error"),
    ]
    calls = fake_modules(monkeypatch, faults, scores)
    with pytest.raises(SubmissionError, match="2 faults, nothing was scored") as caught:
        submit(benchmark, tmp_path / "run", PAPER, board=tmp_path / "board", name="mine")
    assert list(caught.value.faults) == faults
    assert calls == ["check run"]
    assert not (tmp_path / "board").exists()


def test_a_bad_name_is_refused_before_the_work(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, benchmark: Benchmark, scores: Make
) -> None:
    calls = fake_modules(monkeypatch, [], scores)
    with pytest.raises(IcvosError, match="the name is empty"):
        submit(benchmark, tmp_path / "run", PAPER, board=tmp_path / "board", name="")
    assert calls == []


@pytest.mark.parametrize("protocol", [PAPER, NATIVE])
def test_a_folder_of_masks_becomes_a_result(
    tmp_path: Path, benchmark: Benchmark, predictions: Path, protocol: Any
) -> None:
    board = Board.open(tmp_path / "board")
    report = submit(benchmark, predictions, protocol, board=board, name="shifted")
    overall = report.scores["overall"]
    if protocol is NATIVE:
        assert overall["j"] == pytest.approx(18 / 22)  # 20 pixels wide, 2 beside: 18 of 22 columns are common
    assert 0.7 < overall["j"] < 0.9
    (entry,) = board.entries
    assert (entry.name, entry.protocol, entry.clips, entry.benchmark_clips) == ("shifted", protocol.id, 2, 2)
    assert submit(benchmark, predictions, protocol, board=board, name="shifted").path == report.path


def test_a_broken_folder_is_listed_whole_and_not_stored(
    tmp_path: Path, benchmark: Benchmark, predictions: Path
) -> None:
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
        "import sys, leaderboard.store, leaderboard.tables.build, leaderboard.site.build, leaderboard.submission;"
        "print([name for name in ('torch', 'rich', 'jinja2', 'pandas', 'numpy', 'cv2') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


@pytest.fixture
def images(tmp_path: Path) -> tuple[ImageBenchmark, Path]:
    """A tiny image benchmark, and a whole run on it."""
    benchmark = write_images(tmp_path / "images")
    return benchmark, write_run(benchmark, tmp_path / "image-run", method="shift")


def test_image_runs_are_checked_scored_and_stored(tmp_path: Path, images: tuple[ImageBenchmark, Path]) -> None:
    benchmark, run = images
    report = submit(benchmark, run, PAPER, board=tmp_path / "board", name="shift")
    assert report.warnings == ()
    (entry,) = Board.open(tmp_path / "board").entries
    assert (entry.benchmark, entry.shots, entry.digest, entry.task) == ("tiny", 1, benchmark.digest, "image")
    assert submit(benchmark, run, PAPER, board=tmp_path / "board", name="shift").path == report.path
    archive = Path(shutil.make_archive(str(tmp_path / "packed"), "zip", tmp_path, "image-run"))
    zipped = submit(benchmark, archive, NATIVE, board=tmp_path / "board", name="shift")
    assert len(Board.open(tmp_path / "board").entries) == 2
    assert zipped.scores["overall"]["folds"] == 2


def test_image_runs_with_faults_are_refused_whole(tmp_path: Path, images: tuple[ImageBenchmark, Path]) -> None:
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
