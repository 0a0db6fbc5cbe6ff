"""A folder above or below the predictions is named with the right one; following the advice gives the same score."""

import re
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from icvos.errors import IcvosError
from icvos.files.archives.entries import ArchiveError
from icvos.files.masks import write_binary
from icvos.tasks.calls import score, validate
from icvos.tasks.video.benchmark import Benchmark
from icvos.tasks.wrapping import deeper, further_up
from tests.icvos.handmade import write_benchmark, write_predictions
from tests.icvos.tasks.image.tiny_episodes import write_images


@pytest.fixture(scope="module")
def handmade(tmp_path_factory: pytest.TempPathFactory) -> Benchmark:
    return write_benchmark(tmp_path_factory.mktemp("benchmark"))


def masks(run: Path) -> Path:
    return run / "masks"


def videos_in_annotations(run: Path) -> Path:
    return run / "Annotations/480p"


def draw(run: Path) -> Path:
    return run / "results/draw0"


def beside_a_readme(run: Path) -> Path:
    run.mkdir()
    (run / "README.md").write_text("our masks")
    (run / "code").mkdir()
    return run / "output" / "final masks"


def without_sources(run: Path) -> Path:
    return run / "masks"


@pytest.mark.parametrize("place", [masks, videos_in_annotations, draw, beside_a_readme, without_sources])
def test_one_folder_too_deep(handmade: Benchmark, tmp_path: Path, place: Callable[[Path], Path]) -> None:
    run = tmp_path / "given"
    inner = place(run)
    write_predictions(handmade, inner)
    if place is without_sources:
        (inner / "lvos_cats").rename(inner / "cats")
        (inner / "davis_dog").rename(inner / "dog")
    right = inner.parent if place is draw else inner
    (fault,) = validate(run, handmade.root)
    assert (fault.kind, fault.where, fault.severity) == ("layout", str(run), "error")
    assert fault.what == f"the predictions lie deeper, in {right}: give that folder instead"
    with pytest.raises(ArchiveError, match="give that folder instead"):
        score(run, handmade.root)
    if place is not without_sources:
        assert validate(right, handmade.root) == []
    with zipfile.ZipFile(tmp_path / "given.zip", "w") as archive:
        for path in run.rglob("*"):
            archive.write(path, path.relative_to(tmp_path))
    kinds = {fault.kind for fault in validate(tmp_path / "given.zip", handmade.root)}
    assert kinds == ({"misnamed-video"} if place is without_sources else set())


@pytest.mark.parametrize("part", ["davis_dog", "davis_dog/17", "lvos_cats/16"])
def test_one_folder_too_high(handmade: Benchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    run = write_predictions(handmade, tmp_path / "run")
    (fault,) = validate(run / part, handmade.root)
    assert (fault.kind, fault.what) == ("layout", f"is a part of the predictions in {run}: give that folder instead")
    assert validate(run, handmade.root) == []
    monkeypatch.chdir(run / part)
    (fault,) = validate(".", handmade.root)
    assert fault.what == f"is a part of the predictions in {run}: give that folder instead"


def test_several_runs(handmade: Benchmark, tmp_path: Path) -> None:
    for name in ("lite", "sam", "sam2", "vrp"):
        write_predictions(handmade, tmp_path / "runs" / name / "draw0")
    (fault,) = validate(tmp_path / "runs", handmade.root)
    assert fault.what == "holds several folders of predictions (lite, sam, sam2 ...): give one of them"
    with zipfile.ZipFile(tmp_path / "runs.zip", "w") as archive:
        for path in (tmp_path / "runs").rglob("*.png"):
            archive.write(path, path.relative_to(tmp_path))
    (fault,) = validate(tmp_path / "runs.zip", handmade.root)
    assert "pack one of them" in fault.what
    assert not re.search("icvos-|submission", fault.what)


def test_runs_on_images(tmp_path: Path) -> None:
    images = write_images(tmp_path / "images")
    fold = tmp_path / "results/run/fold0"
    fold.mkdir(parents=True)
    (fold / "run.json").write_text('{"shots": 1}')
    (fold / "episodes.jsonl").write_text("")
    for given, right in ((fold, fold.parent), (tmp_path / "results", fold.parent)):
        (fault,) = validate(given, images.root)
        assert fault.kind == "layout"
        assert f"in {right}: give that folder instead" in fault.what


@pytest.mark.parametrize("name", ["17", "dog", "traffic_light"])
def test_folders_of_classes_wrap_nothing(handmade: Benchmark, tmp_path: Path, name: str) -> None:
    write_predictions(handmade, tmp_path / "run" / name)
    assert deeper(tmp_path / "run", [video.name for video in handmade.videos]) == ()


def test_what_is_found_nowhere_is_said_once(handmade: Benchmark, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    assert further_up(tmp_path / "run", ["a"]) is None
    (fault,) = validate(tmp_path / "run", handmade.root)
    expected = "expected folders called davis_dog, lvos_cats, mose_dog, each with <class>/<frame>.png or <class>.json"
    assert fault.what == f"no predictions in it; {expected} in it"
    for name in ("x", "y", "z", "w"):
        (tmp_path / "run" / name).mkdir()
    (fault,) = validate(tmp_path / "run", handmade.root)
    assert fault.what == f"none of its 4 names (w, x, y ...) is a video of the benchmark; {expected} in it"
    shutil.rmtree(tmp_path / "run")
    (tmp_path / "run").mkdir()
    for clip in handmade.clips:
        (tmp_path / "run" / f"{clip.id}/00000.png".replace("/", "\\")).write_text("")
    (fault,) = validate(tmp_path / "run", handmade.root)
    assert fault.what.startswith("4 files have backslashes in their names (davis_dog\\17\\00000.png, ")
    assert "give the zip file itself" in fault.what


def test_runs_of_the_other_kind(handmade: Benchmark, tmp_path: Path) -> None:
    (tmp_path / "run/fold0").mkdir(parents=True)
    (tmp_path / "run/fold0/episodes.jsonl").write_text("")
    (fault,) = validate(tmp_path / "run", handmade.root)
    assert fault.what.startswith("is a run on images (fold0), and the benchmark is one of videos")
    with pytest.raises(IcvosError):
        score(tmp_path / "run", handmade.root)


@pytest.mark.parametrize(
    ("size", "what"),
    [
        ((40, 30), "height and width are swapped: turn or transpose the mask as it was turned, and do not resize it"),
        ((512, 512), "save masks at the video's own size, scoring brings them to the protocol's size itself"),
        ((60, 80), "resize the mask to the video's own size"),
    ],
)
def test_masks_of_another_size(handmade: Benchmark, tmp_path: Path, size: tuple[int, int], what: str) -> None:
    run = write_predictions(handmade, tmp_path / "run")
    for path in (run / "davis_dog/17").iterdir():
        write_binary(path, np.eye(*size, dtype=bool))
    found = validate(run, handmade.root)
    assert [fault.kind for fault in found] == ["size"] * 5
    assert {fault.what.partition("; ")[2] for fault in found} == {what}
