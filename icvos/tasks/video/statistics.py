"""What a benchmark of videos looks like in figures: the paper's Figure 2, and what decides how hard it is.

Each chart is drawn from one table, which is written beside it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pandas as pd

from icvos.drawing import charts
from icvos.files.masks import read_binary
from icvos.files.storage import require_writable, write_text
from icvos.tasks.task import SILENT, Watch
from icvos.tasks.video.benchmark import Benchmark, Clip
from icvos.tasks.video.manifest import IC_VOS
from icvos.workers import run_jobs

if TYPE_CHECKING:
    from matplotlib.axes import Axes

GRID = (36, 64)  # rows and columns of the map of positions
LENGTHS = (0, 25, 50, 75, 100, 150, 200, 300, 512, 1000, 2000, 10_000)  # frames
AREAS = (0, 0.5, 1, 2, 4, 8, 16, 32, 100)  # per cent of the frame
SHARES = (0, 1, 5, 10, 20, 30, 50, 75, 100)  # per cent of the frames
INSTANCES = (1, 2, 3, 4, 5, 7, 10, 20, 1000)  # objects


@dataclass(frozen=True, slots=True)
class Measured:
    """What the true masks of one clip say.

    Args:
        areas: (frames,) float32, the share of each frame that the category takes, 0..1.
        position: `GRID` float32, the share of the frames that show it in which it is at each place, 0..1.
    """

    areas: np.ndarray
    position: np.ndarray


def measure(clip: Clip) -> Measured:
    """Read every true mask of a clip, one at a time."""
    areas, position = [], np.zeros(GRID, np.float32)
    for frame in clip.video.frames:
        mask = read_binary(clip.mask_path(frame))
        areas.append(mask.mean())
        if mask.any():
            position += cv2.resize(mask.astype(np.float32), GRID[::-1], interpolation=cv2.INTER_AREA)
    shown = np.count_nonzero(areas)
    return Measured(np.array(areas, np.float32), position / max(int(shown), 1))


def source_table(benchmark: Benchmark) -> pd.DataFrame:
    """Videos, clips, frames and share of the videos of every source; of IC-VOS beside the paper's share."""
    rows = []
    entries = benchmark.manifest.sources if benchmark.manifest else {}
    papers = _papers(benchmark)
    for source in sorted({video.source for video in benchmark.videos}):
        videos = [video for video in benchmark.videos if video.source == source]
        entry = entries.get(source)
        rows.append({
            "source": f"{source} {entry.version}".rstrip() if entry else source,
            "videos": len(videos),
            "clips": sum(clip.video.source == source for clip in benchmark.clips),
            "frames": sum(len(video.frames) for video in videos),
            "share_percent": round(100 * len(videos) / len(benchmark.videos), 2),
            "paper_share_percent": entry.paper.share_percent if entry and papers else None,
        })  # fmt: skip
    return pd.DataFrame(rows)


def category_table(benchmark: Benchmark) -> pd.DataFrame:
    """Clips and frames of every category, the most frequent first; of IC-VOS beside the paper's."""
    found: dict[int, list[Clip]] = {}
    for clip in benchmark.clips:
        found.setdefault(clip.category.index, []).append(clip)
    entries = benchmark.manifest.categories if benchmark.manifest and _papers(benchmark) else {}
    rows = []
    for index, clips in found.items():
        name = clips[0].category.name
        paper = entries[name].paper if name in entries else None
        rows.append({
            "category": name,
            "class": index,
            "clips": len(clips),
            "frames": sum(len(clip.video.frames) for clip in clips),
            "paper_clips": paper.clips if paper else None,
            "paper_frames": paper.frames_about if paper else None,
        })  # fmt: skip
    return pd.DataFrame(rows).sort_values(["clips", "frames", "class"], ascending=[False, False, True])


def clip_table(clips: Sequence[Clip], measured: Sequence[Measured]) -> pd.DataFrame:
    """For every clip: frames, objects, areas in per cent of the frame, and how often and how long it is absent.

    ``first_percent`` is the area in the first frame that shows it; ``absences`` counts the stretches without it after
    that frame, and ``absent_percent`` is the share of all frames that they and the frames before it make.
    """
    rows = []
    for clip, found in zip(clips, measured, strict=True):
        shown = found.areas > 0
        first = int(np.argmax(shown)) if shown.any() else 0
        rows.append({
            "clip": clip.id,
            "source": clip.video.source,
            "category": clip.category.name,
            "frames": len(found.areas),
            "objects": clip.instances,
            "first_percent": round(100 * float(found.areas[first]), 4),
            "mean_percent": round(100 * float(found.areas[shown].mean()), 4) if shown.any() else 0.0,
            "absences": int(np.count_nonzero(shown[first:-1] & ~shown[first + 1 :])),
            "absent_percent": round(100 * float(1 - shown.mean()), 4),
        })  # fmt: skip
    return pd.DataFrame(rows)


def position_table(measured: Sequence[Measured]) -> pd.DataFrame:
    """`GRID` floats: how often a category is at each place of the frame, in per cent, the mean over clips."""
    return pd.DataFrame(np.round(100 * np.mean([found.position for found in measured], axis=0), 3))


def support_table(benchmark: Benchmark) -> pd.DataFrame:
    """For every support picture: its class and the share of it that its mask takes, in per cent."""
    classes = benchmark.choices.classes if benchmark.choices else {}
    rows = []
    for index, names in classes.items():
        for name in names:
            mask = read_binary(benchmark.root / "supports" / index / f"{name}.png")
            rows.append({"class": int(index), "support": name, "mask_percent": round(100 * float(mask.mean()), 4)})
    return pd.DataFrame(rows, columns=["class", "support", "mask_percent"])


def _papers(benchmark: Benchmark) -> bool:
    """Whether it is IC-VOS, so that what the paper counted can stand beside it."""
    return benchmark.title == IC_VOS and not benchmark.drawn


@dataclass(frozen=True, slots=True)
class Chart:
    """One chart: ``name`` of its files, ``title``, its ``table``, how it is drawn from it, and its size in inches."""

    name: str
    title: str
    table: pd.DataFrame
    draw: "Callable[[pd.DataFrame, Axes], None]"
    size: tuple[float, float] = (6.4, 3.4)


def make_charts(benchmark: Benchmark, measured: Sequence[Measured]) -> list[Chart]:
    """All charts of a benchmark whose clips were `measure`\\ d, in the same order."""
    categories, clips = category_table(benchmark), clip_table(benchmark.clips, measured)
    known = clips.dropna(subset="objects")
    tall = (6.4, 1.2 + 0.26 * len(categories))
    found = [
        Chart("sources", "Videos by source", source_table(benchmark), _sources, (6.4, 2.4)),
        Chart("category-clips", "Clips by category", categories, partial(_categories, value="clips"), tall),
        Chart("category-frames", "Frames by category", categories, partial(_categories, value="frames"), tall),
        Chart("words", "Categories, as large as their frames are many", categories, _words, (6.4, 3.6)),
        _histogram("lengths", "Length of clips", clips, "frames", LENGTHS, "frames"),
        _histogram("sizes", "Size at first", clips, "first_percent", AREAS, "area in per cent of the frame"),
        _histogram("objects", "Objects of the category", known, "objects", INSTANCES, "annotated objects"),
        _histogram("absences", "Absence", clips, "absent_percent", SHARES, "frames without it, per cent"),
        Chart("positions", "Where categories are", position_table(measured), _positions, (6.4, 3.8)),
    ]
    supports = support_table(benchmark)
    if len(supports):
        unit = "mask in per cent of the picture"
        found.append(_histogram("supports", "Size in supports", supports, "mask_percent", AREAS, unit, "supports"))
    return [chart for chart in found if len(chart.table)]


def write_statistics(benchmark: Benchmark, out: Path, *, workers: int = 1, watch: Watch = SILENT) -> list[Chart]:
    """Write every chart as ``<name>.svg`` and ``<name>.png``, and its table as ``<name>.csv``, into ``out``.

    Returns the charts.

    Args:
        benchmark: A benchmark of videos; all its true masks are read.
        out: The folder; files of these names in it are replaced.
        workers: Processes that read masks; the result is the same for any number.
        watch: Is told of every clip.

    Raises `IcvosError` where a mask is missing or broken, or matplotlib is not installed.
    """
    charts.require_plots()
    require_writable(out, folder=True)
    watch.stage("masks")
    watch.total(len(benchmark.clips))
    measured = run_jobs(
        measure,
        benchmark.clips,
        workers,
        cost=lambda clip: len(clip.video.frames),
        done=lambda clip: watch.advance(),
    )
    made = make_charts(benchmark, measured)
    for chart in made:
        stem = out / chart.name
        write_text(stem.with_suffix(".csv"), chart.table.to_csv(index=False, lineterminator="\n"))
        charts.write_chart(stem, chart.title, partial(chart.draw, chart.table), chart.size)
    return made


def _histogram(
    name: str, title: str, table: pd.DataFrame, column: str, edges: Sequence[float], unit: str, counted: str = "clips"
) -> Chart:
    top = float(table[column].max()) if len(table) else 0.0
    last = next((place for place, edge in enumerate(edges) if place and edge >= top), len(edges) - 1)
    chosen = [*edges[: last + 1]] if top <= edges[-1] else [*edges, top]
    return Chart(name, title, table, partial(_counts, column=column, edges=chosen, unit=unit, counted=counted))


def _counts(table: pd.DataFrame, axes: "Axes", *, column: str, edges: Sequence[float], unit: str, counted: str) -> None:
    charts.histogram(axes, table[column].to_list(), edges, unit, counted)


def _sources(table: pd.DataFrame, axes: "Axes") -> None:
    paper = [None if pd.isna(value) else float(value) for value in table["paper_share_percent"]]
    charts.bars(axes, table["source"].to_list(), table["share_percent"].to_list(), "videos, per cent", paper)


def _categories(table: pd.DataFrame, axes: "Axes", *, value: str) -> None:
    paper = [None if pd.isna(found) else float(found) for found in table[f"paper_{value}"]]
    charts.bars(axes, table["category"].to_list(), table[value].to_list(), value, paper)


def _words(table: pd.DataFrame, axes: "Axes") -> None:
    charts.cloud(axes, dict(zip(table["category"], table["frames"], strict=True)))


def _positions(table: pd.DataFrame, axes: "Axes") -> None:
    charts.heat_map(axes, table.to_numpy(), "of clips and frames, per cent")
