"""The annotated pictures of an image benchmark, made from COCO's annotations or from PNGs of class numbers.

A picture is asked for a class whose mask has at least 2048 pixels, or that a published list names; a picture without
such a class is left out. Pictures are made in batches, which are small enough to be sent to another process.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from curation.image.lists import Listing, picture_key
from curation.sources.coco import MIN_PIXELS, Coco, Rule
from curation.sources.left_out import LeftOut
from curation.sources.outlines import area, counts
from icvos.errors import IcvosError
from icvos.files.images import whole_image_size
from icvos.files.names import DRAWN
from icvos.files.rle import encode_rle
from icvos.tasks.image.benchmark import IGNORED, Picture
from icvos.tasks.task import SILENT, Watch
from icvos.workers import run_jobs

BATCH = 64  # pictures
ABSENT = "of the lists, not there"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Source:
    """Where the pictures of one split come from.

    Args:
        split: ``val2014``, ``trainaug`` and the like.
        images: The folder of the image files.
        batches: Functions without arguments that make the pictures, each a list of them.
        names: The files of the pictures that the batches are about.
        listing: What the published lists say, of the pictures that are there; None: without lists.
        warnings: Every finding that did not stop the reading, one line each.
        left_out: What was passed over before the batches.
    """

    split: str
    images: Path
    batches: tuple["partial[list[Picture]]", ...]
    names: tuple[str, ...] = field(repr=False)
    listing: Listing | None = None
    warnings: tuple[str, ...] = ()
    left_out: tuple[LeftOut, ...] = ()

    @property
    def drawn(self) -> bool:
        """Whether its pictures are drawn, in the layout of the data set."""
        return any((folder / DRAWN).is_file() for folder in (self.images.parent, self.images.parent.parent))

    def unseen(self, pictures: Iterable[Picture]) -> tuple[str, ...]:
        """``<picture>/<class>`` for every class that the lists name whose mask has no pixel, and is not asked."""
        asked = {picture_key(picture.path): picture.listed for picture in pictures}
        return tuple(
            f"{key}/{kind}"
            for key, kinds in (self.listing or {}).items()
            for kind in sorted(kinds.difference(asked.get(key, ())))
        )

    def passed_over(self, pictures: Sequence[Picture]) -> list[LeftOut]:
        """All that is not among the ``pictures`` that were made, in groups of one reason."""
        made = {picture.name for picture in pictures}
        by_area = self.listing is None or not any(self.listing.values())
        reason = (
            f"that show no class with {MIN_PIXELS} pixels" if by_area else "that show no class which the lists name"
        )
        groups = (
            LeftOut("pictures", reason, tuple(name for name in self.names if name not in made)),
            LeftOut("pairs of a picture and a class", "that the lists name and no mask shows", self.unseen(pictures)),
        )
        return [group for group in (*self.left_out, *groups) if group.names]

    def pictures(self, workers: int = 1, watch: Watch = SILENT) -> list[Picture]:
        """The pictures in order of name, the same for any number of workers; ``watch`` is told of every batch.

        Raises `IcvosError` where the masks lack most of what lists say: the lists are then of other masks.
        """
        watch.stage(f"pictures of {self.split}")
        watch.total(len(self.batches))
        found = run_jobs(_make, self.batches, workers, done=lambda batch: watch.advance())
        pictures = sorted((picture for batch in found for picture in batch), key=lambda picture: picture.name)
        unseen = len(self.unseen(pictures))
        if 2 * unseen > sum(map(len, (self.listing or {}).values())):
            raise IcvosError(
                f"{self.images}: {unseen} classes that the lists name are in no mask, more than half; "
                "give lists of this data set, with class numbers from 1"
            )
        return pictures


def _make(batch: "partial[list[Picture]]") -> list[Picture]:
    return batch()


def from_annotations(coco: Coco, rule: Rule, listing: Listing | None = None) -> Source:
    """The pictures of a COCO split with masks from its annotations; of ``listing``, those that are there."""
    images = {image.file: image for image in coco.images.values()}
    part, paths, warnings, left_out = _there(listing, images, coco.folder)
    batches = tuple(
        partial(_annotated, coco.part(images[path] for path in chunk), rule, _part(part, chunk))
        for chunk in _chunks(paths)
    )
    names = tuple(sorted(path.name for path in paths))
    left_out = (*coco.left_out, *left_out)
    return Source(coco.split, coco.folder, batches, names, part, (*coco.warnings, *warnings), left_out)


def from_class_pngs(
    split: str,
    images: Mapping[Path, Callable[[], np.ndarray]],
    classes: int,
    listing: Listing | None = None,
    left_out: Sequence[LeftOut] = (),
) -> Source:
    """The pictures of a split with masks from PNGs whose values are class numbers, 255 = ignored.

    Args:
        split: Its name.
        images: Every image file, all in one folder, with what reads its (H, W) class numbers.
        classes: Class numbers are 1..classes.
        listing: Which pictures are asked for which class; None: all, by the area of their masks.
        left_out: What is not among ``images``.
    """
    folder = next(iter(images)).parent
    part, paths, warnings, absent = _there(listing, images, folder)
    batches = tuple(
        partial(_numbered, [(path, images[path]) for path in chunk], classes, _part(part, chunk))
        for chunk in _chunks(paths)
    )
    names = tuple(sorted(path.name for path in paths))
    return Source(split, folder, batches, names, part, warnings, (*left_out, *absent))


def _there(
    listing: Listing | None, images: Collection[Path], folder: Path
) -> tuple[Listing | None, list[Path], tuple[str, ...], tuple[LeftOut, ...]]:
    """The part of ``listing`` whose images are there, those images, a warning on the others, and what is left out."""
    if listing is None:
        return None, list(images), (), ()
    by_key: dict[str, list[Path]] = {}
    for path in images:
        by_key.setdefault(picture_key(path), []).append(path)
    absent = tuple(key for key in listing if key not in by_key)
    unlisted = tuple(sorted(path.name for key, paths in by_key.items() if key not in listing for path in paths))
    part = {key: kinds for key, kinds in listing.items() if key in by_key}
    listed = [path for path in images if picture_key(path) in part]
    groups = (LeftOut("pictures", ABSENT, absent), LeftOut("pictures", "that no list names", unlisted))
    warnings = (f"{folder}: left out: {groups[0]}",) if absent else ()
    return part, listed, warnings, tuple(group for group in groups if group.names)


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
