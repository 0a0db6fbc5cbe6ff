"""Two results side by side: how far apart they are, how sure that is, and where they part most.

The clips that both have are compared, clip by clip, so that what is hard for both cancels out. A clip's value is its
mean over support draws.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import Field

from icvos.categories import category
from icvos.errors import IcvosError
from icvos.files.schema import Schema
from icvos.metrics.summary import PAIRED_SAMPLES, paired_bootstrap
from icvos.tasks.result import FEWEST, Bootstrap
from icvos.tasks.video.result import VideoResult

LEVEL = 0.95
KEYS = ("j", "f", "jf")

Verdict = Literal["a is better", "b is better", "tied", "unknown"]


class Compared(Schema):
    """A figure of a, of b, and their difference."""

    a: float = Field(description="Of a.")
    b: float = Field(description="Of b.")
    difference: float = Field(description="a - b.")


class OverallCompared(Compared):
    """A figure over all clips, with how sure the difference is; from fewer than six videos nothing is known."""

    interval: tuple[float, float] | None = Field(description="[low, high] of the difference; null when unknown.")
    probability: float | None = Field(
        description="Share of the resamples in which a is better, and half of those in which they are equal."
    )
    verdict: Verdict = Field(description="tied where the interval contains 0.")


class CategoryCompared(Schema):
    """J&F of one category."""

    index: int = Field(alias="class", description="The class index, 1 to 80 in COCO's order.")
    clips: int = Field(description="Clips that both have.")
    a: float = Field(description="Of a.")
    b: float = Field(description="Of b.")
    difference: float = Field(description="a - b.")


class OverallComparison(Schema):
    """J, F and J&F over all clips."""

    j: OverallCompared = Field(description="Region similarity.")
    f: OverallCompared = Field(description="Contour accuracy.")
    jf: OverallCompared = Field(description="The mean of both.")


class Comparison(Schema):
    """What lies between two results."""

    protocol: str = Field(description="Of both.")
    digest: str | None = Field(description="Of the benchmark that both were scored against.")
    clips: int = Field(description="How many clips both have.")
    videos: int = Field(description="Of how many videos.")
    only_a: tuple[str, ...] = Field(description="Clips that a alone has.")
    only_b: tuple[str, ...] = Field(description="Clips that b alone has.")
    bootstrap: Bootstrap = Field(description="Paired bootstrap over videos, each drawn with all its clips.")
    overall: OverallComparison = Field(description="Over all clips.")
    categories: dict[str, CategoryCompared] = Field(description="J&F by category.")
    by_clip: dict[str, Compared] = Field(description="J&F by clip, the one where they part most first.")


def compare(a: VideoResult, b: VideoResult, a_name: str, b_name: str) -> Comparison:
    """The comparison of two results on videos; the names are for errors, which `require_comparable` raises."""
    require_comparable(a, b, a_name, b_name)
    common = sorted(_common_clips(a, b, a_name, b_name), key=clip_order)
    # (2, clips, 3): J, F and J&F of every clip in a and in b
    values = np.array([[[result.clips[clip].figure(key) for key in KEYS] for clip in common] for result in (a, b)])
    videos = [_parts(clip)[0] for clip in common]
    return Comparison(
        protocol=a.protocol,
        digest=a.digest,
        clips=len(common),
        videos=len(set(videos)),
        only_a=tuple(sorted(a.clips.keys() - b.clips.keys(), key=clip_order)),
        only_b=tuple(sorted(b.clips.keys() - a.clips.keys(), key=clip_order)),
        bootstrap=Bootstrap(level=LEVEL, samples=PAIRED_SAMPLES),
        overall=_overall(values, videos),
        categories=_categories(values[:, :, 2], common),
        by_clip=_by_clip(values[:, :, 2], common),
    )


def require_comparable(a: VideoResult, b: VideoResult, a_name: str, b_name: str) -> None:
    """Raise `IcvosError` for results of different protocols or of different builds of the benchmark."""
    if a.protocol != b.protocol:
        raise IcvosError(
            f"{b_name}: scored under {b.protocol}, {a_name} under {a.protocol}; score both under one protocol: "
            f"icvos score ... --protocol {a.protocol}"
        )
    if a.digest != b.digest:
        raise IcvosError(
            f"{b_name}: scored against another build of the benchmark ({_digest(b)}) than {a_name} ({_digest(a)}); "
            "score both against one build: icvos score ... --benchmark ..."
        )


def _digest(result: VideoResult) -> str:
    return str(result.digest or "without a digest")[:19]


def _common_clips(a: VideoResult, b: VideoResult, a_name: str, b_name: str) -> set[str]:
    common = a.clips.keys() & b.clips.keys()
    if not common:
        raise IcvosError(f"{b_name}: has no clip in common with {a_name}; score both on the same clips")
    for clip in sorted(common):
        try:
            category(_parts(clip)[1])
        except IcvosError as error:
            raise IcvosError(f"{a_name}: clip {clip}: {error}; score the predictions again") from error
        lengths = [result.clips[clip].frames for result in (a, b)]
        if None not in lengths and lengths[0] != lengths[1]:
            raise IcvosError(
                f"{b_name}: {lengths[1]} frames of {clip}, {a_name} has {lengths[0]}; score both against one benchmark"
            )
    return common


def _parts(clip: str) -> tuple[str, str]:
    """The video and the class of a clip."""
    video, _, index = clip.rpartition("/")
    return video, index


def clip_order(clip: str) -> tuple[str, str, str]:
    """Where a clip stands among others: by video, then by class index."""
    video, index = _parts(clip)
    return video, index.zfill(2), clip


def _overall(values: np.ndarray, videos: Sequence[str]) -> OverallComparison:
    known = len(set(videos)) >= FEWEST
    low, high, probability = paired_bootstrap(values[0] - values[1], videos, level=LEVEL)
    means = values.mean(axis=1)
    difference = (values[0] - values[1]).mean(axis=0)
    j, f, jf = (
        OverallCompared(
            a=float(means[0, k]),
            b=float(means[1, k]),
            difference=float(difference[k]),
            interval=(float(low[k]), float(high[k])) if known else None,
            probability=float(probability[k]) if known else None,
            verdict=_verdict(low[k], high[k]) if known else "unknown",
        )
        for k in range(len(KEYS))
    )
    return OverallComparison(j=j, f=f, jf=jf)


def _verdict(low: float, high: float) -> Verdict:
    if low <= 0 <= high:
        return "tied"
    return "a is better" if low > 0 else "b is better"


def _categories(values: np.ndarray, clips: Sequence[str]) -> dict[str, CategoryCompared]:
    """By category, from (2, clips) J&F."""
    kinds = [category(_parts(clip)[1]) for clip in clips]
    found = {}
    for kind in sorted(set(kinds), key=lambda kind: kind.index):
        own = values[:, [other == kind for other in kinds]]
        found[kind.name] = CategoryCompared(
            index=kind.index,
            clips=own.shape[1],
            a=float(own[0].mean()),
            b=float(own[1].mean()),
            difference=float((own[0] - own[1]).mean()),
        )
    return found


def _by_clip(values: np.ndarray, clips: Sequence[str]) -> dict[str, Compared]:
    """By clip, the largest difference first, from (2, clips) J&F."""
    order = np.argsort(-np.abs(values[0] - values[1]), kind="stable")
    return {
        clips[k]: Compared(a=float(values[0, k]), b=float(values[1, k]), difference=float(values[0, k] - values[1, k]))
        for k in order
    }
