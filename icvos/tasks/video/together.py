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
                for _, news in follow([Followed(self, group, ready)]):
                    yield news
            except IcvosError as error:
                yield Made((), [(item, error) for item in group])


@dataclass(frozen=True, slots=True)
class Followed:
    """Clips of one method that are followed in a pass over a video.

    Args:
        maker: Makes them.
        group: The clips, one of `groups`.
        ready: Is called before a folder is put in place; what it raises keeps that from it, and ends the pass.
    """

    maker: Maker
    group: Sequence[Work]
    ready: Callable[[], None]


def follow(asked_for: Sequence[Followed]) -> Iterator[tuple[int, Clip | Made]]:
    """Make clips of one video by one method or several in one pass over its frames, each of which is read once.

    Their folders are put in place at its end; a clip that fails does not keep the others from it. All are given the
    same arrays, so that what several see of a frame by the same network is computed once.

    Args:
        asked_for: The clips of each method, all of the same video and as many frames. Of several methods, each has
            siblings (`icvos.method.SharesFrames`).

    Yields:
        The clip of every mask as it is made, and in the end what came of the group of each method: with its place in
        ``asked_for``. What a clip took is known where one method alone was followed.

    Raises `IcvosError` for a frame that cannot be read.
    """
    video, count = asked_for[0].group[0].clip.video, asked_for[0].group[0].frames
    stream = read_ahead(video.frame_paths[:count])
    shared = SharedFrames(stream) if all(one.maker.shares for one in asked_for) else None
    seconds, failed = 0.0, dict[tuple[int, int], IcvosError]()
    methods: dict[tuple[int, int], tuple[AnyMethod, Asked]] = {}
    running: dict[tuple[int, int], Generator[float]] = {}
    with contextlib.ExitStack() as stack:
        for place, one in enumerate(asked_for):
            asked = [one.maker.options.asked(item.clip.id) for item in one.group]
            try:
                siblings = _siblings(one.maker.method, len(one.group), asked[0])
            except IcvosError as error:
                failed |= {(place, number): error for number in range(len(one.group))}
                continue
            for number, item in enumerate(one.group):
                maker, by, told = one.maker, siblings[number], asked[number]
                methods[place, number] = by, told
                try:
                    frames = stream if shared is None else shared.reader()
                    masks = _masks(maker.benchmark, by, item, maker.options, frames, told)
                except IcvosError as error:
                    failed[place, number] = error
                    continue
                written = _write(item, masks, maker.out, one.ready)
                running[place, number] = stack.enter_context(contextlib.closing(written))
        for position in range(count + 1):  # the last round finds that no frame is left, and puts folders in place
            if all(key in failed for key in running):
                break
            began = time.perf_counter()
            if shared is not None:
                shared.advance()
            seconds += time.perf_counter() - began
            for key, written in running.items():
                if key in failed:
                    continue
                try:
                    seconds += next(written, 0.0)
                except IcvosError as error:
                    failed[key] = error
                    continue
                if position < count:
                    yield key[0], asked_for[key[0]].group[key[1]].clip
    share = round(seconds / len(running), 3) if len(asked_for) == 1 and running else None
    for place, one in enumerate(asked_for):
        clips, errors = [], []
        for number, item in enumerate(one.group):
            if (place, number) in failed:
                errors.append((item, failed[place, number]))
                continue
            made = ClipRun(frames=count, seconds=share)
            said = remarks_of(*methods[place, number])
            clips.append((item, made.model_copy(update={"remarks": said}) if said else made))
        yield place, Made(clips, errors)


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
