"""`icvos train`: train a method by a recipe."""

import os
import shlex
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from icvos.commands.evaluate import RANDOM_WEIGHTS, parse_settings
from icvos.commands.source import FOLDER

if TYPE_CHECKING:
    from icvos.training.recipe import Recipe
    from icvos.training.trainable import Trainable

QUIET_SECONDS = 30.0  # between two lines of progress where there is no terminal for a bar


@click.command()
@click.argument("name", metavar="RECIPE", default="")
@click.option("--data", type=FOLDER, default=None, help="An image benchmark with pictures to train on.")
@click.option("--out", type=FOLDER, default=None, help="The folder of the run.")
@click.option(
    "--set",
    "pairs",
    multiple=True,
    metavar="NAME=VALUE",
    help="A field of the recipe, or settings.NAME for a setting of the method; repeatable.",
)
@click.option("--workers", type=click.IntRange(0), default=0, help="Processes that make episodes, for each one.")
@click.option("--list", "listed", is_flag=True, help="List the recipes that come with icvos.")
@RANDOM_WEIGHTS
@click.pass_context
def train(context: click.Context, /, name: str, listed: bool, workers: int, **given: Any) -> None:
    """Train a method by a recipe: one that comes with icvos, or a TOML file. Run it again to resume.

    Many processes: torchrun --nproc-per-node 4 -m icvos train ..., or accelerate launch -m icvos train ...
    """
    from icvos.commands.progress import bar
    from icvos.errors import IcvosError

    if listed:
        return show_recipes()
    try:
        run = Run(name, given["data"], given["out"], given["pairs"], given["random"])
    except IcvosError:
        if os.environ.get("RANK", "0") != "0":  # every process meets it, and the main one tells
            context.exit(2)
        raise
    if not run.speaks:
        return run.train(workers, lambda *figures: None)
    run.announce()
    with bar(name) as update:
        run.train(workers, Teller(run.recipe, update))
    return run.conclude()


class Run:
    """All that one `icvos train` is about, ready to begin.

    Raises `IcvosError` for whatever is wrong, before any folder is touched.
    """

    def __init__(self, name: str, data: Path | None, out: Path | None, pairs: tuple[str, ...], random: bool) -> None:
        from icvos.errors import IcvosError
        from icvos.models.weights.registry import random_weights_allowed
        from icvos.tasks.image.benchmark import ImageBenchmark
        from icvos.training.recipe import read_recipe

        if not name:
            raise IcvosError("name a recipe or its file; icvos train --list shows those that come with icvos")
        recipe = read_recipe(name, parse_settings(pairs))
        if data is None or out is None:
            raise IcvosError(
                "give --data, an image benchmark that icvos episodes made, and --out, the folder of the run"
            )
        if out.exists() and not out.is_dir():
            raise IcvosError(f"{out}: is a file; choose another --out")
        self.name, self.data, self.out = name, data, out
        self.recipe: Recipe = recipe
        self.benchmark = ImageBenchmark.open(data)
        try:
            from icvos.training.episodes import TrainingEpisodes
            from icvos.training.loop import begin
            from icvos.training.trainable import load_trainable
        except ModuleNotFoundError as error:
            raise IcvosError(
                f"training needs the package {error.name}; run: pip install 'icvos[models,train]'"
            ) from error
        device, self.speaks = begin()
        self.episodes = TrainingEpisodes(self.benchmark, self.recipe)
        with random_weights_allowed(random):
            found: tuple[Trainable, dict[str, Any]] = load_trainable(self.recipe, self.episodes.learned, device)
        self.trainable, self.settings = found

    def train(self, workers: int, report: Callable[[str, int, int, dict[str, float]], None]) -> None:
        """Train to the end."""
        from icvos.training.loop import train

        train(self.recipe, self.trainable, self.episodes, self.out, report, workers)

    @property
    def random(self) -> bool:
        """Whether it starts from random weights."""
        return any(loaded.random for loaded in self.trainable.loaded)

    def announce(self) -> None:
        """Say what will be trained, and on what."""
        recipe, episodes, names = self.recipe, self.episodes, self.benchmark.classes
        learned = len(episodes.learned) - len(episodes.rare)
        where = "" if recipe.benchmark == "all-coco" else f" fold {recipe.fold}"
        asked = f"{recipe.validation_episodes:,} episodes of {len(episodes.classes)} classes"
        click.echo(f"{recipe.method} on {recipe.benchmark}{where}")
        click.echo(f"{len(episodes):,} pictures of {learned} classes to train on, {asked} to validate with")
        if episodes.rare:
            rare = ", ".join(names[kind] for kind in episodes.rare)
            click.echo(f"never asked in training, having too few pictures: {rare}")
        for loaded in self.trainable.loaded:
            click.echo(f"starts from {loaded.name}" + (" (random weights)" if loaded.random else ""))
        if self.random:
            click.secho(
                "RANDOM WEIGHTS: what is trained on top of them is marked, and no leaderboard takes it", bold=True
            )

    def conclude(self) -> None:
        """Say what came out, and what to run next."""
        best = self.out / "best.safetensors"
        click.echo(f"{best}")
        if self.random:
            click.secho("RANDOM WEIGHTS: this checkpoint is marked as trained on top of them", bold=True)
        for what, command in self.next_commands(best):
            click.echo(f"{what}:\n  {shlex.join(command)}")

    def next_commands(self, best: Path) -> list[tuple[str, list[str]]]:
        """What to do with the checkpoint: to evaluate it, and of a base learner to train on top of it."""
        recipe = self.recipe
        told = {"checkpoint": str(best)} | self._told()
        method = ["icvos", "eval", "--method", recipe.method, *_settings("", told)]
        if recipe.benchmark == "all-coco":
            where, out = ["--benchmark", "IC-VOS"], f"runs/{recipe.method}"
        else:
            where = ["--benchmark", str(self.data), "--fold", str(recipe.fold), "--shots", str(recipe.shots)]
            out = f"runs/{recipe.method}-fold{recipe.fold}"
        evaluate = ("evaluate it with", [*method, *where, "--out", out])
        if recipe.labels == "episode":
            return [evaluate]
        fold = [] if recipe.benchmark == "all-coco" else _settings("", {"fold": recipe.fold})
        over = {"base_checkpoint": str(best)} | {key: told[key] for key in ("backbone",) if key in told}
        above = "hdmnet-ic-vos" if recipe.benchmark == "all-coco" else f"hdmnet-{recipe.benchmark}"
        train = ["icvos", "train", above, *fold, *_settings("settings.", over), "--data", str(self.data)]
        found = [("train hdmnet, or amnet, on top of it with", [*train, "--out", f"runs/{above}"])]
        return [*found, evaluate] if recipe.benchmark == "all-coco" else found

    def _told(self) -> dict[str, Any]:
        """The settings that are not the method's defaults, as evaluation needs them."""
        import dataclasses

        from icvos.method import find_method

        defaults = dataclasses.asdict(find_method(self.recipe.method).load().Settings())
        gone = ("checkpoint", "base_checkpoint")
        return {
            name: value
            for name, value in self.settings.items()
            if name not in gone and _text(value) != _text(defaults[name])
        }


def _settings(prefix: str, values: dict[str, Any]) -> list[str]:
    return [part for name, value in values.items() for part in ("--set", f"{prefix}{name}={_text(value)}")]


def _text(value: Any) -> str:
    """A setting as the command line takes it."""
    if isinstance(value, list | tuple):
        return ",".join(f"{part:g}" if isinstance(part, int | float) else str(part) for part in value)
    return f"{value:g}" if isinstance(value, int | float) and not isinstance(value, bool) else str(value)


class Teller:
    """Tells how training goes: a bar where there is a terminal, a line now and then where there is none."""

    def __init__(self, recipe: "Recipe", update: Callable[..., None]) -> None:
        import sys

        self.recipe = recipe
        self.update = update
        self.terminal = sys.stderr.isatty()
        self.first = 0  # step that this process began after
        self.began = self.told = time.monotonic()
        self.sums: dict[str, float] = {}
        self.summed = 0
        self.best = -1.0

    def __call__(self, kind: str, step: int, total: int, figures: dict[str, float]) -> None:
        """As `icvos.training.loop.train` reports."""
        if kind == "resumed":
            self._resumed(step, total)
        elif kind == "train":
            self._trained(step, total, figures)
        else:
            mark = "  best so far" if figures["miou"] > self.best else ""
            self.best = max(self.best, figures["miou"])
            click.echo(f"  validation: mIoU {100 * figures['miou']:.2f}  FB-IoU {100 * figures['fb_iou']:.2f}{mark}")

    def _resumed(self, step: int, total: int) -> None:
        self.first = step
        self.update(completed=step, total=total)
        click.echo(f"trained already: {total} steps" if step == total else f"resumed after step {step} of {total}")

    def _trained(self, step: int, total: int, figures: dict[str, float]) -> None:
        of_epoch = total // self.recipe.epochs
        epoch, within = divmod(step - 1, of_epoch)
        if within == 0 or not self.summed:
            self.sums, self.summed = {}, 0
        self.summed += 1
        for name, value in figures.items():
            self.sums[name] = self.sums.get(name, 0.0) + value
        where = f"epoch {epoch + 1}/{self.recipe.epochs}"
        self.update(completed=step, total=total, description=f"{where} {_losses(figures)}")
        each = (time.monotonic() - self.began) / (step - self.first)
        if within + 1 == of_epoch:
            means = {name: value / self.summed for name, value in self.sums.items()}
            click.echo(f"{where}: {_losses(means)}  (mean of {self.summed} steps, {each:.2f} s a step)")
        elif not self.terminal and time.monotonic() - self.told >= QUIET_SECONDS:
            left = time.strftime("%H:%M:%S", time.gmtime(each * (total - step) % 86400))
            days = int(each * (total - step) // 86400)
            click.echo(f"  step {step}/{total}: {_losses(figures)}  {f'{days} d ' if days else ''}{left} left")
            self.told = time.monotonic()


def _losses(figures: dict[str, float]) -> str:
    return "  ".join(f"{name} {value:.3f}" for name, value in figures.items() if name != "learning_rate")


def show_recipes() -> None:
    """A table of the recipes that come with icvos."""
    from icvos.commands.printing import listing, show
    from icvos.training.recipe import read_recipe, shipped_recipes

    table = listing("recipe", "benchmark", "epochs", "batch", "size", "what")
    for name, text in sorted(shipped_recipes().items()):
        found = read_recipe(name)
        what = text.partition("\n")[0].removeprefix("#").strip()
        table.add_row(name, found.benchmark, str(found.epochs), str(found.batch), str(found.size), what)
    show(table)
