"""A run on videos as it goes on: what is left to make, who makes it, what is recorded. It makes nothing by itself.

A single process, a shard and the driver of a cluster go by the same steps: `Going.left`, then for each video
`Going.begin`, `Going.hear` of everything that `icvos.tasks.video.together.Maker` tells of it, and `Going.end`.
"""

import hashlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from icvos.errors import AGAIN, IcvosError
from icvos.files.leases import Leases
from icvos.files.leftovers import NAME_LENGTH
from icvos.tasks.record import ClipRun
from icvos.tasks.runs import RunOptions
from icvos.tasks.shards import order
from icvos.tasks.video.benchmark import Clip
from icvos.tasks.video.records import Records
from icvos.tasks.video.together import Made, Work, groups

WAIT_S = 0.5  # between two looks at the videos that others have claimed


class LostError(Exception):
    """This process was stopped for so long that another has taken over what it was making."""


@dataclass(frozen=True, slots=True)
class Job:
    """A video of a run, which one process makes at a time.

    Args:
        name: The video's.
        items: Its clips of all draws.
        cost: Frames that are read for it.
    """

    name: str
    items: tuple[Work, ...]
    cost: int

    @property
    def claim(self) -> str:
        """The name of the claim on it, short enough for a file."""
        return f"video-{self.name[:NAME_LENGTH]}-{hashlib.sha256(self.name.encode()).hexdigest()[:12]}"


class Going:
    """A run as it goes on in this process.

    Args:
        options: How it is run.
        records: What is made.
        leases: The claims of this process.
        work: The whole plan.
        shares: Whether clips of a video are made together.
        start: Is told of frames that are done and in all.
        advance: Is told of every mask.
    """

    def __init__(
        self,
        options: RunOptions,
        records: Records,
        leases: Leases,
        work: Sequence[Work],
        shares: bool,
        start: Callable[[int, int], None],
        advance: Callable[[Clip, int], None],
    ) -> None:
        self.options, self.records, self.leases = options, records, leases
        self.work, self.shares = work, shares
        self.start, self.advance = start, advance
        self.total = sum(item.frames for item in work)
        self.shown = sum(item.frames for item in work if item.done)  # frames that the caller knows to be done
        self.making: dict[str, int] = {}  # by video that this process has claimed, the masks of what is not recorded
        self.own: set[tuple[int, str]] = set()  # what this process has made, by draw and clip
        self._changes = records.changes  # when what is shown was counted

    @property
    def done(self) -> int:
        """How many clips are made."""
        return sum(map(self._is_made, self.work))

    def told(self) -> str:
        """How far it has come."""
        return told(self.done, len(self.work))

    def left(self) -> list[Job]:
        """The videos of which something is missing, in the order of a shard, else of the benchmark; called once."""
        self.start(self.shown, self.total)
        if self.options.overwrite == "always":
            self.records.drop(self.work)
        videos: dict[str, list[Work]] = {}
        for item in self.work:
            videos.setdefault(item.clip.video.name, []).append(item)
        jobs = [
            Job(name, tuple(items), sum(group[0].frames for group in groups(items, self.shares)))
            for name, items in videos.items()
        ]
        ordered = [jobs[place] for place in order([job.cost for job in jobs], self.options.shard)]
        return [job for job in ordered if not all(item.done for item in job.items)]

    def begin(self, job: Job, given_up: Collection[tuple[int, str]] = ()) -> list[Work] | None:
        """Claim a video: what is missing of it and not ``given_up``; None where another process has it."""
        if not self.leases.take(job.claim):
            return None
        self.records.refresh()
        missing = [item for item in job.items if not self.is_there(item)]
        if any(self.records.made(item) for item in missing):  # whose masks are gone
            self.records.drop(missing)
            self._changes = -1
        self.making[job.name] = 0
        return [item for item in missing if item.key not in given_up]

    def hear(self, job: Job, clip: Clip, frames: int) -> None:
        """Some masks of a clip are made."""
        self.making[job.name] += frames
        self.shown += frames
        self.advance(clip, frames)

    def record(self, job: Job, made: Made) -> None:
        """Some clips are made."""
        self.own |= {item.key for item, _ in made.clips}
        self.records.add(made.clips)
        self.making[job.name] -= sum(item.frames for item, _ in made.clips)

    def ready(self, job: Job) -> Callable[[], None]:
        """What is called before a clip of a video is put in place: it raises `LostError` where the claim is lost."""

        def require() -> None:
            if not self.leases.holds(job.claim):
                raise LostError

        return require

    def take(self, job: Job, news: Clip | Made) -> None:
        """`hear` or `record` what a `Maker` says of a video; raises `LostError` where the claim on it is lost."""
        if isinstance(news, Made):
            self.record(job, news)
            return
        if not self.leases.may_hold(job.claim):
            raise LostError
        self.hear(job, news, 1)

    def end(self, job: Job) -> None:
        """Give a video back."""
        self.leases.release(job.claim)
        self._show(self.making.pop(job.name, 0))

    def is_there(self, item: Work) -> bool:
        """Whether a clip is made, with all its masks."""
        if self.options.overwrite == "always":
            return item.key in self.own
        return is_done(item, self.records.made(item))

    def _is_made(self, item: Work) -> bool:
        """`is_there`, by the records alone."""
        if self.options.overwrite == "always":
            return item.key in self.own
        made = self.records.made(item)
        return made is not None and made.frames >= item.frames

    def _show(self, lost: int) -> None:
        """Tell what others have made, or that some masks are lost.

        Everything is counted where others have made something, and not for every video of a process that is alone.
        """
        done = self.shown - lost
        if self.records.changes != self._changes:
            self._changes = self.records.changes
            done = sum(item.frames for item in self.work if self._is_made(item)) + sum(self.making.values())
        if done != self.shown:
            self.shown = done
            self.start(done, self.total)


def several_failed(errors: Sequence[IcvosError]) -> IcvosError:
    """One error for several clips that failed."""
    more = f" (and {len(errors) - 1} more failed)" if len(errors) > 1 else ""
    return IcvosError(f"{errors[0]}{more}")


def told(done: int, clips: int) -> str:
    """How far runs have come that are stopped."""
    return f"{done} of {clips} clips are done; {AGAIN} to go on"


def is_done(item: Work, made: ClipRun | None) -> bool:
    """Whether a clip is there as its record says, with all the masks that are wanted; a power failure may empty one."""
    if made is None or made.frames < item.frames:
        return False
    return all(_has_content(item.folder / f"{frame}.png") for frame in item.clip.video.frames[: item.frames])


def _has_content(path: Path) -> bool:
    try:
        return path.stat().st_size > 0
    except OSError:
        return False
