"""Runs of one method or several on the workers of one pool: which run a worker serves, and what ends a run.

A worker serves one run to its end, in a process of its own: no method finds memory, libraries or switches that another
has left, so its masks and records are those of a run that is alone. Where nothing waits in its run, the worker makes
place for one of the run that needs it most (`icvos.tasks.dispatch.neediest`).

A run is opened when the first worker has loaded its method, which is when its record is known. A run that cannot go on
ends with its error; the others go on.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from icvos.errors import IcvosError, stoppable
from icvos.models.weights import registry
from icvos.tasks.dispatch import TRIES, Demand, Free, neediest, pressing
from icvos.tasks.pool import Pool
from icvos.tasks.runs import Outcome, RunOptions, UnfinishedError, claim, require_supports_taken
from icvos.tasks.video.benchmark import Benchmark, Clip
from icvos.tasks.video.cluster import Crew, DeathError, Member
from icvos.tasks.video.driver import Driver
from icvos.tasks.video.going import told
from icvos.tasks.video.opening import MadeBy, draws_of, frames_of, opened
from icvos.tasks.video.worker import Begun, Orders

FALSE_STARTS = 5  # workers in a row that die before the method is loaded


@dataclass(slots=True, eq=False)
class _Run:
    """One of the runs.

    Args:
        out: Its folder.
        options: How it is run.
        draws: Its draws.
        whole: Its videos and the frames that are read for them, as far as is known before it is opened.
        masks: How many masks it has in all.
        shown: How many of them are made, as far as is known.
        driver: What makes it, when it is opened.
        closing: What is to be done at its end.
        refused: How many workers could not load the method.
        false_starts: How many in a row died of loading it.
        outcome: What came of it; None: it goes on.
    """

    out: Path
    options: RunOptions
    draws: tuple[int, ...]
    whole: Free
    masks: int
    shown: int = 0
    made_by: MadeBy | None = None
    driver: Driver | None = None
    closing: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    refused: int = 0
    false_starts: int = 0
    outcome: Outcome | None = None

    @property
    def useful(self) -> int:
        """How many workers it could have."""
        if self.driver is None:
            return self.whole.jobs
        return len(self.driver.dispatch.waiting) + len(self.driver.tasks)


def run_on_pool(
    benchmark: Benchmark,
    clips: Sequence[Clip],
    runs: Mapping[Path, RunOptions],
    pool: Pool,
    *,
    start: Callable[[int, int], None],
    advance: Callable[[RunOptions, Clip, int], None],
    note: Callable[[str], None],
) -> dict[Path, Outcome]:
    """As `icvos.tasks.video.predict.run` for each of ``runs``, by the workers of ``pool``; what came of each.

    That is an `UnfinishedError` where clips were given up and all else is made; ``note`` is told of each before.
    ``start`` and ``advance`` are told of the masks of all runs together.
    """
    pooled = Pooled(benchmark, clips, runs, start=start, advance=advance, note=note)
    if pooled.orders:
        with Crew(pool, pooled.orders, note) as crew:
            pooled.make_all(crew)
    return pooled.outcomes


class Pooled:
    """Some runs on the same clips.

    Args:
        benchmark: What is predicted.
        clips: What is chosen of it.
        runs: By its folder how each is run.
        start: Is told of masks that are made and in all.
        advance: Is told of every mask, and in which run.
        note: Is told what the caller should know.
    """

    def __init__(
        self,
        benchmark: Benchmark,
        clips: Sequence[Clip],
        runs: Mapping[Path, RunOptions],
        *,
        start: Callable[[int, int], None],
        advance: Callable[[RunOptions, Clip, int], None],
        note: Callable[[str], None],
    ) -> None:
        self.benchmark, self.clips = benchmark, clips
        self.start, self.advance, self.note = start, advance, note
        self.names_methods = len(runs) > 1
        self.refused: dict[Path, IcvosError] = {}  # runs that do not begin
        self.runs: dict[Path, _Run] = {}
        self.loading_s = 0.0  # that the last worker took to load its method
        for out, options in runs.items():
            try:
                self.runs[out] = self._planned(out, options)
            except IcvosError as error:
                self.refused[out] = error

    @property
    def orders(self) -> dict[Path, Orders]:
        """What the workers of each run are told."""
        folders = Path.cwd(), registry.folder().absolute()
        return {
            out: Orders(
                self.benchmark.root,
                out,
                replace(run.options, pool=None),
                run.draws,
                *folders,
                registry.random_weights(),
            )
            for out, run in self.runs.items()
        }

    @property
    def outcomes(self) -> dict[Path, Outcome]:
        """What came of the runs that have ended."""
        ended = {out: run.outcome for out, run in self.runs.items() if run.outcome is not None}
        return {**self.refused, **ended}

    def make_all(self, crew: Crew) -> None:
        """Make everything that can be made."""
        with contextlib.ExitStack() as stack:
            for run in self.runs.values():
                stack.callback(run.closing.close)
            with stoppable(self.told):
                while going := [run for run in self.runs.values() if run.outcome is None]:
                    crew.staff(sum(run.useful for run in going), lambda: self._choose(crew))
                    for member in crew.idle:
                        if member.number in crew.members:  # another has not ended its run meanwhile
                            self._employ(crew, member)
                    for member in crew.ready():
                        if member.number in crew.members:
                            self._hear(crew, member)
                    for run in going:
                        self._see_to(crew, run)

    def told(self) -> str:
        """How far the runs have come."""
        done = sum(run.driver.going.done for run in self.runs.values() if run.driver is not None)
        return told(done, sum(len(self.clips) * len(run.draws) for run in self.runs.values()))

    def _planned(self, out: Path, options: RunOptions) -> _Run:
        require_supports_taken(options, draws=True)
        draws = draws_of(self.benchmark, self.clips, options)
        claim(out, "draw", options.overwrite)
        frames = {clip.video.name: frames_of(clip, options) for clip in self.clips}
        masks = len(draws) * sum(frames[clip.video.name] for clip in self.clips)
        whole = Free(len(frames), max(frames.values(), default=0), sum(frames.values()))
        return _Run(out, options, draws, whole, masks)

    def _choose(self, crew: Crew) -> Path | None:
        """The run that another worker should serve."""
        demands = self._demands(crew)
        urgent = pressing(demands, self.loading_s)
        return neediest(demands, self.loading_s) if urgent is None else urgent

    def _employ(self, crew: Crew, member: Member) -> None:
        """Give a worker a video of its run, or have it make place for one of another run."""
        run = self.runs[member.run]
        demands = self._demands(crew, member)
        urgent = pressing(demands, self.loading_s)
        with self._ending(crew, run):
            assert run.driver is not None
            if urgent in (None, member.run) and run.driver.give(member):
                return
            others = {out: demand for out, demand in demands.items() if out != member.run}
            if neediest(others, self.loading_s) is not None:
                crew.dismiss(member)

    def _hear(self, crew: Crew, member: Member) -> None:
        run = self.runs[member.run]
        with self._ending(crew, run):
            if member.begun is None:
                self._welcome(crew, run, member)
            elif run.driver is not None:
                run.driver.hear(member)

    def _see_to(self, crew: Crew, run: _Run) -> None:
        """Replace workers of a run that say nothing, and end it where nothing is left."""
        if run.driver is None or run.outcome is not None:
            return
        with self._ending(crew, run):
            run.driver.replace_silent()
            run.driver.look()
            if run.driver.is_through:
                self._end(crew, run, self._outcome(run, run.driver))

    def _welcome(self, crew: Crew, run: _Run, member: Member) -> None:
        """A worker has begun, or cannot, which is no reason to end the run as long as others can."""
        began = member.heard
        try:
            begun = crew.welcome(member)
        except DeathError as error:
            run.false_starts += 1
            if run.false_starts >= FALSE_STARTS:
                raise IcvosError(
                    f"{run.options.pool}: {FALSE_STARTS} workers in a row died while they loaded the method; give each "
                    f"more memory, or use fewer, by --cpus-per-worker ({error})"
                ) from error
            return
        except IcvosError as error:
            self._refuse(crew, run, error)
            return
        try:
            _require_like_the_first(run, begun)
        except IcvosError as error:
            crew.dismiss(member)
            self._refuse(crew, run, error)
            return
        run.false_starts, self.loading_s = 0, member.heard - began
        if run.driver is None:
            self._open(crew, run, begun)

    def _refuse(self, crew: Crew, run: _Run, error: IcvosError) -> None:
        """A worker cannot serve a run where it is: others do, or one more tries."""
        run.refused += 1
        others = [member for member in crew.members.values() if member.run == run.out]
        if not others and run.refused >= min(TRIES, crew.places):
            raise error
        self.note(f"{run.options.pool}: one worker less{self._of(run, ' for ')}: {error}")

    def _open(self, crew: Crew, run: _Run, begun: Begun) -> None:
        run.made_by = begun.made_by

        def start(done: int, total: int) -> None:
            run.shown, run.masks = done, total
            runs = self.runs.values()
            self.start(sum(one.shown for one in runs), sum(one.masks for one in runs))

        def advance(clip: Clip, masks: int) -> None:
            run.shown += masks
            self.advance(run.options, clip, masks)

        going = run.closing.enter_context(
            opened(self.benchmark, self.clips, run.out, run.options, begun.made_by, start=start, advance=advance)
        )
        run.driver = Driver(going, crew)
        run.closing.callback(run.driver.release)

    @contextlib.contextmanager
    def _ending(self, crew: Crew, run: _Run) -> Iterator[None]:
        """An error of a run ends that run alone."""
        try:
            yield
        except IcvosError as error:
            self._end(crew, run, error)

    def _end(self, crew: Crew, run: _Run, outcome: Outcome) -> None:
        run.outcome = outcome
        for member in tuple(crew.members.values()):
            if member.run == run.out:
                crew.dismiss(member)
        try:
            run.closing.close()
        except IcvosError as error:
            run.outcome = outcome if isinstance(outcome, IcvosError) else error

    def _outcome(self, run: _Run, driver: Driver) -> Outcome:
        """What came of a run that is through."""
        for (draw, clip), error in sorted(driver.given_up.items()):
            self.note(f"{self._of(run)}draw {draw}, {clip}: {error}")
        if not driver.given_up:
            return run.draws
        asked = len(driver.going.work)
        return UnfinishedError(f"{len(driver.given_up)} of {asked} clips failed, see the warnings above", run.draws)

    def _of(self, run: _Run, word: str = "") -> str:
        """What names a run in a note, where there are several."""
        if not self.names_methods:
            return ""
        return f"{word}{run.options.method}" if word else f"{run.options.method}, "

    def _demands(self, crew: Crew, but: Member | None = None) -> dict[Path, Demand]:
        """What the runs want, in seconds; as seen by the member ``but``, which is free.

        Nothing of one whose method was refused in every place where no worker serves it.
        """
        known = [run.driver.seconds_per_frame for run in self.runs.values() if run.driver is not None]
        rates = [rate for rate in known if rate is not None]
        usual = sum(rates) / len(rates) if rates else 1.0
        found = {}
        for out, run in self.runs.items():
            demand = _demand(run, crew, usual, but)
            is_full = run.refused and demand.workers and demand.workers + run.refused >= crew.places
            if run.outcome is None and (not is_full or (but is not None and but.run == out)):
                found[out] = demand
        return found


def _demand(run: _Run, crew: Crew, usual: float, but: Member | None) -> Demand:
    """What a run wants; a frame takes the ``usual`` seconds where it is not known yet how many."""
    workers = [member for member in crew.members.values() if member.run == run.out and member is not but]
    rate, left = usual, run.whole
    if run.driver is not None:
        left = run.driver.dispatch.free
        rate = run.driver.seconds_per_frame or usual
    free = sum(member.begun is None or member.waited_for is None for member in workers)
    return Demand(left.jobs, rate * left.longest, rate * left.total, len(workers), free)


def _require_like_the_first(run: _Run, begun: Begun) -> None:
    """Refuse a worker that would make other masks than the first of a run."""
    if run.made_by is None:
        return
    for draw, first in run.made_by.wanted.items():
        one, other = begun.made_by.wanted[draw].to_json(), first.to_json()
        for key in other:
            if one.get(key) != other[key]:
                raise IcvosError(
                    f"a worker on {begun.host} has {key} {one.get(key)!r}, the first has {other[key]!r}; "
                    "all must make the same masks"
                )
