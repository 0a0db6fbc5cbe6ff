"""Pictures of source videos."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from curation.sources import sheet
from curation.sources.datasets import read_datasets
from curation.sources.sheet import sheets, video_images
from curation.sources.video import SourceDataset
from icvos.drawing.overlays import render_frames
from icvos.errors import IcvosError
from icvos.files.images import read_image
from icvos.tasks.task import Drawing
from tests.curation.sources.source_folders import write_davis, write_mose


@pytest.fixture
def datasets(tmp_path: Path) -> list[SourceDataset]:
    davis, mose = write_davis(tmp_path / "davis", ("cat", "dog")), write_mose(tmp_path / "mose")
    return read_datasets(davis=davis, mose=mose)


@pytest.mark.parametrize(
    ("videos", "names"),
    [
        ((), ["davis_cat", "davis_dog", "mose_0a43a414"]),
        (("0a43a414", "cat"), ["davis_cat", "mose_0a43a414"]),
    ],
)
def test_every_chosen_video_is_a_sheet(datasets: list[SourceDataset], videos: Sequence[str], names: list[str]) -> None:
    found = list(sheets(datasets, Drawing(kind="sheet"), videos))
    assert [one.name for one in found] == names
    assert {(one.kind, one.rows) for one in found} == {("sheet", False)}
    assert next(sheets(datasets)).kind == "gif"


def test_an_image_is_the_frame_with_its_objects(datasets: list[SourceDataset]) -> None:
    video = datasets[0].video("dog")
    images = list(video_images(video, every=2, height_px=60))
    assert len(images) == 2
    for image, path, ids in zip(images, video.frames[::2], list(video.iter_ids())[::2], strict=True):
        (expected,) = render_frames([(path.stem, read_image(path))], truth=lambda _, ids=ids: ids, height_px=60)
        assert image.dtype == np.uint8
        assert np.array_equal(image, expected)
    (found,) = sheets(datasets, Drawing(every=3, height_px=60), ["dog"])
    assert len(list(found.images)) == 1


def test_images_are_drawn_when_they_are_asked_for(
    datasets: list[SourceDataset], monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []
    monkeypatch.setattr(sheet, "read_image", lambda path: read.append(path) or read_image(path))
    images = next(sheets(datasets)).images
    assert read == []
    next(images)
    assert len(read) == 1


def test_a_video_that_is_not_there_is_named(datasets: list[SourceDataset]) -> None:
    with pytest.raises(IcvosError, match="no source video cow, hen; there are 3, like cat"):
        sheets(datasets, videos=["hen", "cat", "cow"])
    with pytest.raises(IcvosError, match="no source video cow; no data set is given"):
        sheets([], videos=["cow"])
