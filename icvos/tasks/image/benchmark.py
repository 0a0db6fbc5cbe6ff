"""Image benchmarks of few-shot segmentation: annotated pictures, folds of classes, and frozen evaluation episodes.

An episode asks for one class in a query picture, shown by support pictures with its masks. Built benchmarks are
COCO-20i, PASCAL-5i, COCO-to-PASCAL (classes that no COCO-20i fold was trained on, in PASCAL's pictures) and all-COCO
(every class trains; for IC-VOS). On disk::

    <root>/
      episodes.json   name, rule of the masks, digests, where images lie, classes, folds with their episodes
      val.json        the pictures that are asked about and shown in evaluation
      train.json      the pictures to train on; absent where nothing trains

`icvos.tasks.image.manifest` explains every key of the three files.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np

from icvos.errors import IcvosError
from icvos.files.images import read_image
from icvos.files.rle import decode_rle
from icvos.files.schema import read_schema
from icvos.method import Image, Mask, Support
from icvos.tasks.image.manifest import (
    MANIFEST,
    REMEDY,
    FoldEntry,
    Manifest,
    OfSplits,
    PictureEntry,
    manifest_text,
    pictures_text,
    read_pictures,
)

IGNORED = 255
Split = Literal["train", "val"]


@dataclass(frozen=True, slots=True)
class Picture:
    """One annotated picture.

    Args:
        name: Its file below the folder of images.
        path: Its file.
        size: (height, width).
        outlines: Class number -> counts of COCO's compressed RLE of its mask.
        listed: The classes that it may be drawn for.
        ignored: Counts of the pixels that are neither; "" for none.
    """

    name: str
    path: Path
    size: tuple[int, int]
    outlines: Mapping[int, str] = field(hash=False)  # a picture is a key of what methods keep of their supports
    listed: tuple[int, ...]
    ignored: str = ""

    @classmethod
    def from_entry(cls, entry: PictureEntry, images: Path) -> "Picture":
        """The picture that a file of pictures names; ``images`` is the folder of its image."""
        outlines = {int(kind): counts for kind, counts in entry.outlines.items()}
        return cls(entry.name, images / entry.name, entry.size, outlines, entry.listed, entry.ignored or "")

    def entry(self) -> PictureEntry:
        """The picture as its file has it."""
        outlines = {str(kind): counts for kind, counts in self.outlines.items()}
        entry = PictureEntry(name=self.name, size=self.size, outlines=outlines, listed=self.listed)
        return entry if not self.ignored else entry.model_copy(update={"ignored": self.ignored})

    def image(self) -> Image:
        """(H, W, 3) uint8 RGB; raises `IcvosError` for a file of another size than the annotations have."""
        image = read_image(self.path)
        if image.shape[:2] != self.size:
            raise IcvosError(
                f"{self.path}: {image.shape[1]}x{image.shape[0]} pixels, annotated as {self.size[1]}x{self.size[0]}; "
                "fetch the original image"
            )
        return image

    def mask(self, kind: int) -> Mask:
        """(H, W) bool: where the class ``kind`` is; all False where it is not."""
        return self._decoded(self.outlines[kind]) if kind in self.outlines else np.zeros(self.size, dtype=bool)

    def label(self, kind: int) -> np.ndarray:
        """(H, W) uint8: 1 = the class ``kind``, 0 = anything else, 255 = ignored."""
        label = self.mask(kind).astype(np.uint8)
        if self.ignored:
            label[self._decoded(self.ignored)] = IGNORED
        return label

    def class_map(self) -> np.ndarray:
        """(H, W) uint8: every pixel's class number, 0 = none, 255 = ignored; of overlapping classes the highest."""
        label = np.zeros(self.size, dtype=np.uint8)
        for kind in sorted(self.outlines):
            label[self.mask(kind)] = kind
        if self.ignored:
            label[self._decoded(self.ignored)] = IGNORED
        return label

    def _decoded(self, counts: str) -> Mask:
        try:
            return decode_rle({"size": list(self.size), "counts": counts})
        except ValueError as error:
            raise IcvosError(f"{self.name}: its mask cannot be read ({error}); build the episodes again") from error


@dataclass(frozen=True, slots=True)
class PictureSupport(Support):
    """A picture as the support of a class; its mask comes from the benchmark, ``mask_path`` says which."""

    picture: Picture
    kind: int

    def mask(self) -> Mask:
        """(H, W) bool, of the image's size."""
        return self.picture.mask(self.kind)


@dataclass(frozen=True, slots=True)
class Episode:
    """One question: where is class ``kind`` in ``query``, shown by ``supports``?

    Args:
        fold: The number of its fold.
        index: Its place among the fold's episodes.
        kind: The class number.
        query: The picture that is asked about.
        supports: K pictures of the class, none of them the query.
        source: The file that holds the masks, for messages.
    """

    fold: int
    index: int
    kind: int
    query: Picture
    supports: tuple[Picture, ...]
    source: Path

    def shown(self) -> tuple[PictureSupport, ...]:
        """The supports as a method takes them."""
        return tuple(self.as_support(picture) for picture in self.supports)

    def as_support(self, picture: Picture) -> PictureSupport:
        """Any picture with its mask of the class."""
        return PictureSupport(picture.name, picture.path, self.source, picture, self.kind)


@dataclass(frozen=True)
class ImageBenchmark:
    """A built image benchmark; make one with `ImageBenchmark.open`. Pictures are read when they are asked for.

    Args:
        root: Its folder.
        manifest: ``episodes.json``.
    """

    root: Path
    manifest: Manifest

    @classmethod
    def open(cls, root: Path | str) -> "ImageBenchmark":
        """Open a built image benchmark; raises `IcvosError` for anything else."""
        root = Path(root)
        what = "the manifest of an image benchmark, which icvos episodes writes"
        return cls(root, read_schema(root / MANIFEST, Manifest, what, REMEDY))

    @property
    def name(self) -> str:
        """``coco-20i``, ``pascal-5i``, ``coco-to-pascal`` or ``all-coco``."""
        return self.manifest.name

    @cached_property
    def classes(self) -> dict[int, str]:
        """Class number -> name."""
        return {int(number): name for number, name in self.manifest.classes.items()}

    @property
    def folds(self) -> tuple[FoldEntry, ...]:
        """The folds in order, with their classes and frozen episodes."""
        return self.manifest.folds

    @property
    def digest(self) -> str:
        """``sha256:...`` over everything that evaluation depends on."""
        return self.manifest.digest.val

    @property
    def training_digest(self) -> str:
        """``sha256:...`` over the pictures to train on; "" where there are none."""
        return self.manifest.digest.train or ""

    def fold(self, number: int) -> FoldEntry:
        """Fold 0, 1, ...; raises `IcvosError` for a number that no fold has."""
        if not 0 <= number < len(self.folds):
            raise IcvosError(f"{self.root}: {self.name} has no fold {number}; folds are 0..{len(self.folds) - 1}")
        return self.folds[number]

    def episodes(self, fold: int, shots: int = 1) -> tuple[Episode, ...]:
        """The frozen episodes of a fold, each with the first ``shots`` of its ranked supports."""
        pictures, source = self.validation, self.root / "val.json"
        found = []
        for index, (kind, query, supports) in enumerate(self.fold(fold).episodes):
            if not 1 <= shots <= len(supports):
                raise IcvosError(
                    f"{self.root}: episodes hold {len(supports)} supports, not {shots}; "
                    f"build them again with --max-shots {shots}"
                )
            fault = next(
                (f"{name!r} of fold {fold} is not in" for name in (query, *supports[:shots]) if name not in pictures),
                "",
            )
            if not fault and kind not in pictures[query].outlines:
                fault = f"{query!r} of fold {fold} shows no {self.classes[kind]} in"
            if fault:
                raise IcvosError(f"{self.root / MANIFEST}: picture {fault} {source.name}; {REMEDY}")
            chosen = tuple(pictures[name] for name in supports[:shots])
            found.append(Episode(fold, index, kind, pictures[query], chosen, source))
        return tuple(found)

    @cached_property
    def validation(self) -> dict[str, Picture]:
        """The pictures of evaluation, by name."""
        return self._pictures("val")

    @cached_property
    def training(self) -> dict[str, Picture]:
        """The pictures to train on, by name; raises `IcvosError` where the benchmark has none."""
        return self._pictures("train")

    def _pictures(self, split: Split) -> dict[str, Picture]:
        folder: str | None = getattr(self.manifest.images, split)
        if folder is None:
            raise IcvosError(
                f"{self.root}: {self.name} was built without pictures to train on; build it again with them"
            )
        images = self.root / folder
        if not images.is_dir():
            raise IcvosError(
                f"{images}: no such folder; put the images there, or write where they are into {self.root / MANIFEST}"
            )
        path = self.root / f"{split}.json"
        found: dict[str, Picture] = {}
        for picture in read_pictures(path, lambda entry: Picture.from_entry(entry, images)):
            nameless = [kind for kind in (*picture.outlines, *picture.listed) if kind not in self.classes]
            if nameless or picture.name in found:
                fault = f"has a class {nameless[0]} that {MANIFEST} does not name" if nameless else "is there twice"
                raise IcvosError(f"{path}: picture {picture.name} {fault}; {REMEDY}")
            found[picture.name] = picture
        return found


def truth_files(benchmark: ImageBenchmark) -> Iterator[tuple[str, bytes]]:
    """What scoring reads, by its names in the folder: the episodes, and the masks of the pictures that they name."""
    named = {name for fold in benchmark.folds for _, query, supports in fold.episodes for name in (query, *supports)}
    place = OfSplits(val="pictures")
    yield MANIFEST, manifest_text(benchmark.manifest.model_copy(update={"images": place})).encode()
    chosen = (picture.entry() for name, picture in benchmark.validation.items() if name in named)
    yield "val.json", pictures_text(chosen).encode()
    yield f"{place.val}/README.txt", b"Scoring reads masks alone: the pictures are left out.\n"


def is_image_benchmark(root: Path) -> bool:
    """Whether ``root`` is a built image benchmark."""
    return (root / MANIFEST).is_file()
