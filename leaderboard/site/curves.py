"""J and F of every clip over its frames as small drawings, with the frames where a result is worst."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from icvos.errors import IcvosError, printable
from icvos.notices import notice
from icvos.tasks.video.curves import SCALE, ClipCurves, read_curves
from icvos.tasks.video.result import VideoResult
from leaderboard.entry import Entry

HEIGHT = 50  # units of a drawing from 0 to 100 per cent: about a pixel each
MOST_POINTS = 60  # of a drawing: of a longer clip a point is the mean of several frames
MOST_WORST = 3  # frames that are named
APART = 10  # named frames are a tenth of the clip apart: a failure of many frames is named once
ABSENT = "J and F by frame were not kept; icvos score --frames keeps them"
DOUBTED = "The J and F by frame that lie beside the result do not agree with it, and are not shown"


@dataclass(frozen=True, slots=True)
class WorstFrame:
    """A frame by its name, its place in the drawing, and its J&F, a fraction."""

    name: str
    x: float
    jf: float


@dataclass(frozen=True, slots=True)
class Curve:
    """The drawing of one clip, ``width`` x ``height`` units from the upper left: a unit to the right for each point.

    Args:
        j, f: Paths of SVG.
        width: One less than there are points; 1 of a single one.
        frames: That a point is the mean of, at most.
        worst: The frames where J&F is lowest, the lowest first; none where all are alike.
    """

    j: str
    f: str
    width: int
    frames: int
    worst: tuple[WorstFrame, ...]
    height: int = HEIGHT


def curves_of(entry: Entry | None) -> tuple[Mapping[str, Curve], str]:
    """The drawing of each clip of a result, and why there is none; what does not agree with the result is a notice."""
    if entry is None or not isinstance(entry.result, VideoResult):
        return {}, ""
    try:
        found = read_curves(entry.path, entry.result)
    except IcvosError as error:
        notice(str(entry.path), "curves", f"{error}; no curves are drawn")
        return {}, DOUBTED
    if found is None:
        return {}, ABSENT
    return {name: draw(curves) for name, curves in found.clips.items()}, ""


def draw(curves: ClipCurves) -> Curve:
    """The drawing of one clip.

    >>> draw(ClipCurves(frames=("00000", "00001", "00002"), j=(10_000, 5_000, 9_000), f=(8_000, 5_000, 9_000))).j
    'M0 0l1 25 1-20'
    """
    j, f = np.array(curves.j), np.array(curves.f)
    count = len(j)
    frames = -(-count // MOST_POINTS)
    starts = np.arange(0, count, frames)
    sizes = np.diff(np.append(starts, count))
    paths = [_path(np.add.reduceat(values, starts) / sizes) for values in (j, f)]
    width, worst = max(1, len(starts) - 1), _worst(curves, (j + f) / (2 * SCALE), frames)
    return Curve(paths[0], paths[1], width, frames, worst)


def _path(values: np.ndarray) -> str:
    """Through (N,) figures, one unit apart; relative to the point before, since that is short."""
    heights = HEIGHT - np.rint(HEIGHT * values / SCALE).astype(int)
    steps = np.diff(heights).tolist() or [0]
    return f"M0 {heights[0]}l" + " ".join(f"1{step}" if step < 0 else f"1 {step}" for step in steps)


def _worst(curves: ClipCurves, jf: np.ndarray, frames: int) -> tuple[WorstFrame, ...]:
    found: list[WorstFrame] = []
    left = jf < jf.mean() - 0.5 / SCALE
    around = len(jf) // APART
    while left.any() and len(found) < MOST_WORST:
        place = int(np.argmin(np.where(left, jf, np.inf)))
        found.append(WorstFrame(printable(curves.frames[place]), place // frames, float(jf[place])))
        left[max(0, place - around) : place + around + 1] = False
    return tuple(found)
