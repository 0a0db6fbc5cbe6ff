"""Pictures of source videos."""

from pathlib import Path

import numpy as np
import pytest

from curation.sources import sheet
from curation.sources.datasets import read_datasets
from curation.sources.sheet import source_sheets, video_images
from icvos.drawing.overlays import render_frames
from icvos.errors import IcvosError
from icvos.files.images import read_image
from icvos.tasks.result import Selection
from icvos.tasks.task import Drawing
from tests.conftest import icvos
from tests.curation.notes import Notes
from tests.curation.sources.source_folders import ONE, write_davis, write_mask, write_mose


@pytest.fixture
def sources(tmp_path: Path) -> dict[str, Path]:
    return {"davis": write_davis(tmp_path / "davis", ("cat", "dog")), "mose": write_mose(tmp_path / "mose")}


@pytest.mark.parametrize(
    ("selection", "names"),
    [
        (None, ["davis_cat", "davis_dog", "mose_0a43a414"]),
        (Selection(videos=("0a43a414", "cat")), ["davis_cat", "mose_0a43a414"]),
        (Selection(limit=2), ["davis_cat", "davis_dog"]),
    ],
)
def test_every_chosen_video_is_a_sheet(sources: dict[str, Path], selection: Selection | None, names: list[str]) -> None:
    found = list(source_sheets(selection, Drawing(kind="sheet"), **sources))
    assert [one.name for one in found] == names
    assert {(one.kind, one.rows) for one in found} == {("sheet", False)}
    assert next(source_sheets(**sources)).kind == "gif"


def test_an_image_is_the_frame_with_its_objects(sources: dict[str, Path]) -> None:
    video = read_datasets(**sources)[0].video("dog")
    images = list(video_images(video, every=2, height_px=60))
    assert len(images) == 2
    for image, path, ids in zip(images, video.frames[::2], list(video.iter_ids())[::2], strict=True):
        (expected,) = render_frames([(path.stem, read_image(path))], truth=lambda _, ids=ids: ids, height_px=60)
        assert image.dtype == np.uint8
        assert np.array_equal(image, expected)
    (found,) = source_sheets(Selection(("dog",)), Drawing(every=3, height_px=60), **sources)
    assert len(list(found.images)) == 1


def test_images_are_drawn_when_they_are_asked_for(sources: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Path] = []
    monkeypatch.setattr(sheet, "read_image", lambda path: read.append(path) or read_image(path))
    images = next(source_sheets(**sources)).images
    assert read == []
    next(images)
    assert len(read) == 1


@pytest.mark.parametrize(
    ("selection", "message"),
    [
        (Selection(("hen", "cat", "cow")), "no source video cow, hen; there are 3, like cat"),
        (Selection(clips=("cat/1",)), "source videos have no clips or categories; choose them with --videos"),
        (Selection(categories=("dog",)), "source videos have no clips or categories; choose them with --videos"),
    ],
)
def test_what_is_not_there_is_said(sources: dict[str, Path], selection: Selection, message: str) -> None:
    with pytest.raises(IcvosError, match=message):
        source_sheets(selection, **sources)


def test_a_source_must_be_given() -> None:
    with pytest.raises(IcvosError, match="nothing to render: give a benchmark, or source data sets by --davis"):
        source_sheets()


def test_findings_are_noted(sources: dict[str, Path]) -> None:
    write_mask(sources["mose"] / "train" / "Annotations" / "0a43a414" / "00099.png", ONE)
    watch = Notes()
    source_sheets(watch=watch, **sources)
    assert len(watch.notes) == 1


def test_the_command_writes_a_file_for_each_video(sources: dict[str, Path], tmp_path: Path) -> None:
    arguments = ["--davis", sources["davis"], "--videos", "dog", "--kind", "sheet", "--out", tmp_path / "out"]
    assert icvos("render", *arguments).output.endswith(": 1 file\n")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["davis_dog.png"]
