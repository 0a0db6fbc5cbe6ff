"""``icvos.json`` and ``supports.json`` of a built benchmark of videos."""

import re
from typing import Annotated, Final

from pydantic import AfterValidator, Field

from icvos.files.names import PlainName, name_fault
from icvos.files.schema import Count, FormatOne, Name, Schema

FORMAT: Final = 1
MANIFEST = "icvos.json"
SUPPORTS = "supports.json"
REMEDY = "build the benchmark again with this icvos"

CLASS_INDEX = r"^([1-9]|[1-7][0-9]|80)$"
ClassIndex = Annotated[str, Field(pattern=CLASS_INDEX)]
Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


def _clip(text: str) -> str:
    video, _, index = text.rpartition("/")
    fault = name_fault(video) or ("" if re.fullmatch(CLASS_INDEX, index) else "has no class of 1 to 80 behind it")
    if fault:
        raise ValueError(f"is not <video>/<class>: the video {fault}")
    return text


ClipId = Annotated[str, AfterValidator(_clip)]


class ClipEntry(Schema):
    """One category of one video."""

    first_frame: PlainName = Field(description="The first frame that shows the category.")
    visible: Count = Field(description="Frames that show it.")
    instances: Count | None = Field(
        default=None, description="Annotated objects of the category; null where nobody knows."
    )
    masks: Sha256 = Field(description="SHA-256 over frame names, sizes and pixels of the masks.")


class VideoEntry(Schema):
    """One video."""

    source: PlainName = Field(description="The data set that it comes from: davis, mose or lvos.")
    frames: Count = Field(description="Its number of frames.")
    height: Count = Field(description="Of its frames, in pixels.")
    width: Count = Field(description="Of its frames, in pixels.")
    clips: dict[ClassIndex, ClipEntry] = Field(description="By class, 1 to 80 in COCO's order.")


class PaperCounts(Schema):
    """What the paper says of IC-VOS as a whole."""

    videos: int = Field(description="Videos.")
    clips: int = Field(description="Pairs of a video and a category.")
    frames: int = Field(description="Frames of the videos.")
    categories: int = Field(description="Categories.")


class Counts(Schema):
    """What the benchmark has."""

    videos: int = Field(description="Videos.")
    clips: int = Field(description="Pairs of a video and a category.")
    frames: int = Field(description="Frames of the videos.")
    categories: int = Field(description="Categories.")
    paper: PaperCounts = Field(description="The paper's figures beside it.")


class PaperSource(Schema):
    """What the paper says of a source."""

    videos: int | None = Field(description="Videos; null for a source that the paper does not have.")
    share_percent: float | None = Field(description="Of all videos.")


class SourceEntry(Schema):
    """What comes from one data set."""

    version: str = Field(description="Of its release; empty where it cannot be told.")
    videos: int = Field(description="Videos.")
    clips: int = Field(description="Pairs of a video and a category.")
    frames: int = Field(description="Frames of the videos.")
    share_percent: float = Field(description="Of all videos.")
    paper: PaperSource = Field(description="The paper's figures beside it.")


class PaperCategory(Schema):
    """What the paper says of a category."""

    clips: int = Field(description="Pairs of a video and the category.")
    frames_about: int = Field(description="Frames, as read from a plot.")


class CategoryEntry(Schema):
    """What shows one category."""

    index: int = Field(validation_alias="class", serialization_alias="class", description="1 to 80 in COCO's order.")
    clips: int = Field(description="Pairs of a video and the category.")
    frames: int = Field(description="Frames of those videos.")
    paper: PaperCategory | None = Field(default=None, description="The paper's figures beside it.")


class SupportMasks(Schema):
    """How the masks of the supports were made."""

    rule: str = Field(description="How instances become one mask: painted, union or png.")
    masks: dict[ClassIndex, Sha256] = Field(description="By class, SHA-256 over names, sizes and pixels.")


class LeftOutEntry(Schema):
    """Something that was not built."""

    source: str = Field(description="The data set.")
    video: str = Field(description="The video, as the data set calls it.")
    category: str = Field(description="The category, empty for a whole video.")
    reason: str = Field(description="Why, in words.")


class Manifest(Schema):
    """``icvos.json``: what a build holds. It is written last: a folder that has it is complete."""

    format: FormatOne = Field(description="Version of this layout.")
    name: PlainName = Field(description="The benchmark's name.")
    digest: Digest = Field(description="Over every clip's frame names and masks, and every support's name and draws.")
    counts: Counts = Field(description="What the benchmark has.")
    sources: dict[PlainName, SourceEntry] = Field(description="By source.")
    categories: dict[Name, CategoryEntry] = Field(description="By category, in order of the class index.")
    supports: SupportMasks = Field(description="How the supports were made.")
    left_out: tuple[LeftOutEntry, ...] = Field(description="What was not built, each with its reason.")
    videos: dict[PlainName, VideoEntry] = Field(min_length=1, description="By name, <source>_<original name>.")


class Supports(Schema):
    """``supports.json``: the frozen support draws."""

    format: FormatOne = Field(description="Version of this layout.")
    rule: str = Field(description="How instances become one mask: painted, union or png.")
    shots: Count = Field(description="The most supports that a draw gives a clip.")
    classes: dict[ClassIndex, tuple[PlainName, ...]] = Field(
        description="By class, the images in the order of their rank."
    )
    draws: tuple[dict[ClipId, tuple[PlainName, ...]], ...] = Field(
        description="For each draw by clip, <video>/<class>, the chosen images; K shots take the first K."
    )
