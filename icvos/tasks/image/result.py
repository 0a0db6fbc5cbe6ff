"""``scores.json`` of a run on images. All figures are fractions."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from icvos.files.schema import ROUND_OFF, BenchmarkName, Count, FormatOne, Fraction, Name, Schema, Seconds
from icvos.tasks.record import MAX_SHOTS, RunRecord
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

MAX_FOLDS = 1000
EpisodeText = Annotated[str, Field(pattern=r"^[0-9]{1,4}( [0-9]{1,12}){4}$")]
FoldKey = Annotated[str, Field(pattern=r"^(0|[1-9][0-9]{0,3})$")]


class Pair(Schema):
    """What a fold, or all folds, score."""

    miou: Fraction = Field(description="Mean over classes of the IoU of pixels summed over a class's episodes.")
    fb_iou: Fraction = Field(description="Mean of foreground and background IoU over all episodes.")


class FoldInterval(Schema):
    """Percentile bootstrap over the episodes of a fold."""

    miou: Bounds = Field(description="[low, high] of mIoU.")
    fb_iou: Bounds = Field(description="[low, high] of FB-IoU.")


class Interval(Bootstrap):
    """Percentile bootstrap over episodes, drawn again within each fold."""

    miou: Bounds = Field(description="[low, high] of mIoU.")
    fb_iou: Bounds = Field(description="[low, high] of FB-IoU.")


class Fold(Pair):
    """One fold."""

    foreground_iou: Fraction = Field(description="IoU of the foreground over all episodes.")
    background_iou: Fraction = Field(description="IoU of the background over all episodes.")
    episodes: Count = Field(description="How many were scored.")
    of: Count = Field(description="How many the fold has.")
    classes: Count = Field(description="How many classes they ask for.")
    equal: Annotated[int, Field(ge=0)] | None = Field(
        None, description="Episodes whose mask equals the truth to the last pixel, as compared."
    )
    without: tuple[Name, ...] = Field(description="Classes that no scored episode asks for, which count nowhere.")
    interval: FoldInterval | None = Field(description="How sure the figures are; null where episodes are too few.")
    seconds_per_image: Seconds | None = Field(None, description="Mean time of an episode; null where one has none.")
    counts: Annotated[tuple[EpisodeText, ...], Field(min_length=1)] | None = Field(
        None,
        description="Of every scored episode, in the order of the fold's: its class, then the intersections of "
        "background and foreground and their unions, in pixels as compared. All figures follow from them.",
    )
    run: RunRecord = Field(description="The fold's run.json.")

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if abs((self.foreground_iou + self.background_iou) / 2 - self.fb_iou) > ROUND_OFF:
            raise ValueError("has an fb_iou that is not the mean of its foreground_iou and background_iou")
        if not self.classes <= self.episodes <= self.of:
            raise ValueError("has more classes than episodes, or more episodes than there are")
        return self


class Overall(Pair):
    """The plain means over the folds."""

    folds: Count = Field(description="How many were scored.")
    episodes: Count = Field(description="How many were scored.")
    classes: Count = Field(description="How many they ask for.")
    interval: Interval | None = Field(description="How sure the figures are; null where episodes are too few.")
    seconds_per_image: Seconds | None = Field(None, description="Mean time of an episode; null where one has none.")


class Category(Schema):
    """One class."""

    index: Count = Field(alias="class", description="Its number.")
    fold: Annotated[int, Field(ge=0)] = Field(description="The fold that asks for it.")
    iou: Fraction = Field(description="IoU of pixels summed over its episodes.")
    episodes: Count = Field(description="How many were scored.")


class BenchmarkCounts(Schema):
    """What the benchmark has, scored or not."""

    name: BenchmarkName = Field(description="Its name, as coco-20i.")
    folds: Annotated[int, Field(ge=1, le=MAX_FOLDS)] = Field(
        description="How many folds; a table has a column for each."
    )
    episodes: Count = Field(description="How many episodes, over all folds.")
    drawn: bool = Field(False, description="Whether its pictures are drawn, as by icvos smallworld.")


class ImageResult(Schema):
    """``scores.json`` of a run on images. Only folds that have all episodes that they were asked for are scored."""

    format: FormatOne = Field(description="Version of this layout.")
    task: Literal["image"] = Field(description="The kind of benchmark.")
    protocol: ProtocolId = Field(description="Figures of different protocols never share a table.")
    digest: Digest = Field(description="Of the benchmark that was scored against.")
    benchmark: BenchmarkCounts = Field(description="What the benchmark has, scored or not.")
    shots: Annotated[int, Field(ge=1, le=MAX_SHOTS)] = Field(description="Supports for every episode.")
    partial: bool = Field(False, description="Whether folds or episodes of the benchmark are missing.")
    overall: Overall = Field(description="The plain means over the folds.")
    folds: dict[FoldKey, Fold] = Field(min_length=1, description="By the fold's number.")
    categories: dict[Name, Category] = Field(description="By class name.")

    @model_validator(mode="after")
    def _means(self) -> Self:
        folds = tuple(self.folds.values())
        if max(int(number) for number in self.folds) >= self.benchmark.folds:
            raise ValueError(f"folds has one beyond the benchmark's {self.benchmark.folds}")
        for key in ("miou", "fb_iou"):
            if abs(sum(getattr(fold, key) for fold in folds) / len(folds) - getattr(self.overall, key)) > ROUND_OFF:
                raise ValueError(f"overall.{key} is not the mean of its folds")
        of = sum(fold.of for fold in folds)
        if of > self.benchmark.episodes or (len(folds) == self.benchmark.folds and of < self.benchmark.episodes):
            raise ValueError("benchmark.episodes does not agree with its folds")
        if "partial" in self.model_fields_set and self.partial != bool(self.partial_note):
            raise ValueError("partial does not agree with folds and benchmark")
        if self.overall.folds != len(folds):
            raise ValueError("overall.folds is not the number of folds")
        for key in ("episodes", "classes"):
            if sum(getattr(fold, key) for fold in folds) != getattr(self.overall, key):
                raise ValueError(f"overall.{key} is not the sum of its folds")
        return self

    @model_validator(mode="after")
    def _classes(self) -> Self:
        """Every class belongs to a fold, and a fold's mIoU and counts are those of its classes."""
        members: dict[str, list[Category]] = {number: [] for number in self.folds}
        for name, found in self.categories.items():
            if str(found.fold) not in members:
                raise ValueError(f"categories.{name}.fold is not one of the folds")
            members[str(found.fold)].append(found)
        for number, own in members.items():
            fold = self.folds[number]
            if len(own) != fold.classes or sum(found.episodes for found in own) != fold.episodes:
                raise ValueError(f"folds.{number} has other classes or episodes than its categories")
            if abs(sum(found.iou for found in own) / len(own) - fold.miou) > ROUND_OFF:
                raise ValueError(f"folds.{number}.miou is not the mean of its categories")
        return self

    @property
    def parts(self) -> Sequence[int]:
        """The numbers of its folds."""
        return tuple(map(int, self.folds))

    @property
    def partial_note(self) -> str:
        """That episodes or folds are missing."""
        if any(fold.episodes < fold.of for fold in self.folds.values()):
            return f"scored on {self.overall.episodes:,} of {self.benchmark.episodes:,} episodes only"
        if len(self.folds) < self.benchmark.folds:
            return f"the mean of {len(self.folds)} of {self.benchmark.folds} folds only"
        return ""

    @property
    def draws_note(self) -> str:
        """There are no draws."""
        return ""

    @property
    def equal_share(self) -> float:
        """The share of episodes; where folds do not count them, that of classes without one wrong pixel."""
        folds = self.folds.values()
        if all(fold.equal is not None for fold in folds):
            return sum(fold.equal or 0 for fold in folds) / sum(fold.episodes for fold in folds)
        right = sum(found.episodes for found in self.categories.values() if found.iou >= 1 - ROUND_OFF)
        return right / self.overall.episodes

    @property
    def sure(self) -> Interval | None:
        """The interval; None where a fold has fewer than `FEWEST` episodes, from which older programs made one."""
        return self.overall.interval if self.fewest_episodes >= FEWEST else None

    @property
    def fewest_episodes(self) -> int:
        """How many were scored of the fold that has the fewest."""
        return min(fold.episodes for fold in self.folds.values())

    @property
    def kind(self) -> str:
        """The kind of benchmark."""
        return self.task

    @property
    def benchmark_name(self) -> str:
        """What tables call the benchmark."""
        return drawn_name(self.benchmark.name) if self.drawn else self.benchmark.name

    @property
    def drawn(self) -> bool:
        """Whether the benchmark's pictures are drawn."""
        return self.benchmark.drawn

    @property
    def records(self) -> Mapping[str, RunRecord]:
        """The record of each fold by ``fold <number>``, where it has one."""
        return {f"fold {number}": fold.run for number, fold in self.folds.items() if fold.run.given}

    @property
    def seconds(self) -> float | None:
        """Mean prediction time of an image, where all folds say."""
        return self.overall.seconds_per_image

    @property
    def identity(self) -> tuple[str, ...]:
        """What tells this result from another of the same method."""
        return self.protocol, self.digest, self.benchmark.name, f"{self.shots}-shot"

    def prove(self, where: str) -> None:
        """Raise `IcvosError` where a figure does not follow from the episodes."""
        from icvos.tasks.image.proof import prove

        prove(self, where)

    def lines(self, where: str) -> Sequence[str]:
        """The figures for a terminal: a line for each fold, and one for their mean."""
        from icvos.tasks.image.report import lines

        return lines(self, where)

    def select(self, selection: Selection, where: str) -> "ImageResult":
        """Refused: a fold means its classes as a whole."""
        from icvos.tasks.image.report import restricted

        return restricted(self, selection, where)

    def report(self, named: Named, ceiling: Named | None = None, most: int = MOST_WORST) -> Report:  # noqa: ARG002
        """Every fold with its classes, the best first; there is no ceiling to compare with."""
        from icvos.tasks.image.report import report

        return report(self, named, ceiling)

    def compare(self, named: Named, other: Named, most: int) -> Report:
        """Refused: only runs on videos are compared item by item."""
        from icvos.tasks.image.report import compared

        return compared(named, other, most)
