"""Image benchmarks of few-shot segmentation: annotated pictures, folds of classes, and frozen evaluation episodes.

An episode asks for one class in a query picture, shown by support pictures with its masks. Built benchmarks are
COCO-20i, PASCAL-5i, COCO-to-PASCAL (classes that no COCO-20i fold was trained on, in PASCAL's pictures) and all-COCO
(every class trains; for IC-VOS). On disk::

    <root>/
      episodes.json   format, name, rule, digest, splits, images, classes, folds
      val.json        the pictures that are asked about and shown in evaluation
      train.json      the pictures to train on; absent where nothing trains

``episodes.json``::

    format    1
    name      coco-20i, pascal-5i, coco-to-pascal or all-coco
    rule      how masks were made, in words; part of the digest
    digest    {"val": "sha256:...", "train": "sha256:..."}: over pictures, masks, folds and episodes; where images lie
              is not part of it
    splits    {"val": name, "train": name}: of the data set, as val2014
    images    {"val": folder, "train": folder}: absolute, or relative to <root>
    classes   {"1": "person", ...}: numbers from 1, the data set's own
    folds     a list of {"test": classes, "train": classes, "episodes": [[class, query, [support, ...]], ...]}: the
              supports are ranked, K shots take the first K

``val.json`` and ``train.json``::

    {"format": 1, "pictures": [{"name": file below the images folder, "size": [height, width],
                                "outlines": {class: counts of COCO's compressed RLE}, "listed": classes,
                                "ignored": counts, where something is ignored}, ...]}

A picture is drawn only for a class in ``listed``: its mask has at least 2048 pixels, or a published list names it.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np

from icvos.errors import IcvosError
from icvos.files.images import read_image
from icvos.files.rle import decode_rle
from icvos.files.storage import read_json
from icvos.method import Image, Mask, Support

FORMAT = 1
MANIFEST = "episodes.json"
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
        fold: Of the class.
        index: Its place among the fold's episodes.
        kind: Class number.
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


@dataclass(frozen=True, slots=True)
class Fold:
    """Class numbers that are tested and that may be trained on, and the frozen episodes as the manifest has them."""

    test: tuple[int, ...]
    train: tuple[int, ...]
    episodes: tuple[tuple[int, str, tuple[str, ...]], ...]


@dataclass(frozen=True)
class ImageBenchmark:
    """A built image benchmark; make one with `ImageBenchmark.open`. Pictures are read when they are asked for.

    Args:
        root: Its folder.
        name: coco-20i, pascal-5i, coco-to-pascal or all-coco.
        classes: Class number -> name.
        folds: In order.
        manifest: ``episodes.json`` as read.
    """

    root: Path
    name: str
    classes: Mapping[int, str]
    folds: tuple[Fold, ...]
    manifest: dict[str, Any]

    @classmethod
    def open(cls, root: Path | str) -> "ImageBenchmark":
        """Open a built image benchmark; raises `IcvosError` for anything else."""
        root = Path(root)
        path = root / MANIFEST
        manifest = read_json(path, "the manifest of an image benchmark, which icvos episodes writes")
        if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
            raise IcvosError(f"{path}: not a manifest of format {FORMAT}; build the episodes again with this icvos")
        classes = {int(number): name for number, name in manifest["classes"].items()}
        folds = tuple(
            Fold(
                tuple(fold["test"]),
                tuple(fold["train"]),
                tuple((kind, query, tuple(supports)) for kind, query, supports in fold["episodes"]),
            )
            for fold in manifest["folds"]
        )
        return cls(root, manifest["name"], classes, folds, manifest)

    @property
    def digest(self) -> str:
        """``sha256:...`` over everything that evaluation depends on."""
        return str(self.manifest["digest"]["val"])

    @property
    def training_digest(self) -> str:
        """``sha256:...`` over the pictures to train on; "" where there are none."""
        return str(self.manifest["digest"].get("train", ""))

    def fold(self, number: int) -> Fold:
        """Fold 0, 1, ...; raises `IcvosError` for a number that there is none of."""
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
            try:
                chosen = tuple(pictures[name] for name in supports[:shots])
                found.append(Episode(fold, index, kind, pictures[query], chosen, source))
            except KeyError as error:
                raise IcvosError(
                    f"{self.root / MANIFEST}: picture {error} of fold {fold} is not in {source.name}; "
                    "build the episodes again"
                ) from None
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
        path = self.root / f"{split}.json"
        if split not in self.manifest["images"]:
            raise IcvosError(
                f"{self.root}: {self.name} was built without pictures to train on; build it again with them"
            )
        images = self.root / self.manifest["images"][split]
        if not images.is_dir():
            raise IcvosError(
                f"{images}: no such folder; put the images there, or write where they are into {self.root / MANIFEST}"
            )
        value = read_json(path, "the pictures of an image benchmark")
        if not isinstance(value, dict) or value.get("format") != FORMAT:
            raise IcvosError(f"{path}: not of format {FORMAT}; build the episodes again with this icvos")
        return {entry["name"]: _picture(entry, images) for entry in value["pictures"]}


def _picture(entry: dict[str, Any], images: Path) -> Picture:
    height, width = entry["size"]
    outlines = {int(kind): counts for kind, counts in entry["outlines"].items()}
    return Picture(
        entry["name"],
        images / entry["name"],
        (height, width),
        outlines,
        tuple(entry["listed"]),
        entry.get("ignored", ""),
    )


def picture_json(picture: Picture) -> dict[str, Any]:
    """A picture as its file has it."""
    entry: dict[str, Any] = {
        "name": picture.name,
        "size": list(picture.size),
        "outlines": {str(kind): counts for kind, counts in picture.outlines.items()},
        "listed": list(picture.listed),
    }
    return entry | ({"ignored": picture.ignored} if picture.ignored else {})


def pictures_text(pictures: Iterable[Picture]) -> str:
    """The text of ``val.json`` or ``train.json``: one line a picture."""
    lines = ",\n".join(json.dumps(picture_json(picture), ensure_ascii=False) for picture in pictures)
    return f'{{"format": {FORMAT}, "pictures": [\n{lines}\n]}}\n'


def manifest_text(manifest: Mapping[str, Any]) -> str:
    """The text of ``episodes.json``: one line an episode."""
    head = json.dumps({key: value for key, value in manifest.items() if key != "folds"}, indent=2, ensure_ascii=False)
    folds = ",\n".join(_fold_text(fold) for fold in manifest["folds"])
    return f'{head[:-2]},\n  "folds": [\n{folds}\n  ]\n}}\n'


def _fold_text(fold: Mapping[str, Any]) -> str:
    episodes = ",\n".join(json.dumps(episode, ensure_ascii=False) for episode in fold["episodes"])
    test, train = json.dumps(fold["test"]), json.dumps(fold["train"])
    return f'{{"test": {test}, "train": {train}, "episodes": [\n{episodes}\n]}}'


def is_image_benchmark(root: Path) -> bool:
    """Whether ``root`` is a built image benchmark."""
    return (root / MANIFEST).is_file()
