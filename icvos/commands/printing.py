"""Tables of the command line."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

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
