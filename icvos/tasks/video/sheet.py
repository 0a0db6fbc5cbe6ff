"""The clips of a benchmark as pictures: supports, the true mask and the prediction side by side."""

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from icvos.drawing.overlays import render_frames
from icvos.drawing.panels import evenly
from icvos.errors import IcvosError
from icvos.files.images import read_image
from icvos.files.masks import read_binary
from icvos.method import Image, Mask, Support
from icvos.notices import notice
from icvos.tasks.runs import draw_folders
from icvos.tasks.task import SHEET_FRAMES, Drawing, Sheet
from icvos.tasks.video.benchmark import Benchmark, Clip
from icvos.tasks.video.predictions import Predictions


def sheets(benchmark: Benchmark, clips: Sequence[Clip], predictions: Path | None, drawing: Drawing) -> Iterator[Sheet]:
    """An animation or a contact sheet for each of ``clips``, with its first support at the left.

    Args:
        benchmark: The truth.
        clips: What is drawn.
        predictions: A prediction folder or a run, whose first draw is shown beside the truth; clips that it has nothing
            of are left out, with a notice. None: the truth alone.
        drawing: How they are drawn.

    Raises `IcvosError` where the predictions have none of the clips.
    """
    found = Predictions.open(draw_folders(predictions)[0]) if predictions else None
    if found:
        clips = predicted(clips, found)
    kind = drawing.kind or "gif"
    for clip in clips:
        supports = benchmark.supports(clip, 0, 1) if benchmark.draws else ()
        images = render_clip(
            clip,
            partial(found.mask, clip) if found else None,
            supports,
            every=drawing.every,
            count=SHEET_FRAMES if kind == "sheet" else None,
            errors=drawing.errors,
            height_px=drawing.height_px,
        )
        yield Sheet(f"{clip.video.name}-{clip.category.name.replace(' ', '-')}", kind, images)


def predicted(clips: Sequence[Clip], predictions: Predictions) -> list[Clip]:
    """Those of ``clips`` that there are masks of; `IcvosError` where that is none."""
    there = [clip for clip in clips if predictions.frames(clip)]
    where = predictions.folder
    if not there:
        raise IcvosError(f"{where}: has no mask of {_named(clips)}; choose clips that it has, or go on with the run")
    if len(there) < len(clips):
        notice(str(where), "render", f"{where}: has {len(there)} of {len(clips)} clips; the others are not drawn")
    return there


def _named(clips: Sequence[Clip]) -> str:
    return clips[0].id if len(clips) == 1 else f"these {len(clips)} clips"


def render_clip(
    clip: Clip,
    masks: Callable[[str], Mask] | None = None,
    supports: Sequence[Support] = (),
    every: int = 1,
    count: int | None = None,
    names: Collection[str] | None = None,
    errors: bool = False,
    height_px: int = 300,
) -> Iterator[Image]:
    """One image for each shown frame of ``clip``, drawn when asked for: supports, the true mask and the prediction.

    Args:
        clip: A clip of a benchmark.
        masks: The predicted (H, W) bool mask of the frame of this name; None shows the truth alone.
        supports: Shown at the left with their masks.
        every: 2 shows every second frame, and so on.
        count: Show at most this many, evenly chosen from those.
        names: Of those, show the frames of these names alone.
        errors: Colour the prediction by `compare`, with a legend, instead of by `overlay`.
        height_px: Height of the panels.
    """
    if every < 1 or (count is not None and count < 1):
        raise IcvosError(f"{clip.id}: no frame is shown with every={every} and count={count}; give 1 or more")
    positions = range(0, len(clip.video.frames), every)
    shown: Sequence[int] = positions
    if count is not None:
        shown = [positions[place] for place in evenly(len(positions), count)]
    if names is not None:
        shown = [index for index in shown if clip.video.frames[index] in names]
    paths = clip.video.frame_paths
    frames = ((clip.video.frames[index], read_image(paths[index])) for index in shown)

    def truth(name: str) -> np.ndarray:
        return read_binary(clip.mask_path(name))

    return render_frames(
        frames,
        truth=truth,
        masks=masks,
        supports=supports,
        category=clip.category.name,
        errors=errors,
        height_px=height_px,
    )
