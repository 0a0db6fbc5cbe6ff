"""What to run with a trained checkpoint: the command lines that fit it."""

import shlex
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from icvos.models.needs import AFFINITY
from icvos.models.weights.header import given_file, read_training
from icvos.settings import as_text
from icvos.training.recipe import Recipe

DRAWN = "icvos-demo/benchmark"
ON_DRAWN = "evaluate it on a benchmark of drawn videos, as icvos demo makes it, with"


@dataclass(frozen=True, slots=True)
class NextCommand:
    """A command to run next; its text is two lines to print.

    Args:
        purpose: What it does with the checkpoint.
        arguments: The command line, from ``icvos`` on.
    """

    purpose: str
    arguments: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.purpose}:\n  {shlex.join(self.arguments)}"


def next_commands(
    recipe: Recipe, settings: Mapping[str, Any], data: Path | None, checkpoint: Path
) -> list[NextCommand]:
    """How to evaluate a checkpoint, and how to train on top of it where it is a base learner's.

    Args:
        recipe: What it was trained by.
        settings: What the method was built with.
        data: The folder of the image benchmark that it was trained on; None for the small world.
        checkpoint: Its file.
    """
    sams = not_default(recipe.method, settings, ("sam", "sam2"))  # the checkpoint itself knows the other settings
    own: dict[str, Any] = {"sam2": checkpoint} if recipe.labels == "objects" else {"checkpoint": checkpoint, **sams}
    if recipe.labels == "classes" and recipe.benchmark != "all-coco":  # it knows no category that is held out
        return [_training_on_top(recipe, settings, data, checkpoint)]
    if data is None:
        if recipe.labels == "objects" and recipe.frames == 1:
            base = set_options({"settings.sam2": checkpoint})
            return [NextCommand("train its memory with", ("icvos", "train", "nano-sam2", *base, "--out", "runs/sam2"))]
        from icvos.smallworld import held_out  # late: it loads all that draws

        path = given_file(str(settings.get("sam2")))
        stands_on = read_training(path) if path else None
        if not sams and recipe.labels == "episode" and "tuned" not in recipe.settings:
            own["sam2"] = AFFINITY
        if stands_on and stands_on.pictures_only and "tuned" in recipe.settings:  # its own file holds that SAM 2
            own["sam2"] = AFFINITY
        novel = ["--categories", ",".join(held_out(recipe.fold))]
        command = ["icvos", "eval", "--method", recipe.method, *set_options(own), "--benchmark", DRAWN, *novel]
        return [NextCommand(ON_DRAWN, (*command, "--out", _beside(checkpoint, f"runs/{recipe.method}")))]
    evaluation = _evaluation(recipe, own, data, checkpoint)
    if recipe.labels == "episode":
        return [evaluation]
    return [_training_on_top(recipe, settings, data, checkpoint), evaluation]


def _beside(checkpoint: Path, otherwise: str) -> str:
    """A folder for the results of a checkpoint, beside its run, which has a folder of its own already."""
    run = checkpoint.parent
    return f"{run}-eval" if run.name else otherwise


def _evaluation(recipe: Recipe, settings: Mapping[str, Any], data: Path, checkpoint: Path) -> NextCommand:
    if recipe.benchmark == "all-coco":
        where, out = ["--benchmark", "IC-VOS"], f"runs/{recipe.method}"
    else:
        where = ["--benchmark", str(data), "--fold", str(recipe.fold), "--shots", str(recipe.shots)]
        out = f"runs/{recipe.method}-fold{recipe.fold}"
    method = ["icvos", "eval", "--method", recipe.method, *set_options(settings)]
    return NextCommand("evaluate it with", (*method, *where, "--out", _beside(checkpoint, out)))


def _training_on_top(recipe: Recipe, settings: Mapping[str, Any], data: Path | None, checkpoint: Path) -> NextCommand:
    above = {"all-coco": "hdmnet-ic-vos", "smallworld": "nano-hdmnet"}.get(
        recipe.benchmark, f"hdmnet-{recipe.benchmark}"
    )
    fold = [] if recipe.benchmark == "all-coco" else set_options({"fold": recipe.fold})
    shaping = not_default(recipe.method, settings, ("backbone",)) if data else {}  # the small recipe has its own
    base = {"base_checkpoint": checkpoint, **shaping}
    where = ["--data", str(data)] if data else []
    command = ["icvos", "train", above, *fold, *set_options(base, "settings."), *where]
    return NextCommand("train hdmnet, or amnet, on top of it with", (*command, "--out", f"runs/{above}"))


def not_default(method: str, settings: Mapping[str, Any], names: Collection[str] = ()) -> dict[str, Any]:
    """The settings that differ from the method's defaults: those of ``names``, or without any all but checkpoints."""
    from icvos.training.trainable import default_settings

    defaults = default_settings(method)
    chosen = names or settings.keys() - {"checkpoint", "base_checkpoint"}
    return {
        name: value for name, value in settings.items() if name in chosen and as_text(value) != as_text(defaults[name])
    }


def set_options(values: Mapping[str, Any], prefix: str = "") -> list[str]:
    """``--set`` for each of ``values``, ``prefix`` before its name."""
    return [part for name, value in values.items() for part in ("--set", f"{prefix}{name}={as_text(value)}")]
