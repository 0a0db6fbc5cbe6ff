"""The process that has the workers of a cluster make a run: who makes which video, and what becomes of one that fails.

A clip that fails is tried once more, by another worker if there is one; then it is given up, and everything else is
made. A worker that dies, or says nothing for too long, is replaced, and its video is begun anew. A video that three
workers have died of is given up too.
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from icvos.errors import IcvosError
from icvos.models.weights import registry
from icvos.tasks.dispatch import LIVES, TRIES, Dispatch
from icvos.tasks.pool import Pool
from icvos.tasks.runs import RunOptions, UnfinishedError, claim, require_supports_taken
from icvos.tasks.video.benchmark import Benchmark, Clip
from icvos.tasks.video.cluster import Crew, DeathError, Member
from icvos.tasks.video.going import Going, Job
from icvos.tasks.video.opening import draws_of, opened
from icvos.tasks.video.together import Work
from icvos.tasks.video.worker import News, Orders

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
        has_failed: Whether some of it failed.
    """

    job: Job
    left: dict[tuple[int, str], Work]
    masks: int
    has_failed: bool = False


def run_on_cluster(
    benchmark: Benchmark,
    clips: Sequence[Clip],
    out: Path,
    options: RunOptions,
    pool: Pool,
    *,
    start: Callable[[int, int], None],
    advance: Callable[[Clip, int], None],
    note: Callable[[str], None],
) -> tuple[int, ...]:
    """As `icvos.tasks.video.predict.run`, by the workers of ``pool``.

    Raises `UnfinishedError` when clips were given up and all else is made; ``note`` is told of each before.
    """
    require_supports_taken(options, draws=True)
    draws = draws_of(benchmark, clips, options)
    claim(out, "draw", options.overwrite)
    orders = Orders(
        benchmark.root,
        out,
        replace(options, pool=None),
        draws,
        Path.cwd(),
        registry.folder().absolute(),
        registry.random_weights(),
    )
    with Crew(pool, orders, len({clip.video.name for clip in clips}), note) as crew:
        assert crew.made_by is not None
        with opened(benchmark, clips, out, options, crew.made_by, start=start, advance=advance) as going:
            driver = Driver(going, crew)
            driver.make_all()
            asked = len(going.work)
    for (draw, clip), error in sorted(driver.given_up.items()):
        note(f"draw {draw}, {clip}: {error}")
    if driver.given_up:
        raise UnfinishedError(f"{len(driver.given_up)} of {asked} clips failed, see the warnings above", draws)
    return draws


class Driver:
    """A run and its workers.

    Args:
        going: The run.
        crew: The workers.
    """

    def __init__(self, going: Going, crew: Crew) -> None:
        self.going, self.crew = going, crew
        self.jobs = {job.name: job for job in going.left()}
        self.dispatch = Dispatch({name: job.cost for name, job in self.jobs.items()})
        self.tasks: dict[int, _Task] = {}  # by the number of the worker
        self.given_up: dict[tuple[int, str], IcvosError] = {}
        self._failures = Counter[tuple[int, str]]()

    def make_all(self) -> None:
        """Make everything that can be made."""
        try:
            while self.dispatch.waiting or self.tasks:
                self.crew.most = len(self.dispatch.waiting) + len(self.tasks)
                self.crew.staff()
                for member in self.crew.idle:
                    self._give(member)
                for member in self.crew.ready():
                    if member.begun is None:
                        self.crew.welcome(member)
                    else:
                        self._hear(member)
                self._replace_silent()
        finally:
            for task in self.tasks.values():
                self.going.end(task.job)

    def _give(self, member: Member) -> None:
        """Give a worker the best video that nobody makes, if there is one."""
        now = time.monotonic()
        for name in self.dispatch.offers(member.number, self.crew.members, now):
            job = self.jobs[name]
            missing = self.going.begin(job, self.given_up)
            held = self.going.leases.claim(job.claim)
            if missing is None or held is None:
                self.dispatch.later(name, now + WAIT_S)
                continue
            self.dispatch.take(name)
            if not missing:
                self.going.end(job)
                continue
            self.tasks[member.number] = _Task(
                job, {item.key: item for item in missing}, sum(item.frames for item in missing)
            )
            self.crew.give(member, missing, held)
            return

    def _hear(self, member: Member) -> None:
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
        if task.left:  # also where another process took over; its claim is seen when the video is tried again
            self.dispatch.again(task.job.name, member.number if task.has_failed else None)

    def _replace_silent(self) -> None:
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
