"""Tables of IC-VOS: J and F of clips, by category, source and condition; one for each protocol and digest."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from icvos.protocol import PROTOCOLS
from leaderboard.entry import Entry
from leaderboard.tables import reported as paper
from leaderboard.tables.shape import (
    Breakdown,
    Column,
    Kind,
    Row,
    Table,
    add_note,
    break_down,
    common_level,
    in_order,
    mark_best,
    plural,
    row_labels,
)

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
    Column("seconds_per_frame", "s/frame", "seconds", "seconds per frame", better="lowest"),
)


def video_table(entries: Sequence[Entry], reported: bool) -> Table:
    """The table of results that share protocol and digest; ``reported`` puts the paper's own beneath."""
    first = entries[0]
    total = max(_total_clips(entries), *(entry.clips for entry in entries))
    footnotes: dict[str, str] = {}
    widest = max(entries, key=lambda entry: (entry.clips, entry.scores["overall"]["frames"]))
    labels = row_labels(entries)
    rows = in_order((_row(entry, label, total) for entry, label in zip(entries, labels, strict=True)), MEASURE[0])
    rows = [_with_partial_note(row, total, footnotes) for row in rows]
    if reported and first.protocol.partition("@")[0] == paper.PROTOCOL:
        rows += _reported_rows(footnotes, widest)
    rows = mark_best(rows, COLUMNS)
    measured = [row for row in rows if row.entry]
    counts = {"clips": total, "scored": widest.clips}
    counts |= {key: widest.scores["overall"][key] for key in ("videos", "frames")}
    breakdowns = (
        break_down("source", measured, MEASURE, "clips"),
        break_down("category", measured, MEASURE, "clips"),
        break_down("condition", measured, MEASURE, "clips", _conditions(measured), page_only=True),
    )
    return Table(
        task="video",
        benchmark=first.benchmark,
        protocol=first.protocol,
        digest=first.digest,
        shots=None,
        columns=COLUMNS,
        measure=MEASURE[0],
        rows=tuple(rows),
        breakdowns=breakdowns,
        footnotes=footnotes,
        level=common_level(entries),
        about=PROTOCOLS[first.protocol].about if first.protocol in PROTOCOLS else "",
        coverage=_coverage(counts),
        counts=counts,
        facts=_facts(counts, breakdowns),
    )


def _total_clips(entries: Sequence[Entry]) -> int:
    """How many clips the benchmark has, as far as all its results together tell."""
    seen = {clip for entry in entries for clip in entry.scores.get("clips", {})}
    return max([len(seen), *(entry.benchmark_clips or 0 for entry in entries)])


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
    overall = entry.scores["overall"]
    kind: Kind = "upper bound" if entry.sees_truth else "partial" if entry.clips < total else "ranked"
    interval = overall.get("interval")
    return Row(
        label,
        kind,
        {
            **{key: overall[key] for key in ("j", "f", "jf")},
            "shots": entry.shots,
            "draws": entry.draws,
            "clips": entry.clips,
            "clips_total": total,
            "seconds_per_frame": entry.seconds,
        },
        interval=None if interval is None else (interval["jf"][0], interval["jf"][1]),
        entry=entry,
        groups={
            "source": entry.scores.get("sources", {}),
            "category": entry.scores.get("categories", {}),
            "condition": _condition_figures(entry.scores.get("analysis", {})),
        },
    )


def _with_partial_note(row: Row, total: int, footnotes: dict[str, str]) -> Row:
    if row.entry is None or row.entry.clips >= total:
        return row
    return replace(row, notes=(add_note(footnotes, f"scored on {row.entry.clips:,} of {total:,} clips only"),))


def _reported_rows(footnotes: dict[str, str], widest: Entry) -> list[Row]:
    overall = widest.scores["overall"]
    here = "" if overall["videos"] == paper.VIDEOS else f"; this table has {overall['videos']:,}: not comparable"
    origin = add_note(footnotes, f"{paper.PAPER}, {paper.TABLE}; on the authors' build of {paper.VIDEOS} videos{here}")
    rows = []
    for found in paper.REPORTED:
        notes = [origin]
        wrong = paper.contradiction(found)
        if wrong:
            notes.append(add_note(footnotes, wrong))
        printed = {"j": found.j, "f": found.f, "jf": found.jf}
        figures = {key: None if value is None else value / 100 for key, value in printed.items()}
        unknown = dict.fromkeys(("draws", "clips", "clips_total", "seconds_per_frame"))
        rows.append(Row(found.method, "reported", {**figures, **unknown, "shots": paper.SHOTS}, notes=tuple(notes)))
    return rows


def _conditions(rows: Sequence[Row]) -> list[str]:
    """The conditions of the analysis in its own order."""
    return list(dict.fromkeys(key for row in rows for key in row.groups["condition"]))


def _condition_figures(analysis: dict[str, Any]) -> dict[str, Any]:
    """What is J&F under which condition, with the clips that it is of; a condition that no clip meets has nothing."""
    from icvos.tasks.video.analysis import AREA_NAMES, INSTANCE_NAMES, LENGTH_NAMES

    bins = (
        ("length", "length", LENGTH_NAMES),
        ("area", "first-frame area", AREA_NAMES),
        ("instances", "instances", INSTANCE_NAMES),
    )
    found = {f"{heading}: {name}": analysis.get(key, {}).get(name) for key, heading, names in bins for name in names}
    propagation = analysis.get("propagation") or {}
    for key, heading in (("first", "the first frame"), ("after", "the frames after it")):
        found[heading] = propagation and {**propagation[key], "clips": propagation["clips"]}
    for key, heading in (("disappearance", "while it is absent"), ("reappearance", "when it is back")):
        found[heading] = analysis.get(key)
    return found
