"""What benchmarks contain, as charts on pages of their own, which the tables of results link to.

They lie in ``benchmarks/<digest>/`` of the page's folder. A digest names one build, so charts that are there already
are neither drawn nor measured again.
"""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from icvos.errors import IcvosError
from icvos.files.names import require_inside
from icvos.files.schema import FormatOne, PlainName, Schema, read_schema, write_schema
from icvos.tasks.task import SILENT, Task, Watch
from leaderboard.tables.shape import Table

if TYPE_CHECKING:
    from icvos.tasks.video.task import VideoTask

BENCHMARKS = "benchmarks"
RECORD = "charts.json"
DRAWN_BY = "1"  # another number draws all anew


class ChartFile(Schema):
    """One chart: ``<name>.svg``, ``<name>.png`` and its table ``<name>.csv`` lie beside the page."""

    name: PlainName = Field(description="Of its files, without a suffix.")
    title: Annotated[str, Field(min_length=1, max_length=200)] = Field(description="What it shows.")


class ChartsFile(Schema):
    """The charts of one benchmark, in a file beside them that is written last."""

    format: FormatOne = Field(description="Version of this layout.")
    drawn_by: str = Field(description="Changes when the same benchmark gives other charts.")
    digest: str = Field(description="Of the benchmark.")
    facts: dict[str, str] = Field(description="What is counted of it, by what it is called.")
    charts: tuple[ChartFile, ...] = Field(description="In the order of the page.")


@dataclass(frozen=True, slots=True)
class Charting:
    """Draws the charts of the benchmarks of videos among ``tasks`` into a page's folder.

    Args:
        tasks: The benchmarks; those of images, and those without a digest, have none.
        workers: Processes that read masks.
        watch: Is told of every clip.
    """

    tasks: Sequence[Task] = ()
    workers: int = 1
    watch: Watch = SILENT

    def write(self, out: Path) -> None:
        """Draw what is not there yet; `IcvosError` where a mask is missing or broken, or matplotlib is."""
        from icvos.tasks.video.task import VideoTask

        for task in self.tasks:
            if isinstance(task, VideoTask) and task.digest:
                folder = out / charts_place(task.digest)
                require_inside(folder, out)
                if read_charts(folder) is None:
                    self._draw(task, task.digest, folder)

    def _draw(self, task: "VideoTask", digest: str, folder: Path) -> None:
        from icvos.tasks.video.statistics import write_statistics

        benchmark = task.benchmark
        charts = write_statistics(benchmark, folder, workers=self.workers, watch=self.watch)
        facts = {
            "Videos": len(benchmark.videos),
            "Clips": len(benchmark.clips),
            "Frames": sum(len(video.frames) for video in benchmark.videos),
            "Categories": len({clip.category for clip in benchmark.clips}),
        }
        record = ChartsFile(
            format=1,
            drawn_by=DRAWN_BY,
            digest=digest,
            facts={name: f"{value:,}" for name, value in facts.items()},
            charts=tuple(ChartFile(name=chart.name, title=chart.title) for chart in charts),
        )
        write_schema(folder / RECORD, record)


def charts_place(digest: str) -> str:
    """Where the charts of the benchmark of a digest lie, relative to the page's folder."""
    return f"{BENCHMARKS}/{digest.removeprefix('sha256:')[:24]}"


def read_charts(folder: Path) -> ChartsFile | None:
    """What is said of the charts in a folder, if they were finished."""
    try:
        found = read_schema(folder / RECORD, ChartsFile, "what is said of charts", "remove it", 1 << 16)
    except IcvosError:
        return None
    return found if found.drawn_by == DRAWN_BY else None


def find_charts(tables: Sequence[Table], out: Path) -> dict[str, ChartsFile]:
    """By digest, the charts in the page's folder ``out`` of the benchmarks of ``tables``."""
    found = {table.digest: read_charts(out / charts_place(table.digest)) for table in tables if table.digest}
    return {digest: charts for digest, charts in found.items() if charts and charts.digest == digest}


def remove_other_charts(kept: Mapping[str, ChartsFile], out: Path) -> None:
    """Remove the charts of benchmarks that no table of the page is on."""
    folders = {out / charts_place(digest) for digest in kept}
    for folder in (out / BENCHMARKS).glob("*/") if (out / BENCHMARKS).is_dir() else ():
        if folder not in folders and not folder.is_symlink() and (folder / RECORD).is_file():
            require_inside(folder, out)
            shutil.rmtree(folder)
