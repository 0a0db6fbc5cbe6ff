"""The YouTube-VOS reader: names of objects from its meta file, and what is said where that is missing or wrong."""

import json
from pathlib import Path

import pytest

from curation.sources import youtube_vos
from icvos.errors import IcvosError
from tests.curation.sources.source_folders import write_mose, write_youtube_vos

PENGUIN = {"category": "penguin", "frames": ["00000", "00005"]}


def test_the_meta_file_names_the_objects(tmp_path: Path) -> None:
    root = write_youtube_vos(tmp_path / "YouTube-VOS-2019", {"0a1b2c3d4e": {1: "dog", 12: "penguin"}, "ffffffffff": {}})
    for given in (root, tmp_path):
        found = youtube_vos.read(given)
        assert (found.source, found.version, found.splits) == ("youtube-vos", "2019", ("train",))
        assert found.categories == {"0a1b2c3d4e": {1: "dog", 12: "penguin"}}
        assert [path.stem for path in found.videos[0].frames] == ["00000", "00005", "00010"]
        assert found.warnings == ()


def test_without_a_meta_file_its_place_is_named(tmp_path: Path) -> None:
    root = write_youtube_vos(tmp_path, {"0a1b2c3d4e": {1: "dog"}})
    (root / "train" / "meta.json").unlink()
    with pytest.raises(IcvosError, match=r"train/meta\.json: no such file, and only it names the categories"):
        youtube_vos.read(root)


def test_what_the_meta_file_and_the_disk_do_not_share_is_said(tmp_path: Path) -> None:
    root = write_youtube_vos(tmp_path, {"0a1b2c3d4e": {1: "dog"}})
    path = root / "train" / "meta.json"
    value = json.loads(path.read_text())
    value["videos"]["ffffffffff"] = {"objects": {"1": PENGUIN}}
    value["videos"]["0a1b2c3d4e"]["objects"]["1"]["frames"] = ["00025", "00020"]
    path.write_text(json.dumps(value))
    found = youtube_vos.read(root)
    assert found.warnings == (
        f"{path}: in the meta file but not on disk: ffffffffff; on disk but not in the meta file: none",
        f"{root / 'train/JPEGImages/0a1b2c3d4e'}: no frame 20, where the meta file has object 1 start",
    )
    assert list(found.categories) == ["0a1b2c3d4e"]


def test_another_data_set_is_named(tmp_path: Path) -> None:
    write_mose(tmp_path)
    with pytest.raises(IcvosError, match="looks like MOSE, not YouTube-VOS; pass it to --mose"):
        youtube_vos.read(tmp_path)
