"""The annotated pictures of an image benchmark, made from COCO's annotations or from PNGs of class numbers.

A picture is asked for a class whose mask has at least 2048 pixels, or that a published list names; a picture without
such a class is left out. Pictures are made in batches, which are small enough to be sent to another process.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from curation.image.lists import Listing, picture_key
from curation.sources.coco import MIN_PIXELS, Coco, Rule
from curation.sources.left_out import some_of
from curation.sources.outlines import area, counts
from icvos.errors import IcvosError
from icvos.files.images import whole_image_size
from icvos.files.rle import encode_rle
from icvos.tasks.image.benchmark import IGNORED, Picture
from icvos.tasks.task import SILENT, Watch
from icvos.workers import run_jobs

BATCH = 64  # pictures
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Source:
    """Where the pictures of one split come from.

    Args:
        split: ``val2014``, ``trainaug`` and the like.
        images: The folder of the image files.
        batches: Functions without arguments that make the pictures, each a list of them.
        listing: What the published lists say, of the pictures that are there; None: without lists.
        warnings: Every finding that did not stop the reading, one line each.
    """

    split: str
    images: Path
    batches: tuple["partial[list[Picture]]", ...]
    listing: Listing | None = None
    warnings: tuple[str, ...] = ()

    def unseen(self, pictures: Iterable[Picture]) -> int:
        """How many classes the lists name whose masks have no pixel, and are not asked."""
        listing = self.listing or {}
        found = sum(len(picture.listed) for picture in pictures if listing.get(picture_key(picture.path)))
        return sum(map(len, listing.values())) - found

    def pictures(self, workers: int = 1, watch: Watch = SILENT) -> list[Picture]:
        """The pictures in order of name, the same for any number of workers; ``watch`` is told of every batch.

        Raises `IcvosError` where the masks lack most of what lists say: the lists are then of other masks.
        """
        watch.stage(f"pictures of {self.split}")
        watch.total(len(self.batches))
        found = run_jobs(_make, self.batches, workers, done=lambda batch: watch.advance())
        pictures = sorted((picture for batch in found for picture in batch), key=lambda picture: picture.name)
        if 2 * self.unseen(pictures) > sum(map(len, (self.listing or {}).values())):
            raise IcvosError(
                f"{self.images}: {self.unseen(pictures)} classes that the lists name are in no mask, more than half; "
                "give lists of this data set, with class numbers from 1"
            )
        return pictures


def _make(batch: "partial[list[Picture]]") -> list[Picture]:
    return batch()


def from_annotations(coco: Coco, rule: Rule, listing: Listing | None = None) -> Source:
    """The pictures of a COCO split with masks from its annotations; of ``listing``, those that are there."""
    images = {image.file: image for image in coco.images.values()}
    part, warnings = _there(listing, images, coco.folder)
    batches = tuple(
        partial(_annotated, coco.part(images[path] for path in chunk), rule, _part(part, chunk))
        for chunk in _chunks([path for path in images if part is None or picture_key(path) in part])
    )
    return Source(coco.split, coco.folder, batches, part, (*coco.warnings, *warnings))


def from_class_pngs(
    split: str,
    images: Mapping[Path, Callable[[], np.ndarray]],
    classes: int,
    listing: Listing | None = None,
) -> Source:
    """The pictures of a split with masks from PNGs whose values are class numbers, 255 = ignored.

    Args:
        split: Its name.
        images: Every image file, all in one folder, with what reads its (H, W) class numbers.
        classes: Class numbers are 1..classes.
        listing: Which pictures are asked for which class; None: all, by the area of their masks.
    """
    folder = next(iter(images)).parent
    part, warnings = _there(listing, images, folder)
    batches = tuple(
        partial(_numbered, [(path, images[path]) for path in chunk], classes, _part(part, chunk))
        for chunk in _chunks([path for path in images if part is None or picture_key(path) in part])
    )
    return Source(split, folder, batches, part, warnings)


def _there(listing: Listing | None, images: Iterable[Path], folder: Path) -> tuple[Listing | None, tuple[str, ...]]:
    """The part of ``listing`` whose images are there, and a warning on the others."""
    if listing is None:
        return None, ()
    keys = {picture_key(path) for path in images}
    absent = [key for key in listing if key not in keys]
    found = f"{folder}: {len(absent)} pictures of the lists are not there, left out: {some_of(absent)}"
    warnings = (found,) if absent else ()
    return {key: kinds for key, kinds in listing.items() if key in keys}, warnings


def _annotated(coco: Coco, rule: Rule, listing: Listing | None) -> list[Picture]:
    """A batch of pictures with masks from COCO's annotations."""
    found = []
    for image in coco.images.values():
        runs = coco.outlines(image, rule)
        areas = {kind: area(of_class) for kind, of_class in runs.items()}
        listed = _listed(areas, image.file, listing)
        if listed:
            size = coco.checked_size(image)
            outlines = {kind: counts(of_class, size) for kind, of_class in runs.items()}
            found.append(Picture(image.file.name, image.file, size, outlines, listed))
    return found


def _numbered(
    entries: Sequence[tuple[Path, Callable[[], np.ndarray]]], classes: int, listing: Listing | None
) -> list[Picture]:
    """A batch of pictures with masks from PNGs of class numbers."""
    found = []
    for path, read in entries:
        numbers = read()
        size = whole_image_size(path)
        if numbers.shape != size:
            raise IcvosError(
                f"{path}: {size[1]}x{size[0]} pixels, its mask has {numbers.shape[1]}x{numbers.shape[0]}; "
                "fetch both again"
            )
        pixels = np.bincount(numbers.reshape(-1), minlength=IGNORED + 1)
        present = [int(kind) for kind in np.flatnonzero(pixels) if kind not in (0, IGNORED)]
        if present and present[-1] > classes:
            raise IcvosError(f"{path}: its mask has the value {present[-1]}; class numbers are 1..{classes}")
        listed = _listed({kind: int(pixels[kind]) for kind in present}, path, listing)
        if listed:
            outlines = {kind: str(encode_rle(numbers == kind)["counts"]) for kind in present}
            ignored = str(encode_rle(numbers == IGNORED)["counts"]) if pixels[IGNORED] else ""
            found.append(Picture(path.name, path, size, outlines, listed, ignored))
    return found


def _listed(areas: Mapping[int, int], path: Path, listing: Listing | None) -> tuple[int, ...]:
    """The classes that a picture may be drawn for."""
    named = listing[picture_key(path)] if listing is not None else frozenset()
    if not named:
        return tuple(kind for kind in sorted(areas) if areas[kind] >= MIN_PIXELS)
    return tuple(kind for kind in sorted(named) if areas.get(kind))


def _part(listing: Listing | None, paths: Sequence[Path]) -> Listing | None:
    return None if listing is None else {key: listing[key] for key in map(picture_key, paths)}


def _chunks(items: Sequence[T]) -> Iterator[Sequence[T]]:
    return (items[start : start + BATCH] for start in range(0, len(items), BATCH))
