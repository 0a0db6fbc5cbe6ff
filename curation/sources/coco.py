"""COCO 2014 and 2017 with its instance annotations: where support images and their class masks come from.

A class mask is made by one of two rules. ``union``: every instance of the class. ``painted``: instances of all classes
are painted in the order of the annotations, later over earlier, and the class keeps what is still seen, as in the
published few-shot masks. Both leave crowd regions out: the published masks do, and a crowd is not an instance.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path, PureWindowsPath
from typing import Any, Literal

import numpy as np
from pycocotools import mask as coco_mask

from curation.sources.annotations import CROWDS, ImageEntry, Instance, read_annotations
from curation.sources.layout import find_root, only_one
from curation.sources.left_out import LeftOut
from curation.sources.outlines import area, painted, tidy
from icvos.categories import category
from icvos.errors import IcvosError, extent
from icvos.files.images import whole_image_size
from icvos.files.listing import is_passed_over, visible_entries
from icvos.files.masks import read_ids
from icvos.files.rle import PackedRle, Rle, compress_rle, decode_rle, rle_runs, rle_size
from icvos.files.sources import has_coco_annotations

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


class Coco:
    """One split of COCO, indexed by image and class; open one with `Coco.open`. Areas are kept once they are known.

    Args:
        split: ``val2017`` and the like.
        annotation_file: The JSON that it was read from.
        images: By id.
        instances: The instances of an image in the order of the annotations, crowds left out, by image id.
        warnings: Every finding that did not stop the reading, one line each.
        left_out: What is not read of the annotations and of the folder of images; crowds are no warning.
    """

    def __init__(
        self,
        split: str,
        annotation_file: Path,
        images: dict[int, CocoImage],
        instances: dict[int, list[Instance]],
        warnings: Sequence[str] = (),
        left_out: Sequence[LeftOut] = (),
    ) -> None:
        self.split = split
        self.annotation_file = annotation_file
        self.images = images
        self.warnings = tuple(warnings)
        self.left_out = tuple(left_out)
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
        found = read_annotations(path)
        folder = _image_folder(place, split)
        images, left_out = _on_disk(path, found.images, folder, split)
        warnings = [f"{path}: left out: {group}" for group in found.left_out if group.reason != CROWDS]
        warnings += [f"{folder}: left out: {group}" for group in left_out if group.what == "images"]
        return cls(split, path, images, found.instances, warnings, (*found.left_out, *left_out))

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

    def instance_masks(self, image: CocoImage, class_index: int) -> Iterator[np.ndarray]:
        """(H, W) bool for every instance of the class in ``image``, in the order of the annotations."""
        size = self.checked_size(image)
        for found in self._instances.get(image.id, []):
            if found.class_index == class_index:
                runs = self._runs(image, [found])
                yield decode_rle({"size": list(size), "counts": runs.tolist()})

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
        rles = [self._rle(image, found) for found in instances]
        return rle_runs(rles[0] if len(rles) == 1 else coco_mask.merge(rles))[2]

    def _rle(self, image: CocoImage, found: Instance) -> PackedRle:
        try:
            return _to_rle(found.segmentation, image.height, image.width)
        except (TypeError, ValueError, KeyError) as error:
            raise IcvosError(
                f"{self.annotation_file}: annotation {found.id}: its segmentation is neither polygons nor RLE of image "
                f"{image.id}, {image.width}x{image.height} pixels ({error}); fetch the annotations again"
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


def class_pngs(place: Path, split: str) -> tuple[dict[Path, Callable[[], np.ndarray]], list[LeftOut]]:
    """Every image file of ``split`` that has a PNG of class numbers, with what reads it; and what has no other half.

    They lie in ``annotations/<split>/<image>.png``, as few-shot data sets ship them.
    """
    folder, images = place / "annotations" / split, _image_folder(place, split)
    entries = list(visible_entries(folder)) if folder.is_dir() else []
    masks = {path.stem: path for path in entries if path.suffix == ".png"}
    files = sorted(visible_entries(images))
    found = {
        path: partial(read_ids, masks[path.stem]) for path in files if path.suffix == ".jpg" and path.stem in masks
    }
    if not found:
        raise IcvosError(f"{folder}: no <image>.png of an image in {images}; fetch them, or make masks by another rule")
    stems = {path.stem for path in found}
    groups = (
        LeftOut("files", "without a PNG of class numbers", tuple(path.name for path in files if path not in found)),
        LeftOut(
            "masks", "without an image", tuple(sorted(path.name for path in masks.values() if path.stem not in stems))
        ),
    )
    return dict(found), [group for group in groups if group.names]


def _to_rle(segmentation: Any, height: int, width: int) -> PackedRle:
    """The compressed RLE of polygons, or of RLEs of either kind; raises ValueError and the like for damaged ones."""
    if isinstance(segmentation, list) and isinstance(segmentation[0], dict):
        parts = [_to_rle(part, height, width) for part in segmentation]
        whole: PackedRle = coco_mask.merge(parts) if len(parts) > 1 else parts[0]
        return whole
    if isinstance(segmentation, list):
        if not all(np.abs(polygon).max() <= FARTHEST * max(height, width) for polygon in segmentation):
            raise ValueError("a polygon far outside the picture")  # or NaN: filling it would take all memory
        merged: PackedRle = coco_mask.merge(coco_mask.frPyObjects(segmentation, height, width))
        return merged
    size = rle_size(segmentation)
    if size != (height, width):
        raise ValueError(f"an RLE of {extent(size)} pixels")
    return compress_rle(segmentation)


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


def _on_disk(
    path: Path, entries: Sequence[ImageEntry], folder: Path, split: str
) -> tuple[dict[int, CocoImage], list[LeftOut]]:
    """The images whose file is in ``folder``, under the name of either year; and what is in one of the two alone.

    Raises where one file has two ids: each would have a part of its instances.
    """
    on_disk = {file.name for file in folder.iterdir() if not is_passed_over(file.name)}
    images: dict[int, CocoImage] = {}
    ids: dict[str, int] = {}
    absent = []
    for entry in entries:
        given = PureWindowsPath(entry.file_name).name  # some tools put a folder before the name
        names = (given, *(f"{prefix}{entry.id:012d}.jpg" for prefix in ("", "COCO_val2014_", "COCO_train2014_")))
        name = next((name for name in names if name in on_disk), None)
        for key in {given.casefold(), (name or given).casefold()}:
            if ids.setdefault(key, entry.id) != entry.id:
                raise IcvosError(
                    f"{path}: images {ids[key]} and {entry.id} are one file, {name or given}, under two ids; give its "
                    "annotations one image_id, and list it once"
                )
        if name is None:
            absent.append(given)
        else:
            images[entry.id] = CocoImage(entry.id, folder / name, entry.height, entry.width)
    if not images:
        raise IcvosError(f"{folder}: none of the images that {path.name} names; fetch the images of COCO {split}")
    unlisted = sorted(on_disk - {image.file.name for image in images.values()})
    groups = (
        ("images", f"of {path.name}, not there", absent),
        ("files", f"beside the images that {path.name} lists", unlisted),
    )
    return images, [LeftOut(what, reason, tuple(names)) for what, reason, names in groups if names]
