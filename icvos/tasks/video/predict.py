"""A method over many clips: from a benchmark to a run folder of predictions, resumable and bounded in memory.

A run folder holds one prediction folder for every support draw: ``draw0/<video>/<class>/<frame>.png`` and its
``draw0/run.json``. A clip appears whole or not at all, and counts once the record names it; running again makes the
rest. Several processes may work on a run folder at a time, on one machine or several: each claims a video, makes what
is missing of it, and says so (`icvos.files.leases`, `icvos.tasks.video.records`). What a process that dies had claimed
falls to the others.

All clips of a video, of all draws, are followed in step where the method can (`icvos.method.SharesFrames`): its frames
are read once. Other methods' clips of a video are run one after the other, draw by draw.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from icvos.errors import IcvosError
from icvos.tasks.pool import Pool
from icvos.tasks.runs import Outcome, RunOptions, claim, require_supports_taken
from icvos.tasks.video.benchmark import Benchmark, Clip
from icvos.tasks.video.going import WAIT_S, Going, Job, LostError, several_failed
from icvos.tasks.video.opening import draws_of, load_maker, made_by, opened
from icvos.tasks.video.together import Made, Maker


def run(
    benchmark: Benchmark,
    clips: Sequence[Clip],
    out: Path,
    options: RunOptions,
    *,
    start: Callable[[int, int], None] = lambda done, total: None,
    advance: Callable[[Clip, int], None] = lambda clip, frames: None,
    note: Callable[[str], None] = lambda text: None,
) -> tuple[int, ...]:
    """Predict ``clips`` into the run folder ``out``; the draws of the run, none where others still make some of it.

    Where other processes work on the same run, this one makes what they have not claimed. Then it waits for them; a
    shard (`RunOptions`) does not. A method that sees the truth does not depend on the supports and runs one draw.
    ``start`` is told the number of frames that are done and in all, ``advance`` of every frame made, ``note`` what the
    caller should know of workers.
    """
    if options.pool is not None:
        found = run_all(
            benchmark,
            clips,
            {out: options},
            options.pool,
            start=start,
            advance=lambda _, clip, frames: advance(clip, frames),
            note=note,
        )[out]
        if isinstance(found, IcvosError):
            raise found
        return found
    require_supports_taken(options, draws=True)
    maker = load_maker(benchmark, out, options)
    draws = draws_of(benchmark, clips, options)
    claim(out, "draw", options.overwrite)
    with opened(benchmark, clips, out, options, made_by(maker, draws), start=start, advance=advance) as going:
        is_whole = _make_all(going, maker)
    return draws if is_whole else ()


def run_all(
    benchmark: Benchmark,
    clips: Sequence[Clip],
    runs: Mapping[Path, RunOptions],
    pool: Pool | None,
    *,
    start: Callable[[int, int], None] = lambda done, total: None,
    advance: Callable[[RunOptions, Clip, int], None] = lambda options, clip, frames: None,
    note: Callable[[str], None] = lambda text: None,
) -> dict[Path, Outcome]:
    """Predict ``clips`` into several run folders; by folder what `run` gives, or would raise.

    The workers of a pool make them, or without one this process, all in one pass over each video. ``start`` is told of
    the frames of all runs together, ``advance`` of every frame and the run that it is of.
    """
    if pool is None:
        from icvos.tasks.video.joint import run_together

        return run_together(benchmark, clips, runs, start=start, advance=advance)
    from icvos.tasks.video.pooled import run_on_pool

    return run_on_pool(benchmark, clips, runs, pool, start=start, advance=advance, note=note)


def _make_all(going: Going, maker: Maker) -> bool:
    """Make in this process whatever nobody else makes; whether everything is there then."""
    shard, failed = maker.options.shard, list[IcvosError]()
    left = going.left()
    while left:
        later = [job for job in left if not _make_job(going, maker, job, failed)]
        if shard is not None and len(later) == len(left):
            return False
        left = later
        if left and shard is None:
            time.sleep(WAIT_S)
    if failed:
        raise several_failed(failed)
    return True


def _make_job(going: Going, maker: Maker, job: Job, failed: list[IcvosError]) -> bool:
    """Make what is missing of a video; False where another process has claimed it.

    An error ends a process that is alone. A shard adds it to those that ``failed``, and goes on.
    """
    missing = going.begin(job)
    if missing is None:
        return False

    try:
        for news in maker.make(missing, going.ready(job)):
            going.take(job, news)
            if isinstance(news, Made) and news.error is not None:
                if maker.options.shard is None:
                    raise news.error
                failed.append(news.error)
    except LostError:
        return False
    finally:
        going.end(job)
    return True
