"""In-context video object segmentation as a task."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from icvos.errors import Fault, IcvosError
from icvos.files.images import read_image
from icvos.files.masks import read_binary
from icvos.protocol import Protocol
from icvos.tasks.case import Case
from icvos.tasks.listing import Listing
from icvos.tasks.pool import Pool
from icvos.tasks.record import Part
from icvos.tasks.repairs import RepairReport
from icvos.tasks.result import Keep, Named, Result, Selection
from icvos.tasks.runs import Outcome, RunOptions, draw_folders
from icvos.tasks.task import Drawing, Sheet, Watch
from icvos.tasks.tracks import Track
from icvos.tasks.video.benchmark import Benchmark, Clip, truth_files
from icvos.tasks.video.result import VideoResult
from icvos.workers import Workers

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, slots=True)
class VideoTask:
    """A benchmark of videos.

    Args:
        benchmark: What is asked.
        chosen: The clips that are meant.
    """

    benchmark: Benchmark
    chosen: tuple[Clip, ...]
    kind: ClassVar[str] = "video"
    part: ClassVar[Part] = "draw"

    @staticmethod
    def recognises(root: Path) -> bool:
        """Whether ``root`` looks like such a benchmark."""
        return (root / "icvos.json").is_file()

    @staticmethod
    def open(root: Path) -> "VideoTask":
        """The benchmark in ``root``, built or in the published layout; `IcvosError` for anything else."""
        benchmark = Benchmark.open(root)
        return VideoTask(benchmark, benchmark.clips)

    @property
    def root(self) -> Path:
        """Its folder."""
        return self.benchmark.root

    @property
    def name(self) -> str:
        """The benchmark's name."""
        return self.benchmark.name

    @property
    def digest(self) -> str | None:
        """What tells this build of it from another."""
        return self.benchmark.digest

    @property
    def parts(self) -> Sequence[int]:
        """The frozen support draws."""
        return range(self.benchmark.draws)

    @property
    def folders(self) -> frozenset[str]:
        """The names of the videos."""
        return frozenset(video.name for video in self.benchmark.videos)

    @property
    def clips(self) -> int:
        """How many clips the whole benchmark has."""
        return len(self.benchmark.clips)

    def covered(self, folder: Path) -> int:
        """Of how many clips every draw in ``folder`` has a mask."""
        from icvos.tasks.video.predictions import Predictions

        draws = [Predictions.open(draw) for draw in draw_folders(folder)]
        return sum(all(draw.frames(clip) for draw in draws) for clip in self.benchmark.clips)

    def select(self, selection: Selection) -> "VideoTask":
        """The task on some of its clips; `IcvosError` where nothing matches."""
        return VideoTask(
            self.benchmark,
            self.benchmark.select(selection.videos, selection.categories, selection.limit, selection.clips),
        )

    def there(self, folder: Path, protocol: Protocol) -> "VideoTask":
        """The chosen clips of which every draw in ``folder`` has all masks; `IcvosError` where there is none."""
        from icvos.tasks.video.predictions import Predictions

        draws = [Predictions.open(draw) for draw in draw_folders(folder)]
        whole = tuple(clip for clip in self.chosen if not any(draw.missing(clip, protocol) for draw in draws))
        if not whole:
            raise IcvosError(f"{folder}: no clip is there with all its masks in every draw; go on with the run first")
        return replace(self, chosen=whole)

    def predict(self, out: Path, options: RunOptions, watch: Watch) -> tuple[int, ...]:
        """Predict the chosen clips of every draw; the draws."""
        from icvos.tasks.video.predict import run

        return run(
            self.benchmark,
            self.chosen,
            out,
            options,
            start=lambda done, total: watch.total(total, done),
            advance=lambda clip, frames: watch.advance(frames, clip.id),
            note=watch.note,
        )

    def predict_all(self, runs: Mapping[Path, RunOptions], pool: Pool | None, watch: Watch) -> dict[Path, Outcome]:
        """Predict the chosen clips by several methods, which share a pool's workers or every pass over a video."""
        from icvos.tasks.video.predict import run_all

        return run_all(
            self.benchmark,
            self.chosen,
            runs,
            pool,
            start=lambda done, total: watch.total(total, done),
            advance=lambda options, clip, frames: watch.advance(frames, f"{options.method} {clip.id}"),
            note=watch.note,
        )

    def check(self, folder: Path, protocol: Protocol, watch: Watch) -> list[Fault]:
        """Every fault of a prediction folder, or of all draws of a run."""
        from icvos.tasks.video.check import check

        watch.total(len(self.chosen))
        return check(self.benchmark, folder, protocol, self.chosen, progress=lambda clip: watch.advance())

    def score(
        self,
        folder: Path,
        protocol: Protocol,
        watch: Watch,
        *,
        workers: Workers = 1,
        parts: Sequence[int] | None = None,
        frames_csv: Path | None = None,
        keep: Keep | None = None,
    ) -> VideoResult:
        """Score the chosen clips."""
        from icvos.tasks.video.curves import to_curves
        from icvos.tasks.video.score import score, write_frames_csv

        watch.total(len(self.chosen))
        scores = score(
            self.benchmark,
            folder,
            protocol,
            clips=self.chosen,
            folders=None if parts is None else [folder / f"draw{part}" for part in parts],
            workers=workers,
            progress=lambda clip: watch.advance(),
        )
        if frames_csv:
            write_frames_csv(frames_csv, scores)
        if keep:
            keep(to_curves(scores))
        return scores.to_result()

    def confirm(self, result: Result, where: str) -> bool:
        """Whether a result is on this benchmark; `IcvosError` where its clips are not the benchmark's."""
        from icvos.tasks.video.proof import confirm

        if not isinstance(result, VideoResult) or result.digest != self.benchmark.digest:
            return False
        confirm(result, self.benchmark, where)
        return True

    def repair(self, predictions: Path, out: Path, protocol: Protocol) -> RepairReport:
        """A copy of ``predictions`` in ``out`` without the harmless faults."""
        from icvos.tasks.video.repair import repair

        return repair(self.benchmark, predictions, out, protocol)

    def sheets(self, predictions: Path | None, drawing: Drawing) -> Iterator[Sheet]:
        """An animation or a contact sheet for each of the chosen clips."""
        from icvos.tasks.video.sheet import sheets

        return sheets(self.benchmark, self.chosen, predictions, drawing)

    def worst(self, named: Named, run: Path, count: int, height_px: int) -> "Iterator[np.ndarray]":
        """A row for each of the worst clips."""
        from icvos.tasks.video.worst import worst_rows

        result = named.result
        if not isinstance(result, VideoResult) or not self.confirm(result, named.where):
            raise IcvosError(f"{named.where}: not scored on {self.root}; give the benchmark that it was scored on")
        return worst_rows(self.benchmark, result, named, run, count, height_px)

    def case(self, name: str, run: Path) -> Case:
        """The clip called ``<video>/<class>``, with the first mask of the run's first draw."""
        from icvos.tasks.video.predictions import Predictions

        clip, found = self.benchmark.clip(name), Predictions.open(draw_folders(run)[0])
        video, first = clip.video, clip.video.frames[0]
        return Case(
            name,
            clip.category.name,
            self.benchmark.supports(clip, found.number, found.run.shots or 1),
            read_image(video.frame_paths[0]),
            moving=True,
            truth=read_binary(clip.mask_path(first)),
            answer=found.mask(clip, first),
            folder=found.folder,
            record=found.run,
        )

    def truth_files(self) -> Iterator[tuple[str, Path]]:
        """The manifest, the support draws and the true masks."""
        return truth_files(self.benchmark)

    def tracks(self, run: Path | None) -> dict[str, Iterator[Track]]:
        """The chosen clips that each draw of ``run`` has, with its masks; None: all, with the true masks."""
        from icvos.tasks.video.tracks import tracks

        return tracks(self.chosen, run)

    def summary(self) -> Sequence[Listing | str]:
        """Sources, categories and what was left out."""
        from icvos.tasks.video.summary import summary

        return summary(self.benchmark)
