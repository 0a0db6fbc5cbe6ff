"""Clips of one video in one pass over its frames: all its categories, and all draws of supports for each."""

import contextlib
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from icvos.errors import IcvosError
from icvos.files.frames import read_ahead
from icvos.files.masks import encode_binary, read_binary
from icvos.files.storage import atomic_folder
from icvos.guard import Asked, guarded, masks_of, remarks_of
from icvos.method import AnyMethod, Image, Mask, SharesFrames, Support, sees_truth
from icvos.sharing import SharedFrames
from icvos.tasks.record import ClipRun
from icvos.tasks.runs import SCRATCH, RunOptions
from icvos.tasks.video.benchmark import Benchmark, Clip


@dataclass(frozen=True, slots=True)
class Work:
    """One clip of one draw: its prediction folder, and how many of its first frames are needed."""

    draw: int
    clip: Clip
    frames: int
    folder: Path
    done: bool

    @property
    def key(self) -> tuple[int, str]:
        """What tells it from others of the run: its draw, and the name of its clip."""
        return self.draw, self.clip.id


@dataclass(frozen=True, slots=True)
class Made:
    """What came of a group of clips.

    Args:
        clips: Those whose folders are in place, with what their records say.
        failed: Those that failed, with the error of each.
    """

    clips: Sequence[tuple[Work, ClipRun]]
    failed: Sequence[tuple[Work, IcvosError]] = ()

    @property
    def error(self) -> IcvosError | None:
        """The first error; None where none failed."""
        return self.failed[0][1] if self.failed else None


def groups(work: Sequence[Work], shares: bool) -> list[list[Work]]:
    """What is predicted together: all clips of a video where the method shares frames, else each clip by itself."""
    if not shares:
        return [[item] for item in work]
    found: dict[tuple[str, int], list[Work]] = {}
    for item in work:
        found.setdefault((item.clip.video.name, item.frames), []).append(item)
    return list(found.values())


@dataclass(frozen=True, slots=True)
class Maker:
    """Makes clips in this process: the whole of what a worker needs.

    Args:
        benchmark: What is predicted.
        method: The method, loaded.
        options: How it is run.
        out: The run folder, below which clips are made.
    """

    benchmark: Benchmark
    method: AnyMethod
    options: RunOptions
    out: Path

    @property
    def shares(self) -> bool:
        """Whether clips of a video are made together."""
        return isinstance(self.method, SharesFrames)

    def make(self, items: Sequence[Work], ready: Callable[[], None] = lambda: None) -> Iterator[Clip | Made]:
        """Make some clips of a video: of every mask its clip as it is made, and what came of each of `groups`.

        A clip that fails, or a frame that cannot be read, keeps no other clip from being made. ``ready`` is called
        before a folder is put in place; what it raises keeps that from it, and ends everything.
        """
        for group in groups(items, self.shares):
            try:
                yield from predict_group(self.benchmark, self.method, group, self.options, self.out, ready)
            except IcvosError as error:
                yield Made((), [(item, error) for item in group])


def predict_group(
    benchmark: Benchmark,
    method: AnyMethod,
    group: Sequence[Work],
    options: RunOptions,
    scratch: Path,
    ready: Callable[[], None] = lambda: None,
) -> Iterator[Clip | Made]:
    """Predict one of `groups`, and put the folders in place; a clip that fails does not keep the others from it.

    Args:
        benchmark: What is predicted.
        method: The method.
        group: Clips of one video.
        options: How it is run.
        scratch: The run folder, below which clips are made.
        ready: Is called before a folder is put in place; what it raises keeps that from it, and ends the group.

    Yields:
        The clip of every mask as it is made, and in the end what came of the group.

    Raises `IcvosError` for a frame that cannot be read.
    """
    video, count = group[0].clip.video, group[0].frames
    asked = [options.asked(item.clip.id) for item in group]
    stream = read_ahead(video.frame_paths[:count])
    shared = SharedFrames(stream) if isinstance(method, SharesFrames) else None
    methods = _siblings(method, len(group), asked[0])
    seconds, failed = 0.0, dict[int, IcvosError]()
    with contextlib.ExitStack() as stack:
        running = {}
        for number, item in enumerate(group):
            frames = stream if shared is None else shared.reader()
            masks = _masks(benchmark, methods[number], item, options, frames, asked[number])
            running[number] = stack.enter_context(contextlib.closing(_write(item, masks, scratch, ready)))
        for position in range(count + 1):  # the last round finds that no frame is left, and puts folders in place
            began = time.perf_counter()
            if shared is not None:
                shared.advance()
            seconds += time.perf_counter() - began
            for number in [number for number in running if number not in failed]:
                try:
                    seconds += next(running[number], 0.0)
                except IcvosError as error:
                    failed[number] = error
                    continue
                if position < count:
                    yield group[number].clip
            if len(failed) == len(group):
                break
    share = round(seconds / len(group), 3)
    clips = []
    for number, item in enumerate(group):
        if number not in failed:
            made = ClipRun(frames=count, seconds=share)
            said = remarks_of(methods[number], asked[number])
            clips.append((item, made.model_copy(update={"remarks": said}) if said else made))
    yield Made(clips, [(group[number], error) for number, error in failed.items()])


def _siblings(method: AnyMethod, count: int, asked: Asked) -> Sequence[AnyMethod]:
    """One method for every clip; `IcvosError` where a method gives another number of them."""
    if not isinstance(method, SharesFrames):
        return [method]
    with guarded(asked):
        found = method.siblings(count)
    if len(found) != count:
        raise asked.error(f"gave {len(found)} siblings for {count} clips; see icvos.method.SharesFrames")
    return found


def _write(item: Work, masks: Iterator[Mask], scratch: Path, ready: Callable[[], None]) -> Generator[float]:
    """Write the masks of one clip, and put its folder in place at the end; the seconds that each mask took to make."""
    with atomic_folder(item.folder, scratch / SCRATCH, scratch) as folder:
        for name in item.clip.video.frames[: item.frames]:
            began = time.perf_counter()
            mask = next(masks)
            seconds = time.perf_counter() - began
            (folder / f"{name}.png").write_bytes(encode_binary(mask))
            yield seconds
        next(masks, None)  # there is none: a method that gives more masks than there are frames is refused here
        ready()


def _masks(
    benchmark: Benchmark,
    method: AnyMethod,
    item: Work,
    options: RunOptions,
    frames: Iterator[Image],
    asked: Asked,
) -> Iterator[Mask]:
    if sees_truth(method):
        return _with_truth(method, item, frames, asked)
    return masks_of(method, benchmark.supports(item.clip, item.draw, options.shots), frames, asked)


def _with_truth(method: AnyMethod, item: Work, frames: Iterator[Image], asked: Asked) -> Iterator[Mask]:
    """The masks of a method that is given the first frame showing the category, with its true mask, as its support."""
    clip, names = item.clip, item.clip.video.frames[: item.frames]
    first = next((i for i, name in enumerate(names) if read_binary(clip.mask_path(name)).any()), len(names))
    for frame in islice(frames, first):
        yield np.zeros(frame.shape[:2], dtype=bool)
    if first < len(names):
        support = Support(names[first], clip.video.frame_paths[first], clip.mask_path(names[first]))
        yield from masks_of(method, (support,), frames, asked)
