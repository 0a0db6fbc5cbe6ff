"""Few-shot episodes on images as a task."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, NoReturn

from icvos.errors import Fault, IcvosError
from icvos.protocol import Protocol
from icvos.tasks.case import Case
from icvos.tasks.image.benchmark import ImageBenchmark, is_image_benchmark, truth_files
from icvos.tasks.image.check import check_images, fold_names
from icvos.tasks.image.result import ImageResult
from icvos.tasks.listing import Listing
from icvos.tasks.pool import Pool
from icvos.tasks.record import Part
from icvos.tasks.repairs import RepairReport
from icvos.tasks.result import Keep, Named, Result, Selection
from icvos.tasks.runs import Outcome, RunOptions, fold_folders
from icvos.tasks.task import Drawing, Sheet, Watch
from icvos.tasks.tracks import Track
from icvos.workers import Workers

EVERYTHING = Selection()


@dataclass(frozen=True, slots=True)
class ImageTask:
    """A benchmark of images.

    Args:
        benchmark: What is asked.
        selection: Which episodes; `Selection.limit` bounds those of each fold, `Selection.clips` are what is drawn.
    """

    benchmark: ImageBenchmark
    selection: Selection = EVERYTHING
    kind: ClassVar[str] = "image"
    part: ClassVar[Part] = "fold"
    clips: ClassVar[None] = None

    @staticmethod
    def recognises(root: Path) -> bool:
        """Whether ``root`` looks like such a benchmark."""
        return is_image_benchmark(root)

    @staticmethod
    def open(root: Path) -> "ImageTask":
        """The benchmark in ``root``; `IcvosError` for one that cannot be read."""
        return ImageTask(ImageBenchmark.open(root))

    @property
    def root(self) -> Path:
        """Its folder."""
        return self.benchmark.root

    @property
    def name(self) -> str:
        """The benchmark's name."""
        return self.benchmark.name

    @property
    def digest(self) -> str:
        """What tells this build of it from another."""
        return self.benchmark.digest

    @property
    def parts(self) -> Sequence[int]:
        """The folds."""
        return range(len(self.benchmark.folds))

    @property
    def folders(self) -> frozenset[str]:
        """``fold0``, ``fold1``, ..."""
        return frozenset(fold_names(self.benchmark))

    def covered(self, folder: Path) -> int:  # noqa: ARG002  # images are in episodes, not in clips
        """None: there are no clips."""
        return 0

    def select(self, selection: Selection) -> "ImageTask":
        """The task on the first `Selection.limit` episodes of each fold, or on some episodes to be drawn."""
        for option, given in (("videos", selection.videos), ("categories", selection.categories)):
            if given:
                raise IcvosError(f"--{option} is for benchmarks of videos; {self.root} is one of images, leave it out")
        return replace(self, selection=selection)

    def there(self, folder: Path, protocol: Protocol) -> "ImageTask":  # noqa: ARG002  # as on videos
        """All of it: of an unfinished run, the folds that are finished are scored anyway."""
        return self

    def predict(self, out: Path, options: RunOptions, watch: Watch) -> tuple[int, ...]:
        """Predict the episodes of the chosen folds; the folds that the run has."""
        from icvos.tasks.image.predict import run_images

        self._refuse_clips("predicted")
        run_images(
            self.benchmark,
            out,
            options,
            limit=self.selection.limit,
            start=watch.total,
            advance=lambda fold, count: watch.advance(count, f"fold {fold}"),
        )
        return tuple(fold_folders(out))

    def predict_all(self, runs: Mapping[Path, RunOptions], pool: Pool | None, watch: Watch) -> dict[Path, Outcome]:  # noqa: ARG002
        """Refused: workers of a pool make videos, and there is no frame that methods could share."""
        from icvos.tasks.image.predict import for_videos

        if pool is None:
            raise IcvosError("--together: is for videos, whose frames methods share; leave it out")
        raise for_videos(pool)

    def check(self, folder: Path, protocol: Protocol, watch: Watch) -> list[Fault]:  # noqa: ARG002  # any size counts
        """Every fault of a run."""
        watch.total(len(self.benchmark.folds))
        return check_images(self.benchmark, folder, progress=lambda fold: watch.advance())

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
    ) -> ImageResult:
        """Score every fold that has all episodes that it was asked for; another is noted and left out."""
        from icvos.tasks.image.score import score_images

        if frames_csv or keep:
            option = "--frames-csv" if frames_csv else "--frames"
            raise IcvosError(f"{self.root}: images have no frames; leave out {option}")
        self._refuse_clips("scored")
        found = score_images(
            self.benchmark, folder, protocol, folds=parts, workers=workers, progress=lambda fold: watch.advance()
        )
        for fold, (have, asked) in found.left_out.items():
            watch.note(f"fold {fold} is left out: it has {have} of {asked} episodes")
        return found.to_result()

    def confirm(self, result: Result, where: str) -> bool:
        """Whether a result is on this benchmark; `IcvosError` where its folds or episodes are not the benchmark's."""
        from icvos.tasks.image.proof import confirm

        if not isinstance(result, ImageResult) or result.digest != self.benchmark.digest:
            return False
        confirm(result, self.benchmark, where)
        return True

    def repair(self, predictions: Path, out: Path, protocol: Protocol) -> RepairReport:  # noqa: ARG002  # as on videos
        """Refused: lines of an ``episodes.jsonl`` have no harmless faults."""
        raise IcvosError(f"--repair is for benchmarks of videos; {self.root} is one of images, leave it out")

    def sheets(self, predictions: Path | None, drawing: Drawing) -> Iterator[Sheet]:
        """A contact sheet for each fold."""
        from icvos.tasks.image.sheet import sheets

        return sheets(self.benchmark, predictions, self.selection.clips, drawing)

    def worst(self, named: Named, run: Path, count: int, height_px: int) -> NoReturn:  # noqa: ARG002  # as on videos
        """Refused: a result on images has figures of folds and classes, not of episodes."""
        raise IcvosError(
            f"{self.root}: one of images, of which no clips are worst; draw episodes with: "
            f"icvos render {self.root} --predictions {run} --out sheets"
        )

    def case(self, name: str, run: Path) -> Case:
        """The episode called ``<fold>/<episode>``, with the run's mask of it."""
        from icvos.tasks.image.sheet import case

        return case(self.benchmark, name, run)

    def truth_files(self) -> Iterator[tuple[str, bytes]]:
        """The episodes, and the masks of their pictures."""
        return truth_files(self.benchmark)

    def tracks(self, run: Path | None) -> dict[str, Iterator[Track]]:
        """The episodes that each fold of ``run`` has, with its masks; None: all, with the true masks."""
        from icvos.tasks.image.tracks import tracks

        self._refuse_clips("converted")
        return tracks(self.benchmark, run)

    def summary(self) -> Sequence[Listing | str]:
        """The folds with their classes and episodes."""
        from icvos.tasks.image.summary import summary

        return summary(self.benchmark)

    def _refuse_clips(self, done: str) -> None:
        if self.selection.clips:
            raise IcvosError(f"{self.root}: folds are {done} whole; leave out --clips")
