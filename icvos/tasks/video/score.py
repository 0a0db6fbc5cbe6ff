"""Predictions in, scores out: J and F of every frame, and from them every figure that is reported.

A clip's value is the mean over support draws of its mean over frames; what stands for several clips is the plain mean
of their values, so that a long video counts no more than a short one; ``jf = (j + f) / 2``. All are fractions.

`icvos.tasks.video.result` says what the result, ``scores.json``, holds.
"""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from icvos.bitmasks.mask import PackedMask, pack
from icvos.errors import IcvosError, PredictionError, extent
from icvos.files.cells import cell
from icvos.files.images import image_size
from icvos.files.masks import parse_png, read_binary
from icvos.files.schema import ROUND_OFF
from icvos.files.storage import write_text
from icvos.metrics import count_packed, warm
from icvos.metrics.summary import decay, mean, recall
from icvos.notices import notice
from icvos.protocol import Protocol
from icvos.tasks.record import RunRecord
from icvos.tasks.runs import draw_folders
from icvos.tasks.video import result
from icvos.tasks.video.analysis import clip_facts
from icvos.tasks.video.benchmark import Benchmark, Clip, restore
from icvos.tasks.video.means import figures, summarise
from icvos.tasks.video.predictions import Predictions, counted_frames, draw_faults
from icvos.tasks.video.result import VideoResult
from icvos.workers import Workers, run_jobs

ROBUSTNESS = ("j_recall", "f_recall", "j_decay", "f_decay")


@dataclass(frozen=True, slots=True)
class ClipScores:
    """J and F of every frame of a clip that counts, and how much of the frame the truth takes: 0 where it is empty.

    ``j``, ``f`` and ``areas`` are (T,) float64 in the order of ``frames``; areas are shares of the frame as compared.
    ``equal`` is in how many of the frames that show the category the mask equals the truth to the last pixel.
    """

    clip: str
    frames: tuple[str, ...]
    j: np.ndarray
    f: np.ndarray
    areas: np.ndarray
    equal: int


@dataclass(frozen=True)
class Scores:
    """What one run scored.

    Args:
        protocol: The protocol's id.
        digest: The benchmark's.
        clips: What was scored, in the benchmark's order.
        draws: The numbers of the support draws.
        values: For every clip one `ClipScores` per draw.
        run: The record of the first draw, or of the first with random weights, which make the whole meaningless.
        benchmark: What the whole benchmark has.
    """

    protocol: str
    digest: str | None
    clips: tuple[Clip, ...]
    draws: tuple[int, ...]
    values: tuple[tuple[ClipScores, ...], ...]
    run: RunRecord
    benchmark: result.BenchmarkCounts

    def to_result(self) -> VideoResult:
        """Every figure that is reported."""
        clips = {clip.id: self._clip(clip, per_draw) for clip, per_draw in zip(self.clips, self.values, strict=True)}
        sources = {clip.id: clip.video.source for clip in self.clips}
        return summarise(
            clips, sources, protocol=self.protocol, digest=self.digest, run=self.run, benchmark=self.benchmark
        )

    def _clip(self, clip: Clip, per_draw: Sequence[ClipScores]) -> result.Clip:
        values = np.array([[one.j for one in per_draw], [one.f for one in per_draw]])
        means = np.array([(mean(one.j), mean(one.f)) for one in per_draw])
        return result.Clip(
            **figures(means.mean(axis=0)),
            frames=len(per_draw[0].frames),
            shown=int((per_draw[0].areas > 0).sum()),
            **_robustness(per_draw),
            instances=clip.instances,
            **clip_facts(per_draw[0].areas, values),
            draws=tuple(
                result.ClipDraw(draw=draw, j=float(j), f=float(f), equal=one.equal)
                for draw, (j, f), one in zip(self.draws, means, per_draw, strict=True)
            ),
        )


def _robustness(per_draw: Sequence[ClipScores]) -> dict[str, float]:
    of_draws = [(recall(one.j), recall(one.f), decay(one.j), decay(one.f)) for one in per_draw]
    return dict(zip(ROBUSTNESS, np.mean(of_draws, axis=0).tolist(), strict=True))


def score_clip(clip: Clip, predictions: Predictions, protocol: Protocol) -> ClipScores:
    """J and F of every frame of ``clip`` that counts, with two masks in memory at a time.

    Raises `IcvosError` for a predicted mask that is missing, broken or of another size than the video. Masks of several
    values are a notice if they begin with the first frame: looking for them in every frame is for `check`.
    """
    frames = counted_frames(clip, protocol)
    j, f, areas = np.empty(len(frames)), np.empty(len(frames)), np.empty(len(frames))
    equal = 0
    for position, frame in enumerate(frames):
        truth = _truth(clip, frame, protocol, closely=position == 0)
        prediction = _prediction(clip, frame, predictions, protocol, closely=position == 0)
        counts = count_packed(truth, prediction)
        pixels = truth.height * truth.width
        j[position], f[position], areas[position] = counts.j, counts.f, counts.truth_area / pixels
        equal += 0 < counts.inter == counts.truth_area == counts.prediction_area
    return ClipScores(clip.id, frames, j, f, areas, equal)


def require_scored(clip: Clip, scores: ClipScores, predictions: Predictions, result: VideoResult) -> None:
    """Raise `IcvosError` where a clip's masks, which were just scored, are not those that a result was made of."""
    stated = result.clips[clip.id]
    own = [(draw.j, draw.f) for draw in stated.draws if draw.draw == predictions.number] or [(stated.j, stated.f)]
    means = float(scores.j.mean()), float(scores.f.mean())
    if max(abs(mean - other) for mean, other in zip(means, own[0], strict=True)) > ROUND_OFF:
        place = predictions.place(clip)
        raise IcvosError(f"{place}: not the masks that were scored; score the run again with icvos score")


def _truth(clip: Clip, frame: str, protocol: Protocol, *, closely: bool) -> PackedMask:
    """The true mask; a size other than the video's raises `IcvosError`, also where masks are resized.

    Looked at ``closely``, several values are a notice.
    """
    path = clip.mask_path(frame)
    found = parse_png(path)
    size = image_size(path) if found is None else found.size
    if size != clip.video.size:
        raise IcvosError(
            f"{path}: true mask of {extent(size)} pixels, the video is {extent(clip.video.size)}; "
            f"{restore(clip.video.root) if clip.video.entry else 'copy the video again'}"
        )
    packed = found.packed(protocol.size) if found is not None and (found.depth == 1 or not closely) else None
    return pack(read_binary(path), protocol.size) if packed is None else packed


def _prediction(clip: Clip, frame: str, predictions: Predictions, protocol: Protocol, *, closely: bool) -> PackedMask:
    """The predicted mask; looked at ``closely``, several values are a notice."""
    if not closely:
        return predictions.packed(clip, frame, protocol.size)
    mask, fault = predictions.examine(clip, frame)
    if fault is not None and fault.severity == "error":
        raise PredictionError(fault)
    if fault is not None:
        notice(str(predictions.place(clip)), fault.kind, str(fault))
    return pack(mask, protocol.size)


def score(
    benchmark: Benchmark,
    path: Path | str,
    protocol: Protocol,
    *,
    clips: Sequence[Clip] | None = None,
    folders: Sequence[Path] | None = None,
    workers: Workers = 1,
    progress: Callable[[Clip], None] | None = None,
) -> Scores:
    """Score a prediction folder, or a run folder with one per draw.

    Raises `IcvosError` where a mask is missing or broken, for draws that the benchmark does not have, and for draws of
    different methods.

    Args:
        benchmark: The truth.
        path: A prediction folder or a run folder.
        protocol: Which frames count and at which size.
        clips: What to score; None: every clip of the benchmark. A clip that is not predicted is an error.
        folders: The prediction folders of the draws to score; None: all that ``path`` has.
        workers: Processes; the result is the same to the last bit for any number.
        progress: Called in this process when a clip is done, in the order in which they are.
    """
    chosen = tuple(benchmark.clips if clips is None else clips)
    if not chosen:
        raise IcvosError(f"{path}: no clip to score; choose at least one")
    folders = draw_folders(path) if folders is None else tuple(folders)
    draws = [Predictions.open(folder) for folder in folders]
    numbers = require_draws(benchmark, draws)
    _require_complete(chosen, draws, protocol)
    if workers != 1:
        warm()  # compiled at most once, not by every worker at the same time
    values = run_jobs(
        partial(_score_draws, draws=draws, protocol=protocol),
        chosen,
        workers,
        cost=lambda clip: len(counted_frames(clip, protocol)),
        done=progress or (lambda clip: None),
    )
    run = next((draw.run for draw in draws if draw.run.made_with_random_weights), draws[0].run)
    whole = result.BenchmarkCounts(clips=len(benchmark.clips), draws=benchmark.draws)
    # only what is out of the ordinary is written down
    if benchmark.drawn:
        whole = whole.model_copy(update={"drawn": True})
    if benchmark.title != whole.name:
        whole = whole.model_copy(update={"name": benchmark.title})
    return Scores(protocol.id, benchmark.digest, chosen, numbers, tuple(values), run, whole)


def require_draws(benchmark: Benchmark, draws: Sequence[Predictions]) -> tuple[int, ...]:
    """The numbers of the draws; `PredictionError` for one that the benchmark does not have, or of another method."""
    for fault in draw_faults(benchmark, draws):
        raise PredictionError(fault)
    return tuple(draw.number for draw in draws)


def _require_complete(clips: Iterable[Clip], draws: Sequence[Predictions], protocol: Protocol) -> None:
    missing = [path for draw in draws for clip in clips for path in draw.missing(clip, protocol)]
    if missing:
        more = f" and {len(missing) - 1} more masks are" if len(missing) > 1 else " is"
        raise IcvosError(
            f"{missing[0]}:{more} missing; icvos validate says whether others are named or saved in their place, else "
            "predict them, or score those that are there by --clips-there"
        )


def _score_draws(clip: Clip, draws: Sequence[Predictions], protocol: Protocol) -> tuple[ClipScores, ...]:
    return tuple(score_clip(clip, predictions, protocol) for predictions in draws)


def frame_rows(scores: Scores) -> Iterator[tuple[str, ...]]:
    """The rows of the table of frames, header first, clip after clip; scores are texts that read back exactly.

    ``video,class,frame,J,F``, and where a run has several draws a last column ``draw``; then a clip's rows come draw by
    draw.
    """
    several = len(scores.draws) > 1
    yield ("video", "class", "frame", "J", "F", *(["draw"] if several else []))
    for clip, per_draw in zip(scores.clips, scores.values, strict=True):
        for draw, one in zip(scores.draws, per_draw, strict=True):
            last = (str(draw),) if several else ()
            for frame, j, f in zip(one.frames, one.j.tolist(), one.f.tolist(), strict=True):
                yield (cell(clip.video.name), str(clip.category.index), cell(frame), repr(j), repr(f), *last)


def write_frames_csv(path: Path, scores: Scores) -> None:
    """Write `frame_rows` to ``path``, whole or not at all."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(frame_rows(scores))
    write_text(path, text.getvalue())
