"""Pictures of source videos: their frames with the objects of their masks."""

from collections.abc import Iterator, Sequence

from curation.sources.video import SourceDataset, SourceVideo
from icvos.drawing.overlays import render_frames
from icvos.errors import IcvosError
from icvos.files.images import read_image
from icvos.method import Image
from icvos.tasks.task import Drawing, Sheet


def sheets(
    datasets: Sequence[SourceDataset], drawing: Drawing | None = None, videos: Sequence[str] = ()
) -> Iterator[Sheet]:
    """The pictures of source videos.

    Args:
        datasets: Where the videos are from.
        drawing: How they are drawn; None: an animation of every frame. There are no errors to be shown.
        videos: Names of videos, as the data sets call them; empty: all.

    Raises:
        IcvosError: A video is in none of the data sets.
    """
    drawing = drawing or Drawing()
    there = [video for dataset in datasets for video in dataset.videos]
    unknown = set(videos) - {video.name for video in there}
    if unknown:
        like = f"there are {len(there)}, like {there[0].name}" if there else "no data set is given"
        raise IcvosError(f"no source video {', '.join(sorted(unknown))}; {like}")
    chosen = [video for video in there if not videos or video.name in videos]
    return (_sheet(video, drawing) for video in chosen)


def _sheet(video: SourceVideo, drawing: Drawing) -> Sheet:
    images = video_images(video, drawing.every, drawing.height_px)
    return Sheet(f"{video.source}_{video.name}", drawing.kind or "gif", images)


def video_images(video: SourceVideo, every: int = 1, height_px: int = 240) -> Iterator[Image]:
    """The frames of a source video with its objects, each (H, W, 3) uint8, drawn when it is asked for.

    Args:
        video: The video.
        every: Every so many frames, from the first.
        height_px: Height of the frame in a picture; a margin is added.
    """
    for position, (path, ids) in enumerate(zip(video.frames, video.iter_ids(), strict=True)):
        if position % every == 0:
            truth = {path.stem: ids}
            yield from render_frames([(path.stem, read_image(path))], truth=truth.__getitem__, height_px=height_px)
