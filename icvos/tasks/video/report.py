"""Results on videos in words and tables, for a terminal."""

from collections.abc import Iterator, Mapping, Sequence

from pydantic import Field

from icvos.categories import category
from icvos.errors import IcvosError, plural
from icvos.files.schema import Schema
from icvos.tasks.listing import DASH, Listing, percent, signed_percent
from icvos.tasks.result import Named, Report, Selection, caveats, copies, few_videos
from icvos.tasks.video.analysis import analyse
from icvos.tasks.video.comparison import Compared, Comparison, compare, require_comparable
from icvos.tasks.video.means import summarise
from icvos.tasks.video.result import Analysis, BenchmarkCounts, Bin, Ceiling, ClipDraw, Pair, VideoResult

Row = tuple[str, ...]


def lines(result: VideoResult, where: str) -> Sequence[str]:
    """The overall figures of a result in one line, below a warning where its masks are copies of the truth."""
    overall = result.overall
    interval = f"(no interval: {few_videos(overall.videos)})  "
    if overall.sure is not None:
        low, high = overall.sure.jf
        interval = f"[{percent(low)}, {percent(high)}]  "
    return (
        *copies(result),
        f"{result.protocol}: J {percent(overall.j)}  F {percent(overall.f)}  J&F {percent(overall.jf)} {interval}"
        f"{_extent(result)}, {plural(overall.frames, 'frame')}, {_draws_words(result)} -> {where}",
    )


def _extent(result: VideoResult) -> str:
    clips, total = result.overall.clips, result.benchmark_clips or 0
    return f"{clips:,} of {plural(total, 'clip')} (partial)" if clips < total else plural(clips, "clip")


def _draws_words(result: VideoResult) -> str:
    return result.draws_note or plural(len(result.overall.draws), "draw")


class WorstClip(Pair):
    """One of the worst clips: means over support draws."""

    category: str = Field(description="What is to be found in it.")
    worst_draw: ClipDraw | None = Field(description="The draw of its lowest J&F; null where no single draws are known.")


class ReportContent(Schema):
    """``icvos report --json``."""

    name: str = Field(description="What the run is called.")
    protocol: str = Field(description="The protocol's id.")
    digest: str | None = Field(description="Of the benchmark that was scored against.")
    caveats: tuple[str, ...] = Field(description="What must be said beside the figures, as that they are partial.")
    analysis: Analysis = Field(description="Where the run is good and where it fails.")
    worst: dict[str, WorstClip] = Field(description="The clips of the lowest J&F, the lowest first.")


def report(result: VideoResult, named: Named, ceiling: Named | None, most: int) -> Report:
    """The analysis of a result, with shares of a ceiling where one is given, and its ``most`` worst clips.

    Raises `IcvosError` for a result that lacks what an analysis needs, and for a ceiling that cannot be compared.
    """
    highest = None
    if ceiling is not None:
        highest = _on_videos(ceiling)
        require_comparable(result, highest, named.where, ceiling.where)
    if not result.clips or not all(clip.analysable for clip in result.clips.values()):
        raise IcvosError(
            f"{named.where}: written before results held what an analysis needs; score the predictions again with: "
            "icvos score"
        )
    found = analyse(result.clips, highest.clips if highest else None)
    columns = ("", "clips", "frames", "J", "F", "J&F", *(["of ceiling"] if found.ceiling else []))
    title = ", ".join((named.name, result.protocol, *caveats(result))) + (
        f"; ceiling: {ceiling.name}" if ceiling else ""
    )
    worst = {name: _worst(result, name) for name in result.worst(most)}
    tables = [Listing(title, columns, tuple(_rows(result, found)))]
    if worst:
        tables.append(_worst_listing(worst, len(result.parts)))
    return Report(
        tables,
        notes=tuple(_notes(result, found, ceiling)),
        content=ReportContent(
            name=named.name,
            protocol=result.protocol,
            digest=result.digest,
            caveats=caveats(result),
            analysis=found,
            worst=worst,
        ),
    )


def _worst(result: VideoResult, name: str) -> WorstClip:
    clip, kind = result.clips[name], category(name.rpartition("/")[2]).name
    return WorstClip(j=clip.j, f=clip.f, jf=clip.jf, category=kind, worst_draw=clip.worst_draw)


def _worst_listing(worst: Mapping[str, WorstClip], draws: int) -> Listing:
    """The clips with their figures, and of several draws the worst one."""
    rows = []
    for name, clip in worst.items():
        low = clip.worst_draw
        own = ("draw " + str(low.draw), percent((low.j + low.f) / 2)) if low and draws > 1 else ()
        rows.append((name, clip.category, *_figures(clip), *own))
    columns = ("clip", "category", "J", "F", "J&F", *(("worst draw", "J&F") if draws > 1 else ()))
    return Listing(f"worst clips, {len(worst)}", columns, tuple(rows))


def _on_videos(named: Named) -> VideoResult:
    if not isinstance(named.result, VideoResult):
        raise IcvosError(f"{named.where}: not on videos; give a result on the same benchmark")
    return named.result


def _notes(result: VideoResult, found: Analysis, ceiling: Named | None) -> Iterator[str]:
    if ceiling:
        yield from (f"{ceiling.name} is {caveat}" for caveat in caveats(ceiling.result))
    if ceiling and not any(record.sees_truth for record in ceiling.result.records.values()):
        yield f"{ceiling.name} does not say that it sees the truth; is it a ceiling?"
    if ceiling and found.ceiling and found.ceiling.clips < result.overall.clips:
        yield f"{ceiling.name} has {found.ceiling.clips} of the {result.overall.clips} clips"


def restricted(result: VideoResult, selection: Selection, where: str) -> VideoResult:
    """The result on the selected clips, its means made anew; `IcvosError` where nothing matches."""
    if not selection:
        return result
    videos = {clip.rpartition("/")[0] for clip in result.clips}
    short = {video.partition("_")[2] for video in videos}
    kinds = {category(key).index for key in selection.categories}
    for option, unknown in (
        ("videos", [name for name in selection.videos if name not in videos | short]),
        ("clips", [name for name in selection.clips if name not in result.clips]),
    ):
        if unknown:
            like = next(iter(videos if option == "videos" else result.clips), "none")
            raise IcvosError(f"{where}: no {', '.join(unknown)} for --{option}; the result has names like {like}")
    chosen = {}
    for clip, found in result.clips.items():
        video, _, index = clip.rpartition("/")
        wanted = not selection.videos or {video, video.partition("_")[2]} & set(selection.videos)
        if wanted and (not kinds or int(index) in kinds) and (not selection.clips or clip in selection.clips):
            chosen[clip] = found
    chosen = dict(list(chosen.items())[: selection.limit])
    if not chosen:
        raise IcvosError(f"{where}: no clip has all that --videos, --categories and --clips ask for; ask for less")
    if not all(found.draws for found in chosen.values()):
        raise IcvosError(f"{where}: has no figures of single draws; score the predictions again with: icvos score")
    total = result.benchmark_clips or len(result.clips)
    benchmark = result.benchmark or BenchmarkCounts(clips=total, draws=None)
    return summarise(chosen, {}, protocol=result.protocol, digest=result.digest, run=result.run, benchmark=benchmark)


def _rows(result: VideoResult, found: Analysis) -> Iterator[Row | None]:
    overall, ceiling = result.overall, found.ceiling
    counts = f"{overall.clips:,}", f"{overall.frames:,}"
    yield ("all clips", *counts, *_figures(overall), *([percent(ceiling.share.jf)] if ceiling else []))
    for name, j, f in (
        ("recall", overall.j_recall, overall.f_recall),
        ("decay", overall.j_decay, overall.f_decay),
    ):
        if j is not None:
            yield (f"  {name}", "", "", percent(j), percent(f))
    if ceiling:
        yield ("  ceiling", f"{ceiling.clips:,}", "", *_figures(ceiling))
    bins = (("length", found.length), ("first-frame area", found.area), ("number of instances", found.instances))
    for heading, groups in bins:
        yield from _section(heading, groups)
    yield None
    yield ("absence",)
    for heading, group in (("disappearance", found.disappearance), ("reappearance", found.reappearance)):
        if group is None:
            yield (f"  {heading}", "0")
        else:
            yield (
                f"  {heading}",
                f"{group.clips:,}",
                "" if group.frames is None else f"{group.frames:,}",
                *_figures(group),
            )
    yield None
    yield ("propagation",)
    parts = found.propagation
    for heading in ("first frame", "frames after it", "drop"):
        if parts is None:
            yield (f"  {heading}", "0")
        else:
            part = {"first frame": parts.first, "frames after it": parts.after, "drop": parts.drop}[heading]
            figures = (DASH,) * 3 if part is None else (percent(part.j), percent(part.f), percent(part.jf))
            yield (f"  {heading}", f"{parts.clips:,}", "", *figures)


def _section(heading: str, groups: Mapping[str, Bin]) -> Iterator[Row | None]:
    yield None
    yield (heading,)
    for name, group in groups.items():
        share = [percent(group.of_ceiling)] if "of_ceiling" in group.model_fields_set else []
        frames = "" if group.frames is None else f"{group.frames:,}"
        yield (f"  {name}", f"{group.clips:,}", frames, *_figures(group), *share)


def _figures(found: Pair | Ceiling) -> Row:
    return percent(found.j), percent(found.f), percent(found.jf)


class ComparedRun(Schema):
    """One side of a comparison."""

    name: str = Field(description="What the run is called.")
    path: str = Field(description="Where its result lies.")
    draws: tuple[int | None, ...] = Field(description="The support draws that it is a mean over.")
    shots: int | None = Field(description="Supports of each clip; null where nobody knows.")
    caveats: tuple[str, ...] = Field(description="What must be said beside its figures, as that they are partial.")


class _Sides(Schema):
    a: ComparedRun = Field(description="The first run.")
    b: ComparedRun = Field(description="The second run.")


class ComparisonContent(Comparison, _Sides):
    """``icvos diff --json``: the two sides, then the comparison."""


def compared(named: Named, other: Named, most: int) -> Report:
    """Two results clip by clip; `IcvosError` where they cannot be compared."""
    a, b = _on_videos(named), _on_videos(other)
    found = compare(a, b, named.where, other.where)
    sides = [
        ComparedRun(name=side.name, path=side.where, draws=_draws(result), shots=result.shots, caveats=caveats(result))
        for side, result in ((named, a), (other, b))
    ]
    return Report(
        comparison_tables(found, most),
        lines=(verdict(found),),
        notes=tuple(_comparison_notes(found, *sides)),
        content=ComparisonContent(a=sides[0], b=sides[1], **dict(found)),
    )


def _draws(result: VideoResult) -> tuple[int | None, ...]:
    return tuple(draw.draw for draw in result.overall.draws)


def _comparison_notes(found: Comparison, a: ComparedRun, b: ComparedRun) -> Iterator[str]:
    """What a reader of the comparison must know about its two sides."""
    yield from (f"{letter} is {caveat}" for letter, side in (("A", a), ("B", b)) for caveat in side.caveats)
    for side, only in (("A", found.only_a), ("B", found.only_b)):
        if only:
            some = ", ".join(only[:5]) + (", ..." if len(only) > 5 else "")
            yield f"{len(only)} clips are in {side} alone and left out: {some}"
    if found.digest is None:
        yield "neither result names the benchmark's digest; make sure that both were scored against the same one"
    if a.draws != b.draws:
        yield f"means over different support draws: {list(a.draws)} of A, {list(b.draws)} of B"
    if None not in (a.shots, b.shots) and a.shots != b.shots:
        yield f"made with different numbers of supports: {a.shots} of A, {b.shots} of B"


def comparison_tables(found: Comparison, most: int) -> Sequence[Listing]:
    """A comparison as tables: over all clips, by category, and the ``most`` clips where the two part most."""
    parting = [(clip, pair) for clip, pair in found.by_clip.items() if pair.difference]
    apart = {_with_category(clip): pair for clip, pair in parting[: max(0, most)]}
    categories = tuple(
        (name, str(pair.clips), percent(pair.a), percent(pair.b), signed_percent(pair.difference))
        for name, pair in found.categories.items()
    )
    tables = (_overall(found), Listing("J&F by category", ("category", "clips", "A", "B", "A - B"), categories))
    return (*tables, _clips(apart)) if apart else tables


def _overall(found: Comparison) -> Listing:
    rows = []
    for heading, pair in (("J", found.overall.j), ("F", found.overall.f), ("J&F", found.overall.jf)):
        interval = DASH if pair.interval is None else " to ".join(map(signed_percent, pair.interval))
        figures = percent(pair.a), percent(pair.b), signed_percent(pair.difference)
        verdict = pair.verdict.replace("a is", "A is").replace("b is", "B is")
        rows.append((heading, *figures, interval, _probability(pair.probability), verdict))
    title = f"{found.protocol}, {plural(found.clips, 'clip')} of {plural(found.videos, 'video')}"
    level = f"{100 * found.bootstrap.level:g} % interval"
    return Listing(title, ("", "A", "B", "A - B", level, "P(A better)", ""), tuple(rows))


def _clips(pairs: Mapping[str, Compared]) -> Listing:
    rows = tuple(
        (name, percent(pair.a), percent(pair.b), signed_percent(pair.difference)) for name, pair in pairs.items()
    )
    return Listing("J&F where they part most", ("clip", "A", "B", "A - B"), rows)


def _with_category(clip: str) -> str:
    return f"{clip} {category(clip.rpartition('/')[2]).name}"


def _probability(value: float | None) -> str:
    """With as many digits as the samples of the bootstrap give."""
    if value is None:
        return DASH
    return ">0.9999" if value > 0.9999 else "<0.0001" if value < 0.0001 else f"{value:.4f}"


def verdict(found: Comparison) -> str:
    """Which run is better in J&F, in words."""
    pair, level = found.overall.jf, f"{100 * found.bootstrap.level:g} %"
    if pair.interval is None:
        return f"unknown: {few_videos(found.videos)}"
    low, high = map(signed_percent, pair.interval)
    difference = signed_percent(pair.difference)
    sure = f"J&F {difference} [{low}, {high}] at {level}, P(A better) {_probability(pair.probability)}"
    if pair.verdict == "tied":
        return f"tied: {sure}; the interval contains 0"
    return f"{pair.verdict[0].upper()} is better: {sure}"
