"""Progress bars with the time left, on standard error, and nothing at all where that is not a terminal."""

import contextlib
from collections.abc import Callable, Iterator

import click


@contextlib.contextmanager
def bar(description: str, total: int | None = None) -> Iterator[Callable[..., None]]:
    """A bar; call what it gives with ``advance=n``, ``completed=n``, ``total=n`` or ``description=text``."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(description, total=total)

        def update(**change: object) -> None:
            progress.update(task, **change)  # type: ignore[arg-type]

        yield update


class Bar:
    """The `icvos.tasks.task.Watch` of a command: a bar on standard error, and notes above it."""

    def __init__(self, update: Callable[..., None]) -> None:
        self._update = update

    def total(self, units: int, done: int = 0) -> None:
        """Begin to count anew."""
        self._update(total=units, completed=done)

    def advance(self, units: int = 1, what: str = "") -> None:
        """Go on, under the name of the part where it has one."""
        self._update(advance=units, **({"description": what} if what else {}))

    def note(self, text: str) -> None:
        """Print a line."""
        click.echo(f"note: {text}", err=True)


@contextlib.contextmanager
def watching(description: str) -> Iterator[Bar]:
    """A bar for a call that takes a watch."""
    with bar(description) as update:
        yield Bar(update)
