"""COCO 2014 and 2017 with its instance annotations: where support images and their class masks come from.

A class mask is made by one of two rules. ``union``: every instance of the class. ``painted``: instances of all classes
are painted in the order of the annotations, later over earlier, and the class keeps what is still seen, as in the
published few-shot masks. Both leave crowd regions out: the published masks do, and a crowd is not an instance.
"""

from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np
from pycocotools import mask as coco_mask

from curation.sources.layout import find_root, has_coco_annotations, only_one, some_of
from curation.sources.outlines import area, painted, tidy
from icvos.categories import BY_CATEGORY_ID, category
from icvos.errors import IcvosError
from icvos.files.images import whole_image_size
from icvos.files.masks import read_ids
from icvos.files.rle import PackedRle, Rle, compress_rle, decode_rle, rle_runs
from icvos.files.storage import read_json

Rule = Literal["union", "painted"]
FARTHEST = 4  # in longer sides of the image: how far out a polygon may reach before it is taken for damage
MIN_PIXELS = 2 * 32 * 32  # the published few-shot lists take an image for a class from this many pixels on
EXPECTED = "annotations/instances_val2017.json and val2017/, or the same of 2014"


@dataclass(frozen=True, slots=True)
class CocoImage:
    """One image: COCO's ``id``, its file, and its size in pixels as the annotations give it."""

    id: int
    file: Path
    height: int
    width: int


@dataclass(frozen=True, slots=True)
class Instance:
    """One object: its class index 1..80, and its outline: polygons of x, y, ..., or a COCO RLE."""

    class_index: int
    segmentation: Any


class Coco:
    """One split of COCO, indexed by image and class; open one with `Coco.open`. Areas are kept once they are known.

    Args:
        split: ``val2017`` and the like.
        annotation_file: The JSON that it was read from.
        images: By id.
        instances: The instances of an image in the order of the annotations, crowds left out, by image id.
        warnings: Every finding that did not stop the reading, one line each.
    """

    def __init__(
        self,
        split: str,
        annotation_file: Path,
        images: dict[int, CocoImage],
        instances: dict[int, list[Instance]],
        warnings: Sequence[str] = (),
    ) -> None:
        self.split = split
        self.annotation_file = annotation_file
        self.images = images
        self.warnings = tuple(warnings)
        self._instances = instances
        self._areas: dict[tuple[int, str], dict[int, int]] = {}
        self._ids_of_class: dict[int, list[int]] = {}
        for image_id in sorted(images):
            for class_index in {found.class_index for found in instances.get(image_id, ())}:
                self._ids_of_class.setdefault(class_index, []).append(image_id)

    @classmethod
    def open(cls, root: Path | str, split: str | None = None) -> "Coco":
        """The COCO in ``root`` or in the folder below it.

        Args:
            root: Holds ``annotations/instances_<split>.json`` and the images in ``<split>`` or ``images/<split>``.
            split: ``val2017`` and the like; None: the validation split, or the only one there.

        Raises `IcvosError` for another data set, two candidates, a JSON of another schema, or no image on disk.
        """
        place = find_coco(root)
        path = _annotation_file(place, split)
        split = path.stem.removeprefix("instances_")
        value = read_json(path, "COCO instance annotations", _compact)
        _check_schema(path, value)
        folder = _image_folder(place, split)
        warnings: list[str] = []
        images = _images(path, value["images"], folder, split, warnings)
        known = {entry["id"] for entry in value["images"]}
        return cls(split, path, images, _instances(path, value["annotations"], known, warnings), warnings)

    @property
    def folder(self) -> Path:
        """Where the image files are."""
        return next(iter(self.images.values())).file.parent

    def images_of(self, class_index: int) -> tuple[CocoImage, ...]:
        """The images with at least one instance of the class (1..80), by id."""
        return tuple(self.images[image_id] for image_id in self._ids_of_class.get(category(class_index).index, ()))

    def class_mask(self, image: CocoImage, class_index: int, rule: Rule = "union") -> np.ndarray:
        """(H, W) bool: where the class is in ``image``; raises where the file has another size or is cut off."""
        size = self.checked_size(image)
        runs = self.outlines(image, rule).get(class_index)
        outline: Rle | None = None if runs is None else {"size": list(size), "counts": runs.tolist()}
        return np.zeros(size, dtype=bool) if outline is None else decode_rle(outline)

    def checked_size(self, image: CocoImage) -> tuple[int, int]:
        """(height, width) of the image's file; raises where the annotations have another, or the file is cut off."""
        size = whole_image_size(image.file)
        if size != (image.height, image.width):
            raise IcvosError(
                f"{image.file}: {size[1]}x{size[0]} pixels, but {self.annotation_file.name} has "
                f"{image.width}x{image.height}; fetch the original image"
            )
        return size

    def outlines(self, image: CocoImage, rule: Rule = "union") -> dict[int, np.ndarray]:
        """The run lengths of every class in ``image`` (`curation.sources.outlines`), without opening it."""
        instances = self._instances.get(image.id, [])
        if rule == "painted":  # what is of one class and painted in a row is united at once
            return painted((kind, self._runs(image, same)) for kind, same in groupby(instances, key=_class_of))
        classes = groupby(sorted(instances, key=_class_of), key=_class_of)
        found = {kind: tidy(self._runs(image, same)) for kind, same in classes}
        return {kind: runs for kind, runs in found.items() if area(runs)}

    def part(self, images: Iterable[CocoImage]) -> "Coco":
        """The same split with these images alone, to be sent to another process."""
        chosen = {image.id: image for image in images}
        return Coco(self.split, self.annotation_file, chosen, {key: self._instances.get(key, []) for key in chosen})

    def class_area(self, image: CocoImage, class_index: int, rule: Rule = "union") -> int:
        """The number of pixels in `class_mask`, counted on run lengths and without opening the image."""
        if (image.id, rule) not in self._areas:
            self._areas[image.id, rule] = {kind: area(runs) for kind, runs in self.outlines(image, rule).items()}
        return self._areas[image.id, rule].get(class_index, 0)

    def candidates(self, class_index: int, rule: Rule = "union", min_pixels: int = MIN_PIXELS) -> tuple[CocoImage, ...]:
        """The images whose mask of the class has at least ``min_pixels`` pixels, by id."""
        images = self.images_of(class_index)
        return tuple(image for image in images if self.class_area(image, class_index, rule) >= min_pixels)

    def _runs(self, image: CocoImage, instances: Iterable[Instance]) -> np.ndarray:
        """The run lengths of the union of some instances."""
        try:
            rles = [_to_rle(found.segmentation, image.height, image.width) for found in instances]
            return rle_runs(rles[0] if len(rles) == 1 else coco_mask.merge(rles))[2]
        except (TypeError, ValueError, KeyError) as error:
            raise IcvosError(
                f"{self.annotation_file}: outline of an instance in image {image.id} is neither polygons nor an RLE of "
                f"{image.width}x{image.height} pixels ({error}); fetch the annotations again"
            ) from error


def _class_of(found: Instance) -> int:
    return found.class_index


def find_coco(root: Path | str) -> Path:
    """The folder of COCO in ``root`` or one below it; raises `IcvosError` for another data set or two candidates."""
    return find_root(Path(root), "coco", has_coco_annotations, EXPECTED)


def has_split(place: Path, split: str, png: bool = False) -> bool:
    """Whether the COCO in ``place`` has the images of a split and its annotations, or its ``png`` of class numbers."""
    annotations = place / "annotations" / (split if png else f"instances_{split}.json")
    return annotations.exists() and any(map(Path.is_dir, (place / split, place / "images" / split)))


def class_pngs(place: Path, split: str) -> dict[Path, Callable[[], np.ndarray]]:
    """Every image file of ``split`` that has a PNG of class numbers, with what reads it.

    They lie in ``annotations/<split>/<image>.png``, as few-shot data sets ship them.
    """
    folder, images = place / "annotations" / split, _image_folder(place, split)
    masks = {path.stem: path for path in folder.glob("*.png")}
    found = {
        path: partial(read_ids, masks[path.stem])
        for path in sorted(images.iterdir())
        if path.suffix == ".jpg" and path.stem in masks
    }
    if not found:
        raise IcvosError(f"{folder}: no <image>.png of an image in {images}; fetch them, or make masks by another rule")
    return dict(found)


def _to_rle(segmentation: Any, height: int, width: int) -> PackedRle:
    """The compressed RLE of polygons or of either kind of RLE; raises ValueError and the like for anything else."""
    if isinstance(segmentation, list):
        polygons = [polygon for polygon in segmentation if len(polygon) >= 6]  # fewer points enclose nothing
        if not polygons:
            return compress_rle({"size": [height, width], "counts": [height * width]})
        if not all(np.abs(polygon).max() <= FARTHEST * max(height, width) for polygon in polygons):
            raise ValueError("a polygon far outside the picture")  # or NaN: filling it would take all memory
        merged: PackedRle = coco_mask.merge(coco_mask.frPyObjects(polygons, height, width))
        return merged
    size = [int(value) for value in segmentation["size"]]
    if size != [height, width]:
        raise ValueError(f"an RLE of {size[1]}x{size[0]} pixels")
    return compress_rle(segmentation)


def _compact(value: dict[str, Any]) -> dict[str, Any]:
    """A JSON object with its polygons as packed numbers: a fifth of the memory, and 2014 has nine million of them."""
    segmentation = value.get("segmentation")
    if isinstance(segmentation, list) and all(isinstance(polygon, list) for polygon in segmentation):
        try:
            value["segmentation"] = [array("d", polygon) for polygon in segmentation]
        except TypeError as error:
            raise ValueError(f"a polygon that is not a list of numbers: {error}") from error
    return value


def _annotation_file(root: Path, split: str | None) -> Path:
    folder = root / "annotations"
    found = sorted(folder.glob("instances_*.json"))
    if not found:
        others = ", ".join(path.name for path in sorted(folder.glob("*.json")))
        raise IcvosError(f"{folder}: no instances_*.json, only {others}; fetch the instance annotations of COCO")
    names = {path.stem.removeprefix("instances_"): path for path in found}
    if split is not None:
        if split not in names:
            raise IcvosError(f"{folder / f'instances_{split}.json'}: no such file; there is {', '.join(names)}")
        return names[split]
    validation = [path for name, path in names.items() if name.startswith("val")]
    return only_one(validation or found, "annotations of two splits", "choose one of them as the split")


def _image_folder(root: Path, split: str) -> Path:
    found = [folder for folder in (root / split, root / "images" / split) if folder.is_dir()]
    if not found:
        raise IcvosError(f"{root / split}: no such folder; fetch the images of COCO {split}")
    return only_one(found, f"two folders of the images of {split}", "remove one of them")


def _check_schema(path: Path, value: Any) -> None:
    """Raises `IcvosError` unless ``value`` has the form of COCO's instance annotations; it may lack ``info``."""

    def stop(found: str) -> IcvosError:
        return IcvosError(
            f"{path}: expected COCO instance annotations ({_SCHEMA}), but {found}; fetch instances_*.json"
        )

    if not isinstance(value, dict):
        raise stop(f"it holds a {type(value).__name__}")
    for key, fields in _FIELDS.items():
        if not isinstance(value.get(key), list):
            raise stop(f"it has no list of {key}" + ("; it looks like captions" if _are_captions(value) else ""))
        for entry in value[key]:
            for name, kinds in fields.items():
                if not isinstance(entry, dict) or not isinstance(entry.get(name), kinds):
                    raise stop(f"an entry of {key} has no {name}, or not of the right type")
    for entry in value["categories"]:
        known = BY_CATEGORY_ID.get(entry["id"])
        if known is None or entry["name"] not in (known.name, *known.aliases):
            raise stop(f"category {entry['id']} is {entry['name']!r}")
        if "keypoints" in entry:
            raise stop("it holds keypoints")
    unknown = {entry["category_id"] for entry in value["annotations"]} - {entry["id"] for entry in value["categories"]}
    if unknown:
        raise stop(f"category_id {min(unknown)} is not in its categories")


def _are_captions(value: dict[str, Any]) -> bool:
    annotations = value.get("annotations")
    return isinstance(annotations, list) and any(
        isinstance(found, dict) and "caption" in found for found in annotations
    )


_SCHEMA = "images, annotations with category_id and segmentation, categories"
_FIELDS: dict[str, dict[str, type | tuple[type, ...]]] = {
    "categories": {"id": int, "name": str},
    "images": {"id": int, "file_name": str, "height": int, "width": int},
    "annotations": {"image_id": int, "category_id": int, "segmentation": (list, dict)},
}


def _images(
    path: Path, entries: Iterable[dict[str, Any]], folder: Path, split: str, warnings: list[str]
) -> dict[int, CocoImage]:
    """The images whose file is in ``folder``, under the name of either year."""
    on_disk = {file.name for file in folder.iterdir()}
    images: dict[int, CocoImage] = {}
    absent = []
    for entry in entries:
        number = entry["id"]
        if number in images:
            raise IcvosError(f"{path}: image {number} occurs twice; fetch the annotations again")
        given = PurePosixPath(entry["file_name"]).name  # some tools put a folder before the name
        names = (given, *(f"{prefix}{number:012d}.jpg" for prefix in ("", "COCO_val2014_", "COCO_train2014_")))
        name = next((name for name in names if name in on_disk), None)
        if name is None:
            absent.append(given)
            continue
        images[number] = CocoImage(number, folder / name, entry["height"], entry["width"])
    if not images:
        raise IcvosError(f"{folder}: none of the images that {path.name} names; fetch the images of COCO {split}")
    if absent:
        warnings.append(f"{folder}: {len(absent)} images of {path.name} are not there, left out: {some_of(absent)}")
    return images


def _instances(
    path: Path, entries: Iterable[dict[str, Any]], known: set[int], warnings: list[str]
) -> dict[int, list[Instance]]:
    """The instances of every image in the order of ``entries``, crowds left out."""
    instances: dict[int, list[Instance]] = {}
    strays = set()
    for entry in entries:
        if entry["image_id"] not in known:
            strays.add(entry["image_id"])
        elif not entry.get("iscrowd"):
            found = Instance(BY_CATEGORY_ID[entry["category_id"]].index, entry["segmentation"])
            instances.setdefault(entry["image_id"], []).append(found)
    if strays:
        warnings.append(f"{path}: annotations of images that it does not list: {some_of(sorted(strays))}")
    return instances
