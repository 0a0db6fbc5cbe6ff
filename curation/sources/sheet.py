"""Pictures of source videos: their frames with the objects of their masks."""

from collections.abc import Iterator
from typing import Unpack

from curation.sources.datasets import SourceFolders, read_datasets
from curation.sources.video import SourceVideo
from icvos.drawing.overlays import render_frames
from icvos.errors import IcvosError
from icvos.files.images import read_image
from icvos.method import Image
from icvos.tasks.result import Selection
from icvos.tasks.task import SILENT, Drawing, Sheet, Watch


def source_sheets(
    selection: Selection | None = None,
    drawing: Drawing | None = None,
    *,
    watch: Watch = SILENT,
    **sources: Unpack[SourceFolders],
) -> Iterator[Sheet]:
    """The pictures of source videos.

    Args:
        selection: Names of videos, as the data sets call them, and how many at most; None: all.
        drawing: How they are drawn; None: an animation of every frame. There are no errors to be shown.
        watch: Is told what the readers found.
        sources: The folders of the source data sets (``davis``, ``mose``, ``lvos``, ``youtube_vos``) and how
            strictly they are read, as `curation.sources.datasets.read_datasets` explains.

    Raises:
        IcvosError: No source is given, a video is in none of them, or clips or categories are selected.

    >>> [sheet.kind for sheet in source_sheets(Selection(limit=1), davis="davis")]
    ['gif']
    """
    selection, drawing = selection or Selection(), drawing or Drawing()
    if selection.clips or selection.categories:
        raise IcvosError("source videos have no clips or categories; choose them with --videos")
    videos = [video for dataset in read_datasets(watch=watch, **sources) for video in dataset.videos]
    if not videos:
        raise IcvosError(
            "nothing to render: give a benchmark, or source data sets by --davis, --mose, --lvos, --youtube-vos"
        )
    unknown = set(selection.videos) - {video.name for video in videos}
    if unknown:
        raise IcvosError(
            f"no source video {', '.join(sorted(unknown))}; there are {len(videos)}, like {videos[0].name}"
        )
    chosen = [video for video in videos if not selection.videos or video.name in selection.videos]
    return (_sheet(video, drawing) for video in chosen[: selection.limit])


def _sheet(video: SourceVideo, drawing: Drawing) -> Sheet:
    images = video_images(video, drawing.every, drawing.height_px)
    return Sheet(f"{video.source}_{video.name}", drawing.kind or "gif", images)


def video_images(video: SourceVideo, every: int = 1, height_px: int = 240) -> Iterator[Image]:
    """The frames of a source video with its objects, each (H, W, 3) uint8, drawn when it is asked for.

    Args:
        video: The video.
        every: Draw every Nth frame, from the first.
        height_px: Height of the frame in a picture; a margin is added.
    """
    for position, (path, ids) in enumerate(zip(video.frames, video.iter_ids(), strict=True)):
        if position % every == 0:
            truth = {path.stem: ids}
            yield from render_frames([(path.stem, read_image(path))], truth=truth.__getitem__, height_px=height_px)
