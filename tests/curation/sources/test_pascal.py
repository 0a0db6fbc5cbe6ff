"""The reader of PASCAL VOC and SBD: where they lie, which mask wins, lists, and damaged files."""

from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from curation.sources.pascal import Pascal
from icvos.errors import IcvosError
from tests.curation.image.few_shot_folders import LEFT, RIGHT, SIZE, WHOLE, Objects, numbers_of, write_sbd, write_voc
from tests.curation.sources.source_folders import write_coco, write_davis, write_frame, write_mask, write_text

A, B, C, D = "2007_000032", "2007_000033", "2008_000002", "2011_003276"
PICTURES: dict[str, Objects] = {A: [(1, WHOLE), (255, LEFT)], B: [(2, WHOLE)]}


@pytest.fixture
def voc(tmp_path: Path) -> Path:
    root = write_voc(tmp_path / "VOCdevkit" / "VOC2012", PICTURES, {"train": [A], "val": [B]})
    for stem in (C, D):
        write_frame(root / "JPEGImages" / f"{stem}.jpg", SIZE)
    return root


def test_the_folder_and_those_above_it_are_accepted(voc: Path) -> None:
    for given in (voc, voc.parent, voc.parent.parent, str(voc)):
        pascal = Pascal.open(given)
        assert (pascal.root, pascal.sbd, sorted(pascal.masks)) == (voc, None, [A, B])
    assert np.array_equal(pascal.masks[A](), numbers_of(PICTURES[A]))


def test_another_data_set_is_named(tmp_path: Path) -> None:
    write_davis(tmp_path / "a")
    write_coco(tmp_path / "b")
    with pytest.raises(IcvosError, match="/a: looks like DAVIS, not PASCAL VOC; pass it to --davis"):
        Pascal.open(tmp_path / "a")
    with pytest.raises(IcvosError, match="/b: looks like COCO, not PASCAL VOC; pass it to --coco"):
        Pascal.open(tmp_path / "b")
    with pytest.raises(IcvosError, match="/c: no such folder; --voc takes the folder of PASCAL VOC"):
        Pascal.open(tmp_path / "c")
    with pytest.raises(IcvosError, match=r"/a: no SBD; expected dataset/cls/ or cls/ in it"):
        Pascal.open(write_voc(tmp_path / "d", PICTURES, {"val": [B]}), tmp_path / "a")


def test_the_first_folder_that_has_a_mask_gives_it(voc: Path, tmp_path: Path) -> None:
    sbd = write_sbd(tmp_path / "sbd", {A: [(9, WHOLE)], C: [(3, LEFT)]}, [C])
    write_mask(sbd / "dataset" / "cls_png" / f"{D}.png", numbers_of([(4, RIGHT)]), "L")
    for given in (sbd, sbd / "dataset"):
        pascal = Pascal.open(voc, given)
        assert [int(pascal.masks[stem]()[0, 0]) for stem in (A, B, C)] == [255, 2, 3]
        assert pascal.masks[D]()[0, 79] == 4
    write_mask(voc / "SegmentationClassAug" / f"{A}.png", numbers_of([(5, WHOLE)]), "L")
    assert Pascal.open(voc, sbd).masks[A]()[0, 0] == 5


def test_pictures_to_train_on_are_never_those_of_val(voc: Path, tmp_path: Path) -> None:
    assert (Pascal.open(voc).training_split(), Pascal.open(voc).stems("train")) == ("train", [A])
    for stem in (A, B, C):
        write_mask(voc / "SegmentationClassAug" / f"{stem}.png", numbers_of([(1, WHOLE)]), "L")
    assert (Pascal.open(voc).training_split(), Pascal.open(voc).stems("trainaug")) == ("trainaug", [A, C])
    lines = [f"/JPEGImages/{stem}.jpg /SegmentationClassAug/{stem}.png" for stem in (C, B)]
    write_text(voc / "ImageSets" / "Segmentation" / "train_aug.txt", "\n".join(lines))
    assert Pascal.open(voc).stems("trainaug") == [C]
    with_sbd = Pascal.open(voc, write_sbd(tmp_path / "sbd", {}, [B, D]))
    assert (with_sbd.training_split(), with_sbd.stems("train+sbd")) == ("train+sbd", [A, D])
    with pytest.raises(IcvosError, match=r"trainval\.txt: no such list; there is train, train_aug, val"):
        with_sbd.stems("trainval")


def test_pictures_without_image_or_mask_are_left_out(voc: Path) -> None:
    write_text(voc / "ImageSets" / "Segmentation" / "val.txt", f"{B}\n{C}\n2012_000001\n")
    images, left_out = Pascal.open(voc).pictures("val")
    assert list(images) == [voc / "JPEGImages" / f"{B}.jpg"]
    assert [str(group) for group in left_out] == [
        "1 picture of val without an image: 2012_000001",
        f"2 pictures of val without a mask: {C}, 2012_000001",
    ]
    write_text(voc / "ImageSets" / "Segmentation" / "val.txt", f"{C}\n")
    with pytest.raises(IcvosError, match="no picture of val has an image and a mask; fetch VOC 2012, or give --sbd"):
        Pascal.open(voc).pictures("val")


def test_pictures_of_val_in_a_list_to_train_on_are_counted(voc: Path, tmp_path: Path) -> None:
    sbd = write_sbd(tmp_path / "sbd", {C: [(3, LEFT)]}, [B, C])
    _, left_out = Pascal.open(voc, sbd).pictures("train+sbd")
    assert [str(group) for group in left_out] == [f"1 picture of val, not trained on: {B}"]


def test_a_damaged_matlab_file_is_named(voc: Path, tmp_path: Path) -> None:
    sbd = write_sbd(tmp_path / "sbd", {C: [(3, LEFT)]}, [C])
    path = sbd / "dataset" / "cls" / f"{C}.mat"
    whole = path.read_bytes()
    read = Pascal.open(voc, sbd).masks[C]
    assert np.array_equal(read(), numbers_of([(3, LEFT)]))
    for data in (b"", b"no matlab", whole[:200], whole[:-20], b"\0" * 128 + b"\xff" * 400, b"\0" * (3 << 20)):
        path.write_bytes(data)
        with pytest.raises(IcvosError, match=rf"{C}\.mat: no class mask of SBD"):
            read()
    for value in ({"other": 1}, {"GTcls": 3}, {"GTcls": {"Segmentation": 0.5}}, {"GTcls": {"Boundaries": 1}}):
        savemat(path, value)
        with pytest.raises(IcvosError, match=rf"{C}\.mat: no class mask of SBD"):
            read()
