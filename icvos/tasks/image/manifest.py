"""``episodes.json``, ``val.json`` and ``train.json`` of a built benchmark of images."""

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Annotated, Final, Self, TypeVar

from pydantic import Field, model_validator

from icvos.files.schema import BenchmarkName, FormatOne, Name, Pixels, PlainPath, Schema, Text, read_schema
from icvos.files.storage import refuse_repeated_keys

FORMAT: Final = 1
MANIFEST = "episodes.json"
REMEDY = "build the episodes again with this icvos"
P = TypeVar("P")

MAX_CLASS = 254  # in a map of bytes, where 255 is ignored
MAX_FOLDS = 1000
ClassNumber = Annotated[int, Field(ge=1, le=MAX_CLASS)]
ClassKey = Annotated[str, Field(pattern=r"^([1-9]|[1-9][0-9]|1[0-9]{2}|2[0-4][0-9]|25[0-4])$")]
Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]


class OfSplits(Schema):
    """A text for the split that is evaluated on, and one for the split to train on where there is one."""

    val: Text = Field(description="Of the split to evaluate on.")
    train: Text | None = Field(default=None, description="Of the split to train on; absent where nothing trains.")


class Digests(Schema):
    """Digests over pictures, masks, folds and episodes; where images lie is not part of them."""

    val: Digest = Field(description="Over everything that evaluation depends on.")
    train: Digest | None = Field(
        default=None, description="Over the pictures to train on; absent where there are none."
    )


class FoldEntry(Schema):
    """One fold."""

    test: tuple[ClassNumber, ...] = Field(description="The classes that its episodes ask for.")
    train: tuple[ClassNumber, ...] = Field(description="The classes that may be trained on.")
    episodes: tuple[tuple[ClassNumber, PlainPath, tuple[PlainPath, ...]], ...] = Field(
        description="Each [class, query, [support, ...]]; supports are ranked, K shots take the first K."
    )

    @model_validator(mode="after")
    def _asked(self) -> Self:
        """Every episode asks for a class of the fold, and no query is shown as its own support."""
        for index, (kind, query, supports) in enumerate(self.episodes):
            if kind not in self.test:
                raise ValueError(f"has an episode {index} of class {kind}, which the fold does not test")
            if query in supports or not supports:
                raise ValueError(f"has an episode {index} whose query is a support of itself, or without supports")
        return self


class LeftOutGroup(Schema):
    """Things of one kind that were passed over, for one reason."""

    split: Text = Field(description="The data set's split that they are of.")
    what: Text = Field(description="The kind, in the plural: pictures, annotations, files, classes, pairs.")
    reason: Text = Field(description="What they are, as it follows the kind.")
    names: tuple[Text, ...] = Field(min_length=1, description="Their names or ids.")


class Manifest(Schema):
    """``episodes.json``: classes, folds, and the frozen episodes."""

    format: FormatOne = Field(description="Version of this layout.")
    name: BenchmarkName = Field(description="coco-20i, pascal-5i, coco-to-pascal or all-coco.")
    rule: Text = Field(description="How masks were made, in words; part of the digest.")
    digest: Digests = Field(description="What tells this build from another.")
    splits: OfSplits = Field(description="Names of the data set's splits, as val2014.")
    images: OfSplits = Field(description="Folders of the images, absolute or relative to the benchmark's folder.")
    classes: dict[ClassKey, Name] = Field(description="Numbers from 1, the data set's own, with their names.")
    folds: tuple[FoldEntry, ...] = Field(min_length=1, max_length=MAX_FOLDS, description="The folds in order.")
    drawn: bool = Field(
        False, description="Whether pictures are drawn, as by icvos smallworld: not the real benchmark."
    )
    left_out: tuple[LeftOutGroup, ...] | None = Field(
        default=None, description="What was passed over; absent in the files of earlier versions. No part of a digest."
    )

    @model_validator(mode="after")
    def _named(self) -> Self:
        """Every class of a fold has a name."""
        for number, fold in enumerate(self.folds):
            nameless = [kind for kind in (*fold.test, *fold.train) if str(kind) not in self.classes]
            if nameless:
                raise ValueError(f"folds[{number}] has a class {nameless[0]} that classes does not name")
        return self


class PictureEntry(Schema):
    """One annotated picture."""

    name: PlainPath = Field(description="Its file below the folder of images.")
    size: tuple[Pixels, Pixels] = Field(description="[height, width] in pixels.")
    outlines: dict[ClassKey, str] = Field(description="By class, the counts of COCO's compressed RLE of its mask.")
    listed: tuple[ClassNumber, ...] = Field(
        description="The classes that it may be drawn for: its mask has 2048 pixels, or a published list names it."
    )
    ignored: str | None = Field(
        default=None, description="Counts of the pixels that are neither; absent where there are none."
    )


class Pictures(Schema):
    """``val.json`` or ``train.json``: the pictures of a split."""

    format: FormatOne = Field(description="Version of this layout.")
    pictures: tuple[PictureEntry, ...] = Field(description="One line each.")


_HEAD, _TAIL = f'{{"format": {FORMAT}, "pictures": [', "]}"  # the first and the last line of a file of pictures


def read_pictures(path: Path, make: Callable[[PictureEntry], P]) -> list[P]:
    """What ``make`` gives for every picture in ``val.json`` or ``train.json``, in order.

    Raises `IcvosError` for a file that is absent or does not fit.
    """
    try:
        return [make(entry) for entry in _by_line(path)]
    except (OSError, ValueError):  # laid out by another program, or faulty: the whole file says in which key
        return [make(entry) for entry in read_schema(path, Pictures, "the pictures of a benchmark", REMEDY).pictures]


def _by_line(path: Path) -> Iterator[PictureEntry]:
    """The entries of a file with a line for each; so read, a large split is never in memory as text."""
    with path.open("rb") as file:
        line = next(file, b"").rstrip()
        if line != _HEAD.encode():
            raise ValueError("another first line")
        for line in file:
            line = line.rstrip()
            if line == _TAIL.encode():
                break
            line = line.removesuffix(b",")
            yield PictureEntry.model_validate_json(line, strict=True)
            refuse_repeated_keys(line)  # of which pydantic keeps the last
        if line != _TAIL.encode() or file.read().strip():
            raise ValueError("another last line")


def pictures_text(pictures: Iterable[PictureEntry]) -> str:
    """The text of ``val.json`` or ``train.json``: one line a picture."""
    lines = ",\n".join(json.dumps(picture.to_json(), ensure_ascii=False) for picture in pictures)
    return f"{_HEAD}\n{lines}\n{_TAIL}\n"


def manifest_text(manifest: Manifest) -> str:
    """The text of ``episodes.json``: one line an episode, and one for all that was passed over for one reason."""
    value = manifest.to_json()
    folds = ",\n".join(_fold_text(fold) for fold in value.pop("folds"))
    groups = value.pop("left_out", None)
    head = json.dumps(value, indent=2, ensure_ascii=False)[:-2]
    rows = ",\n".join(json.dumps(group, ensure_ascii=False) for group in groups or ())
    tail = "" if groups is None else f',\n  "left_out": [\n{rows}\n  ]'
    return f'{head},\n  "folds": [\n{folds}\n  ]{tail}\n}}\n'


def _fold_text(fold: dict[str, list[object]]) -> str:
    episodes = ",\n".join(json.dumps(episode, ensure_ascii=False) for episode in fold["episodes"])
    test, train = json.dumps(fold["test"]), json.dumps(fold["train"])
    return f'{{"test": {test}, "train": {train}, "episodes": [\n{episodes}\n]}}'
