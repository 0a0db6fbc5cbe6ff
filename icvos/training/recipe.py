"""A training recipe: which method learns, from which episodes, and how. Defaults are VRP-SAM's for COCO-20i.

A recipe is a TOML file of these names; ``[settings]`` are the method's. Recipes of the papers come with icvos, by name.
"""

import dataclasses
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from icvos.errors import IcvosError
from icvos.settings import fill
from icvos.suggestions import nearest


@dataclass(frozen=True, slots=True)
class Recipe:
    """What is trained.

    Args:
        method: A method that learns.
        settings: Its settings, over its defaults.
        benchmark: coco-20i, pascal-5i or all-coco (every class, for IC-VOS).
        fold: Which fold is held out, 0 to 3; without meaning for all-coco.
        shots: Supports of an episode.
        size: Side of the square pictures, in pixels.
        sampling: How a training episode is drawn: ``class`` (a class, then pictures of it; VRP-SAM, DC-SAM) or
            ``image`` (every training picture once an epoch, then one of its classes; PFENet, HDMNet, AMNet).
        labels: What a training label holds: ``episode`` (1 = the episode's class) or ``classes`` (the number of every
            training class in ascending order, from 1, no supports; the base learner).
        preparation: How pictures become squares and are varied: ``squash`` (no variation), ``resize`` (varied, then
            resized; HDMNet, AMNet) or ``crop`` (varied, then cropped; PFENet, the base learner).
        scale: Least and largest factor of the random scaling.
        drop_novel: Which training pictures are left out for the classes of the held-out fold: ``no`` picture, those
            ``listed`` under one (at least 2048 pixels), or all in which one is ``shown``.
        epochs: How often ``episodes`` are drawn.
        episodes: Episodes of an epoch; 0 = as many as there are training pictures.
        batch: Episodes of one process whose gradients are computed together.
        accumulate: Batches whose gradients are added before the optimiser moves; together they are one step.
        optimiser: adamw or sgd.
        learning_rate: The base rate; a method's parameter groups scale it.
        momentum: Of sgd.
        weight_decay: Of the optimiser.
        schedule: ``cosine`` or ``poly`` (power 0.9), both to 0 over the whole run, set at every step; or ``constant``.
        precision: no (float32), bf16 or fp16.
        seed: Everything random follows from it, the epoch, the step and the process.
        validation_episodes: How many of the frozen episodes choose the best checkpoint: of the held-out fold, or with
            ``labels = "classes"`` of the training classes; 0: none, and the last checkpoint is kept.
        validate_every: Epochs between two validations.
        save_every: Steps between two savings of all that a resumed run needs; the end of an epoch is always one.
    """

    method: str
    settings: dict[str, Any] = field(default_factory=dict)
    benchmark: Literal["coco-20i", "pascal-5i", "all-coco"] = "coco-20i"
    fold: int = 0
    shots: int = 1
    size: int = 512
    sampling: Literal["class", "image"] = "class"
    labels: Literal["episode", "classes"] = "episode"
    preparation: Literal["squash", "resize", "crop"] = "squash"
    scale: tuple[float, ...] = (0.8, 1.25)
    drop_novel: Literal["no", "listed", "shown"] = "no"
    epochs: int = 50
    episodes: int = 0
    batch: int = 2
    accumulate: int = 1
    optimiser: Literal["adamw", "sgd"] = "adamw"
    learning_rate: float = 1e-4
    momentum: float = 0.9
    weight_decay: float = 1e-6
    schedule: Literal["cosine", "poly", "constant"] = "cosine"
    precision: Literal["no", "bf16", "fp16"] = "no"
    seed: int = 321
    validation_episodes: int = 1000
    validate_every: int = 1
    save_every: int = 1000

    def to_json(self) -> dict[str, Any]:
        """All of it as JSON values."""
        return dataclasses.asdict(self)


def read_recipe(name: str, changes: Mapping[str, str] | None = None) -> Recipe:
    """The recipe of a TOML file, or one that comes with icvos by name; ``changes`` go on top.

    A change called ``settings.x`` is one of the method's setting ``x``. Raises `IcvosError` for unknown names.
    """
    path = Path(name)
    shipped = shipped_recipes()
    if name in shipped:
        text = shipped[name]
    elif path.is_file():
        text = path.read_bytes().decode("utf-8", errors="replace")
    else:
        near = nearest(name, sorted(shipped))
        hint = f"did you mean {near}?" if near else f"recipes that come with icvos: {', '.join(sorted(shipped))}"
        raise IcvosError(f"{name}: no such recipe or file; {hint}")
    try:
        values: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise IcvosError(f"{name}: is not TOML ({error}); mend it") from error
    settings = values.pop("settings", {})
    if not isinstance(settings, dict):
        raise IcvosError(f"{name}: settings = {settings}; write the method's settings in a table [settings]")
    for key, value in (changes or {}).items():
        if key.startswith("settings."):
            settings[key.removeprefix("settings.")] = value
        else:
            values[key] = value
    if "method" not in values:
        raise IcvosError(f'{name}: names no method; add a line like method = "vrp-sam"')
    try:
        return _checked(fill(Recipe, {**values, "settings": settings}))
    except IcvosError as error:
        raise IcvosError(f"{name}: {error}") from error


def _checked(recipe: Recipe) -> Recipe:
    for least, names in (
        (1, "shots size epochs batch accumulate validate_every save_every"),
        (0, "episodes validation_episodes weight_decay momentum"),
    ):
        for key in names.split():
            if getattr(recipe, key) < least:
                raise IcvosError(f"{key} = {getattr(recipe, key)}; it must be {least} or more")
    if recipe.fold not in range(4):
        raise IcvosError(f"fold = {recipe.fold}; it must be 0, 1, 2 or 3")
    if not 0 < recipe.learning_rate < math.inf:
        raise IcvosError(f"learning_rate = {recipe.learning_rate}; it must be above 0")
    if len(recipe.scale) != 2 or not 0 < recipe.scale[0] <= recipe.scale[1] < math.inf:
        raise IcvosError(f"scale = {list(recipe.scale)}; give the least and the largest factor, like [0.8, 1.25]")
    return recipe


def shipped_recipes() -> dict[str, str]:
    """The text of every recipe that comes with an installed package (entry point group ``icvos.recipes``), by name."""
    found = {}
    for point in entry_points(group="icvos.recipes"):
        for item in files(point.value).iterdir():
            if item.name.endswith(".toml"):
                found[item.name.removesuffix(".toml")] = item.read_text(encoding="utf-8")
    return found
