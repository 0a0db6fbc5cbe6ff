"""A run that the workers of a cluster make: who of them makes which video, and what becomes of one that fails.

A clip that fails is tried once more, by another worker if there is one; then it is given up, and everything else is
made. A worker that dies, or says nothing for too long, is replaced, and its video is begun anew. A video that three
workers have died of is given up too.
"""

import time
from collections import Counter
from dataclasses import dataclass, field

from icvos.errors import IcvosError
from icvos.tasks.dispatch import LIVES, TRIES, Dispatch
from icvos.tasks.video.cluster import Crew, DeathError, Member
from icvos.tasks.video.going import Going, Job
from icvos.tasks.video.together import Work
from icvos.tasks.video.worker import News

WAIT_S = 0.5  # until a video that another process has claimed is looked at again
QUIET_S = 600.0  # that a worker may say nothing, and more for every mask that it has still to make:
QUIET_MASK_S = 2.0  # a method that is no stream gives its first mask after it has seen all frames
GRACE_S = 60.0  # in the place of both, beside the time that --timeout gives to the clips


@dataclass(slots=True)
class _Task:
    """What a worker makes now.

    Args:
        job: The video.
        left: What is missing of it, by draw and clip.
        masks: How many masks it has still to make.
        is_whole: Whether that is all of it.
        has_failed: Whether some of it failed.
        began: When it was given to the worker.
    """

    job: Job
    left: dict[tuple[int, str], Work]
    masks: int
    is_whole: bool
    has_failed: bool = False
    began: float = field(default_factory=time.monotonic)


class Driver:
    """A run and its workers.

    Args:
        going: The run.
        crew: The workers, of which some serve this run.
    """

    def __init__(self, going: Going, crew: Crew) -> None:
        self.going, self.crew = going, crew
        self.jobs = {job.name: job for job in going.left()}
        self.dispatch = Dispatch({name: job.cost for name, job in self.jobs.items()})
        self.tasks: dict[int, _Task] = {}  # by the number of the worker
        self.given_up: dict[tuple[int, str], IcvosError] = {}
        self._failures = Counter[tuple[int, str]]()
        self._cost, self._seconds = 0, 0.0  # of the videos that were made whole

    @property
    def is_through(self) -> bool:
        """Whether everything is made that can be made."""
        return not (self.dispatch.waiting or self.tasks)

    @property
    def seconds_per_frame(self) -> float | None:
        """What a frame takes; None before the first video is made."""
        return self._seconds / self._cost if self._cost else None

    def give(self, member: Member) -> bool:
        """Give a worker the best video that nobody makes; whether there is one."""
        now, own = time.monotonic(), [other.number for other in self.crew.members.values() if other.run == member.run]
        for name in self.dispatch.offers(member.number, own, now):
            missing = self._claim(name, now)
            if not missing:
                continue
            job = self.jobs[name]
            held = self.going.leases.claim(job.claim)
            if held is None:
                self.going.end(job)
                self.dispatch.later(name, now + WAIT_S)
                continue
            self.dispatch.take(name)
            self.tasks[member.number] = _Task(
                job,
                {item.key: item for item in missing},
                sum(item.frames for item in missing),
                len(missing) == len(job.items),
            )
            self.crew.give(member, missing, held)
            return True
        return False

    def look(self) -> None:
        """See whether videos that other processes have claimed are free by now."""
        for name in self.dispatch.put_off(time.monotonic()):
            if self._claim(name, time.monotonic()):
                self.going.end(self.jobs[name])
                self.dispatch.now(name)

    def _claim(self, name: str, now: float) -> list[Work]:
        """Claim a video for what is missing of it; where that is nothing, or another has it, it is not claimed."""
        job = self.jobs[name]
        missing = self.going.begin(job, self.given_up)
        if missing is None:
            self.dispatch.later(name, now + WAIT_S)
            return []
        if not missing:
            self.dispatch.take(name)
            self.going.end(job)
        return missing

    def release(self) -> None:
        """Give back what workers were making."""
        for task in self.tasks.values():
            self.going.end(task.job)
        self.tasks.clear()

    def hear(self, member: Member) -> None:
        """Take what a worker says."""
        task = self.tasks[member.number]
        try:
            news = self.crew.hear(member)
        except DeathError as error:
            self._died(member, str(error))
        except IcvosError as error:
            for item in tuple(task.left.values()):
                self._failed(task, item, IcvosError(f"{member} {error}"))
            self._end(member)
        else:
            if news is None:
                self._end(member)
            else:
                self._take(task, news)

    def _take(self, task: _Task, news: News) -> None:
        clips = {item.clip.id: item.clip for item in task.job.items}
        for name, masks in news.masks.items():
            task.masks -= masks
            self.going.hear(task.job, clips[name], masks)
        if news.made is None:
            return
        self.going.record(task.job, news.made)
        for item, _ in news.made.clips:
            task.left.pop(item.key, None)
        for item, error in news.made.failed:
            self._failed(task, item, error)

    def _failed(self, task: _Task, item: Work, error: IcvosError) -> None:
        task.has_failed = True
        self._failures[item.key] += 1
        if self._failures[item.key] >= TRIES:
            self.given_up[item.key] = error
            task.left.pop(item.key, None)

    def _died(self, member: Member, what: str) -> None:
        """A worker is gone; what it was making is begun anew, unless it has cost too many."""
        task = self.tasks[member.number]
        if not self.dispatch.died(task.job.name):
            error = IcvosError(f"{what}, and so did {LIVES - 1} others on this video")
            self.given_up |= dict.fromkeys(task.left, error)
            task.left.clear()
        self._end(member)

    def _end(self, member: Member) -> None:
        """A worker is through with a video: what is left of it waits for another."""
        task = self.tasks.pop(member.number)
        self.going.end(task.job)
        if task.is_whole and not task.left and not task.has_failed:
            self._cost += task.job.cost
            self._seconds += time.monotonic() - task.began
        if task.left:  # also where another process took over; its claim is seen when the video is tried again
            self.dispatch.again(task.job.name, member.number if task.has_failed else None)

    def replace_silent(self) -> None:
        """Take their videos from workers that say nothing for too long."""
        now = time.monotonic()
        for member in tuple(self.crew.members.values()):
            task = self.tasks.get(member.number)
            if task is not None and now - member.heard > self._patience_s(task):
                self.crew.dismiss(member)
                self._died(member, f"{member} gave no mask for {self._patience_s(task):.0f} seconds")

    def _patience_s(self, task: _Task) -> float:
        if self.going.options.timeout is not None:
            return self.going.options.timeout * len(task.left) + GRACE_S
        return QUIET_S + QUIET_MASK_S * task.masks
