"""The LVOS reader: names of the middle split, versions, meta files, steps of five, late objects."""

import json
from pathlib import Path

import pytest

from curation.sources import lvos
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

STEMS = ["00000001", "00000006", "00000011"]


def names(dataset: lvos.SourceDataset) -> list[str]:
    return [video.name for video in dataset.videos]


def meta_of(*videos: str, start: object = 1) -> str:
    entry = {"objects": {"1": {"frame_range": {"start": start, "end": "16", "frame_nums": "3"}, "caption": "a dog"}}}
    return json.dumps({"videos": dict.fromkeys(videos, entry), "sets": []})


@pytest.mark.parametrize("middle", ["val", "valid", "eval"])
def test_train_and_the_middle_split_under_any_name_are_read(tmp_path: Path, middle: str) -> None:
    root = write_lvos(tmp_path / "LVOS_V2", ["7K7WVzGG"])
    write_lvos(root, ["d83wYdy0"], middle)
    write_lvos(root, ["abcdEFGH"], "test")
    for given in (root, tmp_path):
        found = lvos.read(given)
        assert (found.source, found.root, found.splits) == ("lvos", root, ("train", middle))
        assert names(found) == ["7K7WVzGG", "d83wYdy0"]
        assert found.warnings == ()
    for asked in ("val", "valid", "eval"):
        assert names(lvos.read(root, splits=[asked])) == ["d83wYdy0"]


def test_two_middle_splits_are_named(tmp_path: Path) -> None:
    write_lvos(tmp_path, ["7K7WVzGG"], "val")
    write_lvos(tmp_path, ["d83wYdy0"], "valid")
    with pytest.raises(IcvosError, match=r"/val/JPEGImages and .*/valid/JPEGImages: two candidates for split val"):
        lvos.read(tmp_path)


def test_two_copies_are_named(tmp_path: Path) -> None:
    write_lvos(tmp_path / "LVOS_V1")
    write_lvos(tmp_path / "LVOS_V2")
    with pytest.raises(IcvosError, match=r"/LVOS_V1 and .*/LVOS_V2: two copies of LVOS; give one of them to --lvos"):
        lvos.read(tmp_path)


def test_frames_go_up_by_five_and_keep_their_names(tmp_path: Path) -> None:
    video = lvos.read(write_lvos(tmp_path)).videos[0]
    assert [path.stem for path in video.frames] == STEMS
    assert [path.stem for path in video.masks if path] == STEMS


def test_case_matters_in_names(tmp_path: Path) -> None:
    found = lvos.read(write_lvos(tmp_path, ["7K7WVzGG", "7k7wvzgg"]))
    assert names(found) == ["7K7WVzGG", "7k7wvzgg"]
    with pytest.raises(IcvosError, match="no video 7K7WVZGG in train; did you mean 7K7WVzGG"):
        found.video("7K7WVZGG")


def test_objects_may_start_late(tmp_path: Path) -> None:
    late = [ids_of(), ids_of((2, slice(0, 2), slice(0, 2))), ONE]
    write_video(tmp_path / "val/JPEGImages/d83wYdy0", tmp_path / "val/Annotations/d83wYdy0", late, STEMS)
    video = lvos.read(tmp_path).videos[0]
    assert [int(ids.max()) for ids in video.iter_ids()] == [0, 2, 1]
    assert video.object_ids() == (1, 2)


def test_folders_beside_annotations_are_not_read(tmp_path: Path) -> None:
    write_lvos(tmp_path)
    for other in ("Annotations_convert", "Annotations_first_only"):
        write_video(
            tmp_path / "train/JPEGImages/7K7WVzGG", tmp_path / "train" / other / "7K7WVzGG", [ONE * 9] * 3, STEMS
        )
    assert lvos.read(tmp_path).videos[0].object_ids() == (1,)
    (tmp_path / "train/Annotations").rename(tmp_path / "masks")
    with pytest.raises(IcvosError, match="/train/Annotations: no such folder; fetch the annotations of split train"):
        lvos.read(tmp_path)


def test_a_missing_mask_is_an_error_unless_read_as_empty(tmp_path: Path) -> None:
    write_lvos(tmp_path)
    (tmp_path / "train/Annotations/7K7WVzGG/00000001.png").unlink()
    with pytest.raises(IcvosError, match=r"7K7WVzGG: no mask for frame 00000001\.jpg \(1 of 3 frames have none\)"):
        lvos.read(tmp_path)
    video = lvos.read(tmp_path, options=ReadOptions(missing_masks="empty")).videos[0]
    assert [int(ids.max()) for ids in video.iter_ids()] == [0, 1, 1]


@pytest.mark.parametrize(
    ("file", "version"),
    [
        ("train/train_meta_attribute.json", "v2"),
        ("val_meta_attribute.json", "v2"),
        ("train/train_expression_meta.json", "v1"),
        ("valid_expression_meta.json", "v1"),
        ("train/train_meta.json", ""),
    ],
)
def test_the_version_is_told_by_the_extra_files(tmp_path: Path, file: str, version: str) -> None:
    write_lvos(tmp_path / "data")
    write_text(tmp_path / "data" / file, meta_of("7K7WVzGG"))
    assert lvos.read(tmp_path / "data").version == version


@pytest.mark.parametrize(("folder", "version"), [("LVOS_V1", "v1"), ("lvosv2", "v2"), ("LVOS", "")])
def test_the_version_is_told_by_the_folder(tmp_path: Path, folder: str, version: str) -> None:
    write_lvos(tmp_path / folder)
    assert lvos.read(tmp_path).version == version


def test_the_version_is_told_by_the_number_of_videos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lvos, "VIDEOS_IN_V1", 1)
    write_lvos(tmp_path / "data", ["7K7WVzGG"])
    assert lvos.read(tmp_path / "data").version == ""
    write_lvos(tmp_path / "data", ["d83wYdy0"], "test")
    assert lvos.read(tmp_path / "data").version == "v2"


@pytest.mark.parametrize("middle", ["val", "valid", "eval"])
@pytest.mark.parametrize(
    "file",
    ["{0}/val_meta.json", "{0}/valid_meta.json", "eval_meta.json", "{0}_meta.json", "{0}/meta.json", "meta.json"],
)
def test_meta_files_are_found_under_every_name(tmp_path: Path, middle: str, file: str) -> None:
    write_lvos(tmp_path, ["7K7WVzGG", "d83wYdy0"], middle)
    path = tmp_path / file.format(middle)
    write_text(path, meta_of("7K7WVzGG", "AAAAbbbb"))
    assert lvos.read(tmp_path).warnings == (
        f"{path}: in the meta file but not on disk: AAAAbbbb; on disk but not in the meta file: d83wYdy0",
    )


def test_a_meta_file_of_all_splits_accuses_none_of_them(tmp_path: Path) -> None:
    write_lvos(tmp_path, ["7K7WVzGG"])
    write_lvos(tmp_path, ["d83wYdy0"], "val")
    write_text(tmp_path / "meta.json", meta_of("7K7WVzGG", "d83wYdy0"))
    assert lvos.read(tmp_path).warnings == ()


def test_a_start_without_frame_is_a_warning_and_the_end_a_hint(tmp_path: Path) -> None:
    write_lvos(tmp_path)
    write_text(tmp_path / "train/train_meta.json", meta_of("7K7WVzGG", start="00000006"))
    assert lvos.read(tmp_path).warnings == ()
    write_text(tmp_path / "train/train_meta.json", meta_of("7K7WVzGG", start="1156"))
    assert lvos.read(tmp_path).warnings == (
        f"{tmp_path / 'train/JPEGImages/7K7WVzGG'}: no frame 1156, where the meta file has object 1 start",
    )


def test_a_meta_file_of_another_schema_is_refused(tmp_path: Path) -> None:
    write_lvos(tmp_path)
    write_text(tmp_path / "train/train_meta.json", '{"annotations": []}')
    with pytest.raises(IcvosError, match=r'train_meta\.json: expected \{"videos"'):
        lvos.read(tmp_path)


def test_another_data_set_is_named(tmp_path: Path) -> None:
    write_davis(tmp_path / "a")
    write_mose(tmp_path / "b")
    write_coco(tmp_path / "c")
    for folder, message in (
        ("a", "looks like DAVIS, not LVOS; pass it to --davis"),
        ("b", "looks like MOSE, not LVOS; pass it to --mose"),
        ("c", "looks like COCO, not LVOS; pass it to --coco"),
        ("d", "no such folder; --lvos takes the folder of LVOS"),
    ):
        with pytest.raises(IcvosError, match=f"/{folder}: {message}"):
            lvos.read(tmp_path / folder)
    write_text(tmp_path / "e" / "readme.txt", "nothing")
    with pytest.raises(IcvosError, match="/e: no LVOS data set; expected train/JPEGImages"):
        lvos.read(tmp_path / "e")
