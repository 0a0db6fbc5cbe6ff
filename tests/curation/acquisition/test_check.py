"""`icvos data check`: which data set a folder is, and what it lacks of its release."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from icvos.tasks.video.benchmark import Benchmark
from tests.conftest import World, icvos
from tests.curation.acquisition.small_catalogue import write_catalogue
from tests.curation.image.few_shot_folders import WHOLE, write_few_shot_coco, write_sbd, write_voc
from tests.curation.sources.source_folders import (
    write_davis,
    write_lvos,
    write_mose,
    write_youtube_vos,
)
from tests.curation.video.test_recover import publish

BY_HAND = {"by_hand": "somewhere"}
OBJECTS = {1: [(17, WHOLE)], 2: [(16, WHOLE)]}
PICTURES = {"a": [(1, WHOLE)], "b": [(2, WHOLE)], "c": [(3, WHOLE)]}


def davis(root: Path) -> Path:
    return write_davis(root / "DAVIS", ["dog", "cat"])


def coco(root: Path) -> Path:
    return write_few_shot_coco(root / "COCO", OBJECTS, "val2017")


def voc(root: Path) -> Path:
    return write_voc(root / "VOCdevkit" / "VOC2012", PICTURES, {"train": ["a", "b"], "val": ["c"]})


def sbd(root: Path) -> Path:
    found = write_sbd(root / "benchmark_RELEASE", PICTURES, ["a", "b"])
    (found / "dataset" / "val.txt").write_text("c\n")
    return found


def catalogue(tmp_path: Path) -> Path:
    """Whole data sets of the sizes that are written here."""
    entries: dict[str, dict[str, Any]] = {
        "davis": {"title": "DAVIS 2017", "reader": "davis", "version": "2017", "videos": 2, "frames": 6},
        "mose": {"reader": "mose", "version": "v1", "videos": 2},
        "lvos": {"reader": "lvos", "version": "v2", "videos": 1},
        "youtube": {"reader": "youtube-vos", "videos": 1},
        "coco": {"reader": "coco", "version": "val2017", "images": 2},
    }
    return write_catalogue(tmp_path / "own.toml", **{name: {**BY_HAND, **entry} for name, entry in entries.items()})


def check(tmp_path: Path, place: Path, status: int = 0) -> str:
    arguments = ("data", "check", place, "--catalogue", catalogue(tmp_path))
    return str(icvos(*arguments, status=status).output)


def remove_mask(root: Path) -> None:
    (root / "Annotations" / "480p" / "dog" / "00001.png").unlink()


def remove_video(root: Path) -> None:
    shutil.rmtree(root / "JPEGImages" / "480p" / "cat")


def remove_image(root: Path) -> None:
    (root / "val2017" / "000000000002.jpg").unlink()


def remove_images(root: Path) -> None:
    shutil.rmtree(root / "val2017")


def shorten_json(root: Path) -> None:
    path = root / "annotations" / "instances_val2017.json"
    value = json.loads(path.read_text())
    kept = [one for one in value["images"] if one["id"] == 1]
    notes = [one for one in value["annotations"] if one["image_id"] == 1]
    path.write_text(json.dumps({**value, "images": kept, "annotations": notes}))


def cut_json(root: Path) -> None:
    path = root / "annotations" / "instances_val2017.json"
    path.write_bytes(path.read_bytes()[:-20])


def remove_voc_mask(root: Path) -> None:
    (root / "SegmentationClass" / "b.png").unlink()


def remove_sbd_mask(root: Path) -> None:
    (root / "dataset" / "cls" / "c.mat").unlink()


@pytest.mark.parametrize(
    ("write", "title", "has"),
    [
        (davis, "DAVIS 2017", "2 videos, 6 frames (val)"),
        (lambda root: write_mose(root / "MOSE", ["0a43a414", "fc4c1c67"]), "MOSE v1", "2 videos"),
        (lambda root: write_lvos(root / "LVOS_V2", ["7K7WVzGG"]), "LVOS v2", "1 video"),
        (lambda root: write_youtube_vos(root / "YT", {"0a1b2c3d4e": {1: "dog"}}), "YouTube-VOS", "1 video"),
        (coco, "COCO", "val2017: 2 images with annotations"),
        (voc, "PASCAL VOC", "train: 2 pictures with masks"),
        (sbd, "SBD", "3 masks"),
    ],
    ids=["davis", "mose", "lvos", "youtube-vos", "coco", "voc", "sbd"],
)
def test_a_whole_data_set_is_known_from_its_folder_and_from_above(
    tmp_path: Path, write: Callable[[Path], Path], title: str, has: str
) -> None:
    place = write(tmp_path / "data")
    for given in (place, tmp_path / "data"):
        found = check(tmp_path, given)
        assert f"{title}: {place}\n" in found
        assert f"  has: {has}" in found
        assert "MISSING" not in found


@pytest.mark.parametrize(
    ("write", "harm", "said"),
    [
        (davis, remove_mask, "masks of 1 of 6 frames, as of"),
        (davis, remove_video, "1 of 2 videos of DAVIS 2017"),
        (coco, remove_image, "1 image of instances_val2017.json, not there: 000000000002.jpg"),
        (coco, remove_images, "no folder of images"),
        (coco, shorten_json, "1 of its 2 images, which its annotations leave out"),
        (coco, cut_json, "instances_val2017.json: cannot be read"),
        (voc, remove_voc_mask, "1 picture of train without a mask: b"),
        (sbd, remove_sbd_mask, "val: masks of 1 picture: c"),
    ],
)
def test_what_is_missing_is_said_and_the_status_is_1(
    tmp_path: Path, write: Callable[[Path], Path], harm: Callable[[Path], None], said: str
) -> None:
    place = write(tmp_path / "data")
    harm(place)
    found = check(tmp_path, tmp_path / "data", status=1)
    [line] = [line for line in found.splitlines() if said in line]
    assert line.startswith("  MISSING: ")


def test_several_data_sets_below_one_folder_and_their_json(tmp_path: Path) -> None:
    for write in (davis, coco, voc):
        write(tmp_path / "data")
    remove_mask(tmp_path / "data" / "DAVIS")
    path = tmp_path / "found.json"
    arguments = ("data", "check", tmp_path / "data", "--catalogue", catalogue(tmp_path), "--json", path)
    icvos(*arguments, status=1)
    found = {one["reader"]: one for one in json.loads(path.read_text())}
    assert {reader: bool(one["missing"]) for reader, one in found.items()} == {
        "coco": False,
        "davis": True,
        "voc": False,
    }
    assert found["coco"]["place"] == str(tmp_path / "data" / "COCO")


def test_a_subset_lacks_what_the_release_has(tmp_path: Path) -> None:
    davis(tmp_path / "data")
    found = icvos("data", "check", tmp_path / "data", status=1).output  # by the catalogue of icvos
    assert "MISSING: 88 of 90 videos of DAVIS 2017" in found
    assert "MISSING: 6,202 of 6,208 frames of DAVIS 2017" in found


def test_drawn_data_sets_lack_nothing(world: World) -> None:
    found = icvos("data", "check", world.root).output
    assert found.count("its videos are drawn, by icvos smallworld") == 3
    assert "its pictures are drawn, by icvos smallworld" in found
    assert f"whole: icvos build --coco {world.root / 'coco'}" in found


def test_the_release_and_a_built_benchmark_are_told_apart(benchmark: Benchmark, built: Path, tmp_path: Path) -> None:
    publish(benchmark, tmp_path / "release")
    found = icvos("data", "check", tmp_path / "release", status=1).output
    assert f"IC-VOS, the published release: {tmp_path / 'release'}" in found
    assert f"MISSING: {369 - len(benchmark.videos)} of 369 videos" in found
    assert f"icvos build --check --out {built}" in icvos("data", "check", built).output


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.mkdir(), lambda path: path.write_text("x")])
def test_other_folders_are_refused_in_one_line(tmp_path: Path, make: Callable[[Path], object]) -> None:
    make(tmp_path / "other")
    refusal = icvos("data", "check", tmp_path / "other", status=2).stderr
    assert str(tmp_path / "other") in refusal
    assert len(refusal.splitlines()) == 1
