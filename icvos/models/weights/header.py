"""How a checkpoint of `icvos train` came about: the header of its file. Nothing here imports torch."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from icvos.errors import IcvosError
from icvos.models.weights import registry
from icvos.models.weights.integrity import require_checkpoint
from icvos.settings import as_text

MEMORY_KEPT = ("masks", "decoder")  # values of ``tuned`` by which SAM 2's memory stays as it was
# settings that no file decides
OF_THE_MACHINE = ("checkpoint", "base_checkpoint", "sam", "sam2", "short_side", "device", "dtype")


@dataclass(frozen=True, slots=True)
class Training:
    """What a checkpoint was trained on, and as what network.

    Args:
        benchmark: The image benchmark's name.
        fold: The fold that was held out; 0 where there is only one.
        classes: The classes that it learned, in the benchmark's own numbers, from 1.
        settings: What its method was built with, as JSON values; in files of earlier versions what differed from the
            defaults.
        method: The method's name.
        weights: The SHA-256 of the checkpoints that it started from, by their names; None for random weights.
        pictures_only: Whether a SAM 2 in it has a memory that never learned, and cannot carry a mask through a video.
    """

    benchmark: str
    fold: int
    classes: frozenset[int]
    settings: Mapping[str, Any]
    method: str
    weights: Mapping[str, str | None]
    pictures_only: bool = False


def read_header(path: Path) -> dict[str, str]:
    """What the header of a safetensors file says, see `icvos.training.run_folder`; {} for any other file."""
    if path.suffix != ".safetensors":
        return {}
    from safetensors import SafetensorError, safe_open

    require_checkpoint(path)

    try:
        with safe_open(path, "np") as file:
            return dict(file.metadata() or {})
    except (SafetensorError, OSError) as error:
        raise IcvosError(f"{path}: is not a readable checkpoint; fetch it again, or train it again") from error


def read_training(path: Path) -> Training | None:
    """How `icvos train` made a checkpoint; None for a file that it did not make."""
    header = read_header(path)
    if header.get("made_by") != "icvos train":
        return None
    try:
        recipe, learned = json.loads(header["recipe"]), json.loads(header["classes"])
        shared = {name: recipe[name] for name in ("size", "shots")}
        settings = dict(json.loads(header.get("settings", "{}")) or {**shared, **recipe["settings"]})
        classes = frozenset(int(kind) + 1 for kind in learned)
        began = json.loads(header.get("weights", "[]"))
        weights = {str(one["name"]): one["sha256"] for one in began}
        fold, method = int(recipe["fold"]), str(recipe["method"])
        never = (
            recipe.get("frames", 1) == 1
            if recipe.get("labels") == "objects"  # a SAM 2 by itself
            else settings.get("tuned") in MEMORY_KEPT and any(one.get("pictures_only") for one in began)
        )
        return Training(str(recipe["benchmark"]), fold, classes, settings, method, weights, never)
    except (LookupError, TypeError, ValueError, RecursionError) as error:
        raise IcvosError(f"{path}: its header is not as icvos train writes it; train it again") from error


def trained_settings(method: str, settings: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    """What the file that ``settings`` give as ``checkpoint`` was trained with.

    {} where `icvos train` did not make it, where it is another method's, or where it is not there, which is refused
    where it is loaded. Raises `IcvosError` for a file that cannot be read.

    Args:
        method: The method's name.
        settings: What is set of the method.
        names: The settings that the method has.
    """
    given = str(settings.get("checkpoint") or "")
    path = given_file(given)
    training = read_training(path) if path else None
    if training is None or training.method != method:
        return {}
    return {name: value for name, value in training.settings.items() if name in names and name not in OF_THE_MACHINE}


def given_file(checkpoint: str) -> Path | None:
    """The file of a checkpoint, a name of the registry or a path; None where it is not there."""
    known = registry.find(checkpoint)
    path = registry.locate(known) if known else Path(checkpoint).expanduser()
    return path if path is not None and path.is_file() else None


def require_alike(path: Path, settings: object, names: Sequence[str], prefix: str = "") -> None:
    """Raise `IcvosError` where a network was trained as another one than it is built now, with the settings to change.

    Args:
        path: The checkpoint.
        settings: What the method is built with.
        names: The settings that shape the network.
        prefix: What stands before a name where it is set.
    """
    training = read_training(path)
    trained = training.settings if training else {}
    pairs = {name: (as_text(trained[name]), as_text(getattr(settings, name))) for name in names if name in trained}
    others = {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
    if others:
        said = " and ".join(f"{name}={there}, not {here}" for name, (there, here) in others.items())
        change = " ".join(f"--set {prefix}{name}={there}" for name, (there, _) in others.items())
        raise IcvosError(f"{path}: was trained with {said}; use {change}")
