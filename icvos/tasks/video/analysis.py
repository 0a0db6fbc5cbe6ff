"""Where a run is good and where it fails: by length, size and number, over absences, at the prompt and after it.

What a group is, by the names under which results carry it:

* **length**: frames of the clip that count;
* **area**: share of the frame that the category takes in the first frame that shows it;
* **instances**: how many annotated objects the clip's masks are made of; "unknown" where the benchmark does not say;
* **disappearance**: runs of frames whose truth is empty after the category was seen;
* **reappearance**: runs of frames that show the category again after such an absence. As in MOSEv2, a clip's value is
  the mean over its runs of a run's mean, and clips without such runs are left out. J and F are the ordinary ones;
* **propagation**: the error of the prompt against what is lost after it. ``first`` is the first frame that shows the
  category, ``after`` the mean of the frames behind it, and ``drop = first - after``.

"Empty" and "shows" are said of the truth as it is compared, so after the protocol's resizing. A group's figures are the
plain mean over its clips; a clip's are the mean over support draws.
"""

from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from typing import Any

import numpy as np

LENGTH_EDGES = (50, 100, 200, 400)  # frames; a bin begins at an edge
AREA_EDGES_PERCENT = (0.25, 1, 4, 16)  # of the frame: from one to the next an object doubles in width and height
MANY_INSTANCES = 3
FACTS = ("area", "instances", "first", "after", "disappearance", "reappearance")  # of a clip, as `clip_facts` has them

Figures = dict[str, float]
Clips = Mapping[str, Mapping[str, Any]]


def figures(pair: np.ndarray) -> Figures:
    """J, F and their mean, of a pair of J and F."""
    j, f = float(pair[0]), float(pair[1])
    return {"j": j, "f": f, "jf": (j + f) / 2}


def clip_facts(areas: np.ndarray, values: np.ndarray, instances: int | None) -> dict[str, Any]:
    """What `analyse` needs of one clip.

    Args:
        areas: (T,) float64: share of every frame that the true mask takes, 0 where the category is absent.
        values: (2, draws, T) float64: J and F of every frame.
        instances: Annotated objects, None where unknown.

    Returns:
        ``area`` in the first frame that shows the category, ``instances``, ``first`` and ``after`` as figures,
        ``disappearance`` and ``reappearance`` as figures with ``runs`` and ``frames``; each None where there is none.
    """
    per_frame = values.mean(axis=1)
    shown = np.flatnonzero(areas > 0)
    facts: dict[str, Any] = dict.fromkeys(FACTS) | {"instances": instances}
    if not len(shown):
        return facts
    first = int(shown[0])
    facts |= {"area": float(areas[first]), "first": figures(per_frame[:, first])}
    if first + 1 < len(areas):
        facts["after"] = figures(per_frame[:, first + 1 :].mean(axis=1))
    absent, again = absences(areas > 0)
    return facts | {"disappearance": _over_runs(per_frame, absent), "reappearance": _over_runs(per_frame, again)}


def absences(visible: np.ndarray) -> tuple[list[slice], list[slice]]:
    """The runs of frames in which a category that was seen is absent, and those in which it is back.

    ``visible`` is (T,) bool. Frames before the category is first seen belong to neither.

    >>> absences(np.array([0, 1, 1, 0, 0, 1, 0], dtype=bool))
    ([slice(3, 5, None), slice(6, 7, None)], [slice(5, 6, None)])
    """
    turns = (np.flatnonzero(np.diff(visible)) + 1).tolist()
    runs = [slice(start, stop) for start, stop in pairwise([0, *turns, len(visible)])]
    later = runs[1:] if visible[0] else runs[2:]  # the runs behind the first sight
    return later[::2], later[1::2]


def _over_runs(per_frame: np.ndarray, runs: list[slice]) -> dict[str, Any] | None:
    """Figures of (2, T) J and F over runs of frames, each run with the same weight; None without runs."""
    if not runs:
        return None
    over_runs = np.mean([per_frame[:, run].mean(axis=1) for run in runs], axis=0)
    return {**figures(over_runs), "runs": len(runs), "frames": sum(run.stop - run.start for run in runs)}


def analyse(clips: Clips, ceiling: Clips | None = None) -> dict[str, Any]:
    """The analysis of a result.

    Args:
        clips: Its ``clips``, each with ``j``, ``f``, ``frames`` and what `clip_facts` gives.
        ceiling: The ``clips`` of a run of the same benchmark and protocol that was given the true first mask.

    Returns:
        Under ``length``, ``area`` and ``instances`` per bin ``j, f, jf, clips, frames``, in a fixed order and without
        empty bins; under ``disappearance`` and ``reappearance`` ``j, f, jf, clips, runs, frames`` or None; under
        ``propagation`` ``clips`` and the figures ``first``, ``after`` and ``drop``, or None.
        With a ceiling, under ``ceiling`` ``clips``, how many are in both, its figures ``j, f, jf`` on them, and
        ``share``, the result's divided by them; and every bin has ``of_ceiling``, the share of J&F, None where the two
        have no clip of it in common or the ceiling is 0.
    """
    found: dict[str, Any] = {
        "length": _bins(clips, ceiling, LENGTH_NAMES, _length_name),
        "area": _bins(clips, ceiling, AREA_NAMES, _area_name),
        "instances": _bins(clips, ceiling, INSTANCE_NAMES, _instances_name),
        "disappearance": _absence(clip["disappearance"] for clip in clips.values()),
        "reappearance": _absence(clip["reappearance"] for clip in clips.values()),
        "propagation": _propagation(clips),
    }
    if ceiling is not None:
        found["ceiling"] = _ceiling(clips, ceiling)
    return found


def _names(edges: tuple[float, ...], unit: str, step: int) -> tuple[str, ...]:
    """The names of the bins between ``edges``; ``step`` is 1 for whole numbers, whose bins end before the next edge."""
    inner = [f"{low:g}-{high - step:g} {unit}" for low, high in pairwise(edges)]
    return (f"under {edges[0]:g} {unit}", *inner, f"{edges[-1]:g} {unit} and more")


LENGTH_NAMES = _names(LENGTH_EDGES, "frames", 1)
AREA_NAMES = (*_names(AREA_EDGES_PERCENT, "%", 0), "never shown")
INSTANCE_NAMES = (*map(str, range(1, MANY_INSTANCES)), f"{MANY_INSTANCES} and more", "unknown")


def _length_name(clip: Mapping[str, Any]) -> str:
    return LENGTH_NAMES[sum(clip["frames"] >= edge for edge in LENGTH_EDGES)]


def _area_name(clip: Mapping[str, Any]) -> str:
    if clip["area"] is None:
        return AREA_NAMES[-1]
    return AREA_NAMES[sum(100 * clip["area"] >= edge for edge in AREA_EDGES_PERCENT)]


def _instances_name(clip: Mapping[str, Any]) -> str:
    if clip["instances"] is None:
        return INSTANCE_NAMES[-1]
    return INSTANCE_NAMES[min(clip["instances"], MANY_INSTANCES) - 1]


def _mean(members: Iterable[Mapping[str, Any]]) -> Figures:
    return figures(np.mean([(member["j"], member["f"]) for member in members], axis=0))


def _bins(
    clips: Clips, ceiling: Clips | None, names: tuple[str, ...], name_of: Callable[[Mapping[str, Any]], str]
) -> dict[str, Any]:
    members: dict[str, dict[str, Mapping[str, Any]]] = {name: {} for name in names}
    for key, clip in clips.items():
        members[name_of(clip)][key] = clip
    found = {}
    for name, own in members.items():
        if own:
            group = {**_mean(own.values()), "clips": len(own), "frames": sum(clip["frames"] for clip in own.values())}
            found[name] = group if ceiling is None else group | {"of_ceiling": _ceiling(own, ceiling)["share"]["jf"]}
    return found


def _absence(members: Iterable[Mapping[str, Any] | None]) -> dict[str, Any] | None:
    own = [member for member in members if member is not None]
    if not own:
        return None
    counts = {key: sum(member[key] for member in own) for key in ("runs", "frames")}
    return {**_mean(own), "clips": len(own), **counts}


def _propagation(clips: Clips) -> dict[str, Any] | None:
    own = [clip for clip in clips.values() if clip["first"] is not None and clip["after"] is not None]
    if not own:
        return None
    first, after = _mean(clip["first"] for clip in own), _mean(clip["after"] for clip in own)
    return {"clips": len(own), "first": first, "after": after, "drop": {key: first[key] - after[key] for key in first}}


def _ceiling(clips: Clips, ceiling: Clips) -> dict[str, Any]:
    common = [key for key in clips if key in ceiling]
    if not common:
        return {"clips": 0, **dict.fromkeys(("j", "f", "jf")), "share": dict.fromkeys(("j", "f", "jf"))}
    own, highest = _mean(clips[key] for key in common), _mean(ceiling[key] for key in common)
    share = {key: own[key] / highest[key] if highest[key] > 0 else None for key in own}
    return {"clips": len(common), **highest, "share": share}
