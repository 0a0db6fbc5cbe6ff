"""Results made by hand: the figures of clips are chosen, not measured."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from icvos.tasks.record import RunRecord
from icvos.tasks.result import Result
from icvos.tasks.task import parse_result
from icvos.tasks.video.means import summarise
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
    "davis_boat/9": (9, "boat", "davis", 75, 0.0),
}


def figures(j: float, f: float) -> dict[str, float]:
    """j, f and their mean."""
    return {"j": j, "f": f, "jf": (j + f) / 2}


def add_facts(clips: Json) -> None:
    """Give clips what an analysis is made of: a perfect first frame, and one clip with an absence."""
    for position, (name, clip) in enumerate(clips.items()):
        own = {key: clip[key] for key in ("j", "f", "jf")}
        clip |= {"area": 0.002 * 3**position, "instances": position or None, "first": figures(1, 1), "after": own}
        clip |= {"disappearance": {**own, "runs": 1, "frames": 3} if name == "davis_dog/17" else None}
        clip |= {"reappearance": None}


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
    first: int = 0,
    run: bool = True,
    analysed: bool = False,
    **record: Any,
) -> Json:
    """The scores of a method that gets about ``j`` and ``f`` on `CLIPS` from ``first`` to ``clips``."""
    chosen = dict(list(CLIPS.items())[first:clips])
    scored = {
        name: {**figures(j + easier, f + easier), "frames": frames}
        for name, (_, _, _, frames, easier) in chosen.items()
    }
    for clip in scored.values():
        clip["draws"] = [{"draw": number, "j": clip["j"], "f": clip["f"]} for number in range(draws)]
    if analysed:
        add_facts(scored)
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
    found = summarise(
        {name: Clip.model_validate(clip) for name, clip in scored.items()},
        {name: clip[2] for name, clip in chosen.items()},
        protocol=protocol,
        digest=digest,
        run=RunRecord.model_validate_json(json.dumps({**made, **record} if run else {})),
    )
    return found.to_json()


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
