"""``scores.json`` of a run on videos. All figures are fractions; ``jf = (j + f) / 2``."""

from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from icvos.files.schema import ROUND_OFF, Count, FormatOne, Fraction, Name, PlainName, Schema
from icvos.tasks.record import PartNumber, RunRecord
from icvos.tasks.result import (
    FEWEST,
    MOST_WORST,
    Bootstrap,
    Bounds,
    Digest,
    Named,
    ProtocolId,
    Report,
    Selection,
    drawn_name,
)
from icvos.tasks.video.manifest import IC_VOS

Difference = Annotated[float, Field(ge=-1, le=1)]


class Pair(Schema):
    """Region similarity and contour accuracy, and their mean."""

    j: Fraction = Field(description="Region similarity J.")
    f: Fraction = Field(description="Contour accuracy F.")
    jf: Fraction = Field(description="J&F, the mean of both.")

    @model_validator(mode="after")
    def _mean(self) -> Self:
        if abs(self.jf - (self.j + self.f) / 2) > ROUND_OFF:
            raise ValueError("has a jf that is not the mean of its j and f")
        return self

    @classmethod
    def of(cls, j: float, f: float) -> "Pair":
        """The pair with its mean."""
        return Pair(j=float(j), f=float(f), jf=(float(j) + float(f)) / 2)

    def figure(self, key: str) -> float:
        """``j``, ``f`` or ``jf``."""
        return {"j": self.j, "f": self.f, "jf": self.jf}[key]


class Figures(Pair):
    """J and F with their recall and decay, which results of older programs lack."""

    j_recall: Fraction | None = Field(None, description="Share of frames whose J is above 0.5.")
    f_recall: Fraction | None = Field(None, description="Share of frames whose F is above 0.5.")
    j_decay: Difference | None = Field(None, description="Mean J of the first quarter less that of the last.")
    f_decay: Difference | None = Field(None, description="Mean F of the first quarter less that of the last.")


class Absences(Pair):
    """What a clip scores over runs of frames, each run with the same weight."""

    runs: Count = Field(description="Runs of frames.")
    frames: Count = Field(description="Frames in them.")


class ClipDraw(Schema):
    """A clip in one support draw."""

    draw: PartNumber = Field(description="The number of the draw.")
    j: Fraction = Field(description="Mean J over frames.")
    f: Fraction = Field(description="Mean F over frames.")
    equal: Annotated[int, Field(ge=0)] | None = Field(
        None,
        description="Among the frames that show the category, those whose mask equals the truth to the last pixel.",
    )


class Clip(Pair):
    """One clip, a video and a category: means over support draws of means over frames.

    What an analysis needs may be absent from results of older programs.
    """

    frames: Count | None = Field(None, description="Frames that count.")
    shown: Annotated[int, Field(ge=0)] | None = Field(
        None, description="Frames that count and show the category, as compared."
    )
    j_recall: Fraction | None = Field(None, description="Share of frames whose J is above 0.5.")
    f_recall: Fraction | None = Field(None, description="Share of frames whose F is above 0.5.")
    j_decay: Difference | None = Field(None, description="Mean J of the first quarter less that of the last.")
    f_decay: Difference | None = Field(None, description="Mean F of the first quarter less that of the last.")
    area: Annotated[float, Field(gt=0, le=1)] | None = Field(
        None, description="Share of the frame that the category takes in the first frame that shows it."
    )
    instances: Count | None = Field(None, description="Annotated objects; null where nobody knows.")
    first: Pair | None = Field(None, description="In the first frame that shows the category.")
    after: Pair | None = Field(None, description="The mean of the frames behind it.")
    disappearance: Absences | None = Field(None, description="Over absences of the category after it was seen.")
    reappearance: Absences | None = Field(None, description="Over the runs that show it again after an absence.")
    draws: tuple[ClipDraw, ...] = Field((), description="Each support draw by itself.")

    FACTS: ClassVar = ("frames", "area", "instances", "first", "after", "disappearance", "reappearance")

    @property
    def worst_draw(self) -> ClipDraw | None:
        """The draw of the lowest J&F, of equal ones the first; None in a result without single draws."""
        return min(self.draws, key=lambda draw: (draw.j + draw.f, draw.draw), default=None)

    @property
    def analysable(self) -> bool:
        """Whether it has all that an analysis needs."""
        return self.model_fields_set >= set(self.FACTS) and self.frames is not None


class Group(Figures):
    """Several clips: the plain means of theirs."""

    clips: Count = Field(description="How many clips.")
    frames: Count | None = Field(None, description="How many frames of clips.")


class _Indexed(Schema):
    index: int | None = Field(None, alias="class", description="The class index, 1 to 80 in COCO's order.")


class Category(Group, _Indexed):
    """The clips of one category."""


class _Numbered(Schema):
    draw: PartNumber | None = Field(None, description="The number of the draw.")


class Draw(Pair, _Numbered):
    """All clips in one support draw."""


class Interval(Bootstrap):
    """Percentile bootstrap over videos, each drawn with all its clips."""

    j: Bounds = Field(description="[low, high] of J.")
    f: Bounds = Field(description="[low, high] of F.")
    jf: Bounds = Field(description="[low, high] of J&F.")


class Overall(Figures):
    """All clips."""

    clips: Count = Field(description="How many were scored.")
    videos: Count = Field(description="Of how many videos.")
    frames: Count = Field(description="How many frames; a frame of a clip counts once whatever the draws.")
    draws: tuple[Draw, ...] = Field((), description="Each support draw by itself, over all clips.")
    interval: Interval | None = Field(None, description="How sure the figures are; null where videos are too few.")

    @property
    def sure(self) -> Interval | None:
        """The interval; None from fewer than `FEWEST` videos, where results of older programs have one."""
        return self.interval if self.videos >= FEWEST else None


class Bin(Pair):
    """The clips of one bin of an analysis."""

    clips: Count = Field(description="How many clips.")
    frames: Count | None = Field(None, description="How many frames of clips.")
    of_ceiling: float | None = Field(None, description="J&F as a share of the ceiling's; null where it has none.")


class AbsenceGroup(Pair):
    """The clips that have such runs of frames: the mean over clips of the mean over runs."""

    clips: Count = Field(description="How many clips.")
    runs: Count | None = Field(None, description="How many runs of frames.")
    frames: Count | None = Field(None, description="How many frames in them.")


class Drop(Schema):
    """What is lost from the first frame to the frames after it."""

    j: Difference = Field(description="Of J.")
    f: Difference = Field(description="Of F.")
    jf: Difference = Field(description="Of J&F.")


class Propagation(Schema):
    """The error of the prompt against what is lost after it, over the clips that have both."""

    clips: Count = Field(description="How many clips.")
    first: Pair = Field(description="In the first frame that shows the category.")
    after: Pair = Field(description="In the frames behind it.")
    drop: Drop | None = Field(None, description="first - after.")


class Share(Schema):
    """Figures as shares of a ceiling's; null where the ceiling is 0 or has no clip in common."""

    j: float | None = Field(description="Of J.")
    f: float | None = Field(description="Of F.")
    jf: float | None = Field(description="Of J&F.")


class Ceiling(Schema):
    """A run whose method was given the true first mask, on the clips that both have."""

    clips: int = Field(description="How many clips both have.")
    j: float | None = Field(description="Its J on them.")
    f: float | None = Field(description="Its F on them.")
    jf: float | None = Field(description="Its J&F on them.")
    share: Share = Field(description="This run's figures divided by them.")


class Analysis(Schema):
    """Where a run is good and where it fails; a bin's name says its edges. `icvos.tasks.video.analysis` defines all."""

    length: dict[Name, Bin] = Field({}, description="By the number of frames that count.")
    area: dict[Name, Bin] = Field({}, description="By the share of the frame that the category takes at first.")
    instances: dict[Name, Bin] = Field({}, description="By the number of annotated objects.")
    disappearance: AbsenceGroup | None = Field(
        None, description="While the category is absent; null without such clips."
    )
    reappearance: AbsenceGroup | None = Field(None, description="When it is back; null without such clips.")
    propagation: Propagation | None = Field(None, description="The prompt against what comes after it.")
    ceiling: Ceiling | None = Field(None, description="In a report with a ceiling: what is the most.")


class BenchmarkCounts(Schema):
    """What the benchmark has, scored or not."""

    clips: Count = Field(description="How many clips.")
    draws: Annotated[int, Field(ge=0)] | None = Field(
        None, description="How many support draws; 0 where it has no supports, null where nobody knows."
    )
    drawn: bool = Field(False, description="Whether its videos are drawn, as by icvos smallworld: not IC-VOS.")
    name: PlainName = Field(IC_VOS, description="What it is called; another name is another benchmark than IC-VOS.")


class VideoResult(Schema):
    """``scores.json`` of a run on videos. A clip's value is the mean over support draws of its mean over frames; the
    figures of several clips are the plain means of theirs, so that a long video counts no more than a short one.
    """

    format: FormatOne = Field(description="Version of this layout.")
    task: Literal["video"] = Field("video", description="The kind of benchmark; absent means video.")
    protocol: ProtocolId = Field(description="Figures of different protocols never share a table.")
    digest: Digest | None = Field(description="Of the benchmark that was scored against; null in the published layout.")
    benchmark: BenchmarkCounts | None = Field(None, description="What the benchmark has, scored or not.")
    partial: bool = Field(False, description="Whether clips of the benchmark are missing.")
    overall: Overall = Field(description="All clips that were scored.")
    categories: dict[Name, Category] = Field({}, description="By category, in order of the class index.")
    sources: dict[Name, Group] = Field({}, description="By source data set.")
    clips: dict[Name, Clip] = Field({}, description="By clip, <video>/<class>.")
    analysis: Analysis = Field(Analysis(), description="Where the run is good and where it fails.")
    run: RunRecord = Field(
        RunRecord(), description="run.json of the first draw, or of the first one with random weights; {} without one."
    )

    @model_validator(mode="after")
    def _sizes(self) -> Self:
        if self.benchmark and self.partial != (self.overall.clips < self.benchmark.clips):
            raise ValueError("partial does not agree with overall.clips and benchmark.clips")
        if self.benchmark and self.overall.clips > self.benchmark.clips:
            raise ValueError("overall.clips is more than benchmark.clips")
        return self

    @property
    def kind(self) -> str:
        """The kind of benchmark."""
        return self.task

    @property
    def benchmark_name(self) -> str:
        """What tables call the benchmark."""
        name = self.benchmark.name if self.benchmark else IC_VOS
        return drawn_name(name) if self.drawn else name

    @property
    def drawn(self) -> bool:
        """Whether the benchmark's videos are drawn."""
        return self.benchmark is not None and self.benchmark.drawn

    @property
    def is_papers(self) -> bool:
        """Whether the benchmark is IC-VOS, so that the paper's figures can stand beside these."""
        return self.benchmark_name == IC_VOS

    @property
    def records(self) -> Mapping[str, RunRecord]:
        """The record of the run by "", where the predictions had one."""
        return {"": self.run} if self.run.given else {}

    @property
    def shots(self) -> int | None:
        """Supports of each clip, where the record says."""
        return self.run.shots

    @property
    def seconds(self) -> float | None:
        """Mean prediction time of a frame, where the record says."""
        return self.run.seconds_per_frame

    @property
    def identity(self) -> tuple[str, ...]:
        """What tells this result from another of the same method."""
        return self.protocol, self.digest or ""

    @property
    def benchmark_clips(self) -> int | None:
        """How many clips the whole benchmark has, where the result says, or the record that it comes with."""
        if self.benchmark:
            return self.benchmark.clips
        return self.run.benchmark.clips if self.run.benchmark else None

    @property
    def parts(self) -> Sequence[int]:
        """The numbers of its draws."""
        return tuple(draw.draw or 0 for draw in self.overall.draws) or (0,)

    @property
    def partial_note(self) -> str:
        """That clips are missing."""
        clips, total = self.overall.clips, self.benchmark_clips or 0
        if clips < total:
            return f"scored on {clips:,} of {total:,} clips only"
        return "scored on some clips only" if self.partial else ""

    @property
    def draws_note(self) -> str | None:
        """That draws are missing; a method that sees the truth has one draw by right."""
        if self.run.sees_truth:
            return ""
        if self.benchmark is None or self.benchmark.draws is None:
            return None
        own, total = max(1, len(self.overall.draws)), self.benchmark.draws
        return f"{own} of {total} draws" if own < total else ""

    @property
    def equal_share(self) -> float:
        """Among the frames that show the category; that of the draw that has most."""
        if not all(clip.shown is not None and clip.draws for clip in self.clips.values()):
            return self._equal_clips()
        total = sum(clip.shown or 0 for clip in self.clips.values())
        draws = zip(*(clip.draws for clip in self.clips.values()), strict=False)
        return max((sum(one.equal or 0 for one in draw) for draw in draws), default=0) / total if total else 0.0

    def _equal_clips(self) -> float:
        """The share of frames in clips without one wrong pixel, for results that do not count equal frames."""
        frames = [(clip.frames or 1, clip.j >= 1 - ROUND_OFF) for clip in self.clips.values()]
        return sum(count for count, right in frames if right) / max(1, sum(count for count, _ in frames))

    def worst(self, count: int) -> list[str]:
        """The names of the ``count`` clips of the lowest J&F, the lowest first."""
        return sorted(self.clips, key=lambda name: (self.clips[name].jf, name))[:count]

    def prove(self, where: str) -> None:
        """Raise `IcvosError` where a figure over clips does not follow from the clips."""
        from icvos.tasks.video.proof import prove

        prove(self, where)

    def lines(self, where: str) -> Sequence[str]:
        """The figures for a terminal: a line for each draw where there are several, and one for all."""
        from icvos.tasks.video.report import lines

        return lines(self, where)

    def select(self, selection: Selection, where: str) -> "VideoResult":
        """The result on some of its clips, its means made anew; `IcvosError` where nothing matches."""
        from icvos.tasks.video.report import restricted

        return restricted(self, selection, where)

    def report(self, named: Named, ceiling: Named | None = None, most: int = MOST_WORST) -> Report:
        """By length, size and number of the objects, over absences, the first frame against those after it, by clip."""
        from icvos.tasks.video.report import report

        return report(self, named, ceiling, most)

    def compare(self, named: Named, other: Named, most: int) -> Report:
        """Clip by clip, with a paired bootstrap over videos."""
        from icvos.tasks.video.report import compared

        return compared(named, other, most)
