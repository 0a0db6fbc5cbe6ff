"""Results made by hand: figures chosen, not measured."""

from collections.abc import Callable
from typing import Any

import pytest

from icvos.tasks.result import Result
from icvos.tasks.task import parse_result
from icvos.tasks.video.analysis import analyse
from icvos.tasks.video.result import Clip
from tests import Json

DIGEST = "sha256:" + "0123456789abcdef" * 4
Make = Callable[..., Json]

# clip: (class, name, source, frames, how much easier than the mean)
CLIPS = {
    "davis_dog/17": (17, "dog", "davis", 60, 0.10),
    "davis_libby/17": (17, "dog", "davis", 49, -0.02),
    "davis_cows/20": (20, "cow", "davis", 104, 0.05),
    "mose_0a43a414/1": (1, "person", "mose", 80, -0.10),
    "lvos_0tCWPOrc/9": (9, "boat", "lvos", 512, -0.03),
}


def figures(j: float, f: float) -> dict[str, float]:
    """j, f and their mean."""
    return {"j": j, "f": f, "jf": (j + f) / 2}


def mean(members: list[Json]) -> dict[str, float]:
    """The mean of some figures."""
    return figures(sum(m["j"] for m in members) / len(members), sum(m["f"] for m in members) / len(members))


def add_facts(clips: Json) -> None:
    """Give clips what an analysis is made of: a perfect first frame, and one clip with an absence."""
    for position, (name, clip) in enumerate(clips.items()):
        own = {key: clip[key] for key in ("j", "f", "jf")}
        clip |= {"area": 0.002 * 4**position, "instances": position or None, "first": figures(1, 1), "after": own}
        clip |= {"disappearance": {**own, "runs": 1, "frames": 3} if name == "davis_dog/17" else None}
        clip |= {"reappearance": None}


def analysis(clips: Json) -> Json:
    """The analysis of clips that have what it is made of."""
    return analyse({name: Clip.model_validate(clip) for name, clip in clips.items()}).to_json()


def make_scores(
    method: str = "lite",
    j: float = 0.5,
    f: float = 0.6,
    *,
    shots: int = 1,
    draws: int = 5,
    protocol: str = "paper@1",
    digest: str | None = DIGEST,
    clips: int = len(CLIPS),
    run: bool = True,
    analysed: bool = False,
    **record: Any,
) -> Json:
    """The scores of a method that gets about ``j`` and ``f`` on the first ``clips`` of `CLIPS`."""
    chosen = dict(list(CLIPS.items())[:clips])
    scored = {
        name: {**figures(j + easier, f + easier), "frames": frames}
        for name, (_, _, _, frames, easier) in chosen.items()
    }
    if analysed:
        add_facts(scored)
    overall = mean(list(scored.values()))
    categories: Json = {}
    for index, category in sorted({(kind, category) for kind, category, *_ in chosen.values()}):
        own = [scored[name] for name, clip in chosen.items() if clip[0] == index]
        categories[category] = {"class": index, **mean(own), "clips": len(own), "frames": sum(c["frames"] for c in own)}
    sources: Json = {}
    for source in sorted({clip[2] for clip in chosen.values()}):
        own = [scored[name] for name, clip in chosen.items() if clip[2] == source]
        sources[source] = {**mean(own), "clips": len(own), "frames": sum(c["frames"] for c in own)}
    interval = {key: [max(0.0, overall[key] - 0.031), min(1.0, overall[key] + 0.027)] for key in ("j", "f", "jf")}
    made = {
        "format": 1,
        "method": method,
        "settings": {"top_k": 10, "radius": 12},
        "weights": [{"name": "efficientnet-lite0", "sha256": "ab" * 32}],
        "sees_truth": False,
        "benchmark": {"digest": digest, "name": "icvos"},
        "draw": 0,
        "shots": shots,
        "seed": 0,
        "device": "cpu",
        "dtype": "float32",
        "versions": {"icvos": "0.1.0", "python": "3.11.9"},
        "started": "2026-01-30T10:00:00+00:00",
        "finished": "2026-01-31T11:00:00+00:00",
        "frames": 805,
        "seconds_per_frame": 0.22,
    }
    return {
        "format": 1,
        **({"analysis": analysis(scored)} if analysed else {}),
        "protocol": protocol,
        "digest": digest,
        "overall": {
            **overall,
            "clips": len(chosen),
            "videos": len(chosen),
            "frames": sum(clip[3] for clip in chosen.values()),
            "draws": [{"draw": number, **overall} for number in range(draws)],
            "interval": {"level": 0.95, "samples": 2000, **interval},
        },
        "categories": categories,
        "sources": sources,
        "clips": scored,
        "run": {**made, **record} if run else {},
    }


def make_result(*arguments: Any, **given: Any) -> Result:
    """The result in what `make_scores` makes."""
    return parse_result(make_scores(*arguments, **given), "scores")


@pytest.fixture
def scores() -> Make:
    """`make_scores`."""
    return make_scores


@pytest.fixture
def result() -> Callable[..., Result]:
    """`make_result`."""
    return make_result
