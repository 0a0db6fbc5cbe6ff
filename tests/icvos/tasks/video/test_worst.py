"""The worst clips of a run as a picture, drawn from the tiny small world."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from icvos.drawing.overlays import FALSE, MISSED
from icvos.files.images import read_image
from icvos.files.masks import read_binary, write_binary
from icvos.files.storage import write_json
from icvos.tasks.result import Named
from icvos.tasks.task import read_result
from icvos.tasks.video.benchmark import Benchmark
from icvos.tasks.video.result import VideoResult
from icvos.tasks.video.score import ClipScores
from icvos.tasks.video.worst import shown_frames, worst_frame, worst_rows
from tests.conftest import icvos


@pytest.fixture(scope="module")
def run(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two draws: the true masks, and masks that are shifted in draw 1, of the dog upwards by more than a half."""
    root, benchmark = tmp_path_factory.mktemp("worst") / "run", Benchmark.open(built)
    for draw in (0, 1):
        for clip in benchmark.clips:
            shift = draw * (-60 if clip.category.name == "dog" else -3)
            for frame in clip.video.frames:
                mask = np.roll(read_binary(clip.mask_path(frame)), shift, axis=0)
                write_binary(root / f"draw{draw}" / clip.id / f"{frame}.png", mask)
        write_json(root / f"draw{draw}" / "run.json", {"method": "shifted", "draw": draw})
    icvos("score", root, "--benchmark", built)
    return root


def wrong_pixels(picture: np.ndarray) -> int:
    """How many pixels are near the colours of what is missed and false."""
    return sum(int((np.abs(picture.astype(int) - colour).max(axis=2) < 90).sum()) for colour in (MISSED, FALSE))


def rows_of(built: Path, run: Path, count: int) -> list[np.ndarray]:
    result = read_result(run / "scores.json")
    assert isinstance(result, VideoResult)
    return list(worst_rows(Benchmark.open(built), result, Named("shifted", "", result), run, count, 96))


def test_the_worst_clips_are_listed_and_drawn_in_their_worst_draw(built: Path, run: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "worst.png"
    shown = icvos("report", run, "--benchmark", built, "--sheet", sheet, "--most", 3).stdout
    listed = shown[shown.index("worst clips, 3") :].splitlines()[4:7]
    assert [line.split()[1] for line in listed[:2]] == ["dog", "dog"]
    assert all("draw 1" in line for line in listed)
    figures = [float(line.split()[4]) for line in listed]
    assert figures == sorted(figures)
    assert shown.splitlines()[-1] == str(sheet)
    head, *rows = rows_of(built, run, 3)
    assert len(rows) == 3
    assert len({row.shape for row in (*rows,)}) == 1
    assert read_image(sheet).shape[1] > head.shape[1]
    shutil.copytree(run / "draw0", tmp_path / "truth")
    icvos("score", tmp_path / "truth", "--benchmark", built)
    wrong, right = (
        sum(wrong_pixels(row) for row in rows_of(built, folder, 9)[1:]) for folder in (run, tmp_path / "truth")
    )
    assert wrong > 1.5 * right  # of the pictures themselves


def test_a_picture_is_large_and_lies_in_the_middle_of_its_place(built: Path, run: Path) -> None:
    head, row = rows_of(built, run, 1)
    height, width = Benchmark.open(built).clips[0].video.size
    assert row.shape[1] <= head.shape[1] == 6 * (round(96 * max(1, width / height)) + 8) - 8
    assert (head[:, -40:] == 255).all()


def scores_of(j: list[float], f: list[float]) -> ClipScores:
    frames = tuple(f"{number:05d}" for number in range(len(j)))
    return ClipScores("v/1", frames, np.array(j), np.array(f), np.ones(len(j)), 0)


@pytest.mark.parametrize(
    ("j", "expected", "shown"),
    [
        ([0.5, 0.4, 0.3], 2, [0, 1, 2]),
        ([0.9] * 20 + [0.1], 20, [0, 5, 10, 15, 20]),
        ([0.1] + [0.9] * 20, 0, [0, 5, 10, 15, 20]),
        ([0.9, 0.1] + [0.9] * 19, 1, [0, 1, 10, 15, 20]),
        ([0.9] * 17 + [0.1] + [0.9] * 3, 17, [0, 5, 10, 17, 20]),
        ([0.3], 0, [0]),
    ],
)
def test_the_first_frame_and_the_worst_are_shown(j: list[float], expected: int, shown: list[int]) -> None:
    scores = scores_of(j, [0.5] * len(j))
    assert worst_frame(scores) == expected
    assert shown_frames(scores, 5) == shown


def test_of_frames_of_equal_j_that_of_the_lowest_f_is_worst() -> None:
    assert worst_frame(scores_of([0.0, 0.0, 0.0, 1.0], [0.4, 0.2, 0.2, 0.0])) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--sheet", "x.png"), "x.png: pictures of which frames? give the benchmark too, by --benchmark"),
        (("--benchmark", "BUILT"), "--benchmark is for the frames of --sheet; give that too, or leave it out"),
        (("--benchmark", "BUILT", "--sheet", "x.jpg"), "x.jpg: the sheet is a PNG; give it a name that ends in .png"),
        (("--benchmark", "BUILT", "--sheet", "x.png", "--most", "0"), "x.png: a sheet of no clip; ask for 1 or more"),
        (("--benchmark", "nowhere", "--sheet", "x.png"), "nowhere: no such folder"),
        (("--benchmark", "NO_FRAMES", "--sheet", "x.png"), "JPEGImages: no such folder; draw from a whole benchmark"),
        (("--benchmark", "NO_SUPPORTS", "--sheet", "x.png"), "supports"),
    ],
)
def test_what_cannot_be_drawn_is_one_line(
    built: Path, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    places = {"BUILT": built, "NO_FRAMES": tmp_path / "frameless", "NO_SUPPORTS": tmp_path / "supportless"}
    for name, ignored in (("NO_FRAMES", "JPEGImages"), ("NO_SUPPORTS", "supports")):
        if name in options:
            shutil.copytree(built, places[name], ignore=shutil.ignore_patterns(ignored))
    found = icvos("report", run, *(places.get(option, option) for option in options), status=2)
    assert message in found.stderr
    assert len(found.stderr.splitlines()) == 1
    assert not list(tmp_path.glob("x.*"))


def test_masks_that_are_gone_or_others_than_scored_are_named(built: Path, run: Path, tmp_path: Path) -> None:
    asked = ("--benchmark", built, "--sheet", tmp_path / "x.png")
    (tmp_path / "alone").mkdir()
    shutil.copy(run / "scores.json", tmp_path / "alone")
    said = icvos("report", tmp_path / "alone", *asked, status=2).stderr
    assert "has scores, but no masks of " in said
    assert "in draw 1; give the folder that has both" in said
    changed = tmp_path / "changed"
    shutil.copytree(run, changed)
    for path in (changed / "draw1").rglob("*.png"):
        write_binary(path, np.zeros_like(read_binary(path)))
    said = icvos("report", changed, *asked, status=2).stderr
    assert "not the masks that were scored; score the run again with icvos score" in said


def test_a_result_on_another_benchmark_is_not_drawn(built: Path, run: Path, tmp_path: Path) -> None:
    other = tmp_path / "scores.json"
    other.write_text((run / "scores.json").read_text().replace(str(Benchmark.open(built).digest), f"sha256:{'0' * 64}"))
    said = icvos("report", other, "--benchmark", built, "--sheet", tmp_path / "x.png", status=2).stderr
    assert "not scored on" in said
