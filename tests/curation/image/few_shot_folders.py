"""Tiny data sets of few-shot segmentation, as their authors ship them, for the tests of image benchmarks."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from scipy.io import savemat

from icvos.categories import COCO
from tests.curation.sources.source_folders import write_frame, write_mask, write_text

SIZE = (64, 80)  # height, width
WHOLE = (slice(0, 64), slice(0, 80))
LEFT = (slice(0, 64), slice(0, 40))  # 2560 pixels
RIGHT = (slice(0, 64), slice(40, 80))
SMALL = (slice(0, 20), slice(0, 20))  # 400 pixels
Rectangle = tuple[slice, slice]
Objects = Sequence[tuple[int, Rectangle]]  # (class, where), in the order of painting


def numbers_of(objects: Objects, size: tuple[int, int] = SIZE) -> np.ndarray:
    """(H, W) uint8: each class painted in order."""
    numbers = np.zeros(size, dtype=np.uint8)
    for kind, where in objects:
        numbers[where] = kind
    return numbers


def write_few_shot_coco(root: Path, pictures: Mapping[int, Objects], split: str = "val2014", prefix: str = "") -> Path:
    """A COCO split of rectangles as polygons; returns its root."""
    images, annotations = [], []
    for number, objects in pictures.items():
        name = f"{prefix}{number:012d}.jpg"
        write_frame(root / split / name, SIZE)
        images.append({"id": number, "file_name": name, "height": SIZE[0], "width": SIZE[1]})
        for kind, (rows, columns) in objects:
            x0, x1, y0, y1 = columns.start, columns.stop, rows.start, rows.stop
            outline = [[x0, y0, x1, y0, x1, y1, x0, y1]]
            annotations.append(
                {"image_id": number, "category_id": COCO[kind - 1].category_id, "segmentation": outline, "iscrowd": 0}
            )
    categories = [{"id": found.category_id, "name": found.name} for found in COCO]
    value = {"images": images, "annotations": annotations, "categories": categories}
    write_text(root / "annotations" / f"instances_{split}.json", json.dumps(value))
    return root


def write_voc(
    root: Path, pictures: Mapping[str, Objects], splits: Mapping[str, Sequence[str]], masks: str = "SegmentationClass"
) -> Path:
    """A VOC 2012 of these pictures with palette PNGs, and lists; returns its root."""
    for stem, objects in pictures.items():
        write_frame(root / "JPEGImages" / f"{stem}.jpg", SIZE)
        write_mask(root / masks / f"{stem}.png", numbers_of(objects))
    for split, stems in splits.items():
        write_text(root / "ImageSets" / "Segmentation" / f"{split}.txt", "".join(f"{stem}\n" for stem in stems))
    return root


def write_sbd(root: Path, pictures: Mapping[str, Objects], train: Sequence[str]) -> Path:
    """An SBD of MATLAB files; returns its root. The images are those of VOC."""
    (root / "dataset" / "cls").mkdir(parents=True)
    for stem, objects in pictures.items():
        found = {"Segmentation": numbers_of(objects), "CategoriesPresent": np.array([[1]], dtype=np.uint8)}
        savemat(root / "dataset" / "cls" / f"{stem}.mat", {"GTcls": found}, do_compression=True)
    write_text(root / "dataset" / "train.txt", "".join(f"{stem}\n" for stem in train))
    return root


def write_lists(root: Path, split: str, fold: object, classes: Mapping[int, Sequence[str]]) -> Path:
    """Lists of one fold as they are published, with foreign paths and without a last newline; returns their root."""
    folder = f"/root/somebody/COCO2014/{split}2014"
    entries = {
        kind: [(f"{folder}/{name}.jpg", f"{folder}/{name}.png") for name in names] for kind, names in classes.items()
    }
    write_text(root / split / f"sub_class_file_list_{fold}.txt", repr(entries))
    lines = sorted({" ".join(pair) for pairs in entries.values() for pair in pairs})
    write_text(root / split / f"data_list_{fold}.txt", "\n".join(lines))
    return root
