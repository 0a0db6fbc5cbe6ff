"""Runs of several methods in this process, all of them in one pass over each video.

A frame is read once for all, and what several methods see of it by the same network is computed once
(`icvos.sharing.seen_by`). All are loaded at once. The masks are those of each run by itself. As in `predict.run` other
processes may work on the same runs: each claims the videos of every run.
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from icvos.errors import IcvosError, stoppable
from icvos.sharing import networks_in_common
from icvos.tasks.runs import Outcome, RunOptions, claim, require_supports_taken
from icvos.tasks.video.benchmark import Benchmark, Clip
from icvos.tasks.video.going import WAIT_S, Going, Job, LostError, several_failed, told
from icvos.tasks.video.opening import draws_of, load_maker, made_by, opened
from icvos.tasks.video.together import Followed, Made, Maker, Work, follow


@dataclass(slots=True, eq=False)
class _Run:
    """One of the runs.

    Args:
        options: How it is run.
        maker: Makes its clips.
        draws: Its draws.
        shown: How many of its masks are made.
        masks: How many it has in all.
        failed: Of clips that failed, where the run went on.
        outcome: What came of it; None: it goes on.
    """

    options: RunOptions
    maker: Maker
    draws: tuple[int, ...]
    shown: int = 0
    masks: int = 0
    failed: list[IcvosError] = field(default_factory=list)
    outcome: Outcome | None = None
    closing: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    going: Going | None = None
    left: dict[str, Job] = field(default_factory=dict)

    def end(self, outcome: Outcome) -> None:
        """Nothing more is made of it."""
        self.outcome, self.left = outcome, {}

    def close(self) -> None:
        """Write the last record; where that fails, this is what came of the run, unless something else went wrong."""
        try:
            self.closing.close()
        except IcvosError as error:
            self.outcome = self.outcome if isinstance(self.outcome, IcvosError) else error


def run_together(
    benchmark: Benchmark,
    clips: Sequence[Clip],
    runs: Mapping[Path, RunOptions],
    *,
    start: Callable[[int, int], None],
    advance: Callable[[RunOptions, Clip, int], None],
) -> dict[Path, Outcome]:
    """As `icvos.tasks.video.predict.run` for each of ``runs``; by folder its draws, or the error that ended it alone.

    ``start`` and ``advance`` are told of the masks of all runs together.
    """
    outcomes: dict[Path, Outcome] = {}
    made: dict[Path, _Run] = {}

    def how_far() -> str:
        done = sum(run.going.done for run in made.values() if run.going is not None)
        return told(done, sum(len(clips) * len(run.draws) for run in made.values()))

    with networks_in_common(), contextlib.ExitStack() as stack:
        for out, options in runs.items():
            try:
                require_supports_taken(options, draws=True)
                maker = load_maker(benchmark, out, options)
                draws = draws_of(benchmark, clips, options)
                claim(out, "draw", options.overwrite)
            except IcvosError as error:
                outcomes[out] = error
                continue
            made[out] = _Run(options, maker, draws)
            stack.callback(made[out].close)
        stack.enter_context(stoppable(how_far))
        for out, run in made.items():
            with _ending(run):
                _open(benchmark, clips, out, run, made, start, advance)
        _make_all([run for run in made.values() if run.outcome is None])
    outcomes |= {out: run.outcome for out, run in made.items() if run.outcome is not None}
    return {out: outcomes[out] for out in runs}


def _open(
    benchmark: Benchmark,
    clips: Sequence[Clip],
    out: Path,
    run: _Run,
    made: Mapping[Path, _Run],
    start: Callable[[int, int], None],
    advance: Callable[[RunOptions, Clip, int], None],
) -> None:
    """Open a run, and find out what is left of it."""

    def started(done: int, total: int) -> None:
        run.shown, run.masks = done, total
        start(sum(one.shown for one in made.values()), sum(one.masks for one in made.values()))

    def advanced(clip: Clip, masks: int) -> None:
        run.shown += masks
        advance(run.options, clip, masks)

    opening = opened(benchmark, clips, out, run.options, made_by(run.maker, run.draws), start=started, advance=advanced)
    run.going = run.closing.enter_context(opening)
    run.left = {job.name: job for job in run.going.left()}


def _make_all(runs: Sequence[_Run]) -> None:
    """Make whatever nobody else makes, video by video; a shard leaves what others are making to them."""
    while names := list(dict.fromkeys(name for run in runs for name in run.left)):
        before = sum(len(run.left) for run in runs)
        for name in names:
            _make_video(name, [run for run in runs if name in run.left])
        others_work = sum(len(run.left) for run in runs) == before
        for run in runs:
            if others_work and run.left and run.options.shard is not None:
                run.end(())  # the last of them scores it
        if others_work:
            time.sleep(WAIT_S)
    for run in runs:
        if run.outcome is None:
            run.end(several_failed(run.failed) if run.failed else run.draws)


@dataclass(frozen=True, slots=True)
class _Claimed:
    """A video of a run that this process has claimed, and what is missing of it."""

    run: _Run
    going: Going
    job: Job
    missing: Sequence[Work]


def _make_video(name: str, runs: Sequence[_Run]) -> None:
    """Make what is missing of a video in all runs in which no other process has claimed it."""
    with contextlib.ExitStack() as stack:
        claimed = []
        for run in runs:
            job, going = run.left[name], run.going
            assert going is not None
            with _ending(run):
                missing = going.begin(job)
                if missing is not None:
                    stack.callback(going.end, job)
                    claimed.append(_Claimed(run, going, job, missing))
        shares = [one for one in claimed if one.run.maker.shares and one.missing]
        try:
            if shares:
                _follow(shares)
            for one in claimed:
                if one not in shares:
                    for news in one.run.maker.make(one.missing, one.going.ready(one.job)):
                        _take(one, news)
                        if one.run.outcome is not None:
                            break
        except LostError:
            return
        for one in claimed:
            one.run.left.pop(name, None)


def _follow(claimed: Sequence[_Claimed]) -> None:
    """Make the clips of methods that share frames, all in one pass; nobody is left where no frame can be read."""
    asked_for = [Followed(one.run.maker, one.missing, one.going.ready(one.job)) for one in claimed]
    try:
        for place, news in follow(asked_for):
            _take(claimed[place], news)
    except IcvosError as error:
        for one in claimed:
            _take(one, Made((), [(item, error) for item in one.missing]))


def _take(one: _Claimed, news: Clip | Made) -> None:
    """What came of it is recorded. An error ends a run, but a shard, which goes on with its other videos."""
    if one.run.outcome is not None:
        return
    with _ending(one.run):
        one.going.take(one.job, news)
        if isinstance(news, Made) and news.error is not None:
            if one.run.options.shard is None:
                raise news.error
            one.run.failed.append(news.error)


@contextlib.contextmanager
def _ending(run: _Run) -> Iterator[None]:
    """An error of a run ends that run alone."""
    try:
        yield
    except IcvosError as error:
        run.end(error)
