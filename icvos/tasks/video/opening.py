"""A run on videos is opened: which draws, by which method, what is there of it already."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from icvos.errors import IcvosError, stoppable
from icvos.files.leases import Leases
from icvos.files.leftovers import remove_leftovers
from icvos.guard import guarded
from icvos.method import Segmenter, load_method, method_class, sees_truth
from icvos.models.needs import require_usable
from icvos.tasks.record import RECORD, RunBenchmark, RunRecord
from icvos.tasks.runs import CLAIMS, SCRATCH, RunOptions, identity, open_record, refuse_other_parts, versions
from icvos.tasks.video.benchmark import Benchmark, Clip
from icvos.tasks.video.going import Going, is_done
from icvos.tasks.video.records import OPENING, Records
from icvos.tasks.video.together import Maker, Work

ALL = "all"  # the claim on the whole run


@dataclass(frozen=True, slots=True)
class MadeBy:
    """What the records of a run say of who makes it, found out where the method is loaded.

    Args:
        wanted: By draw the `icvos.tasks.runs.identity` of the run.
        versions: `icvos.tasks.runs.versions` there.
        shares: Whether clips of a video are made together.
    """

    wanted: Mapping[int, RunRecord]
    versions: Mapping[str, str]
    shares: bool


def draws_of(benchmark: Benchmark, clips: Sequence[Clip], options: RunOptions) -> tuple[int, ...]:
    """The draws that are asked for, else all; `IcvosError` where supports for them are missing.

    A method that sees the truth does not depend on the supports and runs draw 0 alone.
    """
    if sees_truth(method_class(options.method)):
        return (0,)
    every = range(benchmark.draws) or (0,)  # 0 for the error that names what is missing
    draws = tuple(every if options.parts is None else dict.fromkeys(options.parts))
    for clip in clips:
        for draw in draws:
            benchmark.supports(clip, draw, options.shots)
    return draws


def load_maker(benchmark: Benchmark, out: Path, options: RunOptions) -> Maker:
    """Load the method; `IcvosError` where it cannot be used here."""
    require_usable(options.method, options.settings, moving=True)
    method = load_method(options.method, options.settings)
    if not isinstance(method, Segmenter):
        with guarded(options.asked()):
            method.propagator()  # loaded now, so that the record of the run names it
    return Maker(benchmark, method, options, out)


def made_by(maker: Maker, draws: Sequence[int]) -> MadeBy:
    """What the records of a run say of who makes it."""
    wanted = {draw: identity(maker.method, maker.options, _about(maker.benchmark, draw)) for draw in draws}
    return MadeBy(wanted, versions(), maker.shares)


def plan(clips: Sequence[Clip], out: Path, options: RunOptions, records: Mapping[int, RunRecord]) -> list[Work]:
    """All clips of all draws in order, with what is there already: named by its draw's record, with all its masks."""
    work = []
    for draw, record in records.items():
        for clip in clips:
            item = Work(draw, clip, frames_of(clip, options), out / f"draw{draw}" / clip.id, done=False)
            done = options.overwrite != "always" and is_done(item, record.clips.get(clip.id))
            work.append(replace(item, done=done))
    return work


def frames_of(clip: Clip, options: RunOptions) -> int:
    """How many of the first frames of a clip a run predicts."""
    return max(protocol.frame_range(len(clip.video.frames)).stop for protocol in options.protocols)


@contextlib.contextmanager
def opened(
    benchmark: Benchmark,
    clips: Sequence[Clip],
    out: Path,
    options: RunOptions,
    made_by: MadeBy,
    *,
    start: Callable[[int, int], None],
    advance: Callable[[Clip, int], None],
) -> Iterator[Going]:
    """The run in the folder ``out``, from its opening to its last record, also where the block is left by an error.

    Raises `IcvosError` where the folder holds another run, or this one is not to go on.
    """
    with _removed_if_empty(out), Leases(out / CLAIMS) as leases:
        with leases.kept(OPENING):
            found = _opened(out, options, made_by, leases)
        records = Records(out, found, {clip.id: place for place, clip in enumerate(benchmark.clips)}, leases)
        records.refresh()
        work = plan(clips, out, options, records.written)
        going = Going(options, records, leases, work, made_by.shares, start, advance)
        with stoppable(going.told):
            try:
                yield going
            finally:
                records.merge()


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
    out: Path,
    options: RunOptions,
    made_by: MadeBy,
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
    wanted = made_by.wanted
    refuse_other_parts(out, "draw", wanted, tuple(wanted) if remakes else (), alone=not others)
    new = RunRecord(frames=0, seconds_per_frame=None, clips={}, versions=dict(made_by.versions))
    return {
        draw: open_record(out / f"draw{draw}" / RECORD, record, new, options.overwrite, alone=not others)
        for draw, record in wanted.items()
    }


def _about(benchmark: Benchmark, draw: int) -> RunRecord:
    """What a draw is run on, as its record says it."""
    about = RunBenchmark(name=benchmark.name, digest=benchmark.digest, clips=len(benchmark.clips))
    return RunRecord(benchmark=about, draw=draw)
