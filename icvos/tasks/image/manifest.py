"""``episodes.json``, ``val.json`` and ``train.json`` of a built benchmark of images."""

from typing import Annotated, Literal

from pydantic import Field

from icvos.files.schema import Count, Name, Schema

FORMAT = 1
MANIFEST = "episodes.json"
REMEDY = "build the episodes again with this icvos"

ClassNumber = Annotated[int, Field(ge=1)]
ClassKey = Annotated[str, Field(pattern=r"^[1-9][0-9]{0,3}$")]
Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]


class OfSplits(Schema):
    """A text for the split that is evaluated on, and one for the split to train on where there is one."""

    val: str = Field(description="Of the split to evaluate on.")
    train: str | None = Field(None, description="Of the split to train on; absent where nothing trains.")


class Digests(Schema):
    """Digests over pictures, masks, folds and episodes; where images lie is not part of them."""

    val: Digest = Field(description="Over everything that evaluation depends on.")
    train: Digest | None = Field(None, description="Over the pictures to train on; absent where there are none.")


class FoldEntry(Schema):
    """One fold."""

    test: tuple[ClassNumber, ...] = Field(description="The classes that its episodes ask for.")
    train: tuple[ClassNumber, ...] = Field(description="The classes that may be trained on.")
    episodes: tuple[tuple[ClassNumber, Name, tuple[Name, ...]], ...] = Field(
        description="Each [class, query, [support, ...]]; supports are ranked, K shots take the first K."
    )


class Manifest(Schema):
    """``episodes.json``: classes, folds, and the frozen episodes."""

    format: Literal[1] = Field(description="Version of this layout.")
    name: Name = Field(description="coco-20i, pascal-5i, coco-to-pascal or all-coco.")
    rule: str = Field(description="How masks were made, in words; part of the digest.")
    digest: Digests = Field(description="What tells this build from another.")
    splits: OfSplits = Field(description="Names of the data set's splits, as val2014.")
    images: OfSplits = Field(description="Folders of the images, absolute or relative to the benchmark's folder.")
    classes: dict[ClassKey, Name] = Field(description="Numbers from 1, the data set's own, with their names.")
    folds: tuple[FoldEntry, ...] = Field(description="The folds in order.")


class PictureEntry(Schema):
    """One annotated picture."""

    name: Name = Field(description="Its file below the folder of images.")
    size: tuple[Count, Count] = Field(description="[height, width] in pixels.")
    outlines: dict[ClassKey, str] = Field(description="By class, the counts of COCO's compressed RLE of its mask.")
    listed: tuple[ClassNumber, ...] = Field(
        description="The classes that it may be drawn for: its mask has 2048 pixels, or a published list names it."
    )
    ignored: str | None = Field(None, description="Counts of the pixels that are neither; absent where there are none.")


class Pictures(Schema):
    """``val.json`` or ``train.json``: the pictures of a split."""

    format: Literal[1] = Field(description="Version of this layout.")
    pictures: tuple[PictureEntry, ...] = Field(description="One line each.")
