"""The clips of a benchmark as pictures: supports, truth and prediction side by side."""

from collections.abc import Callable, Iterator, Sequence

from icvos.drawing.overlays import render_frames
from icvos.drawing.panels import evenly
from icvos.errors import IcvosError
from icvos.files.images import read_image
from icvos.files.masks import read_binary
from icvos.method import Image, Mask, Support
from icvos.tasks.video.benchmark import Clip


def render_clip(
    clip: Clip,
    masks: Callable[[str], Mask] | None = None,
    supports: Sequence[Support] = (),
    every: int = 1,
    count: int | None = None,
    errors: bool = False,
    height_px: int = 300,
) -> Iterator[Image]:
    """One image for each shown frame of ``clip``, drawn when asked for: supports, the true mask and the prediction.

    Args:
        clip: Of a benchmark.
        masks: The predicted (H, W) bool mask of the frame of this name; None shows the truth alone.
        supports: Shown at the left with their masks.
        every: 2 shows every second frame, and so on.
        count: Show at most so many, evenly chosen from those.
        errors: Colour the prediction by `compare`, with a legend, instead of by `overlay`.
        height_px: Height of the panels.
    """
    if every < 1 or (count is not None and count < 1):
        raise IcvosError(f"{clip.id}: no frame is shown with every={every} and count={count}; give 1 or more")
    positions = range(0, len(clip.video.frames), every)
    shown = positions if count is None else [positions[place] for place in evenly(len(positions), count)]
    frames = ((clip.video.frames[index], read_image(clip.video.frame_paths[index])) for index in shown)
    return render_frames(
        frames,
        truth=lambda name: read_binary(clip.mask_path(name)),
        masks=masks,
        supports=supports,
        category=clip.category.name,
        errors=errors,
        height_px=height_px,
    )
