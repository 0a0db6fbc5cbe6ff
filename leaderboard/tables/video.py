"""Tables of IC-VOS: J and F of clips, by category, source and condition; one for each protocol and digest."""

from collections import Counter
from collections.abc import Sequence
from typing import cast

from icvos.errors import plural
from icvos.protocol import PROTOCOLS
from icvos.tasks.result import FEWEST, few_videos
from icvos.tasks.video.result import AbsenceGroup, Analysis, Bin, Group, Overall, Pair, VideoResult
from leaderboard.entry import Entry
from leaderboard.tables.formats import percent
from leaderboard.tables.reported import PROTOCOL, REPORTED, SHOTS, VIDEOS, contradiction
from leaderboard.tables.shape import (
    Breakdown,
    Column,
    Figures,
    Row,
    Table,
    add_note,
    break_down,
    common_level,
    in_order,
    kind_of,
    mark_best,
    row_labels,
    with_notes,
)
from leaderboard.tables.ties import with_ranks

MEASURE = ("jf", "J&F")
COLUMNS = (
    Column("shots", "Shots", "count", "support images per clip", wide=True),
    Column("draws", "Draws", "count", "support draws averaged", wide=True),
    Column("j", "J", "percent", "region similarity, per cent", r"$\mathcal{J}$", "highest"),
    Column("f", "F", "percent", "contour accuracy, per cent", r"$\mathcal{F}$", "highest"),
    Column("jf", "J&F", "percent", "mean of J and F, per cent", r"$\mathcal{J}\&\mathcal{F}$", "highest"),
    Column("interval", "interval", "interval"),
    Column("clips", "Clips", "count", wide=True),
    Column("clips_total", "Clips of the benchmark", "count", shown=False),
    Column("seconds_per_frame", "s/frame", "seconds", "seconds per frame, as evaluated", better="lowest"),
)


def video_columns(parts: int) -> tuple[Column, ...]:  # noqa: ARG001  # as on images
    """The columns of a table, whatever the number of draws."""
    return COLUMNS


def video_table(entries: Sequence[Entry], reported: bool) -> Table:
    """The table of results that share protocol and digest; ``reported`` puts the paper's own beneath."""
    first = _result(entries[0])
    totals = {id(entry): _total_clips(entry, entries) for entry in entries}
    total = _common_total(list(totals.values()))
    footnotes: dict[str, str] = {}
    overalls = [_result(entry).overall for entry in entries]
    widest = max(
        (_result(entry).overall for entry in entries if totals[id(entry)] == total),
        key=lambda overall: (overall.clips, overall.frames),
    )
    labels = row_labels(entries)
    made = (_row(entry, label, totals[id(entry)]) for entry, label in zip(entries, labels, strict=True))
    rows = with_ranks(in_order(made, MEASURE[0]))
    rows = [with_notes(row, _partial_note(row), _unsure_note(row), footnotes) for row in rows]
    if reported and first.is_papers and first.protocol.partition("@")[0] == PROTOCOL:
        rows += _reported_rows(footnotes, widest.videos)
    rows = mark_best(rows, COLUMNS)
    measured = [row for row in rows if row.entry]
    counts = {"clips": total, "scored": widest.clips, "videos": widest.videos, "frames": widest.frames}
    breakdowns = (
        break_down("source", measured, MEASURE, "clips"),
        break_down("category", measured, MEASURE, "clips"),
        break_down("condition", measured, MEASURE, "clips", list(_conditions(Analysis())), page_only=True),
    )
    return Table(
        task=first.kind,
        benchmark=first.benchmark_name,
        protocol=first.protocol,
        digest=first.digest,
        shots=None,
        columns=COLUMNS,
        measure=MEASURE[0],
        rows=tuple(rows),
        breakdowns=breakdowns,
        footnotes=footnotes,
        level=common_level(overall.sure for overall in overalls),
        about=PROTOCOLS[first.protocol].about if first.protocol in PROTOCOLS else "",
        coverage=_coverage(counts),
        counts=counts,
        facts=_facts(counts, breakdowns),
        drawn=first.drawn,
    )


def _result(entry: Entry) -> VideoResult:
    return cast(VideoResult, entry.result)


def _total_clips(entry: Entry, entries: Sequence[Entry]) -> int:
    """How many clips the benchmark has, as an entry says itself; what others say of it is no reason to doubt this one.

    Where it says nothing, as results of older programs, the clips that any of ``entries`` was scored on count.
    """
    result = _result(entry)
    stated = max(entry.declared_clips or 0, result.benchmark_clips or 0)
    if not stated:
        stated = len({clip for other in entries for clip in _result(other).clips})
    return max(stated, result.overall.clips)


def _common_total(totals: Sequence[int]) -> int:
    """What most entries take for the number of clips; of equally many the smaller."""
    counts = Counter(totals)
    return min(totals, key=lambda total: (-counts[total], total))


def _coverage(counts: dict[str, int]) -> str:
    words = ", ".join(plural(counts[key], key.removesuffix("s")) for key in ("clips", "videos", "frames"))
    return words if counts["scored"] == counts["clips"] else f"{counts['scored']:,} of {words}"


def _facts(counts: dict[str, int], breakdowns: tuple[Breakdown, ...]) -> tuple[tuple[str, str, str], ...]:
    sources, categories, _ = breakdowns
    of = "" if counts["scored"] == counts["clips"] else f"of {counts['clips']:,}; "
    return (
        ("Clips", f"{counts['scored']:,}", f"{of}a category in a video"),
        ("Videos", f"{counts['videos']:,}", ", ".join(sources.figures).upper()),
        ("Frames", f"{counts['frames']:,}", "scored"),
        ("Categories", f"{len(categories.figures):,}", "of COCO"),
    )


def _row(entry: Entry, label: str, total: int) -> Row:
    result = _result(entry)
    overall = result.overall
    kind = kind_of(entry, overall.clips < total or bool(result.partial_note))
    figures: Figures = {
        **_pair(overall),
        "shots": result.shots,
        "draws": max(1, len(overall.draws)),
        "clips": overall.clips,
        "clips_total": total,
        "seconds_per_frame": result.seconds,
    }
    return Row(
        label,
        kind,
        figures,
        interval=overall.sure.jf if overall.sure else None,
        unsure="" if overall.videos >= FEWEST else "too few videos",
        entry=entry,
        groups={
            "source": {name: _group(group) for name, group in result.sources.items()},
            "category": {name: _group(group) for name, group in result.categories.items()},
            "condition": {name: found for name, found in _conditions(result.analysis).items() if found},
        },
        provenance=(("J over draws", _over_draws(overall, "j")), ("F over draws", _over_draws(overall, "f"))),
    )


def _pair(pair: Pair) -> dict[str, float | int | None]:
    return {"j": pair.j, "f": pair.f, "jf": pair.jf}


def _group(group: Group | Bin | AbsenceGroup) -> Figures:
    return _pair(group) | {"clips": group.clips}


def _over_draws(overall: Overall, key: str) -> str:
    draws = overall.draws
    return " · ".join(percent(draw.figure(key)) for draw in draws) if len(draws) > 1 else ""


def _unsure_note(row: Row) -> str:
    videos = _result(row.entry).overall.videos if row.entry else FEWEST
    return "" if videos >= FEWEST else f"no interval: {few_videos(videos)}"


def _partial_note(row: Row) -> str:
    clips, total = row.figures["clips"] or 0, row.figures["clips_total"] or 0
    if clips < total:
        return f"scored on {clips:,} of {total:,} clips only"
    return _result(row.entry).partial_note if row.entry else ""


def _reported_rows(footnotes: dict[str, str], videos: int) -> list[Row]:
    here = "" if videos == VIDEOS else f"; this table has {videos:,}: not comparable"
    rows = []
    for found in REPORTED:
        notes = [add_note(footnotes, f"{found.source}; on the authors' build of {VIDEOS} videos{here}")]
        wrong = contradiction(found)
        if wrong:
            notes.append(add_note(footnotes, wrong))
        figures = {"j": found.j / 100, "f": found.f / 100, "jf": found.jf / 100}
        unknown = dict.fromkeys(("draws", "clips", "clips_total", "seconds_per_frame"))
        rows.append(Row(found.method, "reported", {**figures, **unknown, "shots": SHOTS}, notes=tuple(notes)))
    return rows


def _conditions(analysis: Analysis) -> dict[str, Figures | None]:
    """J&F under each condition, with the clips that meet it, in the order of the analysis; None where none does."""
    from icvos.tasks.video.analysis import AREA_NAMES, INSTANCE_NAMES, LENGTH_NAMES

    bins = (
        ("length", analysis.length, LENGTH_NAMES),
        ("first-frame area", analysis.area, AREA_NAMES),
        ("instances", analysis.instances, INSTANCE_NAMES),
    )
    found = {f"{heading}: {name}": own.get(name) for heading, own, names in bins for name in names}
    figures = {heading: _group(group) if group else None for heading, group in found.items()}
    parts = analysis.propagation
    figures["the first frame"] = _pair(parts.first) | {"clips": parts.clips} if parts else None
    figures["the frames after it"] = _pair(parts.after) | {"clips": parts.clips} if parts else None
    figures["while it is absent"] = _group(analysis.disappearance) if analysis.disappearance else None
    figures["when it is back"] = _group(analysis.reappearance) if analysis.reappearance else None
    return figures
