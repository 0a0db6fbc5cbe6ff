"""Tables of image benchmarks: mIoU of every fold; one for each benchmark, protocol, digest and number of shots."""

from collections.abc import Sequence
from dataclasses import replace

from icvos.protocol import PROTOCOLS
from leaderboard.entry import Entry
from leaderboard.tables import reported as paper
from leaderboard.tables.shape import (
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

MEASURE = ("miou", "mIoU")
AFTER_FOLDS = (
    Column("miou", "mIoU", "percent", "mean of the folds' mIoU, per cent", better="highest"),
    Column("fb_iou", "FB-IoU", "percent", "mean of the folds' FB-IoU, per cent", better="highest"),
    Column("interval", "interval", "interval"),
    Column("folds", "Folds", "count", "scored folds", wide=True),
    Column("episodes", "Episodes", "count", shown=False),
    Column("seconds_per_image", "s/image", "seconds", "seconds per image", better="lowest"),
)


def image_table(entries: Sequence[Entry], reported: bool) -> Table:
    """The table of results that share benchmark, protocol, digest and shots; ``reported`` puts papers' own beneath."""
    first = entries[0]
    benchmark = first.scores["benchmark"]
    folds = range(benchmark["folds"])
    columns = (
        Column("shots", "Shots", "count", shown=False),
        *(
            Column(f"fold_{fold}", f"Fold {fold}", "percent", "mIoU, per cent", "", "highest", wide=True)
            for fold in folds
        ),
        *AFTER_FOLDS,
    )
    footnotes: dict[str, str] = {}
    labels = row_labels(entries)
    rows = in_order((_row(entry, label, columns) for entry, label in zip(entries, labels, strict=True)), MEASURE[0])
    rows = [_with_partial_note(row, footnotes) for row in rows]
    if reported:
        rows += _reported_rows(first, columns, footnotes)
    rows = mark_best(rows, columns)
    measured = [row for row in rows if row.entry]
    widest = max(entries, key=lambda entry: entry.scores["overall"]["episodes"]).scores["overall"]
    counts = {key: benchmark[key] for key in ("folds", "episodes")} | {"scored": widest["episodes"]}
    counts["classes"] = widest["classes"]
    words = ", ".join(
        (plural(counts["episodes"], "episode"), plural(counts["folds"], "fold"), plural(counts["classes"], "class"))
    )
    of = f"{counts['scored']:,} of " if counts["scored"] < counts["episodes"] else ""
    return Table(
        task="image",
        benchmark=first.benchmark,
        protocol=first.protocol,
        digest=first.digest,
        shots=first.shots,
        columns=columns,
        measure=MEASURE[0],
        rows=tuple(rows),
        breakdowns=(break_down("class", measured, ("miou", "IoU"), "episodes", page_only=True),),
        footnotes=footnotes,
        level=common_level(entries),
        about=PROTOCOLS[first.protocol].about_images if first.protocol in PROTOCOLS else "",
        coverage=f"{of}{words} asked for",
        counts=counts,
        facts=(
            ("Folds", f"{widest['folds']:,}", f"of {counts['folds']:,}"),
            ("Classes", f"{counts['classes']:,}", "asked for"),
            ("Episodes", f"{counts['scored']:,}", f"of {counts['episodes']:,}"),
        ),
    )


def _row(entry: Entry, label: str, columns: Sequence[Column]) -> Row:
    overall, folds = entry.scores["overall"], entry.scores["folds"]
    partial = _partial(entry)
    kind: Kind = "upper bound" if entry.sees_truth else "partial" if partial else "ranked"
    low, high = overall["interval"]["miou"]
    figures = dict.fromkeys(column.key for column in columns) | {key: overall[key] for key in ("miou", "fb_iou")}
    figures |= {f"fold_{number}": fold["miou"] for number, fold in folds.items()}
    figures |= {"shots": entry.shots, "folds": len(folds), "episodes": overall["episodes"]}
    classes = {
        name: {"miou": member["iou"], "episodes": member["episodes"]}
        for name, member in entry.scores["categories"].items()
    }
    figures["seconds_per_image"] = entry.seconds
    return Row(label, kind, figures, interval=(low, high), entry=entry, groups={"fold": folds, "class": classes})


def _partial(entry: Entry) -> str:
    """What is missing of a result, in words; "" where nothing is."""
    benchmark, folds = entry.scores["benchmark"], entry.scores["folds"]
    if any(fold["episodes"] < fold["of"] for fold in folds.values()):
        return f"scored on {entry.scores['overall']['episodes']:,} of {benchmark['episodes']:,} episodes only"
    if len(folds) < benchmark["folds"]:
        return f"the mean of {len(folds)} of {benchmark['folds']} folds only"
    return ""


def _with_partial_note(row: Row, footnotes: dict[str, str]) -> Row:
    partial = _partial(row.entry) if row.entry else ""
    return replace(row, notes=(add_note(footnotes, partial),)) if partial else row


def _reported_rows(first: Entry, columns: Sequence[Column], footnotes: dict[str, str]) -> list[Row]:
    rows = []
    for found in paper.REPORTED_ON_IMAGES:
        protocol = first.protocol.partition("@")[0]
        if (found.benchmark, found.protocol, found.shots) != (first.benchmark, protocol, first.shots):
            continue
        figures = dict.fromkeys(column.key for column in columns) | {"shots": found.shots}
        printed = {"miou": found.miou} | {f"fold_{fold}": miou for fold, miou in found.folds.items()}
        figures |= {key: None if value is None else value / 100 for key, value in printed.items()}
        note = add_note(footnotes, f"{found.source}; on its own episodes, not these")
        rows.append(Row(found.method, "reported", figures, notes=(note,)))
    return rows
