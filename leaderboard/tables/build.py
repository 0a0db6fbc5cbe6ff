"""From results to tables: who may stand beside whom.

One table holds the results of one `icvos.tasks.result.Result.identity`: of one protocol on one benchmark digest, and
whatever else the kind of benchmark asks for. Different kinds never share one.
"""

import importlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import cast

from icvos.errors import IcvosError
from leaderboard.entry import Entry
from leaderboard.tables.reported import PROTOCOL
from leaderboard.tables.shape import Table

FORMATS = ("terminal", "markdown", "csv", "latex")
MakeTable = Callable[[Sequence[Entry], bool], Table]


@dataclass(frozen=True, slots=True)
class Builder:
    """How results on one kind of benchmark are shown.

    Args:
        table: ``module:function`` that makes one table of entries; it is also told whether to add what papers report.
        csv: The file that its tables are written to, which have columns of their own.
    """

    table: str
    csv: str


# by the kind of benchmark, in the order of the tables
BUILDERS: dict[str, Builder] = {
    "video": Builder("leaderboard.tables.video:video_table", "leaderboard.csv"),
    "image": Builder("leaderboard.tables.image:image_table", "leaderboard-images.csv"),
}


def build_tables(entries: Iterable[Entry], *, reported: bool = True) -> list[Table]:
    """The tables of ``entries``, videos first; ``reported`` puts what papers report beneath those it belongs to."""
    groups: dict[tuple[str, ...], list[Entry]] = {}
    for entry in entries:
        groups.setdefault((entry.result.kind, *entry.result.identity), []).append(entry)
    return [_maker(own[0])(own, reported) for own in sorted(groups.values(), key=lambda own: _place(own[0]))]


def _maker(entry: Entry) -> MakeTable:
    builder = BUILDERS.get(entry.result.kind)
    if builder is None:
        raise IcvosError(
            f"{entry.path}: a result of the kind {entry.result.kind!r}, and there are tables for "
            f"{', '.join(BUILDERS)} only; leave it out"
        )
    module, _, name = builder.table.partition(":")
    return cast(MakeTable, getattr(importlib.import_module(module), name))


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
