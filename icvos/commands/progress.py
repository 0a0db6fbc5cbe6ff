"""Progress bars with the time left, on standard error, and nothing at all where that is not a terminal."""

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from icvos.commands.printing import say
from icvos.errors import printable

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


@contextlib.contextmanager
def _progress() -> "Iterator[Progress]":
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
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    progress = Progress(*columns, console=console, disable=not console.is_terminal)
    if not console.is_terminal:
        yield progress  # never begun: some releases of rich print an empty line at its end
        return
    with progress:
        yield progress


@contextlib.contextmanager
def bar(description: str, total: int | None = None) -> Iterator[Callable[..., None]]:
    """A bar; call what it gives with ``advance=n``, ``completed=n``, ``total=n`` or ``description=text``."""
    with _progress() as progress:
        task = progress.add_task(printable(description), total=total)

        def update(**change: object) -> None:
            if "description" in change:
                change["description"] = printable(str(change["description"]))
            progress.update(task, **change)  # type: ignore[arg-type]

        yield update


class Bars:
    """A `icvos.tasks.task.Watch` that shows a bar for the stage under way, and notes as warnings."""

    def __init__(self, progress: "Progress") -> None:
        self.progress = progress
        self.name = ""
        self.task: TaskID | None = None

    def stage(self, name: str) -> None:
        """A new bar, in the place of the last."""
        if self.task is not None:
            self.progress.remove_task(self.task)
        self.name = printable(name)
        self.task = self.progress.add_task(self.name, total=None)

    def total(self, units: int, done: int = 0) -> None:
        """The length of the bar."""
        if self.task is None:
            self.stage("")
        assert self.task is not None
        self.progress.update(self.task, total=units or None, completed=done)

    def advance(self, units: int = 1, what: str = "") -> None:
        """The bar grows."""
        if self.task is not None:
            self.progress.update(self.task, advance=units, description=f"{self.name} {printable(what)}".strip())

    def note(self, text: str) -> None:
        """A line on standard error."""
        say(f"warning: {text}", err=True)


@contextlib.contextmanager
def watched() -> Iterator[Bars]:
    """Bars for one call."""
    with _progress() as progress:
        yield Bars(progress)
