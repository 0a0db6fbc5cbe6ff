"""Source data sets read together."""

from pathlib import Path

import pytest

from curation.sources.datasets import read_datasets
from icvos.errors import IcvosError
from tests.curation.notes import Notes
from tests.curation.sources.source_folders import ONE, write_davis, write_lvos, write_mask, write_mose


def test_what_is_given_is_read_in_one_order(tmp_path: Path) -> None:
    davis, mose, lvos = (write(tmp_path / write.__name__) for write in (write_davis, write_mose, write_lvos))
    found = read_datasets(lvos=str(lvos), mose=mose, davis=davis)
    assert [dataset.source for dataset in found] == ["davis", "mose", "lvos"]
    assert read_datasets() == []


def test_findings_are_noted(tmp_path: Path) -> None:
    root, watch = write_mose(tmp_path), Notes()
    write_mask(root / "train" / "Annotations" / "0a43a414" / "00099.png", ONE)
    read_datasets(mose=root, watch=watch)
    assert watch.notes == [f"{root / 'train/Annotations/0a43a414'}: 1 mask without a frame, not read: 00099.png"]


def test_options_reach_the_readers(tmp_path: Path) -> None:
    root = write_davis(tmp_path)
    (root / "Annotations" / "480p" / "dog" / "00001.png").unlink()
    with pytest.raises(IcvosError, match="no mask for frame"):
        read_datasets(davis=root)
    (dataset,) = read_datasets(davis=root, missing_masks="skip", resize=True, natural_sort=True)
    assert len(dataset.videos[0].frames) == 2
    assert dataset.videos[0].options.resize
    assert dataset.videos[0].options.natural_sort
    with pytest.raises(IcvosError, match="unknown DAVIS resolution"):
        read_datasets(davis=root, resolution="240p")
