"""Two results side by side: how far apart they are, how sure that is, and where they part most.

The clips that both have are compared, clip by clip, so that what is hard for both cancels out. A clip's value is its
mean over support draws. The comparison::

    protocol    of both
    digest      of the benchmark that both were scored against; null in the published layout
    clips, videos: how many both have; only_a, only_b: the clips that one alone has
    bootstrap   {level, samples}: paired bootstrap over videos, each drawn with all its clips
    overall     j, f and jf, each {a, b, difference, interval, probability, verdict}:
                difference is a - b, interval its [low, high], probability that of a being better than b, which is the
                share of the resamples in which it is (half of those in which they are equal); verdict "a is better",
                "b is better", or "tied" where the interval contains 0;
                with a single video nothing is known: interval and probability are null, the verdict is "unknown"
    categories  per category name: class, clips, and the J&F of a, of b, and their difference
    by_clip     per "<video>/<class>" J&F of a, of b, and their difference, the clip where they part most first
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from icvos.categories import category
from icvos.errors import IcvosError
from icvos.metrics.summary import PAIRED_SAMPLES, paired_bootstrap

LEVEL = 0.95
KEYS = ("j", "f", "jf")


def compare(a: Mapping[str, Any], b: Mapping[str, Any], a_name: str, b_name: str) -> dict[str, Any]:
    """The comparison of two results on videos; the names are for errors, which `require_comparable` raises."""
    require_comparable(a, b, a_name, b_name)
    common = sorted(_common_clips(a, b, a_name, b_name), key=_clip_order)
    # (2, clips, 3): J, F and J&F of every clip in a and in b
    values = np.array([[[result["clips"][clip][key] for key in KEYS] for clip in common] for result in (a, b)])
    videos = [_parts(clip)[0] for clip in common]
    return {
        "protocol": a["protocol"],
        "digest": a["digest"],
        "clips": len(common),
        "videos": len(set(videos)),
        "only_a": sorted(a["clips"].keys() - b["clips"].keys(), key=_clip_order),
        "only_b": sorted(b["clips"].keys() - a["clips"].keys(), key=_clip_order),
        "bootstrap": {"level": LEVEL, "samples": PAIRED_SAMPLES},
        "overall": _overall(values, videos),
        "categories": _categories(values[:, :, 2], common),
        "by_clip": _by_clip(values[:, :, 2], common),
    }


def require_comparable(a: Mapping[str, Any], b: Mapping[str, Any], a_name: str, b_name: str) -> None:
    """Raise `IcvosError` for results of different protocols or of different builds of the benchmark."""
    if a["protocol"] != b["protocol"]:
        raise IcvosError(
            f"{b_name}: scored under {b['protocol']}, {a_name} under {a['protocol']}; score both under one protocol: "
            f"icvos score ... --protocol {a['protocol']}"
        )
    if a.get("digest") != b.get("digest"):
        raise IcvosError(
            f"{b_name}: scored against another build of the benchmark ({_digest(b)}) than {a_name} ({_digest(a)}); "
            "score both against one build: icvos score ... --benchmark ..."
        )


def _digest(result: Mapping[str, Any]) -> str:
    return str(result.get("digest") or "without a digest")[:19]


def _common_clips(a: Mapping[str, Any], b: Mapping[str, Any], a_name: str, b_name: str) -> set[str]:
    common = a.get("clips", {}).keys() & b.get("clips", {}).keys()
    if not common:
        raise IcvosError(f"{b_name}: has no clip in common with {a_name}; score both on the same clips")
    for clip in sorted(common):
        try:
            category(_parts(clip)[1])
        except IcvosError as error:
            raise IcvosError(f"{a_name}: clip {clip}: {error}; score the predictions again") from error
        lengths = [result["clips"][clip].get("frames") for result in (a, b)]
        if None not in lengths and lengths[0] != lengths[1]:
            raise IcvosError(
                f"{b_name}: {lengths[1]} frames of {clip}, {a_name} has {lengths[0]}; score both against one benchmark"
            )
    return set(common)


def _parts(clip: str) -> tuple[str, str]:
    """The video and the class of a clip."""
    video, _, index = clip.rpartition("/")
    return video, index


def _clip_order(clip: str) -> tuple[str, str, str]:
    video, index = _parts(clip)
    return video, index.zfill(2), clip


def _overall(values: np.ndarray, videos: list[str]) -> dict[str, Any]:
    known = len(set(videos)) > 1
    low, high, probability = paired_bootstrap(values[0] - values[1], videos, level=LEVEL)
    means = values.mean(axis=1)
    difference = (values[0] - values[1]).mean(axis=0)
    return {
        key: {
            **_pair(means[0, k], means[1, k], difference[k]),
            "interval": [float(low[k]), float(high[k])] if known else None,
            "probability": float(probability[k]) if known else None,
            "verdict": _verdict(low[k], high[k]) if known else "unknown",
        }
        for k, key in enumerate(KEYS)
    }


def _verdict(low: float, high: float) -> str:
    if low <= 0 <= high:
        return "tied"
    return "a is better" if low > 0 else "b is better"


def _pair(a: float, b: float, difference: float) -> dict[str, float]:
    return {"a": float(a), "b": float(b), "difference": float(difference)}


def _categories(values: np.ndarray, clips: list[str]) -> dict[str, Any]:
    """By class, from (2, clips) J&F."""
    kinds = [category(_parts(clip)[1]) for clip in clips]
    found = {}
    for kind in sorted(set(kinds), key=lambda kind: kind.index):
        own = values[:, [other == kind for other in kinds]]
        difference = (own[0] - own[1]).mean()
        found[kind.name] = {
            "class": kind.index,
            "clips": own.shape[1],
            **_pair(own[0].mean(), own[1].mean(), difference),
        }
    return found


def _by_clip(values: np.ndarray, clips: list[str]) -> dict[str, Any]:
    """By clip, the largest difference first, from (2, clips) J&F."""
    order = np.argsort(-np.abs(values[0] - values[1]), kind="stable")
    return {clips[k]: _pair(values[0, k], values[1, k], values[0, k] - values[1, k]) for k in order}
