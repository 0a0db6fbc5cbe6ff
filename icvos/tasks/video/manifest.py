"""``icvos.json`` and ``supports.json`` of a built benchmark of videos."""

import hashlib
import json
import re
from collections.abc import Collection, Mapping
from typing import Annotated, Final, Self

from pydantic import AfterValidator, Field, model_validator

from icvos.categories import category
from icvos.files.names import name_fault
from icvos.files.schema import Count, FormatOne, Name, Percent, Pixels, PlainName, Schema, Text, Whole
from icvos.tasks.record import MAX_SHOTS

FORMAT: Final = 1
MANIFEST = "icvos.json"
SUPPORTS = "supports.json"
MAX_DRAWS = 1000
REMEDY = "build the benchmark again with this icvos"
IC_VOS: Final = "IC-VOS"  # what is built of the paper's sources; what is built of others has another name

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

    source: PlainName = Field(description="The data set that it comes from: davis, mose, lvos or youtube-vos.")
    frames: Count = Field(description="Its number of frames.")
    height: Pixels = Field(description="Of its frames, in pixels.")
    width: Pixels = Field(description="Of its frames, in pixels.")
    clips: dict[ClassIndex, ClipEntry] = Field(description="By class, 1 to 80 in COCO's order.")


class PaperCounts(Schema):
    """What the paper says of IC-VOS as a whole."""

    videos: Whole = Field(description="Videos.")
    clips: Whole = Field(description="Pairs of a video and a category.")
    frames: Whole = Field(description="Frames of the videos.")
    categories: Whole = Field(description="Categories.")


class Counts(Schema):
    """What the benchmark has."""

    videos: Whole = Field(description="Videos.")
    clips: Whole = Field(description="Pairs of a video and a category.")
    frames: Whole = Field(description="Frames of the videos.")
    categories: Whole = Field(description="Categories.")
    paper: PaperCounts = Field(description="The paper's figures beside it.")


class PaperSource(Schema):
    """What the paper says of a source."""

    videos: Whole | None = Field(description="Videos; null for a source that the paper does not have.")
    share_percent: Percent | None = Field(description="Of all videos.")


class SourceEntry(Schema):
    """What comes from one data set."""

    version: Text = Field(description="Of its release; empty where it cannot be told.")
    videos: Whole = Field(description="Videos.")
    clips: Whole = Field(description="Pairs of a video and a category.")
    frames: Whole = Field(description="Frames of the videos.")
    share_percent: Percent = Field(description="Of all videos.")
    paper: PaperSource = Field(description="The paper's figures beside it.")


class PaperCategory(Schema):
    """What the paper says of a category."""

    clips: Whole = Field(description="Pairs of a video and the category.")
    frames_about: Whole = Field(description="Frames, as read from a plot.")


class CategoryEntry(Schema):
    """What shows one category."""

    index: Annotated[int, Field(ge=1, le=80)] = Field(
        validation_alias="class", serialization_alias="class", description="1 to 80 in COCO's order."
    )
    clips: Whole = Field(description="Pairs of a video and the category.")
    frames: Whole = Field(description="Frames of those videos.")
    paper: PaperCategory | None = Field(default=None, description="The paper's figures beside it.")


class SupportMasks(Schema):
    """How the masks of the supports were made."""

    rule: Text = Field(description="How instances become one mask: painted, union or png.")
    masks: dict[ClassIndex, Sha256] = Field(description="By class, SHA-256 over names, sizes and pixels.")


def _totals(videos: Collection[VideoEntry], clips_each: int | None = None) -> dict[str, int]:
    return {
        "videos": len(videos),
        "clips": sum(len(video.clips) if clips_each is None else clips_each for video in videos),
        "frames": sum(video.frames for video in videos),
    }


def _agree(where: str, found: Schema, totals: Mapping[str, int]) -> None:
    """`ValueError` where an entry says other counts than its videos have."""
    for key, number in totals.items():
        said = getattr(found, key, number)
        if said != number:
            raise ValueError(f"{where}.{key} is {said}, its videos make {number}")


class LeftOutEntry(Schema):
    """Something that was not built."""

    source: Text = Field(description="The data set.")
    video: Text = Field(description="The video, as the data set calls it; of coco, the split.")
    category: Text = Field(description="The category, empty for a whole video and for coco.")
    reason: Text = Field(description="Why, in words.")


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
    drawn: bool = Field(False, description="Whether videos are drawn, as by icvos smallworld: not the real benchmark.")
    videos: dict[PlainName, VideoEntry] = Field(min_length=1, description="By name, <source>_<original name>.")

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        """Every count is that of the videos, and no video has more frames with a category than it has."""
        _agree("counts", self.counts, _totals(self.videos.values()))
        if self.counts.categories != len(self.categories):
            raise ValueError(f"counts.categories is {self.counts.categories}, there are {len(self.categories)}")
        for key, groups in (("sources", self.sources), ("categories", self.categories)):
            members = self._members(key)
            if members.keys() != groups.keys():
                other = sorted(members.keys() ^ groups.keys())[0]
                raise ValueError(f"{key} and videos differ in {other}")
            for name, group in groups.items():
                _agree(f"{key}.{name}", group, _totals(members[name], clips_each=1 if key == "categories" else None))
        for name, video in self.videos.items():
            for index, clip in video.clips.items():
                if clip.visible > video.frames:
                    raise ValueError(f"videos.{name}.clips.{index}.visible is {clip.visible} of {video.frames} frames")
        return self

    def _members(self, key: str) -> dict[str, list[VideoEntry]]:
        """The videos of every source, or of every category."""
        found: dict[str, list[VideoEntry]] = {}
        for video in self.videos.values():
            names = [video.source] if key == "sources" else [category(index).name for index in video.clips]
            for name in names:
                found.setdefault(name, []).append(video)
        return found

    @property
    def clip_ids(self) -> frozenset[str]:
        """``<video>/<class>`` of every clip."""
        return frozenset(f"{name}/{index}" for name, video in self.videos.items() for index in video.clips)


class Supports(Schema):
    """``supports.json``: the frozen support draws."""

    format: FormatOne = Field(description="Version of this layout.")
    rule: Text = Field(description="How instances become one mask: painted, union or png.")
    shots: Annotated[int, Field(ge=1, le=MAX_SHOTS)] = Field(description="The most supports that a draw gives a clip.")
    classes: dict[ClassIndex, tuple[PlainName, ...]] = Field(
        description="By class, the images in the order of their rank."
    )
    draws: tuple[dict[ClipId, tuple[PlainName, ...]], ...] = Field(
        max_length=MAX_DRAWS,
        description="For each draw by clip, <video>/<class>, the chosen images; K shots take the first K.",
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        """Draws choose from the lists of their classes, each image once, and as many as they say."""
        if any(self.classes.values()) and not self.draws:
            raise ValueError("draws is empty, though there are images to draw")
        lists = {index: frozenset(names) for index, names in self.classes.items()}
        for index, names in self.classes.items():
            if len(lists[index]) < len(names):
                raise ValueError(f"classes.{index} has an image twice")
        for number, draw in enumerate(self.draws):
            for clip, chosen in draw.items():
                listed = lists.get(clip.rpartition("/")[2], frozenset())
                if not listed.issuperset(chosen) or len(set(chosen)) < len(chosen):
                    raise ValueError(f"draws[{number}].{clip} has an image twice, or one that its class does not list")
                if len(chosen) != min(self.shots, len(listed)):
                    raise ValueError(f"draws[{number}].{clip} has {len(chosen)} images, not shots, {self.shots}")
        return self


def overall_digest(
    clip_masks: Mapping[str, Mapping[str, str]], supports: Supports, support_masks: Mapping[str, str]
) -> str:
    """``sha256:...`` over every clip's frame names and masks, and every support's name, mask and draw.

    Args:
        clip_masks: For every video, class -> SHA-256 of its clip.
        supports: The ranked lists and the draws.
        support_masks: Class -> SHA-256 of its supports.
    """
    content = {
        "format": FORMAT,
        "videos": clip_masks,
        "supports": {"classes": supports.classes, "masks": support_masks, "draws": supports.draws},
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def clip_masks(videos: Mapping[str, VideoEntry]) -> dict[str, dict[str, str]]:
    """For every video, class -> SHA-256 of its clip."""
    return {name: {index: clip.masks for index, clip in video.clips.items()} for name, video in videos.items()}


def disagreement(manifest: Manifest, supports: Supports) -> str:
    """Where the two files of a benchmark contradict each other, in words; empty where they do not."""
    unknown = sorted({clip for draw in supports.draws for clip in draw} - manifest.clip_ids)
    if unknown:
        return f"{SUPPORTS} draws for {unknown[0]}, a clip that {MANIFEST} does not have"
    if supports.classes.keys() != manifest.supports.masks.keys() or supports.rule != manifest.supports.rule:
        return f"{SUPPORTS} has other classes, or another rule, than {MANIFEST} says"
    if overall_digest(clip_masks(manifest.videos), supports, manifest.supports.masks) != manifest.digest:
        return f"the digest of {MANIFEST} does not follow from what it and {SUPPORTS} say"
    return ""
