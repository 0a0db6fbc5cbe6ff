"""`icvos train`: train a method by a recipe."""

import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from icvos.commands.options import FOLDER, RANDOM_WEIGHTS, examples, read_settings
from icvos.commands.printing import say

if TYPE_CHECKING:
    from icvos.training.recipe import Recipe
    from icvos.training.report import Losses, ValidationScores
    from icvos.training.session import Session

QUIET_SECONDS = 30.0  # between two lines of progress where there is no terminal for a bar


@click.command(
    epilog=examples(
        "icvos train --list",
        "icvos train dcsam-ic-vos-tube --data all-coco --show 8 --out tubes.png",
        "icvos train pfenet-coco-20i --set fold=0 --data coco-20i --out runs/pfenet-0",
        "torchrun --nproc-per-node 4 -m icvos train hdmnet-coco-20i \\",
        "    --data coco-20i --out runs/hdmnet",
    )
)
@click.argument("name", metavar="RECIPE", default="")
@click.option(
    "--data",
    type=FOLDER,
    default=None,
    help="A benchmark of images with pictures to train on; the small world needs none.",
)
@click.option("--out", type=FOLDER, default=None, help="The folder of the run.")
@click.option(
    "--set",
    "pairs",
    multiple=True,
    metavar="NAME=VALUE",
    help="A field of the recipe, or settings.NAME for a setting of the method (repeatable).",
)
@click.option(
    "--workers",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Processes that read episodes, per training process.",
)
@click.option(
    "--show",
    type=click.IntRange(min=1),
    default=None,
    metavar="N",
    help="Train nothing: draw the first N training episodes, as the network gets them, into the PNG --out.",
)
@click.option("--list", "listed", is_flag=True, help="List the recipes that come with icvos.")
@RANDOM_WEIGHTS
@click.pass_context
def train(context: click.Context, /, name: str, listed: bool, show: int | None, workers: int, **given: Any) -> None:
    """Train a method by a recipe.

    RECIPE is the name of one that comes with icvos, or a TOML file. A run that was stopped resumes when it is run
    again. Use torchrun or accelerate launch to train in several processes.
    """
    from icvos.commands.progress import bar
    from icvos.errors import IcvosError

    if listed:
        return show_recipes()
    if show is not None:
        return show_episodes(name, show, given["data"], given["out"], given["pairs"])
    try:
        session = open_session(name, **given)
    except IcvosError:
        if os.environ.get("RANK", "0") != "0":  # every process meets it, and the main one tells
            context.exit(2)
        raise
    if not session.is_main:
        session.train(workers=workers)
        return None
    say_all(session.summary())
    with bar(name) as update:
        result = session.train(workers=workers, report=Teller(session.recipe.epochs, update))
    return say_all(result.summary())


def open_session(
    name: str, data: Path | None, out: Path | None, pairs: tuple[str, ...], random_weights: bool
) -> "Session":
    """The session that the options ask for."""
    from icvos.errors import IcvosError
    from icvos.training.session import prepare

    recipe = open_recipe(name, pairs)
    if out is None:
        raise IcvosError("give --out, the folder of the run")
    return prepare(recipe, data, out, random_weights=random_weights)


def open_recipe(name: str, pairs: tuple[str, ...]) -> "Recipe":
    """The recipe with the changes of ``--set``."""
    from icvos.errors import IcvosError
    from icvos.training.recipe import read_recipe

    if not name:
        raise IcvosError("name a recipe or its file; icvos train --list shows those that come with icvos")
    return read_recipe(name, read_settings(pairs))


def show_episodes(name: str, count: int, data: Path | None, out: Path | None, pairs: tuple[str, ...]) -> None:
    """Draw training episodes into a file."""
    from icvos.errors import IcvosError
    from icvos.training.session import open_episodes
    from icvos.training.sheet import write_sheet

    recipe = open_recipe(name, pairs)
    if out is None:
        raise IcvosError("give --out, the PNG to draw episodes into")
    _, episodes = open_episodes(recipe.changed({"validation_episodes": 0}), data)
    write_sheet(out, episodes, count)
    say(str(out))


def say_all(lines: list[str]) -> None:
    """Print lines, warnings in bold."""
    for line in lines:
        say(line, bold=line.startswith("RANDOM WEIGHTS"))


class Teller:
    """Tells how training goes: a bar where there is a terminal, a line now and then where there is none.

    Args:
        epochs: Epochs of the run.
        update: Moves the bar, see `icvos.commands.progress.bar`.
    """

    def __init__(self, epochs: int, update: Callable[..., None]) -> None:
        self.epochs = epochs
        self.update = update
        self.terminal = sys.stderr.isatty()
        self.first = 0  # step that this process began after
        self.began = self.told = time.monotonic()
        self.sums: dict[str, float] = {}
        self.summed = 0
        self.best = -1.0

    def resumed(self, step: int, total: int) -> None:
        """A line, and the bar at the step."""
        self.first = step
        self.update(completed=step, total=total)
        say(f"trained already: {total} steps" if step == total else f"resumed after step {step} of {total}")

    def trained(self, step: int, total: int, losses: "Losses") -> None:
        """The bar; a line after an epoch, and now and then where there is no bar."""
        of_epoch = total // self.epochs
        epoch, within = divmod(step - 1, of_epoch)
        if within == 0 or not self.summed:
            self.sums, self.summed = {}, 0
        self.summed += 1
        for name, value in losses.items():
            self.sums[name] = self.sums.get(name, 0.0) + value
        where = f"epoch {epoch + 1}/{self.epochs}"
        self.update(completed=step, total=total, description=f"{where} {_figures(losses)}")
        each = (time.monotonic() - self.began) / (step - self.first)
        if within + 1 == of_epoch:
            means = {name: value / self.summed for name, value in self.sums.items()}
            say(f"{where}: {_figures(means)}  (mean of {self.summed} steps, {each:.2f} s a step)")
        elif not self.terminal and time.monotonic() - self.told >= QUIET_SECONDS:
            say(f"  step {step}/{total}: {_figures(losses)}  {_duration(each * (total - step))} left")
            self.told = time.monotonic()

    def validated(self, step: int, total: int, scores: "ValidationScores") -> None:  # noqa: ARG002  # a Report
        """A line with both figures."""
        mark = "  best so far" if scores.miou > self.best else ""
        self.best = max(self.best, scores.miou)
        say(f"  validation: mIoU {100 * scores.miou:.2f}  FB-IoU {100 * scores.fb_iou:.2f}{mark}")


def _figures(losses: Mapping[str, float]) -> str:
    return "  ".join(f"{name} {value:.3f}" for name, value in losses.items())


def _duration(seconds: float) -> str:
    """``2 d 03:04:05``, days only where there are any."""
    days, rest = divmod(seconds, 86400)
    return f"{f'{int(days)} d ' if days else ''}{time.strftime('%H:%M:%S', time.gmtime(rest))}"


def show_recipes() -> None:
    """A table of the recipes that come with icvos."""
    from icvos.commands.printing import listing, show
    from icvos.training.recipe import list_recipes

    table = listing("recipe", "benchmark", "epochs", "batch", "size", "what")
    for found in list_recipes():
        of = found.recipe
        table.add_row(found.name, of.benchmark, str(of.epochs), str(of.batch), str(of.size), found.what)
    show(table)
