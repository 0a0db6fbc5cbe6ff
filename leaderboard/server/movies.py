"""Clips to watch on the board: a submission's predictions over the benchmark's frames. Nothing of the truth is in them.

A worker draws them of what it has scored, while the files are unpacked, and only where whoever runs the server asked
for it. They are the worst clips of a result, which its figures by clip tell already. No frame is chosen by its figures,
since these are told for whole clips alone.
"""

import hashlib
import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from icvos.errors import IcvosError, printable
from icvos.files.schema import write_schema
from icvos.files.storage import atomic_folder, link_or_copy
from icvos.tasks.result import Result
from icvos.tasks.runs import draw_folders
from icvos.tasks.task import Task, Watch
from icvos.tasks.video.benchmark import Clip
from icvos.tasks.video.predictions import Predictions
from icvos.tasks.video.result import VideoResult
from icvos.tasks.video.task import VideoTask
from leaderboard.entry import Entry
from leaderboard.server.settings import MOVIES
from leaderboard.site.downloads import OVERLAYS
from leaderboard.site.overlays import FPS, HEIGHT_PX, MOST_FRAMES, MOST_WORST, Overlay, OverlayFile, read_overlay

LOG = logging.getLogger("icvos.server")
RECORD, MOVIE, STILL = ".json", ".webp", ".still.webp"


def draw_movies(task: Task, folder: Path, results: Sequence[Result], out: Path, watch: Watch) -> None:
    """Draw the worst clips of each result into the folder ``out``, which is there whole or not at all.

    Args:
        task: The benchmark; there are none of one of images.
        folder: The predictions, of which those of the first draw are shown.
        results: Under each protocol.
        out: A folder for them alone.
        watch: Is told how it goes on; what it raises ends the work.

    What cannot be drawn is noted in the log: a submission is scored without it.
    """
    if not isinstance(task, VideoTask):
        return
    worst = {name for result in results if isinstance(result, VideoResult) for name in _worst(result)}
    clips = [clip for clip in task.benchmark.clips if clip.id in worst]
    watch.stage("draw clips to watch")
    watch.total(len(clips))
    try:
        predictions = Predictions.open(draw_folders(folder)[0])
        with atomic_folder(out, out.parent) as temporary:
            for clip in clips:
                _draw(clip, predictions, temporary / _key(clip.id))
                watch.advance()
    except IcvosError as error:
        LOG.warning("no clips to watch: %s", printable(str(error)))


def _worst(result: VideoResult) -> list[str]:
    return sorted(result.clips, key=lambda name: (result.clips[name].jf, name))[:MOST_WORST]


def _key(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _draw(clip: Clip, predictions: Predictions, stem: Path) -> None:
    from PIL import Image as Pillow

    from icvos.drawing.animation import write_animation
    from icvos.drawing.overlays import render_frames
    from icvos.files.images import read_image

    there = predictions.frames(clip)
    shown = [index for index, name in enumerate(clip.video.frames) if name in there]
    every = -(-len(shown) // MOST_FRAMES)
    middle = shown[len(shown) // 2]
    masks = partial(predictions.mask, clip)

    def write(path: Path, chosen: Sequence[int]) -> int:
        paths = clip.video.frame_paths
        frames = ((clip.video.frames[index], read_image(paths[index])) for index in chosen)
        return write_animation(path, render_frames(frames, masks=masks, height_px=HEIGHT_PX), FPS)

    still = stem.with_suffix(STILL)
    write(still, [middle])
    count = write(stem.with_suffix(MOVIE), shown[::every])
    with Pillow.open(still) as picture:
        width, height = picture.size
    about = OverlayFile(
        format=1, frame=clip.video.frames[middle], frames=count, every=every, width=width, height=height
    )
    write_schema(stem.with_suffix(RECORD), about)


@dataclass(slots=True)
class Reel:
    """Puts the clips that workers have drawn into the folder of a page.

    Args:
        data: The server's data folder.
    """

    data: Path
    kept_files: set[Path] = field(default_factory=set)

    @property
    def kept(self) -> Collection[Path]:
        """The files that the pages show."""
        return self.kept_files

    def paint(self, entry: Entry | None, out: Path) -> list[Overlay]:
        """Those of the worst clips of one result that there are."""
        if entry is None or not isinstance(entry.result, VideoResult):
            return []
        (out / OVERLAYS).mkdir(exist_ok=True)
        found = (self._put(entry.path.name, name, out) for name in _worst(entry.result))
        return [one for one in found if one is not None]

    def _put(self, code: str, clip: str, out: Path) -> Overlay | None:
        source, target = self.data / MOVIES / code / _key(clip), out / OVERLAYS / _key(f"{code}/{clip}")
        about = read_overlay(source.with_suffix(RECORD))
        if about is None:
            return None
        for suffix in (MOVIE, STILL):
            path = target.with_suffix(suffix)
            if path not in self.kept_files:
                link_or_copy(source.with_suffix(suffix), path)
                self.kept_files.add(path)
        movie, still = (f"{OVERLAYS}/{target.name}{suffix}" for suffix in (MOVIE, STILL))
        return Overlay(printable(clip), movie, still, about, target.with_suffix(MOVIE).stat().st_size)
