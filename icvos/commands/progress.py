"""Progress bars with the time left, on standard error, and nothing at all where that is not a terminal."""

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from icvos.commands.printing import say
from icvos.errors import AGAIN, printable, stoppable

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from icvos.tasks.task import Task


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
        self.units = self.done = 0  # of the stage

    def stage(self, name: str) -> None:
        """A new bar, in the place of the last."""
        if self.task is not None:
            self.progress.remove_task(self.task)
        self.name = printable(name)
        self.units = self.done = 0
        self.task = self.progress.add_task(self.name, total=None)

    def total(self, units: int, done: int = 0) -> None:
        """The length of the bar."""
        if self.task is None:
            self.stage("")
        assert self.task is not None
        self.units, self.done = units, done
        self.progress.update(self.task, total=units or None, completed=done)

    def advance(self, units: int = 1, what: str = "") -> None:
        """The bar grows."""
        self.done += units
        if self.task is not None:
            self.progress.update(self.task, advance=units, description=f"{self.name} {printable(what)}".strip())

    def said(self, text: str) -> str:
        """``text`` with the figures of the stage, see `watched`; without one, only what to do."""
        known = self.units or self.done
        return text.format(done=self.done, units=self.units, stage=self.name) if known else AGAIN

    def note(self, text: str) -> None:
        """A line on standard error."""
        say(f"warning: {text}", err=True)


@contextlib.contextmanager
def watched(stopped: str = AGAIN) -> Iterator[Bars]:
    """Bars for one call.

    ``stopped`` is what Ctrl-C tells; ``{done}``, ``{units}`` and ``{stage}`` in it stand for how far the call has come.
    """
    with _progress() as progress:
        bars = Bars(progress)
        with stoppable(lambda: bars.said(stopped)):
            yield bars


def scored_in(task: "Task") -> str:
    """What a benchmark is scored by: clips, or its parts."""
    return f"{task.part}s" if task.clips is None else "clips"
