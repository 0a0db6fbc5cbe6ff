"""The source data sets in figures, beside the paper's Table I."""

from collections.abc import Sequence
from typing import NamedTuple

from curation.sources.video import SourceDataset
from icvos.files.sources import TITLES
from icvos.tasks.listing import DASH, Listing


class Printed(NamedTuple):
    """A row of the paper's Table I; None where it prints no figure."""

    videos: int
    mean_frames: int
    frames: int
    classes: int | None


TABLE_1 = {
    ("davis", "2017"): Printed(90, 69, 6_298, None),
    ("mose", "v1"): Printed(2_149, 73, 159_600, 36),
    ("lvos", "v1"): Printed(220, 576, 126_280, 27),
    ("lvos", "v2"): Printed(720, 412, 296_401, 44),
    ("youtube-vos", ""): Printed(4_453, 27, 120_532, 94),
}
COLUMNS = ("source", "splits", "videos", "mean frames", "total frames", "classes")


def overview(datasets: Sequence[SourceDataset]) -> Listing:
    """A row for each data set: what was read of it, and after a stroke what the paper prints of the whole.

    Classes are those that the data set itself names.
    """
    return Listing("Sources: here / in the paper's Table I", COLUMNS, tuple(map(_row, datasets)))


def _row(dataset: SourceDataset) -> tuple[str, ...]:
    frames = sum(len(video.frames) for video in dataset.videos)
    names = {name for objects in dataset.categories.values() for name in objects.values()}
    version = dataset.version if (dataset.source, dataset.version) in TABLE_1 else ""
    printed = None if dataset.drawn else TABLE_1.get((dataset.source, version))
    own = (len(dataset.videos), round(frames / len(dataset.videos)), frames, len(names) or None)
    figures = [f"{_figure(here)}{_beside(there)}" for here, there in zip(own, printed or [None] * 4, strict=True)]
    drawn = ", drawn" if dataset.drawn else ""
    title = f"{TITLES[dataset.source]} {dataset.version}".rstrip() + drawn
    return title, ", ".join(dataset.splits), *figures


def _figure(number: int | None) -> str:
    return DASH if number is None else f"{number:,}"


def _beside(printed: int | None) -> str:
    return "" if printed is None else f" / {printed:,}"
