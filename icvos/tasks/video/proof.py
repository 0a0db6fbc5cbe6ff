"""A result on videos proves itself: every figure over clips is made anew from the clips, and must be what it says."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from icvos.categories import category
from icvos.errors import IcvosError
from icvos.files.schema import ROUND_OFF
from icvos.protocol import protocol
from icvos.tasks.result import REMEDY, first_difference
from icvos.tasks.video.benchmark import Benchmark, guess_source
from icvos.tasks.video.means import summarise
from icvos.tasks.video.predictions import counted_frames
from icvos.tasks.video.result import Clip, ClipDraw, VideoResult


def prove(result: VideoResult, where: str) -> None:
    """Raise `IcvosError`, which names the key, where a figure does not follow from the clips.

    Means, counts, draws, the interval and the analysis are compared up to round-off. What a result of an older program
    leaves out is not asked for; an interval from too few videos is never shown, and not compared.
    """
    for key, problem in _faults(result):
        raise IcvosError(f"{where}: {key} {problem}; {REMEDY}")


def confirm(result: VideoResult, benchmark: Benchmark, where: str) -> None:
    """Raise `IcvosError`, which names the key, where a result contradicts the benchmark that it says it is on."""
    for key, problem in _contradictions(result, benchmark):
        raise IcvosError(f"{where}: {key} {problem}; {REMEDY}")


def _contradictions(result: VideoResult, benchmark: Benchmark) -> Iterator[tuple[str, str]]:
    draws = result.benchmark.draws if result.benchmark else None
    for key, stated, real in (
        ("benchmark.clips", result.benchmark_clips, len(benchmark.clips)),
        ("benchmark.draws", draws, benchmark.draws),
        ("benchmark.name", result.benchmark.name if result.benchmark else None, benchmark.title),
        ("benchmark.drawn", result.drawn if result.benchmark else None, benchmark.drawn),
    ):
        if stated is not None and stated != real:
            yield key, f"is {stated}, {benchmark.name} has {real}"
    known, scored = {clip.id: clip for clip in benchmark.clips}, protocol(result.protocol)
    for name, found in result.clips.items():
        if name not in known:
            yield f"clips.{name}", f"is no clip of {benchmark.name}"
            continue
        frames = len(counted_frames(known[name], scored))
        if found.frames not in (None, frames):
            yield f"clips.{name}.frames", f"is {found.frames}, in {benchmark.name} {frames} count"
        if found.instances not in (None, known[name].instances):
            yield f"clips.{name}.instances", f"is {found.instances}, in {benchmark.name} {known[name].instances}"
    sources = {known[name].video.source for name in result.clips if name in known}
    if result.sources and result.sources.keys() != sources:
        yield "sources", f"are {', '.join(result.sources)}, in {benchmark.name} {', '.join(sorted(sources))}"


def _faults(result: VideoResult) -> Iterator[tuple[str, str]]:
    """Keys and what is wrong with them, the clips' first."""
    if not result.clips:
        yield "clips", "is empty, and without clips no figure can be made anew"
    numbers = _numbers(result)
    for name, clip in result.clips.items():
        for key, problem in _clip_faults(name, clip, numbers):
            yield f"clips.{name}{key}", problem
    if len(set(numbers)) < len(numbers):
        yield "overall.draws", "has a draw twice"
    if uncounted := next((name for name, clip in result.clips.items() if clip.frames is None), None):
        yield f"clips.{uncounted}.frames", "is missing, and without it frames cannot be counted anew"
        return
    total = result.benchmark.draws if result.benchmark else None
    if total is not None and max(numbers) >= max(1, total):
        yield "overall.draws", f"has draw {max(numbers)}, the benchmark has {total}"
    stated, found = _stated(result), _made_anew(result, numbers)
    if key := first_difference(stated, found, tolerance=ROUND_OFF):
        yield key, "does not follow from the clips"
    for part, groups in (
        *((key, (key,)) for key in ("categories", "sources")),
        *((f"analysis.{key}", ("analysis", key)) for key in ("length", "area", "instances")),
    ):
        own, all_of_them = _inside(stated, groups), _inside(found, groups)
        if own and (missing := all_of_them.keys() - own.keys()):
            yield f"{part}.{min(missing)}", "is missing"


def _inside(value: Mapping[str, Any], keys: Sequence[str]) -> Mapping[str, Any]:
    """What lies at ``keys``; {} where nothing does."""
    for key in keys:
        value = value.get(key) or {}
    return value


def _numbers(result: VideoResult) -> Sequence[int]:
    """The numbers of the draws: those of the first clip; where it has none, what the result says, else 0."""
    first = next(iter(result.clips.values())).draws if result.clips else ()
    return [draw.draw for draw in first] or [draw.draw or 0 for draw in result.overall.draws[:1]] or [0]


def _clip_faults(name: str, clip: Clip, numbers: Sequence[int]) -> Iterator[tuple[str, str]]:
    video, _, index = name.rpartition("/")
    try:
        known = str(category(index).index) == index
    except IcvosError:
        known = False
    if not video or not known:
        yield "", "is not <video>/<class>, with a class from 1 to 80"
    if clip.draws and [draw.draw for draw in clip.draws] != list(numbers):
        yield ".draws", "are others than those of the first clip"
    for key, value in (("j", clip.j), ("f", clip.f)):
        draws = [{"j": draw.j, "f": draw.f}[key] for draw in clip.draws]
        if draws and abs(sum(draws) / len(draws) - value) > ROUND_OFF:
            yield f".{key}", "is not the mean of its draws"
    if clip.shown is not None and clip.frames is not None:
        yield from _equal_faults(clip, clip.shown, clip.frames)


def _equal_faults(clip: Clip, shown: int, frames: int) -> Iterator[tuple[str, str]]:
    """Counts of frames that contradict each other, or J: equal masks have a J of 1, and only they."""
    if shown > frames:
        yield ".shown", "is more than its frames"
    if "area" in clip.model_fields_set and (clip.area is None) != (shown == 0):
        yield ".area", "does not agree with shown"
    for position, draw in enumerate(clip.draws):
        right = draw.j >= 1 - ROUND_OFF
        if draw.equal is None:
            yield f".draws[{position}].equal", "is missing, though shown is there"
        elif draw.equal > shown or (right and draw.equal < shown) or draw.equal > draw.j * frames + frames * ROUND_OFF:
            yield f".draws[{position}].equal", "contradicts its j, or shown"


def _made_anew(result: VideoResult, numbers: Sequence[int]) -> Mapping[str, Any]:
    """All figures over clips, from the clips."""
    clips = {name: _with_draws(clip, numbers) for name, clip in result.clips.items()}
    sources = {name: _source(name.rpartition("/")[0], result) for name in clips}
    found = summarise(clips, sources, protocol=result.protocol, digest=result.digest, run=result.run)
    return found.model_dump(mode="json", by_alias=True)


def _with_draws(clip: Clip, numbers: Sequence[int]) -> Clip:
    """The clip with a draw, where an older program left single draws out."""
    if clip.draws:
        return clip
    return clip.model_copy(update={"draws": (ClipDraw(draw=numbers[0], j=clip.j, f=clip.f),)})


def _source(video: str, result: VideoResult) -> str:
    """The source of a video: the prefix that a build gives its name, or a guess as in the published layout."""
    prefixes = [source for source in result.sources if video.startswith(f"{source}_")]
    return max(prefixes, key=len, default=None) or guess_source(video)


def _stated(result: VideoResult) -> dict[str, Any]:
    """What the result says of several clips; without what it leaves out, and what is never shown."""
    value = result.to_json()
    found = {key: value[key] for key in ("overall", "categories", "sources", "analysis") if value.get(key)}
    if result.overall.sure is None:
        found["overall"].pop("interval", None)
    if not found["overall"].get("draws") and not next(iter(result.clips.values())).draws:
        found["overall"].pop("draws", None)
    return found
