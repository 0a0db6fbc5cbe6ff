"""The MOSE reader: both layouts, splits, versions, meta files."""

import json
from pathlib import Path

import pytest

from curation.sources import davis, mose
from curation.sources.coco import Coco
from curation.sources.video import ReadOptions
from icvos.errors import IcvosError
from tests.curation.sources.source_folders import (
    ONE,
    ids_of,
    write_coco,
    write_davis,
    write_lvos,
    write_mose,
    write_text,
    write_video,
)

VIDEOS = ["0a43a414", "fc4c1c67"]


def names(dataset: mose.SourceDataset) -> list[str]:
    return [video.name for video in dataset.videos]


def move_split_below(root: Path, split: str) -> None:
    """From ``<split>/JPEGImages`` to ``JPEGImages/<split>``."""
    for part in ("JPEGImages", "Annotations"):
        (root / part).mkdir(exist_ok=True)
        (root / split / part).rename(root / part / split)
    (root / split).rmdir()


@pytest.mark.parametrize("split_below", [False, True])
def test_both_layouts_are_read_from_root_and_parent(tmp_path: Path, split_below: bool) -> None:
    root = write_mose(tmp_path / "MOSE", VIDEOS[::-1])
    if split_below:
        move_split_below(root, "train")
    for given in (root, tmp_path):
        found = mose.read(given)
        assert (found.source, found.root, found.version, found.splits) == ("mose", root, "v1", ("train",))
        assert names(found) == VIDEOS
        assert found.videos[0].object_ids() == (1,)
        assert found.warnings == ()


def test_both_layouts_at_once_are_named(tmp_path: Path) -> None:
    write_mose(tmp_path)
    move_split_below(tmp_path, "train")
    write_mose(tmp_path)
    message = "/train/JPEGImages and .*/JPEGImages/train: two candidates for split train"
    with pytest.raises(IcvosError, match=message):
        mose.read(tmp_path)


def test_it_is_found_beside_other_data_sets(tmp_path: Path) -> None:
    write_lvos(tmp_path / "LVOS")
    write_davis(tmp_path / "DAVIS")
    write_coco(tmp_path / "COCO")
    root = write_mose(tmp_path / "MOSE")
    assert mose.read(tmp_path).root == root


def test_it_may_share_a_folder_with_other_data_sets(tmp_path: Path) -> None:
    write_mose(tmp_path)
    write_davis(tmp_path)
    write_coco(tmp_path)
    assert names(mose.read(tmp_path)) == ["0a43a414"]
    assert [video.name for video in davis.read(tmp_path).videos] == ["dog"]
    assert Coco.open(tmp_path).split == "val2017"


def test_two_copies_are_named(tmp_path: Path) -> None:
    write_mose(tmp_path / "MOSE")
    write_mose(tmp_path / "MOSEv2")
    with pytest.raises(IcvosError, match=r"/MOSE and .*/MOSEv2: two copies of MOSE; give one of them to --mose"):
        mose.read(tmp_path)


def test_only_train_is_read_unless_asked(tmp_path: Path) -> None:
    write_mose(tmp_path)
    write_video(tmp_path / "valid/JPEGImages/11111111", tmp_path / "valid/Annotations/11111111", [ONE, None, None])
    assert names(mose.read(tmp_path)) == ["0a43a414"]
    with pytest.raises(IcvosError, match=r"11111111: no mask for frame 00001\.jpg"):
        mose.read(tmp_path, splits=["valid"])
    found = mose.read(tmp_path, splits=["val", "train"], options=ReadOptions(missing_masks="skip"))
    assert (found.splits, names(found)) == (("valid", "train"), ["0a43a414", "11111111"])
    assert len(found.video("11111111").frames) == 1


def test_a_root_without_public_masks_says_so(tmp_path: Path) -> None:
    write_mose(tmp_path, split="valid")
    with pytest.raises(IcvosError, match="no train split of MOSE, only valid, where not all frames have public masks"):
        mose.read(tmp_path)
    with pytest.raises(IcvosError, match="no split test; there is valid"):
        mose.read(tmp_path, splits=["test"])


def test_a_split_folder_is_sent_to_its_parent(tmp_path: Path) -> None:
    root = write_mose(tmp_path / "MOSE")
    with pytest.raises(IcvosError, match=f"one split of a data set; give its parent folder {root} to --mose"):
        mose.read(root / "train")


def test_one_video_in_two_splits_is_refused(tmp_path: Path) -> None:
    write_mose(tmp_path)
    write_mose(tmp_path, split="valid")
    with pytest.raises(
        IcvosError, match=r"/train/JPEGImages/0a43a414 and .*/valid/JPEGImages/0a43a414: one video in two"
    ):
        mose.read(tmp_path, splits=["train", "valid"])


def test_a_folder_of_one_frame_is_skipped(tmp_path: Path) -> None:
    write_mose(tmp_path)
    write_video(tmp_path / "train/JPEGImages/330ac20d", tmp_path / "train/Annotations/330ac20d", [ONE])
    found = mose.read(tmp_path)
    assert names(found) == ["0a43a414"]
    assert found.warnings == (f"{tmp_path / 'train/JPEGImages/330ac20d'}: left out: only one frame, so no video",)


def test_files_where_videos_are_and_videos_of_other_splits_are_known(tmp_path: Path) -> None:
    write_mose(tmp_path)
    write_mose(tmp_path, ["fc4c1c67"], split="valid")
    (tmp_path / "train/JPEGImages/330ac20d.zip").touch()
    (tmp_path / "train/Annotations/330ac20d").touch()
    found = mose.read(tmp_path)
    assert found.warnings == (
        f"{tmp_path / 'train/JPEGImages'}: 1 file where videos are, not read: 330ac20d.zip",
        f"{tmp_path / 'train/Annotations'}: 1 file where videos are, not read: 330ac20d",
    )
    assert found.elsewhere == {"fc4c1c67": "in split valid, which is not read"}


def test_masks_without_video_are_a_warning_and_no_masks_an_error(tmp_path: Path) -> None:
    write_mose(tmp_path, VIDEOS)
    (tmp_path / "train/JPEGImages/fc4c1c67").rename(tmp_path / "elsewhere")
    found = mose.read(tmp_path)
    assert names(found) == ["0a43a414"]
    masks = tmp_path / "train/Annotations"
    assert found.warnings == (f"{masks}: 1 folder of masks without frames, left out: fc4c1c67",)
    assert found.left_out == {"fc4c1c67": "masks without frames"}
    (tmp_path / "train/Annotations").rename(tmp_path / "masks")
    with pytest.raises(IcvosError, match="/train/Annotations: no such folder; fetch the annotations of split train"):
        mose.read(tmp_path)


def test_no_videos_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "train/JPEGImages").mkdir(parents=True)
    (tmp_path / "train/Annotations").mkdir()
    with pytest.raises(IcvosError, match="/train/JPEGImages: no video of two or more frames; fetch the frames of MOSE"):
        mose.read(tmp_path)


def test_objects_may_vanish_and_return(tmp_path: Path) -> None:
    empty = ids_of()
    write_video(tmp_path / "train/JPEGImages/0a43a414", tmp_path / "train/Annotations/0a43a414", [ONE, empty, ONE])
    assert [bool(ids.any()) for ids in mose.read(tmp_path).videos[0].iter_ids()] == [True, False, True]


@pytest.mark.parametrize("objects", [{"1": {}}, ["1"], [1]])
def test_v2_is_told_by_its_meta_file(tmp_path: Path, objects: object) -> None:
    root = write_mose(tmp_path / "MOSE")
    entry = {"length": 3, "height": 6, "width": 8, "objects": objects, "extra": True}
    write_text(root / "meta_train.json", json.dumps({"videos": {"0a43a414": entry}}))
    found = mose.read(tmp_path)
    assert (found.version, found.warnings) == ("v2", ())


def test_v2_is_told_by_the_number_of_videos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mose, "VIDEOS_IN_V1", 1)
    assert mose.read(write_mose(tmp_path, VIDEOS[:1])).version == "v1"
    assert mose.read(write_mose(tmp_path, VIDEOS)).version == "v2"


def test_meta_and_disk_are_compared(tmp_path: Path) -> None:
    write_mose(tmp_path, VIDEOS)
    meta = {"0a43a414": {"length": "4", "objects": ["1"]}, "22222222": {"objects": {}}}
    write_text(tmp_path / "meta_train.json", json.dumps({"videos": meta}))
    assert mose.read(tmp_path).warnings == (
        f"{tmp_path / 'meta_train.json'}: in the meta file but not on disk: 22222222; "
        "on disk but not in the meta file: fc4c1c67",
        f"{tmp_path / 'train/JPEGImages/0a43a414'}: 3 frames, but the meta file says 4",
    )
    write_text(tmp_path / "meta_train.json", '{"images": []}')
    with pytest.raises(IcvosError, match=r"meta_train\.json: expected"):
        mose.read(tmp_path)


def test_another_data_set_is_named(tmp_path: Path) -> None:
    write_davis(tmp_path / "a")
    write_lvos(tmp_path / "b")
    write_coco(tmp_path / "c")
    write_mose(tmp_path / "d", ["0a1b2c3d4e"])
    for folder, message in (
        ("a", "looks like DAVIS, not MOSE; pass it to --davis"),
        ("b", "looks like LVOS, not MOSE; pass it to --lvos"),
        ("c", "looks like COCO, not MOSE; pass it to --coco"),
        ("d", "looks like YouTube-VOS, not MOSE; pass it to --youtube-vos"),
        ("e", "no such folder; --mose takes the folder of MOSE"),
    ):
        with pytest.raises(IcvosError, match=f"/{folder}: {message}"):
            mose.read(tmp_path / folder)
