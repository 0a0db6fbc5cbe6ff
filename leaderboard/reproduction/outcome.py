"""What came out for a row, beside what the paper prints: scores of its evaluation, and what is counted."""

import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from icvos.errors import IcvosError
from icvos.inspection.networks import find_networks, learned_parameters
from icvos.inspection.trial import make_trial
from icvos.method import Segmenter, load_method
from icvos.models.weights.registry import random_weights_allowed
from icvos.tasks.calls import find_scores
from leaderboard.entry import read_entry
from leaderboard.paper.tables import Counted, PaperRow, PaperTable
from leaderboard.reproduction.commands import Command
from leaderboard.reproduction.needs import is_done, mark_done
from leaderboard.tables.build import build_tables

COUNTS = ("parameters", "gmacs")  # columns that are counted, without weights or data


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came out for a row.

    Args:
        figures: By column, in its unit.
        interval: The 95 % interval of the last column's score; None where nothing was scored, or too little.
        note: What is missing of the benchmark in the scores; "" where nothing is.
    """

    figures: Mapping[str, float]
    interval: tuple[float, float] | None = None
    note: str = ""

    def differences(self, table: PaperTable, row: PaperRow) -> dict[str, float]:
        """By column: how far above the printed figure it is."""
        printed = table.printed(row)
        return {key: value - printed[key] for key, value in self.figures.items() if key in printed}


def outcome_of(table: PaperTable, commands: Sequence[Command], counted: Mapping[str, float]) -> Outcome | None:
    """What is known of a row: the scores of an evaluation that is done, and what was ``counted``; None: nothing."""
    if not commands or not all(map(is_done, commands)):
        return Outcome(counted) if counted else None
    evaluation = commands[-1]
    entry = read_entry(find_scores(evaluation.out, evaluation.protocol))
    ((row, *_),) = (found.rows for found in build_tables([entry], reported=False))
    scores = {key: 100 * value for key in table.columns if (value := row.figures.get(key)) is not None}
    interval = row.interval and (100 * row.interval[0], 100 * row.interval[1])
    return Outcome({**counted, **scores}, interval, entry.result.partial_note)


def count(counted: Counted, columns: Sequence[str]) -> dict[str, float]:
    """Learned parameters of a network in millions, and 10^9 multiply-accumulates that it takes to make a prompt.

    Multiply-accumulates are those that the tool thop counts, as in the paper. Networks have random weights, which
    change neither.
    """
    with random_weights_allowed():
        method = load_method(counted.method, counted.settings)
        learned = learned_parameters(method)
        network = find_networks(method)[counted.network]
        own = {id(parameter): parameter.numel() for parameter in network.parameters() if id(parameter) in learned}
        found = {"parameters": sum(own.values()) / 1e6}
        if "gmacs" in columns and not isinstance(method, Segmenter):
            from icvos.inspection.operations import count_operations

            with tempfile.TemporaryDirectory(prefix="icvos-count-") as folder:
                trial = make_trial(Path(folder), (480, 854), 2, 1)
                with count_operations({"prompt": network}) as operations:
                    method.prompt(trial.supports, next(iter(trial.frames())))
            found["gmacs"] = operations.modules["prompt"] / 1e9
    return {key: found[key] for key in columns if key in found}


def run_commands(commands: Sequence[Command], say: Callable[[str], None], *, quiet: bool = False) -> None:
    """Run the commands one after the other, each in a process of its own; those that are done are passed over.

    Args:
        commands: A row's, in their order.
        say: Is told each command before it runs.
        quiet: Whether what they print goes to standard error.

    Raises `IcvosError` where one fails, which has said why itself.
    """
    for command in commands:
        if is_done(command):
            say(f"done already: {command}")
            continue
        say(f"$ {command}")
        status = _run(command, 2 if quiet else None)
        if status:
            raise IcvosError(f"ended with status {status}: {command}; correct what it says, then run the same again")
        mark_done(command)


def _run(command: Command, stdout: int | None) -> int:
    program, *words = command.arguments
    module = {"icvos": "icvos", "torchrun": "torch.distributed.run"}[program]
    with subprocess.Popen([sys.executable, "-m", module, *words], stdout=stdout) as process:
        try:
            return process.wait()
        except KeyboardInterrupt:  # it has met it too, and may still save what it did
            process.wait()
            raise
