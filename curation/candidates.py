"""From source data sets and a curation file to the clips that will be built, with a reason for everything left out."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, Self

import numpy as np

from curation.rows import Row
from curation.sources.video import SourceDataset, SourceVideo
from icvos.benchmark import Benchmark, Video
from icvos.errors import IcvosError
from icvos.masks import read_binary, whole_image_size


class Tubes(Protocol):
    """A video with the masks of one or more categories, from which a video of the benchmark is built."""

    @property
    def source(self) -> str:
        """``davis``, ``mose`` or ``lvos``."""
        ...

    @property
    def name(self) -> str:
        """``<source>_<video>``, as in the built benchmark."""
        ...

    @property
    def frames(self) -> tuple[Path, ...]:
        """The frames in order."""
        ...

    @property
    def inputs(self) -> tuple[Path, ...]:
        """The mask files that the result depends on."""
        ...

    @property
    def recipe(self) -> str:
        """What is made of them, in words that change when the result would."""
        ...

    @property
    def instances(self) -> dict[int, int | None]:
        """Class index -> how many annotated objects its masks are made of; None where nobody knows."""
        ...

    def only(self, indices: Collection[int]) -> Self:
        """The same video with these classes alone."""
        ...

    def size(self) -> tuple[int, int]:
        """(height, width) of every frame."""
        ...

    def iter_masks(self) -> Iterator[dict[int, np.ndarray]]:
        """For every frame in order: class index -> (H, W) bool."""
        ...


@dataclass(frozen=True, slots=True)
class Candidate:
    """A source video and the categories to build from it: (class index, object ids) in order of class.

    In a video of 0/255 masks the one class has all the objects.
    """

    video: SourceVideo
    classes: tuple[tuple[int, tuple[int, ...]], ...]

    @property
    def source(self) -> str:
        return self.video.source

    @property
    def name(self) -> str:
        return f"{self.video.source}_{self.video.name}"

    @property
    def frames(self) -> tuple[Path, ...]:
        return self.video.frames

    @property
    def inputs(self) -> tuple[Path, ...]:
        return tuple(path for path in self.video.masks if path)

    @property
    def recipe(self) -> str:
        return f"objects {self.classes} {self.video.options}"

    @property
    def instances(self) -> dict[int, int | None]:
        return {index: len(objects) for index, objects in self.classes}

    def only(self, indices: Collection[int]) -> Self:
        return replace(self, classes=tuple(entry for entry in self.classes if entry[0] in indices))

    def size(self) -> tuple[int, int]:
        return self.video.size()

    def iter_masks(self) -> Iterator[dict[int, np.ndarray]]:
        binary = self.video.is_binary()
        for ids in self.video.iter_ids():
            yield {index: ids > 0 if binary else np.isin(ids, objects) for index, objects in self.classes}


@dataclass(frozen=True, slots=True)
class Republished:
    """A video of a benchmark in the published layout, whose masks are category masks already."""

    video: Video
    classes: tuple[int, ...]

    @property
    def source(self) -> str:
        return self.video.source

    @property
    def name(self) -> str:
        return f"{self.video.source}_{self.video.name.removeprefix(f'{self.video.source}_')}"

    @property
    def frames(self) -> tuple[Path, ...]:
        return self.video.frame_paths

    @property
    def inputs(self) -> tuple[Path, ...]:
        annotations = self.video.folder / "Annotations"
        return tuple(annotations / str(index) / f"{frame}.png" for index in self.classes for frame in self.video.frames)

    @property
    def recipe(self) -> str:
        return f"published {self.classes}"

    @property
    def instances(self) -> dict[int, int | None]:
        return dict.fromkeys(self.classes)

    def only(self, indices: Collection[int]) -> Self:
        return replace(self, classes=tuple(index for index in self.classes if index in indices))

    def size(self) -> tuple[int, int]:
        for path in self.frames:
            if whole_image_size(path) != self.video.size:
                raise IcvosError(f"{path}: not of the size of the video's first frame; fetch it again")
        return self.video.size

    def iter_masks(self) -> Iterator[dict[int, np.ndarray]]:
        annotations = self.video.folder / "Annotations"
        for frame in self.video.frames:
            masks = {}
            for index in self.classes:
                path = annotations / str(index) / f"{frame}.png"
                masks[index] = read_binary(path)
                if masks[index].shape != self.video.size:
                    raise IcvosError(
                        f"{path}: mask is {masks[index].shape}, the frames are {self.video.size}; fetch it again"
                    )
            yield masks


def republish(benchmark: Benchmark) -> tuple[Republished, ...]:
    """The videos of a benchmark in the published layout, to be built anew with supports and a digest."""
    classes: dict[str, list[int]] = defaultdict(list)
    for clip in benchmark.clips:
        classes[clip.video.name].append(clip.category.index)
    return tuple(Republished(video, tuple(sorted(classes[video.name]))) for video in benchmark.videos)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A (video, category) pair, or a whole video, that is not built, and why."""

    source: str
    video: str
    category: str
    reason: str


@dataclass(frozen=True, slots=True)
class Selection:
    """What is built (in order of name), what is not, and the videos for which no row exists."""

    candidates: tuple[Candidate, ...]
    left_out: tuple[LeftOut, ...]
    without_rows: dict[str, tuple[str, ...]]


def select(datasets: Sequence[SourceDataset], rows: Iterable[Row], *, accept_undecided: bool = False) -> Selection:
    """Match the rows with the videos that are there.

    Rows of sources that were not given are ignored; rows of videos that are not in a given source are left out with a
    reason. Raises `IcvosError` if no clip remains.
    """
    of_video: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        of_video[row.source, row.video].append(row)
    candidates: list[Candidate] = []
    left_out: list[LeftOut] = []
    without_rows: dict[str, tuple[str, ...]] = {}
    for dataset in datasets:
        without_rows[dataset.source] = tuple(
            video.name for video in dataset.videos if (dataset.source, video.name) not in of_video
        )
        for video in dataset.videos:
            chosen, reasons = _classes(video, of_video.get((dataset.source, video.name), []), accept_undecided)
            left_out += reasons
            if chosen:
                candidates.append(Candidate(video, chosen))
    if not candidates:
        raise IcvosError(_nothing(datasets, left_out, without_rows))
    return Selection(tuple(sorted(candidates, key=lambda found: found.name)), tuple(left_out), without_rows)


def _classes(
    video: SourceVideo, rows: Sequence[Row], accept_undecided: bool
) -> tuple[tuple[tuple[int, tuple[int, ...]], ...], list[LeftOut]]:
    """The classes to build from one video, and the rows that are not built."""
    chosen: list[tuple[int, tuple[int, ...]]] = []
    left_out: list[LeftOut] = []
    for row in rows:
        if row.category is None:
            continue
        if row.decision == "accepted" or (row.decision == "undecided" and accept_undecided):
            chosen.append((row.category.index, row.objects))
        else:
            reason = f"{row.decision}: {row.reason}" if row.reason else row.decision
            left_out.append(LeftOut(video.source, video.name, row.category.name, reason))
    if chosen and len(rows) > 1 and video.is_binary():
        kinds = ", ".join(sorted(row.category.name if row.category else "other" for row in rows))
        reason = f"its masks are 0/255, all objects in one ({kinds}): give the masks with object ids (DAVIS 2017)"
        left_out += [LeftOut(video.source, video.name, row.category.name, reason) for row in rows if row.category]
        return (), left_out
    return tuple(sorted(chosen)), left_out


def _nothing(
    datasets: Sequence[SourceDataset], left_out: Sequence[LeftOut], without_rows: dict[str, tuple[str, ...]]
) -> str:
    """The one line for a selection that is empty: what was seen, and what to do."""
    where = ", ".join(str(dataset.root) for dataset in datasets)
    undecided = sum(reason.reason.startswith("undecided") for reason in left_out)
    if undecided:
        return f"{where}: no accepted clip, {undecided} undecided; decide them in a curation file or --accept undecided"
    if any(without_rows.values()):
        return f"{where}: no video has a curation row; {how_to_get_rows()}"
    return f"{where}: every clip is rejected in the curation file; change a decision there"


def how_to_get_rows() -> str:
    """The remedy for videos without rows."""
    return (
        "get rows with: icvos curate recover (from a copy of the published IC-VOS), or icvos curate candidates "
        "(a file to fill in), and pass them with --curation"
    )
