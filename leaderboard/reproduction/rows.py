"""The rows of a table of the paper as they can be reproduced here: figures, commands, needs, costs and outcomes."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from icvos.errors import IcvosError
from icvos.tasks.task import open_task
from leaderboard.paper import tables
from leaderboard.paper.tables import PaperRow, PaperTable
from leaderboard.reproduction.commands import Command, Places, commands_of
from leaderboard.reproduction.costs import ASSUMPTION, costs, gpu_hours
from leaderboard.reproduction.needs import Needs, is_done, needs_of
from leaderboard.reproduction.outcome import Outcome, count, outcome_of, run_commands
from leaderboard.tables.reported import Reported, contradiction

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Line:
    """One row.

    Args:
        table: Its table.
        row: What the paper prints, and how it is made.
        commands: What gives it; none where it is reported alone, or only counted.
        needs: What the commands need.
        outcome: What came out; None where nothing did yet.
    """

    table: PaperTable
    row: PaperRow
    commands: tuple[Command, ...]
    needs: Needs
    outcome: Outcome | None = None

    @property
    def state(self) -> str:
        """reported (not in this project), done, ready (it can run here now) or lacking."""
        if not self.commands:
            return "ready" if self.row.counted else "reported"
        if all(map(is_done, self.commands)):
            return "done"
        return "lacking" if self.needs.lacks else "ready"

    @property
    def gpu_hours(self) -> float | None:
        """Of all its training together, estimated; None where nothing is trained."""
        hours = [gpu_hours(name, one.recipe, one.processes) for one, name in self._trained() if one.recipe]
        return sum(hours) if hours else None

    @property
    def gpu_gib(self) -> float | None:
        """Memory of each GPU in training, estimated; None where nothing is trained."""
        return max((costs()[name].gib for _, name in self._trained()), default=None)

    def _trained(self) -> list[tuple[Command, str]]:
        return [(one, one.arguments[one.arguments.index("train") + 1]) for one in self.commands if one.recipe]

    @property
    def remarks(self) -> tuple[str, ...]:
        """What there is to know of it: how it differs from the paper's, and where the paper contradicts itself."""
        printed = self.table.printed(self.row)
        quoted = "the paper quotes it from the method's own" if self.row.quoted else ""
        wrong = None
        if printed.keys() >= {"j", "f", "jf"}:
            wrong = contradiction(Reported(self.row.name, printed["j"], printed["f"], printed["jf"], self.table.number))
        return tuple(filter(None, (self.row.remark, quoted, wrong)))

    def to_json(self) -> dict[str, Any]:
        """All of it as JSON values."""
        outcome = self.outcome
        return {
            "name": self.row.name,
            "benchmark": self.table.benchmark_of(self.row),
            "shots": self.row.shots,
            "protocol": self.row.protocol,
            "printed": dict(self.table.printed(self.row)),
            "state": self.state,
            "remarks": list(self.remarks),
            "commands": [str(command) for command in self.commands],
            "weights": list(self.needs.weights),
            "data": list(self.needs.data),
            "lacks": list(self.needs.lacks),
            "estimated": {"gpu_gib": self.gpu_gib, "gpu_hours": self.gpu_hours, "assumption": ASSUMPTION},
            "outcome": outcome
            and {
                "figures": dict(outcome.figures),
                "differences": outcome.differences(self.table, self.row),
                "interval": outcome.interval and list(outcome.interval),
                "note": outcome.note,
            },
        }


def reproduce(
    name: str,
    out: Path | str = "runs/reproduce",
    *,
    benchmarks: Iterable[Path | str] = (),
    rows: Sequence[str] = (),
    gpus: int | None = None,
    running: bool = False,
    say: Say = print,
    quiet: bool = False,
) -> list[Line]:
    """The rows of a table of the paper, with what gives them; with ``running``, what came out of those that run here.

    Args:
        name: table-2 to table-10, table-12 to table-14, or figure-9.
        out: The folder of all their runs.
        benchmarks: Folders of benchmarks that are not where the commands expect them.
        rows: Only rows with one of these in their name.
        gpus: GPUs to train on; None: as many as the paper had.
        running: Whether the rows that lack nothing are run.
        say: Is told what is done and what is not.
        quiet: Whether what the commands print goes to standard error.

    Raises `IcvosError` for another table and for a text that no row's name has.

    Example:
        >>> import icvos
        >>> lines = icvos.reproduce("table-14")
        >>> [(line.row.name, line.state) for line in lines]
        [('VRP-SAM', 'ready'), ('PFENet', 'ready'), ('DC-SAM', 'ready')]
    """
    places = Places(Path(out), {open_task(root).name: Path(root) for root in benchmarks}, gpus)
    lines = lines_of(tables.paper_table(name), places, rows)
    return run(lines, places, say, quiet=quiet) if running else lines


def lines_of(table: PaperTable, places: Places, wanted: Sequence[str] = ()) -> list[Line]:
    """The rows of a table whose names have one of ``wanted`` in them, all for none, with what came out so far.

    Raises `IcvosError` for a wanted text that no row has.
    """
    for text in wanted:
        if not any(_named(row, text) for row in table.rows):
            names = ", ".join(dict.fromkeys(row.name for row in table.rows))
            raise IcvosError(f"--row {text}: {table.number} has no such row; choose from {names}")
    found = []
    for row in table.rows:
        if not wanted or any(_named(row, text) for text in wanted):
            commands = commands_of(table, row, places)
            needs = needs_of(commands, places)
            found.append(Line(table, row, commands, needs, outcome_of(table, commands, {})))
    return found


def _named(row: PaperRow, text: str) -> bool:
    return text.lower() in row.name.lower()


def run(lines: Sequence[Line], places: Places, say: Say, *, quiet: bool = False) -> list[Line]:
    """Run the rows that can be run here, each after the other, passing over what is done.

    Args:
        lines: The rows.
        places: Where things are.
        say: Is told what is done and what is not.
        quiet: Whether what the commands print goes to standard error.

    Returns:
        The rows, with what came out. A row whose command fails is told, and the next one is run.
    """
    return [_run(line, places, say, quiet) for line in lines]


def _run(line: Line, places: Places, say: Say, quiet: bool) -> Line:
    counted: Mapping[str, float] = {}
    if line.row.counted:
        say(f"{line.row.name}: counting")
        counted = count(line.row.counted, line.table.columns)
    needs = needs_of(line.commands, places)  # a row before may have made what this one lacked
    if line.commands and needs.lacks:
        say(f"{line.row.name}: not run here, it lacks: {'; '.join(needs.lacks)}")
    elif line.commands:
        say(line.row.name)
        try:
            run_commands(line.commands, say, quiet=quiet)
        except IcvosError as error:
            say(f"{line.row.name}: {error}")
    return replace(line, needs=needs, outcome=outcome_of(line.table, line.commands, counted))
