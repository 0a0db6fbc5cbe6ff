"""The clips of a benchmark with their true masks, or with those of a run."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from icvos.files.masks import read_binary
from icvos.files.rle import Rle, encode_rle
from icvos.tasks.runs import draw_folders
from icvos.tasks.tracks import Track
from icvos.tasks.video.benchmark import Clip
from icvos.tasks.video.predictions import Predictions


def tracks(clips: Sequence[Clip], run: Path | None) -> dict[str, Iterator[Track]]:
    """By draw the clips that it has, with its masks; "" is the only draw of a prediction folder, and of the truth."""
    if run is None:
        return {"": (_track(clip, partial(_true_mask, clip)) for clip in clips)}
    folders = draw_folders(run)
    return {"" if folder == run else folder.name: _predicted(clips, Predictions.open(folder)) for folder in folders}


def _predicted(clips: Sequence[Clip], predictions: Predictions) -> Iterator[Track]:
    for clip in clips:
        present = predictions.frames(clip)
        if present:
            yield _track(clip, partial(_predicted_mask, predictions, clip, present))


def _true_mask(clip: Clip, frame: str) -> np.ndarray:
    return read_binary(clip.mask_path(frame))


def _predicted_mask(predictions: Predictions, clip: Clip, present: frozenset[str], frame: str) -> np.ndarray | None:
    return predictions.mask(clip, frame) if frame in present else None


def _track(clip: Clip, mask: Callable[[str], np.ndarray | None]) -> Track:
    video = clip.video
    return Track(
        id=clip.id,
        video=video.name,
        kind=clip.category.index,
        category=clip.category.name,
        files=tuple(f"{video.name}/JPEGImages/{path.name}" for path in video.frame_paths),
        size=video.size,
        masks=tuple(_encoded(mask(frame)) for frame in video.frames),
    )


def _encoded(mask: np.ndarray | None) -> Rle | None:
    return None if mask is None or not mask.any() else encode_rle(mask)
