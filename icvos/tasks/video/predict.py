"""A method over many clips: from a benchmark to a run folder of predictions, resumable and bounded in memory.

A run folder holds one prediction folder for every support draw: ``draw0/<video>/<class>/<frame>.png`` and its
``draw0/run.json``. A clip appears whole or not at all, and counts once the record names it; running again makes the
rest. Several processes may work on a run folder at a time, on one machine or several: each claims a video, makes what
is missing of it, and says so (`icvos.files.leases`, `icvos.tasks.video.records`). What a process that dies had claimed
falls to the others.

All clips of a video, of all draws, are followed in step where the method can (`icvos.method.SharesFrames`): its frames
are read once. Other methods' clips of a video are run one after the other, draw by draw.
"""

import contextlib
import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from icvos.errors import AGAIN, IcvosError, stoppable
from icvos.files.leases import Leases
from icvos.files.leftovers import NAME_LENGTH, remove_leftovers
from icvos.guard import guarded
from icvos.method import AnyMethod, Segmenter, load_method, sees_truth
from icvos.models.needs import require_usable
from icvos.tasks.record import RECORD, ClipRun, RunBenchmark, RunRecord
from icvos.tasks.runs import (
    CLAIMS,
    SCRATCH,
    RunOptions,
    claim,
    identity,
    open_record,
    refuse_other_parts,
    require_supports_taken,
)
from icvos.tasks.shards import order
from icvos.tasks.video.benchmark import Benchmark, Clip
from icvos.tasks.video.records import OPENING, Records
from icvos.tasks.video.together import Work, groups, predict_group

ALL = "all"  # the claim on the whole run
WAIT_S = 0.5  # between two looks at the videos that others have claimed


def plan(clips: Sequence[Clip], out: Path, options: RunOptions, records: Mapping[int, RunRecord]) -> list[Work]:
    """All clips of all draws in order, with what is there already: named by its draw's record, with all its masks."""
    work = []
    for draw, record in records.items():
        for clip in clips:
            frames = max(protocol.frame_range(len(clip.video.frames)).stop for protocol in options.protocols)
            item = Work(draw, clip, frames, out / f"draw{draw}" / clip.id, done=False)
            done = options.overwrite != "always" and _is_done(item, record.clips.get(clip.id))
            work.append(replace(item, done=done))
    return work


def _is_done(item: Work, made: ClipRun | None) -> bool:
    """Whether a clip is there as its record says, with all the masks that are wanted; a power failure may empty one."""
    if made is None or made.frames < item.frames:
        return False
    return all(_has_content(item.folder / f"{frame}.png") for frame in item.clip.video.frames[: item.frames])


def _has_content(path: Path) -> bool:
    try:
        return path.stat().st_size > 0
    except OSError:
        return False


def run(
    benchmark: Benchmark,
    clips: Sequence[Clip],
    out: Path,
    options: RunOptions,
    *,
    start: Callable[[int, int], None] = lambda done, total: None,
    advance: Callable[[Clip, int], None] = lambda clip, frames: None,
) -> tuple[int, ...]:
    """Predict ``clips`` into the run folder ``out``; the draws of the run, none where others still make some of it.

    Where other processes work on the same run, this one makes what they have not claimed. Then it waits for them; a
    shard (`RunOptions`) does not. A method that sees the truth does not depend on the supports and runs one draw.
    ``start`` is told the number of frames that are done and in all, ``advance`` of every frame made.
    """
    require_usable(options.method, options.settings)
    require_supports_taken(options, draws=True)
    method = load_method(options.method, options.settings)
    if not isinstance(method, Segmenter):
        with guarded(options.asked()):
            method.propagator()  # loaded now, so that the record of the run names it
    draws = (0,) if sees_truth(method) else _draws(benchmark, options)
    if not sees_truth(method):
        for clip in clips:
            for draw in draws:
                benchmark.supports(clip, draw, options.shots)
    claim(out, "draw", options.overwrite)
    with _removed_if_empty(out), Leases(out / CLAIMS) as leases:
        with leases.kept(OPENING):
            opened = _opened(benchmark, method, out, options, draws, leases)
        records = Records(out, opened, {clip.id: place for place, clip in enumerate(benchmark.clips)}, leases)
        records.refresh()
        work = plan(clips, out, options, records.written)
        going = _Going(benchmark, method, out, options, records, leases, work, start, advance)
        with stoppable(going.told):
            try:
                is_whole = going.make_all()
            finally:
                records.merge()
    return draws if is_whole else ()


class _LostError(Exception):
    """This process was stopped for so long that another has taken over what it was making."""


class _Going:
    """A run as it goes on in this process.

    Args:
        benchmark: What is predicted.
        method: The method.
        out: The run folder.
        options: How it is run.
        records: What is made.
        leases: The claims of this process.
        work: The whole plan.
        start: Is told of frames that are done and in all.
        advance: Is told of every mask.
    """

    def __init__(
        self,
        benchmark: Benchmark,
        method: AnyMethod,
        out: Path,
        options: RunOptions,
        records: Records,
        leases: Leases,
        work: Sequence[Work],
        start: Callable[[int, int], None],
        advance: Callable[[Clip, int], None],
    ) -> None:
        self.benchmark, self.method, self.out, self.options = benchmark, method, out, options
        self.records, self.leases, self.start, self.advance = records, leases, start, advance
        self.work = work
        self.total = sum(item.frames for item in work)
        self.shown = sum(item.frames for item in work if item.done)  # frames that the caller knows to be done
        self.own: set[tuple[int, str]] = set()  # what this process has made, by draw and clip
        self.failed: list[IcvosError] = []

    def told(self) -> str:
        """How far it has come."""
        done = sum(map(self._is_made, self.work))
        return f"{done} of {len(self.work)} clips are done; {AGAIN} to go on"

    def make_all(self) -> bool:
        """Make whatever nobody else makes; whether everything is there then."""
        self.start(self.shown, self.total)
        if self.options.overwrite == "always":
            self.records.drop(self.work)
        videos: dict[str, list[Work]] = {}
        for item in self.work:
            videos.setdefault(item.clip.video.name, []).append(item)
        costs = [sum(group[0].frames for group in groups(items, self.method)) for items in videos.values()]
        named = list(videos.items())
        left = [named[place] for place in order(costs, self.options.shard)]
        left = [(name, items) for name, items in left if not all(item.done for item in items)]
        while left:
            later = [(name, items) for name, items in left if not self._make_video(name, items)]
            if self.options.shard is not None and len(later) == len(left):
                return False
            left = later
            if left and self.options.shard is None:
                time.sleep(WAIT_S)
        if self.failed:
            more = f" (and {len(self.failed) - 1} more failed)" if len(self.failed) > 1 else ""
            raise IcvosError(f"{self.failed[0]}{more}")
        return True

    def _make_video(self, video: str, items: Sequence[Work]) -> bool:
        """Make what is missing of a video; False where another process has claimed it."""
        name = _claimed_as(video)
        if not self.leases.take(name):
            return False
        try:
            self.records.refresh()
            missing = [item for item in items if not self._is_there(item)]
            self.records.drop(missing)
            for group in groups(missing, self.method):
                self._make(group, name)
        except _LostError:
            return False
        finally:
            self.leases.release(name)
            self._show()
        return True

    def _make(self, group: Sequence[Work], name: str) -> None:
        def advance(clip: Clip, frames: int) -> None:
            if not self.leases.may_hold(name):
                raise _LostError
            self.shown += frames
            self.advance(clip, frames)

        def ready() -> None:
            if not self.leases.holds(name):
                raise _LostError

        try:
            made = predict_group(self.benchmark, self.method, group, self.options, self.out, advance, ready)
            self.own |= {(item.draw, item.clip.id) for item, _ in made.clips}
            self.records.add(made.clips)
            if made.error is not None:
                raise made.error
        except IcvosError as error:
            if self.options.shard is None:
                raise
            self.failed.append(error)  # after all that can be made

    def _is_there(self, item: Work) -> bool:
        if self.options.overwrite == "always":
            return (item.draw, item.clip.id) in self.own
        return _is_done(item, self.records.made(item))

    def _is_made(self, item: Work) -> bool:
        """`_is_there`, by the records alone."""
        if self.options.overwrite == "always":
            return (item.draw, item.clip.id) in self.own
        made = self.records.made(item)
        return made is not None and made.frames >= item.frames

    def _show(self) -> None:
        """Tell what others have made, or what was lost."""
        done = sum(item.frames for item in self.work if self._is_made(item))
        if done != self.shown:
            self.shown = done
            self.start(done, self.total)


def _claimed_as(video: str) -> str:
    """The name of the claim on a video, short enough for a file."""
    return f"video-{video[:NAME_LENGTH]}-{hashlib.sha256(video.encode()).hexdigest()[:12]}"


@contextlib.contextmanager
def _removed_if_empty(out: Path) -> Iterator[None]:
    """A new folder goes again where nothing was put into it."""
    is_new = not out.exists()
    try:
        yield
    finally:
        if is_new:
            with contextlib.suppress(OSError):
                out.rmdir()


def _opened(
    benchmark: Benchmark,
    method: AnyMethod,
    out: Path,
    options: RunOptions,
    draws: Sequence[int],
    leases: Leases,
) -> dict[int, RunRecord]:
    """The record so far of every draw; `IcvosError` where the folder holds draws of another method.

    A run that makes everything again is alone in its folder.
    """
    others, remakes = leases.others(), options.overwrite == "always"
    holder = leases.holder(ALL) if options.overwrite == "only-missing" else next(iter(others), None)
    if holder:
        raise IcvosError(
            f"{out}: another process ({holder}) is working on it; wait until that has ended, or choose another place"
        )
    if remakes:
        leases.take(ALL)
    for folder in (out, out / SCRATCH, out / CLAIMS):
        remove_leftovers(folder)
    wanted = {draw: identity(method, options, _about(benchmark, draw)) for draw in draws}
    refuse_other_parts(out, "draw", wanted, draws if remakes else (), alone=not others)
    new = RunRecord(frames=0, seconds_per_frame=None, clips={})
    return {
        draw: open_record(out / f"draw{draw}" / RECORD, record, new, options.overwrite, alone=not others)
        for draw, record in wanted.items()
    }


def _draws(benchmark: Benchmark, options: RunOptions) -> tuple[int, ...]:
    """The draws that are asked for, else all; 0 where there is none, for the error that names what is missing."""
    if options.parts is not None:
        return tuple(dict.fromkeys(options.parts))
    return tuple(range(benchmark.draws)) or (0,)


def _about(benchmark: Benchmark, draw: int) -> RunRecord:
    """What a draw is run on, as its record says it."""
    about = RunBenchmark(name=benchmark.name, digest=benchmark.digest, clips=len(benchmark.clips))
    return RunRecord(benchmark=about, draw=draw)
