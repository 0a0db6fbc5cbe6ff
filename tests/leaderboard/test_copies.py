"""Copies of the truth are never ranked, wherever they come from, and the mark stays with the result."""

import csv
import io
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from icvos.files.masks import read_binary, write_binary
from icvos.files.rle import encode_rle
from icvos.files.storage import write_json
from icvos.tasks.image.benchmark import ImageBenchmark
from icvos.tasks.result import equal_to_truth
from icvos.tasks.task import parse_result
from icvos.tasks.video.benchmark import Benchmark
from tests import Json
from tests.conftest import icvos
from tests.icvos.handmade import write_benchmark
from tests.icvos.tasks.image.test_score import write_run
from tests.icvos.tasks.image.tiny_episodes import write_images

PARTLY = pytest.mark.parametrize(("every", "copied"), [(0, True), (30, True), (12, True), (8, False), (2, False)])


@pytest.fixture(scope="module")
def handmade(tmp_path_factory: pytest.TempPathFactory) -> Benchmark:
    return write_benchmark(tmp_path_factory.mktemp("benchmark"))


def write_copies(benchmark: Benchmark, folder: Path, how: str = "masks", every: int = 0) -> Path:
    """The truth as predictions, with another mask in the place of every so many."""
    written = 0
    for clip in benchmark.clips:
        rles = {}
        for frame in clip.video.frames:
            mask, path = read_binary(clip.mask_path(frame)), folder / clip.id / f"{frame}.png"
            written += 1
            if every and written % every == 0:
                mask = np.roll(mask, 1, axis=0)
            path.parent.mkdir(parents=True, exist_ok=True)
            if how == "files" and not every:
                shutil.copy(clip.mask_path(frame), path)
            elif how == "links" and not every:
                os.link(clip.mask_path(frame), path)
            else:
                write_binary(path, mask)
            rles[frame] = {**encode_rle(mask)}
        if how == "rle":
            shutil.rmtree(folder / clip.id)
            write_json(folder / f"{clip.id}.json", rles)
    return folder


def rows(site: Path, name: str = "leaderboard.csv") -> list[tuple[str, str, str]]:
    """Kind, rank and notes of every measured row."""
    found = csv.DictReader(io.StringIO((site / name).read_text()))
    return [
        (row["kind"], row["rank"], row["notes"])
        for row in found
        if row["group"] == "overall" and row["kind"] != "reported"
    ]


@pytest.mark.parametrize("protocol", ["paper@1", "native@1"])
@pytest.mark.parametrize("how", ["masks", "files", "links", "rle"])
def test_copies_are_marked_and_not_ranked(handmade: Benchmark, tmp_path: Path, how: str, protocol: str) -> None:
    run, site = write_copies(handmade, tmp_path / "run", how), tmp_path / "site"
    given = ("--benchmark", handmade.root, "--protocol", protocol)
    icvos("score", run, *given)
    archive = shutil.make_archive(str(tmp_path / "packed"), "zip", run)
    for number, place in enumerate((run, archive)):
        icvos("submit", place, *given, "--name", f"mine {number}", "--board", tmp_path / "board")
    for place in (run, tmp_path / "board"):
        icvos("leaderboard", place, "--out", site)
        for kind, rank, notes in rows(site):
            assert (kind, rank) == ("equal to the truth", "")
            assert notes.startswith("equal to the truth in 100 % of the masks")
        for name in ("index.html", "leaderboard.md", "leaderboard.tex"):
            text = (site / name).read_text()
            assert "Equal to the truth: not ranked" in text
            assert "Best measured" not in text
    assert "equal to the truth in 100 %" in icvos("report", run, "--protocol", protocol).stdout.replace("\n", " ")


@PARTLY
def test_over_ninety_per_cent_of_the_masks_make_a_copy(
    handmade: Benchmark, tmp_path: Path, every: int, copied: bool
) -> None:
    run = write_copies(handmade, tmp_path / "run", every=every)
    icvos("score", run, "--benchmark", handmade.root, "--protocol", "native@1")
    icvos("leaderboard", run, "--out", tmp_path / "site")
    ((kind, rank, _),) = rows(tmp_path / "site")
    assert (kind, rank) == (("equal to the truth", "") if copied else ("ranked", "1"))


def test_one_copied_draw_is_enough(handmade: Benchmark, tmp_path: Path) -> None:
    write_copies(handmade, tmp_path / "run" / "draw0", every=1)
    write_copies(handmade, tmp_path / "run" / "draw1")
    icvos("score", tmp_path / "run", "--benchmark", handmade.root)
    icvos("leaderboard", tmp_path / "run", "--out", tmp_path / "site")
    assert rows(tmp_path / "site")[0][0] == "equal to the truth"


def test_frames_without_the_category_are_no_copies(built: Path, tmp_path: Path) -> None:
    """Nothing predicted where nothing is may be most of a video, and is no copy."""
    benchmark = Benchmark.open(built)
    for clip in benchmark.clips:
        for frame in clip.video.frames:
            write_binary(tmp_path / "run" / clip.id / f"{frame}.png", np.zeros(clip.video.size, dtype=bool))
    shown = icvos("score", tmp_path / "run", "--benchmark", built).stdout
    assert "equal" not in shown
    icvos("leaderboard", tmp_path / "run", "--out", tmp_path / "site")
    assert rows(tmp_path / "site")[0][0] == "ranked"


def test_older_results_are_taken_for_copies_where_no_pixel_is_wrong() -> None:
    clip: Json = {"j": 1.0, "f": 1.0, "jf": 1.0, "frames": 7}
    overall: Json = {"j": 1.0, "f": 1.0, "jf": 1.0, "clips": 1, "videos": 1, "frames": 7}
    value = {"format": 1, "protocol": "paper@1", "digest": None, "overall": overall, "clips": {"dog/17": clip}}
    assert equal_to_truth(parse_result(value, "old"))
    almost = {**clip, "j": 0.99, "jf": 0.995}
    overall = {**overall, "j": 0.99, "jf": 0.995}
    assert not equal_to_truth(parse_result({**value, "overall": overall, "clips": {"dog/17": almost}}, "old"))


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> ImageBenchmark:
    return write_images(tmp_path_factory.mktemp("images") / "tiny")


@pytest.mark.parametrize(("every", "copied"), [(0, True), (20, True), (10, False), (2, False)])
def test_copies_on_images(images: ImageBenchmark, tmp_path: Path, every: int, copied: bool) -> None:
    counter = iter(range(1, 1000))

    def mask(episode: object) -> np.ndarray:
        truth = episode.query.mask(episode.kind)  # type: ignore[attr-defined]
        wrong = every and next(counter) % every == 0
        return np.roll(truth, 3, axis=0) if wrong else truth

    run = write_run(images, tmp_path / "run", mask)
    icvos("score", run, "--benchmark", images.root, "--protocol", "native@1")
    icvos("submit", run, "--benchmark", images.root, "--protocol", "native@1", "--name", "x", "--board", tmp_path / "b")
    for place in (run, tmp_path / "b"):
        icvos("leaderboard", place, "--out", tmp_path / "site")
        ((kind, rank, _),) = rows(tmp_path / "site", "leaderboard-images.csv")
        assert (kind, rank) == (("equal to the truth", "") if copied else ("ranked", "1"))
