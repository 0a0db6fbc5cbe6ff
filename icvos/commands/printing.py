"""What the commands print: tables, results, faults, and JSON."""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from icvos.errors import printable, printable_lines

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

    from icvos.errors import Fault
    from icvos.tasks.listing import Listing
    from icvos.tasks.repairs import Repair
    from icvos.tasks.result import Report, Result


def say(text: object, *, err: bool = False, bold: bool = False) -> None:
    """Print a line, or several: the one door for text, through which nothing that steers a terminal goes."""
    shown = printable_lines(str(text))
    click.echo(click.style(shown, bold=True) if bold else shown, err=err)


WIDE = 200  # columns of a table of figures in a pipe, where no name may be broken
MAX_CELL = 4000  # characters
PLAIN: dict[str, Any] = {"markup": False, "highlight": False, "emoji": False}  # nothing in a file is read as markup


def listing(*columns: str) -> "Table":
    """An empty table; long cells go on in the next line, whole."""
    from rich import box
    from rich.table import Table

    class Shown(Table):
        """A table whose texts are shown as they are."""

        def add_row(self, *cells: Any, **options: Any) -> None:
            super().add_row(*(printable_lines(cell) if isinstance(cell, str) else cell for cell in cells), **options)

    table = Shown(box=box.SIMPLE_HEAD)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def show(table: "Table") -> None:
    """Print a `listing` as wide as the terminal; in a pipe a line for each row, tabs between its cells, for ``cut``."""
    from rich.console import Console

    terminal = Console(**PLAIN)
    if terminal.is_terminal:
        terminal.print(table)
        return
    for cells in zip(*([column.header, *column.cells] for column in table.columns), strict=True):
        click.echo("\t".join(printable(" ".join(str(cell).split()), MAX_CELL) for cell in cells))


def _show_figures(table: "Table") -> None:
    """Print a table of figures as wide as the terminal, in a pipe as wide as it takes."""
    from rich.console import Console

    terminal = Console(**PLAIN)
    (terminal if terminal.is_terminal else Console(width=WIDE, **PLAIN)).print(table)


def show_listings(listings: "Iterable[Listing | str]") -> None:
    """Print tables of figures, and lines as they are."""
    from rich import box
    from rich.table import Table

    for item in listings:
        if isinstance(item, str):
            say(item)
            continue
        table = Table(box=box.SIMPLE_HEAD, title=printable(item.title) or None, title_justify="left")
        for position, column in enumerate(item.columns):
            table.add_column(printable(column), justify="right" if position else "left", overflow="fold")
        for row in item.rows:
            if row is None:
                table.add_section()
            else:
                table.add_row(*map(_cell, row))
        _show_figures(table)


def _cell(text: str) -> "Text":
    """A cell of a table of figures; what follows a stroke is a published figure, and dim."""
    from rich.text import Text

    own, stroke, published = printable_lines(text).partition(" / ")
    return Text.assemble(own, (f"{stroke}{published}", "dim"))


def show_result(result: "Result", path: Path) -> None:
    """Print the figures of a result, below a warning where they mean nothing."""
    from icvos.tasks.result import random_weights

    if random_weights(result):
        say("RANDOM WEIGHTS: the figures below mean nothing; no leaderboard takes them", bold=True)
    for line in result.lines(str(path)):
        say(line)


def show_report(report: "Report", head: Sequence[str] = ()) -> None:
    """Print a report: its notes on standard error, ``head``, its tables and its lines."""
    for note in report.notes:
        say(f"note: {note}", err=True)
    for line in head:
        say(line)
    show_listings(report.tables)
    for line in report.lines:
        say(line)


def show_faults(faults: "Iterable[Fault]", prefix: str = "", err: bool = False) -> None:
    """Print faults, a line for each kind."""
    from icvos.tasks.kinds import lines

    for line in lines(faults):
        say(f"{prefix}{line}", err=err)


def show_repairs(repairs: "Iterable[Repair]", err: bool = False) -> None:
    """Print what a repair did, a line for each kind."""
    from icvos.tasks.kinds import told

    kinds: dict[str, list[Repair]] = {}
    for one in repairs:
        kinds.setdefault(one.kind, []).append(one)
    for same in kinds.values():
        say(f"repaired: {told(same)}", err=err)


def show_stray_variables() -> None:
    """Print a note on every environment variable that is meant for a checkpoint, and is that of none."""
    from icvos.models.weights.registry import stray_variables

    for name, near in stray_variables().items():
        hint = f"did you mean {near}?" if near else "it is ICVOS_WEIGHTS_ and a checkpoint's name in capitals"
        say(f"note: {name} is set, and is the variable of no checkpoint; {hint}", err=True)


def is_stdout(path: Path | None) -> bool:
    """Whether JSON goes to standard output, which then takes nothing else."""
    return path is not None and str(path) == "-"


def put_json(path: Path, value: Any) -> None:
    """Write a JSON value to a file, or in ASCII to standard output where ``path`` is ``-``: it may be a terminal."""
    from icvos.files.storage import json_text, write_json

    if is_stdout(path):
        sys.stdout.write(json_text(value, "ascii"))
        sys.stdout.flush()  # now, where a closed pipe or a full disk is met
    else:
        write_json(path, value)


def require_places(*paths: Path | None) -> None:
    """Refuse, before the work, files that could not be written after it; standard output and None always can."""
    from icvos.files.storage import require_writable

    for path in paths:
        if path is not None and not is_stdout(path):
            require_writable(path)
