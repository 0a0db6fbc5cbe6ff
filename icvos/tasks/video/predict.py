"""A method over many clips: from a benchmark to a run folder of predictions, resumable and bounded in memory.

A run folder holds one prediction folder for every support draw: ``draw0/<video>/<class>/<frame>.png`` and its
``draw0/run.json``. A clip appears whole or not at all, and counts once the record names it; running again makes the
rest. One process works on a run folder at a time.

All clips of a video, of all draws, are followed in step where the method can (`icvos.method.SharesFrames`): its frames
are read once. Other methods' clips are run one after the other, draw by draw.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from icvos.errors import AGAIN, stoppable
from icvos.files.leftovers import remove_leftovers
from icvos.files.locks import lock_folder
from icvos.files.schema import write_schema
from icvos.guard import guarded
from icvos.method import AnyMethod, Segmenter, load_method, sees_truth
from icvos.models.needs import require_usable
from icvos.tasks.record import RECORD, ClipRun, RunBenchmark, RunRecord
from icvos.tasks.runs import (
    SCRATCH,
    RunOptions,
    claim,
    identity,
    now,
    open_record,
    refuse_other_parts,
    require_supports_taken,
)
from icvos.tasks.video.benchmark import Benchmark, Clip
from icvos.tasks.video.together import Work, groups, predict_group


def plan(clips: Sequence[Clip], out: Path, options: RunOptions, records: Mapping[int, RunRecord]) -> list[Work]:
    """All clips of all draws in order, with what is there already: named by its draw's record, with all its masks."""
    work = []
    for draw, record in records.items():
        for clip in clips:
            frames = max(protocol.frame_range(len(clip.video.frames)).stop for protocol in options.protocols)
            folder = out / f"draw{draw}" / clip.id
            made = record.clips.get(clip.id)
            done = (
                options.overwrite != "always"
                and made is not None
                and made.frames >= frames
                and all(_has_content(folder / f"{frame}.png") for frame in clip.video.frames[:frames])
            )
            work.append(Work(draw, clip, frames, folder, done))
    return work


def _has_content(path: Path) -> bool:
    """Whether a mask is there; a power failure may leave it empty."""
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
    """Predict ``clips`` into the run folder ``out``; the draws that were run.

    A method that sees the truth does not depend on the supports and runs one draw. ``start`` is told the number of
    frames that are done and in all, ``advance`` of every frame made.
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
    with lock_folder(out):
        remove_leftovers(out / SCRATCH)
        records = _opened(benchmark, method, out, options, draws)
        work = plan(clips, out, options, records)
        start(sum(item.frames for item in work if item.done), sum(item.frames for item in work))
        for draw in draws:
            again = {item.clip.id for item in work if item.draw == draw and not item.done}
            if again & records[draw].clips.keys():
                kept = {clip: made for clip, made in records[draw].clips.items() if clip not in again}
                records[draw] = _with_clips(records[draw], kept)
                write_schema(out / f"draw{draw}" / RECORD, records[draw])
        done = sum(item.done for item in work)
        with stoppable(lambda: f"{done} of {len(work)} clips are done; {AGAIN} to go on"):
            for group in groups([item for item in work if not item.done], method):
                made = predict_group(benchmark, method, group, options, out, advance)
                for item, one in made.clips:
                    record = records[item.draw]
                    records[item.draw] = _with_clips(record, {**record.clips, item.clip.id: one})
                for draw in {item.draw for item, _ in made.clips}:
                    write_schema(out / f"draw{draw}" / RECORD, records[draw])
                done += len(made.clips)
                if made.error is not None:
                    raise made.error
    return draws


def _opened(
    benchmark: Benchmark, method: AnyMethod, out: Path, options: RunOptions, draws: Sequence[int]
) -> dict[int, RunRecord]:
    """The record so far of every draw; `IcvosError` where the folder holds draws of another method."""
    wanted = {draw: identity(method, options, _about(benchmark, draw)) for draw in draws}
    refuse_other_parts(out, "draw", wanted, draws if options.overwrite == "always" else ())
    new = RunRecord(frames=0, seconds_per_frame=None, clips={})
    return {
        draw: open_record(out / f"draw{draw}" / RECORD, record, new, options.overwrite)
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


def _with_clips(record: RunRecord, clips: dict[str, ClipRun]) -> RunRecord:
    """The record with these clips, and its figures over them."""
    frames = sum(one.frames for one in clips.values())
    seconds = round(sum(one.seconds for one in clips.values()) / frames, 4) if frames else None
    return record.model_copy(update={"clips": clips, "finished": now(), "frames": frames, "seconds_per_frame": seconds})
