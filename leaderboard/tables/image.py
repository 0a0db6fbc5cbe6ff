"""Tables of image benchmarks: mIoU of every fold; one for each benchmark, protocol, digest and number of shots."""

from collections import Counter
from collections.abc import Sequence
from typing import cast

from icvos.errors import plural
from icvos.protocol import PROTOCOLS
from icvos.tasks.image.result import BenchmarkCounts, Fold, ImageResult, Pair
from icvos.tasks.result import FEWEST, few_episodes
from leaderboard.entry import Entry
from leaderboard.tables.reported import REPORTED_ON_IMAGES
from leaderboard.tables.shape import (
    Column,
    Explanation,
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

MEASURE = ("miou", "mIoU")
AFTER_FOLDS = (
    Column("miou", "mIoU", "percent", "mean of the folds' mIoU, per cent", better="highest"),
    Column("fb_iou", "FB-IoU", "percent", "mean of the folds' FB-IoU, per cent", better="highest"),
    Column("interval", "interval", "interval"),
    Column("folds", "Folds", "count", "scored folds", wide=True),
    Column("episodes", "Episodes", "count", shown=False),
    Column("seconds_per_image", "s/image", "seconds", "seconds per image", better="lowest"),
)


EXPLANATION = Explanation(
    measures=(
        (
            "mIoU and FB-IoU",
            "On images a method is shown pictures of a class with their masks and asked for the class in one more "
            "picture. <b>IoU</b> of a class divides the intersections of all its episodes by their unions, <b>mIoU</b> "
            "is the mean over the classes of a fold, <b>FB-IoU</b> that of foreground and background with the classes "
            "pooled. What stands for a benchmark is the mean over its folds.",
        ),
    ),
    about=lambda protocol: f"On images: {protocol.about_images}.",
    apart="nor are those of different numbers of shots, on images",
    resampled="over the episodes of each fold",
)


def image_table(entries: Sequence[Entry], reported: bool) -> Table:
    """The table of results that share benchmark, protocol, digest and shots; ``reported`` puts papers' own beneath."""
    first = _result(entries[0])
    benchmark = _common_benchmark([_result(entry).benchmark for entry in entries])
    columns = image_columns(benchmark.folds)
    footnotes: dict[str, str] = {}
    labels = row_labels(entries)
    made = (_row(entry, label, columns) for entry, label in zip(entries, labels, strict=True))
    rows = with_ranks(in_order(made, MEASURE[0]))
    rows = [with_notes(row, *_notes(row), footnotes) for row in rows]
    if reported and not first.drawn:
        rows += _reported_rows(first, columns, footnotes)
    rows = mark_best(rows, columns)
    measured = [row for row in rows if row.entry]
    overalls = (_result(entry).overall for entry in entries if _result(entry).benchmark == benchmark)
    widest = max(overalls, key=lambda overall: overall.episodes)
    counts = {
        "folds": benchmark.folds,
        "episodes": benchmark.episodes,
        "scored": widest.episodes,
        "classes": widest.classes,
    }
    return Table(
        task=first.kind,
        benchmark=first.benchmark_name,
        protocol=first.protocol,
        digest=first.digest,
        shots=first.shots,
        columns=columns,
        measure=MEASURE[0],
        rows=tuple(rows),
        breakdowns=(break_down("class", measured, ("miou", "IoU"), "episodes", page_only=True),),
        footnotes=footnotes,
        level=common_level(_result(entry).sure for entry in entries),
        about=PROTOCOLS[first.protocol].about_images if first.protocol in PROTOCOLS else "",
        coverage=_coverage(counts),
        counts=counts,
        facts=(
            ("Folds", f"{widest.folds:,}", f"of {counts['folds']:,}"),
            ("Classes", f"{counts['classes']:,}", "asked for"),
            ("Episodes", f"{counts['scored']:,}", f"of {counts['episodes']:,}"),
        ),
        explanation=EXPLANATION,
        drawn=first.drawn,
    )


def _result(entry: Entry) -> ImageResult:
    return cast(ImageResult, entry.result)


def _notes(row: Row) -> tuple[str, str]:
    """What a result lacks of the benchmark, and why it has no interval."""
    if row.entry is None:
        return "", ""
    result = _result(row.entry)
    fewest = result.fewest_episodes
    return result.partial_note, "" if fewest >= FEWEST else f"no interval: {few_episodes(fewest)}"


def _common_benchmark(stated: Sequence[BenchmarkCounts]) -> BenchmarkCounts:
    """What most entries say of the benchmark, of equally many the smaller: what one says changes no other's row."""
    counts = Counter((one.folds, one.episodes) for one in stated)
    return min(stated, key=lambda one: (-counts[one.folds, one.episodes], one.folds, one.episodes))


def image_columns(folds: int) -> tuple[Column, ...]:
    """The columns of a table on a benchmark with this many folds."""
    per_fold = (
        Column(f"fold_{fold}", f"Fold {fold}", "percent", "mIoU, per cent", "", "highest", wide=True)
        for fold in range(folds)
    )
    return (Column("shots", "Shots", "count", shown=False), *per_fold, *AFTER_FOLDS)


def _coverage(counts: dict[str, int]) -> str:
    words = ", ".join(
        (plural(counts["episodes"], "episode"), plural(counts["folds"], "fold"), plural(counts["classes"], "class"))
    )
    of = f"{counts['scored']:,} of " if counts["scored"] < counts["episodes"] else ""
    return f"{of}{words} asked for"


def _row(entry: Entry, label: str, columns: Sequence[Column]) -> Row:
    result = _result(entry)
    overall, folds = result.overall, result.folds
    figures: dict[str, float | int | None] = dict.fromkeys(column.key for column in columns)
    figures |= _pair(overall) | {f"fold_{number}": fold.miou for number, fold in folds.items()}
    figures |= {"shots": result.shots, "folds": len(folds), "episodes": overall.episodes}
    figures["seconds_per_image"] = result.seconds
    classes: dict[str, Figures] = {
        name: {"miou": found.iou, "episodes": found.episodes} for name, found in result.categories.items()
    }
    parts = {number: _fold(fold) for number, fold in folds.items()}
    groups = {"fold": parts, "class": classes}
    kind = kind_of(entry, bool(result.partial_note))
    return Row(
        label,
        kind,
        figures,
        interval=result.sure.miou if result.sure else None,
        unsure="" if result.fewest_episodes >= FEWEST else "too few episodes",
        entry=entry,
        groups=groups,
    )


def _pair(pair: Pair) -> dict[str, float | int | None]:
    return {"miou": pair.miou, "fb_iou": pair.fb_iou}


def _fold(fold: Fold) -> Figures:
    return _pair(fold) | {"episodes": fold.episodes, "seconds_per_image": fold.seconds_per_image}


def _reported_rows(first: ImageResult, columns: Sequence[Column], footnotes: dict[str, str]) -> list[Row]:
    rows = []
    for found in REPORTED_ON_IMAGES:
        protocol = first.protocol.partition("@")[0]
        if (found.benchmark, found.protocol, found.shots) != (first.benchmark.name, protocol, first.shots):
            continue
        figures: dict[str, float | int | None] = dict.fromkeys(column.key for column in columns)
        printed = {"miou": found.miou} | {f"fold_{fold}": miou for fold, miou in found.folds.items()}
        figures |= {key: value / 100 for key, value in printed.items()}
        figures["shots"] = found.shots
        note = add_note(footnotes, f"{found.source}; on its own episodes, not these")
        rows.append(Row(found.method, "reported", figures, notes=(note,), classes_seen=found.classes_seen))
    return rows
