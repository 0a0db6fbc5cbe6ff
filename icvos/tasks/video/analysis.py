"""Where a run is good and where it fails: by length, size and number, over absences, at the prompt and after it.

What a group is, by the names under which results carry it:

* **length**: frames of the clip that count;
* **area**: share of the frame that the category takes in the first frame that shows it;
* **instances**: how many annotated objects the clip's masks show; "unknown" where the benchmark does not say;
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
from typing import TypedDict

import numpy as np

from icvos.tasks.video.result import (
    AbsenceGroup,
    Absences,
    Analysis,
    Bin,
    Ceiling,
    Clip,
    Drop,
    Pair,
    Propagation,
    Share,
)

LENGTH_EDGES = (50, 100, 200, 400)  # frames; a bin begins at an edge
AREA_EDGES_PERCENT = (0.25, 1, 4, 16)  # of the frame: from one to the next an object doubles in width and height
MANY_INSTANCES = 3
Clips = Mapping[str, Clip]


class Facts(TypedDict):
    """What an analysis needs of one clip beside its figures and the number of its objects; None where there is none."""

    area: float | None
    first: Pair | None
    after: Pair | None
    disappearance: Absences | None
    reappearance: Absences | None


def clip_facts(areas: np.ndarray, values: np.ndarray) -> Facts:
    """What `analyse` needs of one clip.

    Args:
        areas: (T,) float64: share of every frame that the true mask takes, 0 where the category is absent.
        values: (2, draws, T) float64: J and F of every frame.
    """
    per_frame = values.mean(axis=1)
    shown = np.flatnonzero(areas > 0)
    if not len(shown):
        return {"area": None, "first": None, "after": None, "disappearance": None, "reappearance": None}
    first = int(shown[0])
    behind = per_frame[:, first + 1 :]
    absent, again = absences(areas > 0)
    return {
        "area": float(areas[first]),
        "first": Pair.of(*per_frame[:, first]),
        "after": Pair.of(*behind.mean(axis=1)) if behind.shape[1] else None,
        "disappearance": _over_runs(per_frame, absent),
        "reappearance": _over_runs(per_frame, again),
    }


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


def _over_runs(per_frame: np.ndarray, runs: list[slice]) -> Absences | None:
    """Figures over runs of frames of (2, T) J and F, each run with the same weight; None without runs."""
    if not runs:
        return None
    j, f = (float(value) for value in np.mean([per_frame[:, run].mean(axis=1) for run in runs], axis=0))
    frames = sum(run.stop - run.start for run in runs)
    return Absences(j=j, f=f, jf=(j + f) / 2, runs=len(runs), frames=frames)


def analyse(clips: Clips, ceiling: Clips | None = None) -> Analysis:
    """The analysis of a result, bins in a fixed order and without empty ones.

    Args:
        clips: The result's; each must be `Clip.analysable`.
        ceiling: The clips of a run on the same benchmark and protocol that was given the true first mask. With it the
            analysis has a ``ceiling``, and every bin its share of the ceiling's J&F.
    """
    lengths = _bins(clips, ceiling, LENGTH_NAMES, _length_name)
    areas = _bins(clips, ceiling, AREA_NAMES, _area_name)
    instances = _bins(clips, ceiling, INSTANCE_NAMES, _instances_name)
    found = Analysis(
        length=lengths,
        area=areas,
        instances=instances,
        disappearance=_absence(clip.disappearance for clip in clips.values()),
        reappearance=_absence(clip.reappearance for clip in clips.values()),
        propagation=_propagation(clips),
    )
    return found if ceiling is None else found.model_copy(update={"ceiling": _ceiling(clips, ceiling)})


def _names(edges: tuple[float, ...], unit: str, step: int) -> tuple[str, ...]:
    """The names of the bins between ``edges``; ``step`` is 1 for whole numbers, whose bins end before the next edge."""
    inner = [f"{low:g}-{high - step:g} {unit}" for low, high in pairwise(edges)]
    return (f"under {edges[0]:g} {unit}", *inner, f"{edges[-1]:g} {unit} and more")


LENGTH_NAMES = _names(LENGTH_EDGES, "frames", 1)
AREA_NAMES = (*_names(AREA_EDGES_PERCENT, "%", 0), "never shown")
INSTANCE_NAMES = (*map(str, range(1, MANY_INSTANCES)), f"{MANY_INSTANCES} and more", "unknown")


def _length_name(clip: Clip) -> str:
    return LENGTH_NAMES[sum((clip.frames or 0) >= edge for edge in LENGTH_EDGES)]


def _area_name(clip: Clip) -> str:
    if clip.area is None:
        return AREA_NAMES[-1]
    return AREA_NAMES[sum(100 * clip.area >= edge for edge in AREA_EDGES_PERCENT)]


def _instances_name(clip: Clip) -> str:
    if clip.instances is None:
        return INSTANCE_NAMES[-1]
    return INSTANCE_NAMES[min(clip.instances, MANY_INSTANCES) - 1]


def _mean(members: Iterable[Pair]) -> Pair:
    return Pair.of(*np.mean([(member.j, member.f) for member in members], axis=0))


def _bins(
    clips: Clips, ceiling: Clips | None, names: tuple[str, ...], name_of: Callable[[Clip], str]
) -> dict[str, Bin]:
    members: dict[str, dict[str, Clip]] = {name: {} for name in names}
    for key, clip in clips.items():
        members[name_of(clip)][key] = clip
    found = {}
    for name, own in members.items():
        if own:
            pair, frames = _mean(own.values()), sum(clip.frames or 0 for clip in own.values())
            group = Bin(j=pair.j, f=pair.f, jf=pair.jf, clips=len(own), frames=frames)
            share = {} if ceiling is None else {"of_ceiling": _ceiling(own, ceiling).share.jf}
            found[name] = group.model_copy(update=share)
    return found


def _absence(members: Iterable[Absences | None]) -> AbsenceGroup | None:
    own = [member for member in members if member is not None]
    if not own:
        return None
    pair, runs, frames = _mean(own), sum(one.runs for one in own), sum(one.frames for one in own)
    return AbsenceGroup(j=pair.j, f=pair.f, jf=pair.jf, clips=len(own), runs=runs, frames=frames)


def _propagation(clips: Clips) -> Propagation | None:
    pairs = [(clip.first, clip.after) for clip in clips.values() if clip.first is not None and clip.after is not None]
    if not pairs:
        return None
    first, after = (_mean(side) for side in zip(*pairs, strict=True))
    drop = Drop(j=first.j - after.j, f=first.f - after.f, jf=first.jf - after.jf)
    return Propagation(clips=len(pairs), first=first, after=after, drop=drop)


def _ceiling(clips: Clips, ceiling: Clips) -> Ceiling:
    common = [key for key in clips if key in ceiling]
    if not common:
        return Ceiling(clips=0, j=None, f=None, jf=None, share=Share(j=None, f=None, jf=None))
    own, highest = _mean(clips[key] for key in common), _mean(ceiling[key] for key in common)
    j, f, jf = (
        mine / most if most > 0 else None
        for mine, most in ((own.j, highest.j), (own.f, highest.f), (own.jf, highest.jf))
    )
    share = Share(j=j, f=f, jf=jf)
    return Ceiling(clips=len(common), j=highest.j, f=highest.f, jf=highest.jf, share=share)
