"""The COCO reader: splits, file names, outlines of every form, class masks by both rules, and other schemas."""

import contextlib
import io
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from curation.sources.coco import Coco
from icvos.categories import category
from icvos.errors import IcvosError
from icvos.files.images import read_image
from icvos.files.rle import compress_rle, decode_rle, encode_rle
from tests import Json
from tests.curation.sources.source_folders import (
    ONE,
    SIZE,
    ids_of,
    write_coco,
    write_davis,
    write_frame,
    write_mose,
    write_text,
    write_video,
)

PERSON, DOG = 1, 17  # class indices
SAMPLES = os.environ.get("ICVOS_SAMPLES")
needs_samples = pytest.mark.skipif(SAMPLES is None, reason="ICVOS_SAMPLES does not name a folder of sample data")
LEFT = ids_of((1, slice(1, 5), slice(0, 5))).astype(bool)
RIGHT = ids_of((1, slice(2, 6), slice(3, 8))).astype(bool)


def run_lengths(mask: np.ndarray) -> list[int]:
    """COCO's uncompressed counts: runs of 0 and 1 in turn, down the columns, beginning with 0."""
    counts, value, length = [], False, 0
    for pixel in mask.ravel(order="F").tolist():
        if pixel != value:
            counts.append(length)
            value, length = pixel, 0
        length += 1
    return [*counts, length]


def instance(mask: np.ndarray, category_id: int = 18, image: int = 1, **more: Any) -> Json:
    """An annotation whose outline is the uncompressed RLE of ``mask``."""
    rle = {"counts": run_lengths(mask), "size": list(mask.shape)}
    return {"image_id": image, "category_id": category_id, "segmentation": rle, "iscrowd": 0, **more}


# Where the files are


def test_root_and_parent_are_accepted(tmp_path: Path) -> None:
    root = write_coco(tmp_path / "COCO")
    write_davis(tmp_path / "DAVIS")
    for given in (root, tmp_path, str(root)):
        coco = Coco.open(given)
        assert (coco.split, coco.annotation_file) == ("val2017", root / "annotations/instances_val2017.json")
        assert [image.file for image in coco.images_of(DOG)] == [root / "val2017/000000000001.jpg"]
        assert coco.warnings == ()


def test_validation_is_preferred_to_training(tmp_path: Path) -> None:
    write_coco(tmp_path, split="train2014")
    assert Coco.open(tmp_path).split == "train2014"
    write_coco(tmp_path, split="val2014")
    assert Coco.open(tmp_path).split == "val2014"
    assert Coco.open(tmp_path, split="train2014").split == "train2014"


def test_two_candidates_are_named(tmp_path: Path) -> None:
    for split in ("train2014", "train2017"):
        write_coco(tmp_path, split=split)
    message = r"instances_train2014\.json and .*instances_train2017\.json: annotations of two splits; choose"
    with pytest.raises(IcvosError, match=message):
        Coco.open(tmp_path)
    for split in ("val2014", "val2017"):
        write_coco(tmp_path, split=split)
    with pytest.raises(IcvosError, match=r"instances_val2014\.json and .*instances_val2017\.json: annotations of two"):
        Coco.open(tmp_path)
    assert Coco.open(tmp_path, split="val2014").split == "val2014"
    with pytest.raises(
        IcvosError, match=r"instances_test2017\.json: no such file; there is train2014, train2017, val2014"
    ):
        Coco.open(tmp_path, split="test2017")


@pytest.mark.parametrize("split", ["val2014", "val2017", "train2014", "train2017"])
@pytest.mark.parametrize("prefix", ["", "COCO_val2014_", "COCO_train2014_"])
@pytest.mark.parametrize("named", ["as on disk", "plain", "with its folder"])
def test_images_are_found_under_the_names_of_either_year(tmp_path: Path, split: str, prefix: str, named: str) -> None:
    write_coco(tmp_path, split=split, prefix=prefix)
    path = tmp_path / "annotations" / f"instances_{split}.json"
    name = {"as on disk": f"{prefix}000000000001.jpg", "plain": "000000000001.jpg"}.get(named, f"{split}/{prefix}1.jpg")
    value = json.loads(path.read_text())
    value["images"][0]["file_name"] = name
    path.write_text(json.dumps(value))
    assert Coco.open(tmp_path).images[1].file == tmp_path / split / f"{prefix}000000000001.jpg"


def test_images_may_lie_in_a_folder_of_images(tmp_path: Path) -> None:
    write_coco(tmp_path)
    (tmp_path / "images").mkdir()
    (tmp_path / "val2017").rename(tmp_path / "images/val2017")
    assert Coco.open(tmp_path).images[1].file.parent == tmp_path / "images/val2017"
    write_frame(tmp_path / "val2017/000000000001.jpg")
    with pytest.raises(IcvosError, match=r"/val2017 and .*/images/val2017: two folders of the images of val2017"):
        Coco.open(tmp_path)


def test_missing_images_are_a_warning_and_none_at_all_an_error(tmp_path: Path) -> None:
    write_coco(tmp_path, images=(1, 2, 3))
    (tmp_path / "val2017/000000000002.jpg").unlink()
    coco = Coco.open(tmp_path)
    assert list(coco.images) == [1, 3]
    assert coco.warnings == (
        f"{tmp_path / 'val2017'}: left out: 1 image of instances_val2017.json, not there: 000000000002.jpg",
    )
    for path in (tmp_path / "val2017").iterdir():
        path.unlink()
    with pytest.raises(IcvosError, match=r"/val2017: none of the images that instances_val2017\.json names"):
        Coco.open(tmp_path)
    (tmp_path / "val2017").rmdir()
    with pytest.raises(IcvosError, match="/val2017: no such folder; fetch the images of COCO val2017"):
        Coco.open(tmp_path)


# Images and classes


def test_images_of_a_class_are_in_order_of_id(tmp_path: Path) -> None:
    annotations = [instance(LEFT, image=30), instance(LEFT, image=4), instance(RIGHT, image=30), instance(LEFT, 1, 7)]
    coco = Coco.open(write_coco(tmp_path, annotations, images=(30, 7, 4)))
    assert [image.id for image in coco.images_of(DOG)] == [4, 30]
    assert [image.id for image in coco.images_of(PERSON)] == [7]
    assert coco.images_of(80) == ()
    with pytest.raises(IcvosError, match="class 81 does not exist"):
        coco.images_of(81)


def test_an_image_may_have_no_annotation(tmp_path: Path) -> None:
    coco = Coco.open(write_coco(tmp_path, [instance(LEFT)], images=(1, 2)))
    assert coco.class_area(coco.images[2], DOG) == 0
    assert not coco.class_mask(coco.images[2], DOG).any()


def test_annotations_of_unknown_images_are_a_warning(tmp_path: Path) -> None:
    coco = Coco.open(write_coco(tmp_path, [instance(LEFT), instance(LEFT, image=9)]))
    path = tmp_path / "annotations/instances_val2017.json"
    assert coco.warnings == (f"{path}: left out: 1 annotation of images that it does not list: number 2",)


def test_grey_images_are_read_as_colour(tmp_path: Path) -> None:
    write_coco(tmp_path)
    Image.fromarray(ids_of((200, slice(0, 3), slice(0, 3)))).save(tmp_path / "val2017/000000000001.jpg")
    coco = Coco.open(tmp_path)
    assert coco.class_mask(coco.images[1], DOG).shape == SIZE
    assert read_image(coco.images[1].file).shape == (*SIZE, 3)


# Outlines


def test_every_form_of_outline_is_read(tmp_path: Path) -> None:
    corners = [[0, 1, 5, 1, 5, 5, 0, 5]]  # x, y: the rectangle LEFT
    forms = [corners, {"counts": run_lengths(LEFT), "size": list(SIZE)}, encode_rle(LEFT)]
    annotations = [
        {"image_id": number, "category_id": 18, "segmentation": form} for number, form in enumerate(forms, start=1)
    ]
    coco = Coco.open(write_coco(tmp_path, annotations, images=(1, 2, 3)))
    for image in coco.images_of(DOG):
        assert np.array_equal(coco.class_mask(image, DOG), LEFT)
        assert coco.class_area(image, DOG) == LEFT.sum()


def test_an_instance_may_have_several_polygons_and_degenerate_ones(tmp_path: Path) -> None:
    parts = [[0, 0, 2, 0, 2, 2, 0, 2], [1, 1, 2, 2], [4, 3, 6, 3, 6, 5, 4, 5]]
    coco = Coco.open(write_coco(tmp_path, [{"id": 7, "image_id": 1, "category_id": 18, "segmentation": parts}]))
    expected = ids_of((1, slice(0, 2), slice(0, 2)), (1, slice(3, 5), slice(4, 6)))
    assert np.array_equal(coco.class_mask(coco.images[1], DOG), expected.astype(bool))
    assert coco.class_area(coco.images[1], DOG) == 8
    assert coco.warnings == (
        f"{coco.annotation_file}: left out: 1 polygon of fewer than three points, which enclose nothing: 7",
    )


def test_a_list_of_rles_is_their_union(tmp_path: Path) -> None:
    parts = [encode_rle(LEFT), {"counts": run_lengths(RIGHT), "size": list(SIZE)}]
    for number, form in enumerate(([parts[0]], parts)):
        annotation = {"image_id": 1, "category_id": 18, "segmentation": form}
        coco = Coco.open(write_coco(tmp_path / str(number), [annotation]))
        assert np.array_equal(coco.class_mask(coco.images[1], DOG), LEFT | RIGHT if number else LEFT)


@pytest.mark.parametrize(
    "segmentation",
    [
        {"counts": [10, 10], "size": [6, 8]},
        {"counts": [-10, 58], "size": [6, 8]},
        {"counts": [48], "size": [8, 6]},
        {"counts": "", "size": [6, 8]},
        {"counts": "abc", "size": [6, 8]},
        {"counts": "ä", "size": [6, 8]},
        {"counts": "00000", "size": [6, 8]},
        {"counts": "ooooooooooooo0", "size": [6, 8]},
        [{"counts": [8, 40], "size": [6, 8]}, {"counts": [48], "size": [8, 6]}],
        [[0, 0, 1e9, 0, 1e9, 1e9]],
        [[0, 0, float("nan"), 0, 3, 3]],
    ],
)
def test_a_damaged_outline_is_refused(tmp_path: Path, segmentation: Any) -> None:
    annotation = {"id": 77, "image_id": 1, "category_id": 18, "segmentation": segmentation}
    coco = Coco.open(write_coco(tmp_path, [annotation]))
    message = (
        r"instances_val2017\.json: annotation 77: its segmentation is neither polygons nor RLE of image 1, 8x6 pixels"
    )
    with pytest.raises(IcvosError, match=message):
        coco.class_area(coco.images[1], DOG)
    with pytest.raises(IcvosError, match=message):
        coco.class_mask(coco.images[1], DOG)


@pytest.mark.parametrize(
    ("segmentation", "found"),
    [
        (None, "null"),
        ("polygon", '"polygon"'),
        (7, "7"),
        ([3, 4], r"\[3, 4\]"),
        ([1, 1, 5, 1, 5, 4], r"\[1, 1, 5, 1, 5, 4\]"),
        ([[1, 1, 4, 3]], "a box of four numbers"),
        ([[1, 1], [5, 1], [5, 4]], "points, of which no polygon has three"),
        ([[]], "points, of which no polygon has three"),
        ([[1, 1, 5, 1, 5, 4, 3]], "a polygon of 7 numbers, which are no pairs"),
        ([["a", "b"]], r'\[\["a", "b"\]\]'),
        ([["1", "1", "5", "1", "5", "4"]], r'\[\["1", "1"'),
        ([[1, 1, 5, None, 5, 4]], r"\[\[1, 1, 5, null"),
        ([[1, 1, 5, True, 5, 4]], r"\[\[1, 1, 5, true"),
        ([[[1, 1], [5, 1], [5, 4]]], r"\[\[\[1, 1\]"),
        ([{"x": 1, "y": 1}, {"x": 5, "y": 1}], r"an RLE whose size is null, not \[height, width\]"),
        ([[1, 1, 5, 1, 5, 4], {"counts": [48], "size": [6, 8]}], r"\[\["),
        ({"size": [6, 8]}, "an RLE whose counts are null"),
        ({"counts": [10.0, 38.0], "size": [6, 8]}, r"an RLE whose counts are \[10.0, 38.0\], neither text nor whole"),
        ({"counts": [10.5, 37.5], "size": [6, 8]}, r"an RLE whose counts are \[10.5, 37.5\]"),
        ({"counts": [True, 47], "size": [6, 8]}, "an RLE whose counts are"),
        ({"counts": [48], "size": [6.0, 8.0]}, r"an RLE whose size is \[6.0, 8.0\]"),
        ({"counts": [48], "size": 48}, "an RLE whose size is 48"),
    ],
)
def test_an_outline_of_another_form_is_refused_by_the_id_of_its_annotation(
    tmp_path: Path, segmentation: Any, found: str
) -> None:
    good = {"id": 5, "image_id": 1, "category_id": 18, "segmentation": [[1, 1, 5, 1, 5, 4]]}
    write_coco(tmp_path, [good, {**good, "id": 77, "segmentation": segmentation}])
    with pytest.raises(
        IcvosError, match=rf"instances_val2017\.json: annotation 77: segmentation is {found}.*; write polyg"
    ):
        Coco.open(tmp_path)


def test_an_annotation_with_an_empty_outline_is_counted(tmp_path: Path) -> None:
    good = {"id": 5, "image_id": 1, "category_id": 18, "segmentation": [[1, 1, 5, 1, 5, 4]]}
    coco = Coco.open(write_coco(tmp_path, [good, {**good, "id": 77, "segmentation": []}]))
    assert coco.warnings == (f"{coco.annotation_file}: left out: 1 annotation with an empty segmentation: 77",)


# Entries


@pytest.mark.parametrize("value", [0, 0.0, "0", "0.0", False, "false"])
def test_zero_in_any_spelling_is_no_crowd(tmp_path: Path, value: object) -> None:
    coco = Coco.open(write_coco(tmp_path, [instance(LEFT, iscrowd=value)]))
    assert coco.class_area(coco.images[1], DOG) == 20
    assert coco.left_out == ()


@pytest.mark.parametrize("value", [1, 1.0, "1", "1.0", True, "True"])
def test_crowds_in_any_spelling_are_counted(tmp_path: Path, value: object) -> None:
    coco = Coco.open(write_coco(tmp_path, [instance(LEFT), instance(RIGHT, id=9, iscrowd=value)]))
    assert coco.class_area(coco.images[1], DOG) == 20
    assert [str(group) for group in coco.left_out] == ["1 annotation marked as a crowd (iscrowd 1), so no instance: 9"]
    assert coco.warnings == ()


@pytest.mark.parametrize("value", [2, -1, 0.5, "yes", "", None, [0], float("nan")])
def test_another_word_for_crowds_is_refused(tmp_path: Path, value: object) -> None:
    write_coco(tmp_path, [instance(LEFT), instance(LEFT, id=9, iscrowd=value)])
    with pytest.raises(IcvosError, match=r"annotation 9: iscrowd is .*; write 0, or 1 for a crowd"):
        Coco.open(tmp_path)


def test_crowds_alone_are_refused(tmp_path: Path) -> None:
    write_coco(tmp_path, [instance(LEFT, iscrowd=1), instance(RIGHT, iscrowd=1)])
    with pytest.raises(IcvosError, match="all 2 annotations are marked as a crowd"):
        Coco.open(tmp_path)


def test_whole_numbers_may_be_written_as_pandas_does(tmp_path: Path) -> None:
    floats = {"id": 3.0, "image_id": 1.0, "category_id": 18.0}
    path = write_coco(tmp_path, [{**instance(LEFT), **floats}]) / "annotations/instances_val2017.json"
    value = json.loads(path.read_text())
    value["images"][0] |= {"id": 1.0, "height": 6.0, "width": 8.0}
    value["categories"][1]["id"] = 18.0
    path.write_text(json.dumps(value))
    coco = Coco.open(tmp_path)
    assert coco.class_area(coco.images[1], DOG) == 20
    assert (coco.images[1].height, coco.images[1].width) == SIZE


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("image_id", None, "annotation 9: image_id is null; write a whole number"),
        ("image_id", 1.5, r"annotation 9: image_id is 1\.5; write a whole number"),
        ("image_id", "1", 'annotation 9: image_id is "1"; write a whole number'),
        ("image_id", True, "annotation 9: image_id is true; write a whole number"),
        ("category_id", float("nan"), "annotation 9: category_id is NaN; write a whole number"),
        ("category_id", 17, "category_id 17 is not in its categories .annotation 9"),
        ("id", 5, "annotation 5 occurs twice"),
        ("id", 5.0, "annotation 5 occurs twice"),
        ("id", [9], r"annotation number 2: id is \[9\]"),
    ],
)
def test_an_annotation_that_does_not_fit_is_named(tmp_path: Path, key: str, value: object, message: str) -> None:
    write_coco(tmp_path, [instance(LEFT, id=5), {**instance(LEFT, id=9), key: value}])
    with pytest.raises(IcvosError, match=message):
        Coco.open(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"id": 2, "file_name": "000000000001.jpg"}, "images 1 and 2 are one file, 000000000001.jpg, under two ids"),
        ({"id": 2, "file_name": "./000000000001.jpg"}, "images 1 and 2 are one file"),
        ({"id": 2, "file_name": "train/000000000001.jpg"}, "images 1 and 2 are one file"),
        ({"id": 2, "file_name": "val2017\\000000000001.jpg"}, "images 1 and 2 are one file"),
        ({"id": 2, "file_name": "000000000001.JPG"}, "images 1 and 2 are one file"),
        ({"id": 1.0, "file_name": "2.jpg"}, "image 1 occurs twice"),
        ({"id": 2, "file_name": "2.jpg", "height": "6"}, 'image 2: height is "6"; write a whole number of 1 or more'),
        ({"id": 2, "file_name": "2.jpg", "width": 0}, "image 2: width is 0; write a whole number of 1 or more"),
        ({"id": 2, "file_name": None}, "image 2: file_name is null; write a text"),
        ({"id": None, "file_name": "2.jpg"}, "image number 2: id is null; write a whole number"),
    ],
)
def test_an_image_that_does_not_fit_is_named(tmp_path: Path, change: Json, message: str) -> None:
    path = write_coco(tmp_path) / "annotations/instances_val2017.json"
    value = json.loads(path.read_text())
    value["images"].append({"height": 6, "width": 8, **change})
    path.write_text(json.dumps(value))
    with pytest.raises(IcvosError, match=message):
        Coco.open(tmp_path)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"id": 17, "name": "dog"}, "category 17 is 'dog'"),
        ({"id": 18, "name": "dog"}, "category 18 occurs twice"),
        ({"id": 18.0, "name": "dog"}, "category 18 occurs twice"),
        ({"id": 17, "name": None}, "category 17: name is null"),
    ],
)
def test_a_category_under_two_ids_is_refused(tmp_path: Path, entry: Json, message: str) -> None:
    path = write_coco(tmp_path) / "annotations/instances_val2017.json"
    value = json.loads(path.read_text())
    value["categories"].append(entry)
    path.write_text(json.dumps(value))
    with pytest.raises(IcvosError, match=message):
        Coco.open(tmp_path)


def test_files_that_no_image_is_of_are_counted(tmp_path: Path) -> None:
    write_coco(tmp_path)
    write_frame(tmp_path / "val2017/000000000009.jpg")
    (tmp_path / "val2017/.DS_Store").write_text("")
    assert [str(group) for group in Coco.open(tmp_path).left_out] == [
        "1 file beside the images that instances_val2017.json lists: 000000000009.jpg"
    ]


def test_run_lengths_survive_the_text_form() -> None:
    generator = np.random.default_rng(0)
    for height, width in [(1, 1), (6, 8), (37, 5), (300, 400)]:
        for density in (0.0, 0.01, 0.5, 1.0):
            mask = generator.random((height, width)) < density
            text = encode_rle(mask)
            assert np.array_equal(decode_rle(text), mask)
            plain = {"size": [height, width], "counts": run_lengths(mask)}
            assert compress_rle(plain)["counts"] == compress_rle(text)["counts"] == text["counts"].encode()


# Class masks


def test_union_and_painted_masks_differ_where_classes_overlap(tmp_path: Path) -> None:
    dog_then_person = [instance(LEFT, 18), instance(RIGHT, 1)]
    coco = Coco.open(write_coco(tmp_path, [*dog_then_person, instance(LEFT, 18, image=2)], images=(1, 2)))
    image = coco.images[1]
    assert np.array_equal(coco.class_mask(image, DOG), LEFT)
    assert np.array_equal(coco.class_mask(image, PERSON), RIGHT)
    assert np.array_equal(coco.class_mask(image, DOG, rule="painted"), LEFT & ~RIGHT)
    assert np.array_equal(coco.class_mask(image, PERSON, rule="painted"), RIGHT)
    assert coco.class_area(image, DOG) == 20
    assert coco.class_area(image, DOG, rule="painted") == 14
    assert coco.class_area(image, PERSON, rule="painted") == 20


def test_the_order_of_the_annotations_is_the_order_of_painting(tmp_path: Path) -> None:
    coco = Coco.open(write_coco(tmp_path, [instance(LEFT, 18), instance(RIGHT, 1), instance(RIGHT & LEFT, 18)]))
    assert np.array_equal(coco.class_mask(coco.images[1], DOG, rule="painted"), LEFT)
    assert np.array_equal(coco.class_mask(coco.images[1], PERSON, rule="painted"), RIGHT & ~LEFT)
    assert coco.class_area(coco.images[1], PERSON, rule="painted") == 14


def test_instances_of_one_class_are_united(tmp_path: Path) -> None:
    coco = Coco.open(write_coco(tmp_path, [instance(LEFT), instance(RIGHT)]))
    for rule in ("union", "painted"):
        assert np.array_equal(coco.class_mask(coco.images[1], DOG, rule=rule), LEFT | RIGHT)
        assert coco.class_area(coco.images[1], DOG, rule=rule) == 34


@pytest.mark.parametrize("rule", ["union", "painted"])
def test_crowds_are_left_out(tmp_path: Path, rule: Any) -> None:
    annotations = [instance(LEFT, 18), instance(RIGHT, 18, iscrowd=1), instance(RIGHT, 1, iscrowd=1)]
    coco = Coco.open(write_coco(tmp_path, annotations))
    assert np.array_equal(coco.class_mask(coco.images[1], DOG, rule=rule), LEFT)
    assert coco.class_area(coco.images[1], DOG, rule=rule) == 20
    assert coco.images_of(PERSON) == ()


def test_candidates_have_at_least_the_wanted_pixels(tmp_path: Path) -> None:
    annotations = [instance(LEFT, 18), instance(RIGHT, 1), instance(LEFT | RIGHT, 18, image=2)]
    coco = Coco.open(write_coco(tmp_path, annotations, images=(1, 2)))

    def ids(rule: Any, min_pixels: int) -> list[int]:
        return [image.id for image in coco.candidates(DOG, rule=rule, min_pixels=min_pixels)]

    assert ids("union", 20) == [1, 2]
    assert ids("union", 21) == [2]
    assert ids("painted", 14) == [1, 2]
    assert ids("painted", 15) == [2]
    assert coco.candidates(DOG) == ()


def test_candidates_are_found_without_opening_images(tmp_path: Path) -> None:
    write_coco(tmp_path, [instance(LEFT)])
    coco = Coco.open(tmp_path)
    (tmp_path / "val2017/000000000001.jpg").unlink()
    assert [image.id for image in coco.candidates(DOG, min_pixels=1)] == [1]


# Damaged and foreign data


def test_an_image_of_another_size_is_refused(tmp_path: Path) -> None:
    write_coco(tmp_path)
    write_frame(tmp_path / "val2017/000000000001.jpg", (8, 6))
    coco = Coco.open(tmp_path)
    with pytest.raises(IcvosError, match=r"000000000001\.jpg: 6x8 pixels, but instances_val2017\.json has 8x6"):
        coco.class_mask(coco.images[1], DOG)


def test_a_cut_off_image_is_named(tmp_path: Path) -> None:
    write_coco(tmp_path)
    path = tmp_path / "val2017/000000000001.jpg"
    path.write_bytes(path.read_bytes()[:-20])
    coco = Coco.open(tmp_path)
    with pytest.raises(IcvosError, match=r"000000000001\.jpg: cannot be decoded"):
        coco.class_mask(coco.images[1], DOG)


IMAGE = {"id": 1, "file_name": "000000000001.jpg", "height": 6, "width": 8}
PERSON_ENTRY = {"id": 1, "name": "person"}


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ([], "it holds a list"),
        ({"videos": {}}, "it has no list of categories"),
        ({"images": [IMAGE], "annotations": [{"image_id": 1, "caption": "a dog"}]}, "it looks like captions"),
        (
            {"images": [IMAGE], "annotations": [], "categories": [{**PERSON_ENTRY, "keypoints": ["nose"]}]},
            "it holds keypoints",
        ),
        (
            {"images": [IMAGE], "annotations": [], "categories": [{"id": 1, "name": "aeroplane"}]},
            "category 1 is 'aeroplane'",
        ),
        ({"images": [IMAGE], "annotations": [], "categories": [{"id": 12, "name": "hat"}]}, "category 12 is 'hat'"),
        (
            {
                "images": [IMAGE],
                "annotations": [{"image_id": 1, "category_id": 18, "segmentation": []}],
                "categories": [PERSON_ENTRY],
            },
            "category_id 18 is not in its categories",
        ),
        (
            {"images": [IMAGE], "annotations": [{"image_id": 1, "category_id": 1}], "categories": [PERSON_ENTRY]},
            "annotation number 1 has no segmentation",
        ),
        ({"images": [{"id": 1}], "annotations": [], "categories": [PERSON_ENTRY]}, "image 1 has no file_name"),
        ({"images": [None], "annotations": [], "categories": [PERSON_ENTRY]}, "image number 1 is null"),
    ],
)
def test_a_json_of_another_schema_is_refused(tmp_path: Path, value: Any, found: str) -> None:
    write_coco(tmp_path)
    write_text(tmp_path / "annotations/instances_val2017.json", json.dumps(value))
    with pytest.raises(IcvosError, match=rf"instances_val2017\.json: expected COCO instance annotations .*{found}"):
        Coco.open(tmp_path)


def test_a_json_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    write_coco(tmp_path)
    path = tmp_path / "annotations/instances_val2017.json"
    path.write_text(path.read_text()[:-20])
    with pytest.raises(IcvosError, match=r"instances_val2017\.json: cannot be read as COCO instance annotations"):
        Coco.open(tmp_path)


def test_an_image_listed_twice_is_refused(tmp_path: Path) -> None:
    write_coco(tmp_path, images=(1, 1))
    with pytest.raises(IcvosError, match=r"instances_val2017\.json: image 1 occurs twice"):
        Coco.open(tmp_path)


def test_other_annotations_alone_are_refused(tmp_path: Path) -> None:
    write_coco(tmp_path)
    folder = tmp_path / "annotations"
    (folder / "instances_val2017.json").rename(folder / "person_keypoints_val2017.json")
    with pytest.raises(
        IcvosError, match=r"annotations: no instances_\*\.json, only person_keypoints_val2017\.json; fetch"
    ):
        Coco.open(tmp_path)


def test_another_data_set_is_named(tmp_path: Path) -> None:
    write_davis(tmp_path / "a")
    write_mose(tmp_path / "b")
    with pytest.raises(IcvosError, match="/a: looks like DAVIS, not COCO; pass it to --davis"):
        Coco.open(tmp_path / "a")
    with pytest.raises(IcvosError, match="/b: looks like MOSE, not COCO; pass it to --mose"):
        Coco.open(tmp_path / "b")
    with pytest.raises(IcvosError, match="/c: no such folder; --coco takes the folder of COCO"):
        Coco.open(tmp_path / "c")
    write_video(tmp_path / "d/x/JPEGImages", tmp_path / "d/x/Annotations", [ONE])
    with pytest.raises(IcvosError, match=r"/d: no COCO data set; expected annotations/instances_val2017\.json"):
        Coco.open(tmp_path / "d")


# Real data


@needs_samples
def test_real_masks_equal_those_of_pycocotools() -> None:
    from pycocotools.coco import COCO

    root = Path(str(SAMPLES)) / "COCO"
    coco = Coco.open(root)
    assert (len(coco.images), coco.warnings) == (109, ())
    assert len(coco.images_of(PERSON)) == 60
    with contextlib.redirect_stdout(io.StringIO()):
        reference = COCO(root / "annotations/instances_val2017.json")
    for class_index in (PERSON, DOG, 57):
        for image in coco.images_of(class_index):
            expected = np.zeros((image.height, image.width), dtype=bool)
            ids = reference.getAnnIds(imgIds=image.id, catIds=category(class_index).category_id, iscrowd=False)
            for annotation in reference.loadAnns(ids):
                expected |= reference.annToMask(annotation).astype(bool)
            assert np.array_equal(coco.class_mask(image, class_index), expected)
            assert coco.class_area(image, class_index) == expected.sum()


@needs_samples
def test_real_painted_areas_equal_painted_masks() -> None:
    coco = Coco.open(Path(str(SAMPLES)) / "COCO")
    for image in coco.images.values():
        for class_index in (PERSON, 57, 61):
            painted = coco.class_mask(image, class_index, rule="painted")
            assert coco.class_area(image, class_index, rule="painted") == painted.sum()
            assert not (painted & ~coco.class_mask(image, class_index)).any()
