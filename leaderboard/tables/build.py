"""From results to tables: who may stand beside whom.

One table holds the results of one `icvos.tasks.result.Result.identity`: of one protocol on one benchmark digest, and
whatever else the kind of benchmark asks for. Different kinds never share one.
"""

import importlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from icvos.errors import IcvosError
from leaderboard.entry import Entry
from leaderboard.tables.reported import PROTOCOL
from leaderboard.tables.shape import Column, Table

FORMATS = ("terminal", "markdown", "csv", "latex")
MakeTable = Callable[[Sequence[Entry], bool], Table]


@dataclass(frozen=True, slots=True)
class Builder:
    """How results on one kind of benchmark are shown.

    Args:
        table: ``module:function`` that makes one table of entries; it is also told whether to add what papers report.
        csv: The file that its tables are written to, which have columns of their own.
        columns: ``module:function`` that gives the columns of a table for a number of parts, draws or folds.
        measure: The column that rows are ranked by.
    """

    table: str
    csv: str
    columns: str
    measure: str


# by the kind of benchmark, in the order of the tables
BUILDERS: dict[str, Builder] = {
    "video": Builder(
        "leaderboard.tables.video:video_table", "leaderboard.csv", "leaderboard.tables.video:video_columns", "jf"
    ),
    "image": Builder(
        "leaderboard.tables.image:image_table",
        "leaderboard-images.csv",
        "leaderboard.tables.image:image_columns",
        "miou",
    ),
}


def build_tables(entries: Iterable[Entry], *, reported: bool = True) -> list[Table]:
    """The tables of ``entries``, videos first; ``reported`` puts what papers report beneath those it belongs to."""
    groups: dict[tuple[str, ...], list[Entry]] = {}
    for entry in entries:
        groups.setdefault((entry.result.kind, *entry.result.identity), []).append(entry)
    return [_maker(own[0])(own, reported) for own in sorted(groups.values(), key=lambda own: _place(own[0]))]


def columns_of(kind: str, parts: int) -> tuple[Column, ...]:
    """The columns of a table of results of one kind on a benchmark with this many draws or folds, its measure first."""
    builder = _builder(kind, kind, "a benchmark")
    found = cast(tuple[Column, ...], _load(builder.columns)(parts))
    return tuple(sorted(found, key=lambda column: column.key != builder.measure))


def _maker(entry: Entry) -> MakeTable:
    return cast(MakeTable, _load(_builder(entry.result.kind, entry.path, "a result").table))


def _builder(kind: str, where: object, what: str) -> Builder:
    builder = BUILDERS.get(kind)
    if builder is None:
        raise IcvosError(
            f"{where}: {what} of the kind {kind!r}, and there are tables for {', '.join(BUILDERS)} only; leave it out"
        )
    return builder


def _load(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)


def _place(entry: Entry) -> tuple[int, str, bool, str, str, int]:
    """Where an entry's table stands: by kind and benchmark, with the protocol of the papers first."""
    result, kinds = entry.result, list(BUILDERS)
    kind = kinds.index(result.kind) if result.kind in kinds else len(kinds)
    other = result.protocol.partition("@")[0] != PROTOCOL
    return kind, result.benchmark_name, other, result.protocol, result.digest or "", result.shots or 0


def render(tables: Sequence[Table], format: str, *, breakdowns: bool = True) -> str:
    """The tables as text in one of `FORMATS`; ``breakdowns`` adds those that text has room for.

    For a terminal with colours, print `leaderboard.tables.formats.terminal` instead.
    """
    from leaderboard.tables import formats

    writers = {
        "terminal": formats.terminal_text,
        "markdown": formats.markdown,
        "csv": formats.csv_text,
        "latex": formats.latex,
    }
    if format not in writers:
        raise IcvosError(f"unknown table format {format!r}; choose from {', '.join(FORMATS)}")
    return writers[format](tables, breakdowns=breakdowns)
