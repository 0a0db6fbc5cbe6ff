"""Tables of the command line."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

    from icvos.tasks.listing import Listing

WIDE = 200  # columns of a table in a pipe, where no name may be broken


def listing(*columns: str) -> "Table":
    """An empty table; long cells go on in the next line, whole."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def show(table: "Table") -> None:
    """Print a table as wide as the terminal; nothing in it is read as markup."""
    from rich.console import Console

    plain = {"markup": False, "highlight": False, "emoji": False}
    terminal = Console(**plain)  # type: ignore[arg-type]
    (terminal if terminal.is_terminal else Console(width=WIDE, **plain)).print(table)  # type: ignore[arg-type]


def show_summary(parts: "Iterable[Listing | str]") -> None:
    """Print tables and lines in their order."""
    for part in parts:
        if isinstance(part, str):
            click.echo(part)
        else:
            show(_table(part))


def _table(found: "Listing") -> "Table":
    """A table of names at the left and figures at the right."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, title=found.title or None, title_justify="left")
    for number, column in enumerate(found.columns):
        table.add_column(column, justify="right" if number else "left", overflow="fold")
    for row in found.rows:
        if row is None:
            table.add_section()
        else:
            table.add_row(*map(_cell, row))
    return table


def _cell(text: str) -> "Text":
    """A cell; what follows a stroke is a published figure, and dim."""
    from rich.text import Text

    own, stroke, published = text.partition(" / ")
    return Text.assemble(own, (f"{stroke}{published}", "dim"))
