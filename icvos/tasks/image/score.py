"""Masks of image episodes in, scores out: mIoU and FB-IoU of every fold, and their means over folds.

Both divide sums of pixels over a fold's episodes; ignored pixels (the borders of PASCAL's objects) are in none of them.
Only folds that have all episodes that they were asked for are scored. All figures are fractions.

`icvos.tasks.image.result` says what the result, ``scores.json``, holds.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from icvos.errors import Fault, IcvosError, PredictionError
from icvos.files.masks import resize_nearest
from icvos.metrics.fewshot import EpisodeCounts, count_episode
from icvos.protocol import Protocol
from icvos.tasks.image import result
from icvos.tasks.image.benchmark import IGNORED, Episode, ImageBenchmark
from icvos.tasks.image.means import counts_text, fold_means, overall_interval
from icvos.tasks.image.predictions import EPISODES, right_answers
from icvos.tasks.image.result import ImageResult
from icvos.tasks.mixture import refuse_mixture
from icvos.tasks.record import RECORD, RunRecord, read_record
from icvos.tasks.runs import fold_folders
from icvos.workers import Workers, run_jobs


@dataclass(frozen=True, slots=True)
class FoldScores:
    """What one fold scored.

    Args:
        fold: Its number.
        episodes: (class, counts) of every scored episode, in the order of the fold's.
        of: How many episodes the fold has.
        seconds: Time of every scored episode; None where its line has none.
        run: The fold's record.
    """

    fold: int
    episodes: tuple[tuple[int, EpisodeCounts], ...]
    of: int
    seconds: tuple[float | None, ...]
    run: RunRecord

    @property
    def seconds_per_image(self) -> float | None:
        """Mean over the episodes; None where one does not say."""
        known = [seconds for seconds in self.seconds if seconds is not None]
        return sum(known) / len(known) if len(known) == len(self.seconds) else None


@dataclass(frozen=True)
class ImageScores:
    """What one run scored.

    Args:
        benchmark: What was scored against.
        protocol: The protocol's id.
        shots: Supports for every episode.
        folds: Those that were scored, in order.
        left_out: Folds that are not finished, with how many episodes each has and should have.
    """

    benchmark: ImageBenchmark
    protocol: str
    shots: int
    folds: tuple[FoldScores, ...]
    left_out: dict[int, tuple[int, int]]

    def to_result(self) -> ImageResult:
        """Every figure that is reported."""
        names, folds, categories = self.benchmark.classes, {}, {}
        made = [fold_means(fold.fold, fold.episodes) for fold in self.folds]
        for fold, means in zip(self.folds, made, strict=True):
            scores, test = means.scores, self.benchmark.fold(fold.fold).test
            folds[str(fold.fold)] = result.Fold(
                miou=scores.miou,
                fb_iou=scores.fb_iou,
                foreground_iou=scores.foreground_iou,
                background_iou=scores.background_iou,
                episodes=len(fold.episodes),
                of=fold.of,
                classes=len(scores.class_iou),
                equal=means.equal,
                without=tuple(names[kind] for kind in test if kind not in scores.class_iou),
                interval=means.interval,
                seconds_per_image=fold.seconds_per_image,
                counts=tuple(counts_text(kind, counts) for kind, counts in fold.episodes),
                run=fold.run,
            )
            for kind, iou in scores.class_iou.items():
                categories[names[kind]] = result.Category(
                    index=kind, fold=fold.fold, iou=iou, episodes=means.episodes[kind]
                )
        whole = len(folds) == len(self.benchmark.folds) and all(fold.episodes == fold.of for fold in folds.values())
        return ImageResult(
            format=1,
            task="image",
            protocol=self.protocol,
            digest=self.benchmark.digest,
            benchmark=self._counts(),
            shots=self.shots,
            partial=not whole,
            overall=self._overall(list(folds.values()), overall_interval(made)),
            folds=folds,
            categories=categories,
        )

    def _counts(self) -> result.BenchmarkCounts:
        """What the benchmark has, scored or not."""
        counts = result.BenchmarkCounts(
            name=self.benchmark.name,
            folds=len(self.benchmark.folds),
            episodes=sum(len(fold.episodes) for fold in self.benchmark.folds),
        )
        return counts.model_copy(update={"drawn": True}) if self.benchmark.manifest.drawn else counts

    def _overall(self, folds: Sequence[result.Fold], interval: result.Interval | None) -> result.Overall:
        counts = [fold.episodes for fold in folds]
        seconds = [fold.seconds_per_image for fold in self.folds]
        taken = [one * count for one, count in zip(seconds, counts, strict=True) if one is not None]
        return result.Overall(
            miou=sum(fold.miou for fold in folds) / len(folds),
            fb_iou=sum(fold.fb_iou for fold in folds) / len(folds),
            folds=len(folds),
            episodes=sum(counts),
            classes=sum(fold.classes for fold in folds),
            interval=interval,
            seconds_per_image=sum(taken) / sum(counts) if len(taken) == len(folds) else None,
        )


def score_images(
    benchmark: ImageBenchmark,
    path: Path | str,
    protocol: Protocol,
    *,
    folds: Sequence[int] | None = None,
    workers: Workers = 1,
    progress: Callable[[int], None] | None = None,
) -> ImageScores:
    """Score every finished fold of a run, or of the ``folds`` of it.

    Raises `IcvosError` where no fold is finished, where folds are of other questions than the benchmark's or of
    different shots or methods, and for a mask that is broken, of another size or class, or there twice.

    Args:
        benchmark: The truth.
        path: A run folder.
        protocol: At which size masks are compared.
        workers: Processes, each with a fold at a time; the result is the same for any number.
        progress: Called in this process with a fold's number when it is done.
    """
    folders = {fold: folder for fold, folder in fold_folders(Path(path)).items() if folds is None or fold in folds}
    records = {fold: (folder, read_record(folder / RECORD)) for fold, folder in folders.items()}
    shots = {fold_shots(benchmark, fold, record, folder) for fold, (folder, record) in records.items()}
    if len(shots) > 1:
        raise IcvosError(f"{path}: folds of {sorted(shots)} shots; score them in folders of their own")
    refuse_mixture(records, "fold")
    found = run_jobs(
        partial(_score_fold, root=benchmark.root, run=Path(path), protocol=protocol),
        list(folders),
        workers,
        cost=lambda fold: len(benchmark.fold(fold).episodes),
        done=progress or (lambda fold: None),
    )
    left_out = {fold: one for fold, one in zip(folders, found, strict=True) if not isinstance(one, FoldScores)}
    scored = tuple(one for one in found if isinstance(one, FoldScores))
    if not scored:
        words = ", ".join(f"fold {fold} has {have} of {asked} episodes" for fold, (have, asked) in left_out.items())
        raise IcvosError(f"{path}: no fold is finished ({words}); run icvos eval again to finish it")
    return ImageScores(benchmark, protocol.id, shots.pop(), scored, left_out)


def fold_shots(benchmark: ImageBenchmark, fold: int, run: RunRecord, folder: Path) -> int:
    """How many supports the masks of a fold were made with; `PredictionError` for a fold of other questions."""
    if fold >= len(benchmark.folds) or not benchmark.folds[fold].episodes:
        raise PredictionError(Fault("extra-fold", str(folder), f"{benchmark.name} has no such fold; remove the folder"))
    if run.digest is not None and run.digest != benchmark.digest:
        what = f"made for other episodes ({run.digest}, not {benchmark.digest}); predict again for this benchmark"
        raise PredictionError(Fault("digest", str(folder / RECORD), what))
    if run.shots is None:
        what = 'does not say how many supports were shown; write {"shots": 1} into it, or what it was'
        raise PredictionError(Fault("record", str(folder / RECORD), what))
    return run.shots


def _score_fold(fold: int, root: Path, run: Path, protocol: Protocol) -> FoldScores | tuple[int, int]:
    """One fold's scores, or how many episodes it has and is to have where it is not finished."""
    benchmark, folder = ImageBenchmark.open(root), run / f"fold{fold}"
    record = read_record(folder / RECORD)
    episodes = benchmark.episodes(fold)
    asked = min(record.asked or len(episodes), len(episodes))
    counts: dict[int, EpisodeCounts] = {}
    seconds: dict[int, float | None] = {}
    for answer in right_answers(folder / EPISODES, episodes):
        if answer.episode < asked:
            counts[answer.episode] = compare(episodes[answer.episode], answer.mask(), protocol)
            seconds[answer.episode] = answer.seconds
    if len(counts) < asked:
        return len(counts), asked
    order = range(asked)
    scored = tuple((episodes[index].kind, counts[index]) for index in order)
    return FoldScores(fold, scored, len(episodes), tuple(seconds[index] for index in order), record)


def compare(episode: Episode, prediction: np.ndarray, protocol: Protocol) -> EpisodeCounts:
    """Count one episode; ``prediction`` is (H, W) bool at the query's own size."""
    label = episode.query.label(episode.kind)
    if protocol.size is not None:
        height, width = protocol.size  # turned over: RLE lies in memory column by column
        label, prediction = (resize_nearest(mask.T, (width, height)).T for mask in (label, prediction))
    ignored = label == IGNORED
    return count_episode(label == 1, prediction, ignored if ignored.any() else None)
