"""Training as one call: `train` a recipe on an image benchmark into a folder; run it again to resume.

Nothing here imports torch until a session is prepared.
"""

import dataclasses
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from icvos.errors import IcvosError
from icvos.files.storage import require_writable
from icvos.method import settings_for
from icvos.models.weights.registry import random_weights_allowed
from icvos.tasks.image.benchmark import ImageBenchmark
from icvos.training.next_commands import NextCommand, next_commands
from icvos.training.recipe import Recipe, read_recipe
from icvos.training.report import Report

if TYPE_CHECKING:
    from icvos.training.drawn import DrawnEpisodes
    from icvos.training.episodes import TrainingEpisodes
    from icvos.training.trainable import Trainable


def train(
    recipe: Recipe | str | Path,
    data: ImageBenchmark | str | Path | None,
    out: Path | str,
    *,
    settings: Mapping[str, Any] | None = None,
    workers: int = 0,
    random_weights: bool = False,
    report: Report | None = None,
) -> "TrainingResult":
    """Train a method by a recipe. Call it again with the same arguments to resume a run that was stopped.

    Many processes: start the script by ``torchrun`` or ``accelerate launch``.

    Args:
        recipe: The name of one that comes with icvos, the path of a TOML file, or a `Recipe`.
        data: The folder of an image benchmark with pictures to train on, as ``icvos episodes`` makes it, or one that is
            open; None where the recipe is for the small world, which is drawn as it is needed.
        out: The folder of the run, made where it is not there; `icvos.training.run_folder` says what lies in it.
        settings: What to change, as ``--set`` does: fields of the recipe by name, and ``settings.NAME`` for a setting
            of the method.
        workers: Processes that decode pictures, for each training process; 0: the training process does.
        random_weights: Whether random weights may take the place of checkpoints that are not there, to try the
            machinery. What is trained on top of them is marked, and no leaderboard takes it.
        report: Told how it goes, in the main process; see `icvos.training.report.Silent` for one to start from.

    Raises `IcvosError` for whatever is wrong with the arguments before ``out`` is touched, and later for pictures that
    cannot be read, an ``out`` that holds another run, and a loss that is not finite.

    Example, a network of random weights that is trained for a few steps on thumbnails::

        from icvos.training.report import Silent
        from icvos.training.session import train


        class Loss(Silent):
            def trained(self, step, total, losses):
                print(f"step {step} of {total}: loss {losses['total']:.3f}")


        small = {"size": 33, "epochs": 1, "episodes": 16, "validation_episodes": 4, "settings.backbone": "vgg16-bn"}
        result = train(
            "pfenet-coco-20i", "coco-20i", "runs/small", settings=small, random_weights=True, report=Loss()
        )
        print(f"{result.checkpoint}: mIoU {100 * result.miou:.1f}")
        for command in result.next_commands:
            print(command)
    """
    session = prepare(recipe, data, out, settings=settings, random_weights=random_weights)
    return session.train(workers=workers, report=report)


@dataclass(frozen=True, slots=True)
class Session:
    """A training run that is ready to begin or to go on; made by `prepare`.

    Args:
        recipe: What is trained, and how.
        benchmark: What it is trained on; None for the small world.
        out: The folder of the run.
        settings: What the method is built with.
        episodes: The benchmark's episodes, as the recipe draws them.
        trainable: The network and its losses.
        is_main: Whether this is the main one of the processes that train together, which writes and speaks.
    """

    recipe: Recipe
    benchmark: ImageBenchmark | None
    out: Path
    settings: dict[str, Any]
    episodes: "TrainingEpisodes | DrawnEpisodes"
    trainable: "Trainable"
    is_main: bool

    @property
    def random_weights(self) -> bool:
        """Whether training starts from random weights, or from such as were trained on top of them."""
        return any(loaded.random for loaded in self.trainable.loaded)

    def summary(self) -> list[str]:
        """What will be trained, on what, and from which weights, in lines."""
        recipe, episodes = self.recipe, self.episodes
        where = "" if recipe.benchmark == "all-coco" else f" fold {recipe.fold}"
        learned = len(episodes.learned) - len(episodes.rare)
        asked = f"{recipe.validation_episodes:,} episodes of {len(episodes.classes)} classes"
        what = "pictures" if self.benchmark else "drawn episodes an epoch"
        more = f" and {recipe.inventions} inventions" if recipe.inventions else ""
        lines = [
            f"{recipe.method} on {recipe.benchmark}{where}",
            f"{len(episodes):,} {what} of {learned} classes{more} to train on, {asked} to validate with",
        ]
        if self.benchmark and episodes.rare:
            rare = ", ".join(self.benchmark.classes[kind] for kind in episodes.rare)
            lines.append(f"never asked in training, having too few pictures: {rare}")
        for loaded in self.trainable.loaded:
            lines.append(f"starts from {loaded.name}" + (" (random weights)" if loaded.random else ""))
        if self.random_weights:
            lines.append("RANDOM WEIGHTS: what is trained on top of them is marked, and no leaderboard takes it")
        return lines

    def train(self, *, workers: int = 0, report: Report | None = None) -> "TrainingResult":
        """Train to the end; arguments and errors as those of `train`."""
        from icvos.training import loop, run_folder

        built = settings_for(self.recipe.method, self.settings)
        where = Path(self.recipe.benchmark) if self.benchmark else None
        usage = next_commands(self.recipe, self.settings, where, Path(run_folder.BEST))  # on whatever machine
        done = loop.train(
            self.recipe,
            self.trainable,
            self.episodes,
            self.out,
            settings=dataclasses.asdict(built) if built is not None else {},
            usage=[shlex.join(command.arguments) for command in usage],
            workers=workers,
            report=report,
        )
        following = next_commands(
            self.recipe, self.settings, self.benchmark.root if self.benchmark else None, done.checkpoint
        )
        return TrainingResult(done.checkpoint, done.steps, done.miou, self.random_weights, tuple(following))


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """A run that is finished.

    Args:
        checkpoint: The file of the best checkpoint by validation mIoU, or of the last one without validation.
        steps: Steps of the run.
        miou: The best validation mIoU, a fraction; None without validation. It chooses a checkpoint and is no result:
            it looks at square pictures, not at the original sizes.
        random_weights: Whether the checkpoint stands on random weights, and is marked so.
        next_commands: What to run with the checkpoint.
    """

    checkpoint: Path
    steps: int
    miou: float | None
    random_weights: bool
    next_commands: tuple[NextCommand, ...]

    def summary(self) -> list[str]:
        """What came out, and what to run next, in lines."""
        lines = [str(self.checkpoint)]
        if self.random_weights:
            lines.append("RANDOM WEIGHTS: this checkpoint is marked as trained on top of them")
        return lines + [line for following in self.next_commands for line in str(following).splitlines()]


def prepare(
    recipe: Recipe | str | Path,
    data: ImageBenchmark | str | Path | None,
    out: Path | str,
    *,
    settings: Mapping[str, Any] | None = None,
    random_weights: bool = False,
) -> Session:
    """All that a run needs, loaded: `Session.train` then trains it. Arguments and errors as those of `train`.

    Nothing is written, and ``out`` is not looked into yet.
    """
    recipe = recipe.changed(settings or {}) if isinstance(recipe, Recipe) else read_recipe(recipe, settings)
    out = Path(out)
    if out.exists() and not out.is_dir():
        raise IcvosError(f"{out}: is a file; choose another --out")
    require_writable(out, folder=True)
    try:
        from icvos.training.learner import begin
        from icvos.training.trainable import Remembers, load_trainable, require_data, settings_of

        device, is_main = begin()
    except ModuleNotFoundError as error:
        raise IcvosError(f"training needs the package {error.name}; run: pip install 'icvos[models,train]'") from error
    of_method = settings_of(recipe)
    benchmark, episodes = open_episodes(recipe, data)
    with random_weights_allowed(random_weights):
        trainable = load_trainable(recipe.method, of_method, episodes.learned, device)
    require_data(recipe, trainable)
    if recipe.pictures and recipe.preparation == "squash" and isinstance(trainable, Remembers):
        trainable.remember(recipe.pictures * recipe.frames)
    return Session(recipe, benchmark, out, of_method, episodes, trainable, is_main)


def open_episodes(
    recipe: Recipe, data: ImageBenchmark | str | Path | None
) -> tuple[ImageBenchmark | None, "TrainingEpisodes | DrawnEpisodes"]:
    """The episodes of a recipe, and the benchmark that they are from; None for the small world. See `train`."""
    from icvos.training.drawn import DrawnEpisodes
    from icvos.training.episodes import TrainingEpisodes

    drawn = recipe.benchmark == "smallworld"
    if drawn and data is not None:
        raise IcvosError(f"{data}: the recipe draws the small world as it is needed; leave out --data")
    if not drawn and data is None:
        name = recipe.benchmark
        raise IcvosError(f"give --data, the benchmark {name} of images, which icvos episodes {name} makes")
    benchmark = ImageBenchmark.open(data) if isinstance(data, str | Path) else data
    return benchmark, TrainingEpisodes(benchmark, recipe) if benchmark else DrawnEpisodes(recipe)
