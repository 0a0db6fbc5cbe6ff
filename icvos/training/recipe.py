"""A training recipe: which method learns, from which episodes, and how. Defaults are VRP-SAM's for COCO-20i.

A recipe is a TOML file of these names; ``[settings]`` are the method's. Recipes of the papers come with icvos, by name.
"""

import dataclasses
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from itertools import takewhile
from pathlib import Path
from typing import Annotated, Any, Literal

from icvos.errors import IcvosError
from icvos.files.text import read_text
from icvos.installed import entry_points
from icvos.settings import Checked, Count, Positive, Range, Whole, as_text, check, fill, refusal
from icvos.suggestions import nearest

# of the command line: a field, and with which values of another one it would be ignored
WITHOUT_EFFECT: dict[str, tuple[str, tuple[Any, ...], str]] = {
    "momentum": ("optimiser", ("adamw",), "only sgd has one"),
    "scale": ("preparation", ("squash", "colour", "cut"), "pictures are not scaled"),
    "validate_every": ("validation_episodes", (0,), "nothing is validated"),
}
PREFIX = "settings."  # begins the name of a change to a setting of the method


@dataclass(frozen=True, slots=True)
class Recipe(Checked):
    """What is trained.

    Args:
        method: A method that learns.
        settings: Its settings, over its defaults.
        benchmark: coco-20i, pascal-5i, all-coco (every class, for IC-VOS), or smallworld (drawn as it is needed,
            without the classes of COCO-20i's fold).
        fold: Which fold is held out, 0 to 3; without meaning for all-coco.
        shots: Supports of an episode.
        size: Side of the square pictures, in pixels.
        sampling: How a training episode is drawn: ``class`` (a class, then pictures of it; VRP-SAM, DC-SAM) or
            ``image`` (every training picture once an epoch, then one of its classes; PFENet, BAM, CyCTR, SSP,
            HDMNet, AMNet).
        labels: What a training label holds: ``episode`` (1 = the episode's class), ``classes`` (the number of every
            training class in ascending order, from 1, no supports; the base learner) or ``objects`` (the number of
            every object, no supports; SAM 2; on the small world alone).
        preparation: How pictures become squares and are varied: ``squash`` (no variation), ``colour`` (colours
            alone varied, then resized by OpenCV; VAT), ``resize`` (varied, then resized; HDMNet, AMNet), ``crop``
            (varied, then cropped; PFENet, BAM, CyCTR, the base learner) or ``cut`` (cropped wherever it may be, and
            flipped; SSP).
        tubes: Whether a training query becomes a mask tube: five views of it, shuffled, the first of which is asked
            about and the others follow; DC-SAM's second step on videos.
        frames: Frames of a drawn clip in the place of a query, the first of which is asked about; of the small world
            alone.
        pictures: How many pictures of the small world are drawn, from which episodes are then chosen, each of several
            classes (with ``labels = "objects"`` how many clips of ``frames`` frames); 0: new ones for every episode.
            What frozen networks see of them is kept where the method can.
        inventions: How many invented categories are drawn beside those of the small world, half of the time: without
            them a network learns twenty categories by heart, and compares little.
        scale: Least and largest factor of the random scaling.
        drop_novel: Which training pictures are left out for the classes of the held-out fold: ``no`` picture, those
            ``listed`` under one (at least 2048 pixels), or all in which one is ``shown``.
        epochs: How often ``episodes`` are drawn.
        episodes: Episodes of an epoch; 0 = as many as there are training pictures.
        batch: Episodes of one process whose gradients are computed together.
        accumulate: Batches whose gradients are added before the optimiser moves; together they are one step.
        optimiser: adamw or sgd.
        learning_rate: The base rate; a method's parameter groups scale it.
        momentum: That of sgd.
        weight_decay: That of the optimiser.
        gradient_clip: The largest norm of all gradients together; 0: they are taken as they are.
        warmup: Steps over which the rate rises to what the schedule says.
        schedule: ``cosine`` or ``poly`` (power 0.9), both to 0 over the whole run, set at every step; ``thirds`` (a
            tenth after each third of the run); or ``constant``.
        precision: no (float32), bf16 or fp16.
        seed: Everything random follows from it, the epoch, the step and the process.
        validation_episodes: How many of the frozen episodes choose the best checkpoint: of the held-out fold, or with
            ``labels = "classes"`` of the training classes; 0: none, and the last checkpoint is kept.
        validate_every: Epochs between two validations.
        save_every: Steps between two savings of all that a resumed run needs; the end of an epoch is always one.
    """

    method: str
    settings: dict[str, Any] = field(default_factory=dict)
    benchmark: Literal["coco-20i", "pascal-5i", "all-coco", "smallworld"] = "coco-20i"
    fold: Annotated[int, Range(0, 3)] = 0
    shots: Count = 1
    size: Count = 512
    sampling: Literal["class", "image"] = "class"
    labels: Literal["episode", "classes", "objects"] = "episode"
    preparation: Literal["squash", "colour", "resize", "crop", "cut"] = "squash"
    tubes: bool = False
    frames: Count = 1
    pictures: Whole = 0
    inventions: Whole = 0
    scale: tuple[Positive, ...] = (0.8, 1.25)
    drop_novel: Literal["no", "listed", "shown"] = "no"
    epochs: Count = 50
    episodes: Whole = 0
    batch: Count = 2
    accumulate: Count = 1
    optimiser: Literal["adamw", "sgd"] = "adamw"
    learning_rate: Positive = 1e-4
    momentum: Annotated[float, Range(0)] = 0.9
    weight_decay: Annotated[float, Range(0)] = 1e-6
    gradient_clip: Annotated[float, Range(0)] = 0.0
    warmup: Whole = 0
    schedule: Literal["cosine", "poly", "thirds", "constant"] = "cosine"
    precision: Literal["no", "bf16", "fp16"] = "no"
    seed: Whole = 321
    validation_episodes: Whole = 1000
    validate_every: Count = 1
    save_every: Count = 1000

    def __post_init__(self) -> None:
        """Raise `IcvosError` for a value that is out of range."""
        check(self)
        drawn = self.benchmark == "smallworld"
        if self.labels == "objects" and not drawn:
            raise refusal("labels", self.labels, "episode or classes; objects are known of the small world alone")
        if self.frames > 1 and not drawn:
            raise refusal("frames", self.frames, "1; clips are drawn of the small world alone")
        if self.frames > 1 and self.labels == "classes":
            raise refusal("frames", self.frames, "1; a base learner learns from single pictures")
        if self.pictures and (not drawn or self.tubes or (self.frames > 1 and self.labels != "objects")):
            raise refusal("pictures", self.pictures, "0; only single pictures of the small world are chosen from")
        if self.inventions and not drawn:
            raise refusal("inventions", self.inventions, "0; they are drawn in episodes of the small world alone")
        if drawn and not self.episodes:
            raise refusal("episodes", self.episodes, "the episodes of an epoch; the small world has no end")
        if len(self.scale) != 2 or self.scale[0] > self.scale[1]:
            raise refusal("scale", self.scale, "the least and the largest factor, like 0.8,1.25")

    def changed(self, changes: Mapping[str, Any]) -> "Recipe":
        """This recipe with other fields, texts read as their types; ``settings.x`` is the method's setting ``x``.

        Raises `IcvosError` for a name that is no field and for a value that does not fit.
        """
        return _fill(self.to_json(), changes)

    def to_json(self) -> dict[str, Any]:
        """All fields by name."""
        return dataclasses.asdict(self)


def read_recipe(name: str | Path, changes: Mapping[str, Any] | None = None) -> Recipe:
    """The recipe in a TOML file, or one that comes with icvos by name; ``changes`` go on top, see `Recipe.changed`.

    Raises `IcvosError` that names the recipe for one that does not exist, is no recipe, or has an unknown field.
    """
    name = str(name)
    path = Path(name)
    shipped = shipped_recipes()
    if name in shipped:
        text = shipped[name]
    elif path.is_file():
        text = _read(path)
    else:
        near = nearest(name, sorted(shipped))
        hint = f"did you mean {near}?" if near else f"recipes that come with icvos: {', '.join(sorted(shipped))}"
        raise IcvosError(f"{name}: no such recipe or file; {hint}")
    return _parse(name, text, changes or {})


def _read(path: Path) -> str:
    try:
        return read_text(path)
    except (OSError, ValueError) as error:
        raise IcvosError(f"{path}: cannot be read as a recipe ({error}); write it as a text of TOML") from error


def _parse(name: str, text: str, changes: Mapping[str, Any]) -> Recipe:
    try:
        return _fill(tomllib.loads(text), changes)
    except tomllib.TOMLDecodeError as error:
        raise IcvosError(f"{name}: is not TOML ({error}); correct it") from error
    except IcvosError as error:
        raise IcvosError(f"{name}: {error}") from error


def _fill(values: Mapping[str, Any], changes: Mapping[str, Any]) -> Recipe:
    """A recipe of these values with ``changes`` on top."""
    settings = values.get("settings", {})
    if not isinstance(settings, dict):
        raise IcvosError(f"settings = {settings}; write the method's settings in a table [settings]")
    if "settings" in changes:
        raise IcvosError("settings cannot be set as a whole; set one with settings.NAME=VALUE")
    of_method = {key.removeprefix(PREFIX): value for key, value in changes.items() if key.startswith(PREFIX)}
    of_recipe = {key: value for key, value in changes.items() if not key.startswith(PREFIX)}
    merged = {**values, **of_recipe, "settings": {**settings, **of_method}}
    if "method" not in merged:
        raise IcvosError('names no method; add a line like method = "vrp-sam"')
    recipe = fill(Recipe, merged)
    for name, (field_name, values_without, why) in WITHOUT_EFFECT.items():
        if name in of_recipe and getattr(recipe, field_name) in values_without:
            raise IcvosError(
                f"{name} has no effect with {field_name}={as_text(getattr(recipe, field_name))} ({why}); leave it out"
            )
    return recipe


@dataclass(frozen=True, slots=True)
class ListedRecipe:
    """A recipe that comes with an installed package.

    Args:
        name: What `read_recipe` knows it by.
        what: What it trains, in a line.
        recipe: The recipe itself.
    """

    name: str
    what: str
    recipe: Recipe


def list_recipes() -> list[ListedRecipe]:
    """Every recipe that comes with icvos or another installed package, in order of their names."""
    return [
        ListedRecipe(name, _first_sentence(text), _parse(name, text, {}))
        for name, text in sorted(shipped_recipes().items())
    ]


def _first_sentence(text: str) -> str:
    """That of the comment that a recipe begins with."""
    lines = takewhile(lambda line: line.startswith("#"), text.splitlines())
    comment = " ".join(line.removeprefix("#").strip() for line in lines)
    return re.split(r"(?<=[^.]\.) ", comment, maxsplit=1)[0]


def shipped_recipes() -> dict[str, str]:
    """The text of every recipe that comes with an installed package (entry point group ``icvos.recipes``), by name."""
    found = {}
    for point in entry_points("icvos.recipes"):
        for item in files(point.value).iterdir():
            if item.name.endswith(".toml"):
                found[item.name.removesuffix(".toml")] = item.read_text(encoding="utf-8")
    return found
