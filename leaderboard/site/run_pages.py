"""A page for each result: its figures by part and by clip, and where it comes from."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import quote

from icvos.categories import category
from icvos.errors import printable
from icvos.tasks.video.result import Clip, Pair, VideoResult
from leaderboard.site.downloads import Places
from leaderboard.tables.formats import cell, count, level, percent
from leaderboard.tables.shape import Figures, Row, Table

RUNS = "runs"
COUNTS = ("clips", "episodes")
Cells = tuple[tuple[str, str | None], ...]  # what is shown, and what it is sorted by, where that is something else


@dataclass(frozen=True, slots=True)
class Part:
    """The figures of one result over parts of the benchmark, a line for each.

    Args:
        caption: What the parts are.
        heading: What one of them is called.
        columns: Of the figures.
        rows: The name of a part, and its figures.
        sorted: The column that the rows are sorted by, the lowest first; None: they have an order of their own.
    """

    caption: str
    heading: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, Cells], ...]
    sorted: str | None = None


def anchor(clip: str) -> str:
    """What a clip is called behind the # of the page's address."""
    return f"clip-{quote(printable(clip), safe='/')}"


def run_places(places: Places) -> Places:
    """Where the page of each result lies, from where the results do."""
    return {key: f"{RUNS}/{PurePosixPath(place).stem}.html" for key, place in places.items()}


def script_place(page: str) -> str:
    """Where the file beside the page of a result lies."""
    return f"{page.removesuffix('.html')}.js"


def run_parts(table: Table, row: Row) -> list[Part]:
    """The figures of a result by everything that it can be split by."""
    found = [_group(table, kind, members) for kind, members in row.groups.items() if members]
    result = row.entry.result if row.entry else None
    if isinstance(result, VideoResult):
        found.append(_clips(result.clips))
    return found


def _group(table: Table, kind: str, members: Mapping[str, Figures]) -> Part:
    shown = [column for column in table.columns if column.kind == "percent"]
    shown = [column for column in shown if any(column.key in figures for figures in members.values())]
    noun = next((noun for noun in COUNTS if any(noun in figures for figures in members.values())), "")
    rows = []
    for name, figures in members.items():
        counted = (_count(figures.get(noun)),) if noun else ()
        rows.append((str(name), (*counted, *(_percent(figures.get(column.key)) for column in shown))))
    heads = (*([noun.capitalize()] if noun else []), *(column.heading for column in shown))
    return Part(f"By {kind}, per cent", kind.capitalize(), heads, tuple(rows))


def _clips(clips: Mapping[str, Clip]) -> Part:
    columns = ("Category", "Frames", "J", "F", "J&F", "J&F of the first frame", "J&F after it")
    worst = sorted(clips.items(), key=lambda item: (item[1].jf, item[0]))
    rows = tuple((printable(name), tuple(_clip_cells(name, clip))) for name, clip in worst)
    return Part("Every clip, the worst first, per cent", "Clip", columns, rows, sorted="J&F")


def _clip_cells(name: str, clip: Clip) -> Iterator[tuple[str, str | None]]:
    yield category(name.rpartition("/")[2]).name, None
    yield _count(clip.frames)
    yield from (_percent(value) for value in (clip.j, clip.f, clip.jf))
    yield from (_percent(pair.jf if isinstance(pair, Pair) else None) for pair in (clip.first, clip.after))


def _count(value: float | None) -> tuple[str, str | None]:
    text = count(value)
    return text, None if text.isdigit() else str(value or "")


def _percent(value: float | None) -> tuple[str, str | None]:
    return percent(value), "" if value is None else None


def figures_of(table: Table, row: Row) -> Sequence[tuple[str, str]]:
    """The figures of a row that its table shows, by heading."""
    heads = (level(table) if column.kind == "interval" else column.heading for column in table.shown)
    return [(head, cell(row, column)) for head, column in zip(heads, table.shown, strict=True)]
