"""From the figures of clips to those of a whole result: over all clips, by category and by source."""

from collections.abc import Mapping, Sequence
from typing import TypedDict

import numpy as np

from icvos.categories import category
from icvos.metrics.summary import BOOTSTRAP_SAMPLES, bootstrap_interval
from icvos.tasks.record import RunRecord
from icvos.tasks.result import FEWEST, INTERVAL_LEVEL
from icvos.tasks.video import result
from icvos.tasks.video.analysis import analyse
from icvos.tasks.video.result import VideoResult


class Figures(TypedDict):
    """J, F and their mean."""

    j: float
    f: float
    jf: float


class Means(Figures):
    """Plain means over some clips, and how many there are."""

    j_recall: float | None
    f_recall: float | None
    j_decay: float | None
    f_decay: float | None
    clips: int
    frames: int


def figures(values: np.ndarray) -> Figures:
    """J, F and their mean, from a (2,) array of J and F."""
    j, f = float(values[0]), float(values[1])
    return {"j": j, "f": f, "jf": (j + f) / 2}


def means(clips: Sequence[result.Clip]) -> Means:
    """The plain means over some clips, each with the same weight."""

    def over_clips(values: Sequence[float | None]) -> float | None:
        known = [value for value in values if value is not None]
        return float(np.mean(known)) if len(known) == len(values) else None

    return {
        **figures(np.mean([(clip.j, clip.f) for clip in clips], axis=0)),
        "j_recall": over_clips([clip.j_recall for clip in clips]),
        "f_recall": over_clips([clip.f_recall for clip in clips]),
        "j_decay": over_clips([clip.j_decay for clip in clips]),
        "f_decay": over_clips([clip.f_decay for clip in clips]),
        "clips": len(clips),
        "frames": sum(clip.frames or 0 for clip in clips),
    }


def overall(clips: Mapping[str, result.Clip]) -> result.Overall:
    """The figures over all of ``clips``, with a bootstrap interval over their videos where those are not too few."""
    # (clips, draws, 2): J and F of every clip in every draw
    values = np.array([[(draw.j, draw.f) for draw in clip.draws] for clip in clips.values()])
    videos = [clip.rpartition("/")[0] for clip in clips]
    numbers = [draw.draw for draw in next(iter(clips.values())).draws]
    return result.Overall(
        **means(tuple(clips.values())),
        videos=len(set(videos)),
        draws=tuple(
            result.Draw(draw=draw, **figures(values[:, position].mean(axis=0))) for position, draw in enumerate(numbers)
        ),
        interval=interval(values.mean(axis=1), videos) if len(set(videos)) >= FEWEST else None,
    )


def interval(values: np.ndarray, videos: Sequence[str]) -> result.Interval:
    """The bootstrap interval of the means of (clips, 2) J and F, over the clips' videos."""
    low, high = bootstrap_interval(np.column_stack([values, values.mean(axis=1)]), videos, level=INTERVAL_LEVEL)
    j, f, jf = ((float(low[k]), float(high[k])) for k in range(3))
    return result.Interval(level=INTERVAL_LEVEL, samples=BOOTSTRAP_SAMPLES, j=j, f=f, jf=jf)


def summarise(
    clips: Mapping[str, result.Clip],
    sources: Mapping[str, str],
    *,
    protocol: str,
    digest: str | None,
    run: RunRecord,
    benchmark: result.BenchmarkCounts | None = None,
) -> VideoResult:
    """The result that the figures of clips make.

    Args:
        clips: By clip, ``<video>/<class>``, in the benchmark's order; all have the same draws.
        sources: By clip, the source data set; clips without one are in no source's figures.
        protocol: The protocol's id.
        digest: The benchmark's.
        run: How the predictions were made.
        benchmark: What the whole benchmark has; None where nobody knows.
    """
    kinds = {clip: category(clip.rpartition("/")[2]) for clip in clips}
    return VideoResult(
        format=1,
        protocol=protocol,
        digest=digest,
        benchmark=benchmark,
        partial=benchmark is not None and len(clips) < benchmark.clips,
        overall=overall(clips),
        categories={
            kind.name: result.Category(
                index=kind.index, **means([found for clip, found in clips.items() if kinds[clip] == kind])
            )
            for kind in sorted(set(kinds.values()), key=lambda kind: kind.index)
        },
        sources={
            source: result.Group(**means([found for clip, found in clips.items() if sources.get(clip) == source]))
            for source in sorted(set(sources.values()))
        },
        clips=dict(clips),
        analysis=analyse(clips) if all(found.analysable for found in clips.values()) else result.Analysis(),
        run=run,
    )
