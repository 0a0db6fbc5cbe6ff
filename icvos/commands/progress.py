"""Progress bars with the time left, on standard error, and nothing at all where that is not a terminal."""

import contextlib
from collections.abc import Callable, Iterator


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
