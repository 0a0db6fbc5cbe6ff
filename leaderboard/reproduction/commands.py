"""The commands that give a row: each step of its training, fold by fold, then the evaluation."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from icvos.errors import IcvosError
from icvos.protocol import PAPER, protocol
from icvos.settings import as_text
from icvos.training.next_commands import not_default, set_options
from icvos.training.recipe import PREFIX, Recipe, read_recipe
from icvos.training.trainable import settings_of
from leaderboard.paper.tables import PaperRow, PaperTable, Training
from leaderboard.reproduction.costs import costs

FOLDS = {"coco-20i": 4, "pascal-5i": 4}  # benchmarks whose networks are trained once for each fold
ICVOS, TORCHRUN = ("icvos",), ("torchrun", "--nproc-per-node")
READERS = 4  # processes that read pictures, for each training process


@dataclass(frozen=True, slots=True)
class Places:
    """Where things are on this machine.

    Args:
        out: The folder of all runs.
        benchmarks: Folders of benchmarks by name; one that is not here lies in a folder of its name.
        gpus: GPUs to train on; None: as many as the paper's programs were started on. 0: the processor.
    """

    out: Path
    benchmarks: Mapping[str, Path] = field(default_factory=dict)
    gpus: int | None = None

    def benchmark(self, name: str) -> Path:
        """The folder of a benchmark."""
        return self.benchmarks.get(name, Path(name))

    def processes(self, recipe: str) -> int:
        """How many processes a recipe is trained in; `IcvosError` where they cannot share what the paper's had."""
        published = costs()[recipe].gpus
        if self.gpus is None:
            return published
        found = max(1, min(self.gpus, published))
        if published % found:
            raise IcvosError(f"--gpus {self.gpus}: the batches of {published} cannot be shared evenly; choose 1 or 2")
        return found


@dataclass(frozen=True, slots=True)
class Command:
    """A command line, and the folder that it fills.

    Args:
        arguments: The words, from ``icvos`` or ``torchrun`` on.
        out: Its ``--out``.
        method: What it trains or evaluates.
        settings: The method's settings.
        benchmark: The name of what it is trained or evaluated on.
        recipe: What it is trained by; None for an evaluation.
        processes: How many processes it trains in.
        protocol: What is evaluated under.
    """

    arguments: tuple[str, ...]
    out: Path
    method: str
    settings: Mapping[str, Any]
    benchmark: str
    recipe: Recipe | None = None
    processes: int = 1
    protocol: str = PAPER.id

    def __str__(self) -> str:
        return shlex.join(self.arguments)


def commands_of(table: PaperTable, row: PaperRow, places: Places) -> tuple[Command, ...]:
    """The commands of a row in their order; none for one whose method is not in this project."""
    if not row.method:
        return ()
    found: list[Command] = []
    before, settings = "", dict(row.settings)
    for number, step in enumerate(row.training):
        name = run_name(row.training[: number + 1])
        found += _training(step, name, before, places)
        before = name
    if row.training:
        last = found[-1]
        shown = not_default(row.method, last.settings) if last.method == row.method else {}
        fold = "-fold{fold}" if last.recipe and last.recipe.benchmark in FOLDS else ""
        settings = {row.checkpoint: str(places.out / f"{before}{fold}" / "best.safetensors"), **shown, **settings}
    return (*found, _evaluation(table, row, settings, before, places))


def run_name(steps: tuple[Training, ...]) -> str:
    """A name for a training that tells it from all others: the recipe, what is changed, and what came before."""
    *earlier, last = steps
    changes = (
        f"{name.removeprefix(PREFIX).replace('_', '-')}-{as_text(value)}" for name, value in last.changes.items()
    )
    own = "-".join((last.recipe, *changes))
    usual = not any(step.changes for step in earlier)
    return own if usual else f"{own}-after-{run_name(tuple(earlier))}"


def _training(step: Training, name: str, before: str, places: Places) -> list[Command]:
    processes = places.processes(step.recipe)
    changes = dict(step.changes)
    if processes != costs()[step.recipe].gpus:
        changes["accumulate"] = costs()[step.recipe].gpus // processes
    recipe = read_recipe(step.recipe, changes)
    launcher = ICVOS if processes == 1 else (*TORCHRUN, str(processes), "-m", *ICVOS)
    data = places.benchmark(recipe.benchmark)
    found = []
    for fold in range(FOLDS.get(recipe.benchmark, 0)) or (None,):
        of_fold = "" if fold is None else f"-fold{fold}"
        own = dict(changes) if fold is None else {"fold": fold, **changes}
        if step.start:
            own[step.start] = str(places.out / f"{before}{of_fold}" / "best.safetensors")
        out = places.out / f"{name}{of_fold}"
        words = (*set_options(own), "--data", str(data), "--workers", str(READERS), "--out", str(out))
        changed = recipe.changed({key: as_text(value) for key, value in own.items()})
        arguments = (*launcher, "train", step.recipe, *words)
        settings = settings_of(changed)
        found.append(Command(arguments, out, changed.method, settings, changed.benchmark, changed, processes))
    return found


def _evaluation(table: PaperTable, row: PaperRow, settings: dict[str, Any], trained: str, places: Places) -> Command:
    benchmark, chosen = table.benchmark_of(row), protocol(row.protocol).id
    own = "-".join((row.method, *(as_text(value) for value in row.settings.values()), *([trained] if trained else [])))
    shots = ("--shots", str(row.shots)) if row.shots > 1 else ()
    under = ("--protocol", chosen) if chosen != PAPER.id else ()
    how = "".join((f"-{row.shots}-shots" if shots else "", f"-{row.protocol}" if under else ""))
    out = places.out / f"eval-{own}-on-{benchmark.lower()}{how}"
    where = ("--benchmark", str(places.benchmark(benchmark)), *shots, *under, "--out", str(out))
    arguments = (*ICVOS, "eval", "--method", row.method, *set_options(settings), *where)
    return Command(arguments, out, row.method, settings, benchmark, protocol=chosen)
