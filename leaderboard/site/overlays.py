"""Overlays of a run's clips for its page: an animation that plays, and the worst frame as a still.

They are drawn where a run's predictions lie beside its scores and its benchmark is at hand. Their names are hashes of
the masks that they show, so that what is there already is not drawn again.
"""

import hashlib
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal, Protocol

import numpy as np
from PIL import Image as Pillow
from pydantic import Field

from icvos.errors import IcvosError, plural, printable
from icvos.files.names import require_inside
from icvos.files.schema import Count, FormatOne, Fraction, Pixels, Schema, read_schema, write_schema
from icvos.files.storage import sha256
from icvos.notices import notice
from icvos.protocol import PROTOCOLS
from icvos.tasks.runs import draw_folders
from icvos.tasks.task import SILENT, Task, Watch
from icvos.tasks.video.benchmark import Clip
from icvos.tasks.video.predictions import Predictions
from icvos.tasks.video.result import VideoResult
from icvos.tasks.video.score import require_scored, score_clip
from icvos.tasks.video.task import VideoTask
from leaderboard.entry import Entry
from leaderboard.site.downloads import OVERLAYS

MOST_WORST = 5  # clips of --overlays worst
MOST_FRAMES = 100  # of an animation: of a longer clip every second is shown, and so on
HEIGHT_PX, FPS = 200, 12
DRAWN_BY = "1"  # a part of every name: another number draws all anew
Which = Literal["worst", "all", "none"]


class OverlayFile(Schema):
    """What a page says of one overlay, in a file beside its pictures that is written last."""

    format: FormatOne = Field(description="Version of this layout.")
    frame: Annotated[str, Field(min_length=1, max_length=200)] = Field(
        description="The name of the frame of the still."
    )
    shown: bool = Field(True, description="Whether the truth shows the category in it.")
    j: Fraction | None = Field(None, description="J of it; null where nothing of the truth is shown.")
    f: Fraction | None = Field(None, description="F of it; null where nothing of the truth is shown.")
    frames: Count = Field(description="How many the animation has.")
    every: Count = Field(description="2: every second frame is in it, and so on.")
    width: Pixels = Field(description="Of both pictures.")
    height: Pixels = Field(description="Of both pictures.")


@dataclass(frozen=True, slots=True)
class Overlay:
    """The pictures of one clip: places relative to the page's folder, and what they show.

    Args:
        clip: Its name.
        movie, still: Of the animation, and of one frame, the worst where the truth is shown.
        about: What its file says.
        size: Bytes of the animation.
    """

    clip: str
    movie: str
    still: str
    about: OverlayFile
    size: int

    @property
    def shows(self) -> str:
        """What is in the pictures, for who does not see them."""
        return "the prediction" if self.about.j is None else "the truth, and the prediction"


class Shows(Protocol):
    """What puts the overlays of results into a page's folder."""

    @property
    def kept(self) -> Collection[Path]:
        """The files that the pages show, or know their pictures by."""
        ...

    def paint(self, entry: Entry | None, out: Path) -> list[Overlay]:
        """The overlays of one result, which lie in ``out`` now."""
        ...


@dataclass(slots=True)
class Painter:
    """Draws the overlays of results into a page's folder.

    Args:
        tasks: The benchmarks that are at hand.
        which: Of the worst five clips, of all or of none; None: of the worst wherever they can be drawn.
        watch: Is told of every clip.
    """

    tasks: Sequence[Task] = ()
    which: Which | None = "none"
    watch: Watch = SILENT
    drawn: int = 0
    seconds: float = 0.0
    _kept: dict[Path, int] = field(default_factory=dict)  # every file of the page's folder, with its bytes

    def paint(self, entry: Entry | None, out: Path) -> list[Overlay]:
        """The overlays of one result, drawn into ``out`` where they are not there yet.

        None where its predictions or its benchmark are not at hand, which is a notice where overlays were asked for.
        What cannot be drawn is one too, and ends them.
        """
        found: list[Overlay] = []
        if entry is None or self.which == "none" or not isinstance(entry.result, VideoResult):
            return []
        try:
            run = _Run.find(entry, entry.result, self.tasks)
            clips = run.worst(MOST_WORST if self.which != "all" else len(run.clips))
            self.watch.total(len(clips))
            found += self._paint(run, clips, out)  # and keeps those before an error
        except _AbsentError as error:
            if self.which is not None:
                notice(str(entry.path), OVERLAYS, f"{entry.path}: no overlays, {error}")
        except IcvosError as error:
            notice(str(entry.path), OVERLAYS, f"{entry.path}: no more overlays, {error}")
        return found

    @property
    def kept(self) -> Collection[Path]:
        """The files that the pages show, or know their pictures by."""
        return self._kept.keys()

    @property
    def line(self) -> str:
        """How many there are, how many of them were drawn, in which time, and what they take; "" without any."""
        count = sum(path.suffix == ".json" for path in self._kept)
        if not count:
            return ""
        megabytes = sum(self._kept.values()) / 1e6
        return f"overlays: {plural(count, 'clip')}, {self.drawn} drawn in {self.seconds:.1f} s, {megabytes:.1f} MB"

    def _paint(self, run: "_Run", clips: Sequence[Clip], out: Path) -> Iterator[Overlay]:
        for clip in clips:
            stem = out / OVERLAYS / run.key(clip)
            record, movie, still = (stem.with_suffix(suffix) for suffix in (".json", ".webp", ".still.webp"))
            require_inside(record, out)
            about = read_overlay(record) if movie.is_file() and still.is_file() else None
            if about is None:
                began = time.perf_counter()
                about = run.draw(clip, movie, still)
                write_schema(record, about)
                self.seconds += time.perf_counter() - began
                self.drawn += 1
            self._kept |= {path: path.stat().st_size for path in (record, movie, still)}
            name, size = printable(clip.id), self._kept[movie]
            yield Overlay(name, f"{OVERLAYS}/{movie.name}", f"{OVERLAYS}/{still.name}", about, size)
            self.watch.advance()


class _AbsentError(IcvosError):
    """What overlays are drawn from is not on this machine."""


@dataclass(frozen=True, slots=True)
class _Run:
    """A result with its benchmark and the predictions of its first draw."""

    result: VideoResult
    clips: dict[str, Clip]
    predictions: Predictions

    @classmethod
    def find(cls, entry: Entry, result: VideoResult, tasks: Sequence[Task]) -> "_Run":
        own = [task for task in tasks if isinstance(task, VideoTask) and task.digest == result.digest]
        if not own:
            raise _AbsentError("its benchmark is not among those that --benchmark names")
        if entry.revision:
            raise _AbsentError("a result on a board comes without its predictions")
        folder = draw_folders(entry.path.parent)[0]
        predictions = Predictions.open(folder)
        clips = {clip.id: clip for clip in own[0].benchmark.clips if clip.id in result.clips}
        if not any(predictions.frames(clip) for clip in clips.values()):
            raise _AbsentError("its predictions do not lie beside its scores")
        return cls(result, clips, predictions)

    def worst(self, count: int) -> list[Clip]:
        """The clips of the lowest J&F, the lowest first."""
        names = self.result.worst(len(self.result.clips))
        return [self.clips[name] for name in names if name in self.clips][:count]

    def key(self, clip: Clip) -> str:
        """A hash of all masks that the overlay of a clip shows, true and predicted, and of how it is drawn."""
        found = hashlib.sha256(f"{DRAWN_BY} {self.result.protocol} {clip.id}".encode())
        place = self.predictions.place(clip)
        own = [place] if place.suffix == ".json" else [place / f"{frame}.png" for frame in clip.video.frames]
        for path in (*own, *map(clip.mask_path, clip.video.frames)):
            there = path.is_file() and not path.is_symlink()
            found.update((sha256(path) if there else "").encode() + b" ")
        return found.hexdigest()[:24]

    def draw(self, clip: Clip, movie: Path, still: Path) -> OverlayFile:
        """Write both pictures of a clip; `IcvosError` where its masks are not those that were scored."""
        from icvos.drawing.animation import write_animation
        from icvos.tasks.video.sheet import render_clip

        scores = score_clip(clip, self.predictions, PROTOCOLS[self.result.protocol])
        require_scored(clip, scores, self.predictions, self.result)
        every = -(-len(scores.frames) // MOST_FRAMES)
        low = int(np.argmin(scores.j + scores.f))

        def drawn(names: Sequence[str]) -> Iterator[np.ndarray]:
            masks = lambda frame: self.predictions.mask(clip, frame)  # noqa: E731
            return render_clip(clip, masks, names=names, errors=True, height_px=HEIGHT_PX)

        write_animation(still, drawn([scores.frames[low]]), FPS)
        count = write_animation(movie, drawn(scores.frames[::every]), FPS)
        with Pillow.open(still) as picture:
            width, height = picture.size
        return OverlayFile(
            format=1,
            frame=scores.frames[low],
            shown=bool(scores.areas[low] > 0),
            j=float(scores.j[low]),
            f=float(scores.f[low]),
            frames=count,
            every=every,
            width=width,
            height=height,
        )


def read_overlay(path: Path) -> OverlayFile | None:
    """What was said of an overlay, if it was finished."""
    try:
        return read_schema(path, OverlayFile, "what is said of an overlay", "remove it", 1 << 16)
    except IcvosError:
        return None
