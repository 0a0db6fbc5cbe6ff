"""What a method needs beside its own module: checkpoints and packages. Nothing is built, loaded or fetched.

torch is not imported here; the module of the method may do so.
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from icvos.errors import IcvosError
from icvos.method import Needs, NeedsLess, method_class, settings_for
from icvos.models.weights import registry

TRAINED = "a trained checkpoint"
CHECKPOINT = "checkpoint"  # the setting that names it
AFFINITY, OF_AFFINITY = "affinity", "efficientnet-lite0"  # in the place of SAM 2, and the checkpoint that it needs


def is_untrained(factory: Any, settings: Any) -> bool:
    """Whether a method that learns (`icvos.training.trainable.Learns`) is set to begin, not to use what it learned."""
    return hasattr(factory, "trainable") and getattr(settings, CHECKPOINT, None) == ""


def checkpoints_of(factory: Any, settings: Any, *, moving: bool | None = None) -> tuple[str, ...]:
    """The checkpoints that a method loads to segment: names of the registry, paths, and `TRAINED` for one to be given.

    They are what its class says (`Needs`), or else those settings that name a checkpoint.

    Args:
        factory: The method's class.
        settings: What it is built with.
        moving: Only what it loads for videos, or, where False, for single pictures; None: all of both.
    """
    if is_untrained(factory, settings):
        settings = dataclasses.replace(settings, **{CHECKPOINT: TRAINED})
    if isinstance(factory, Needs):
        needs = factory.needs(settings)
        if moving is not None and isinstance(factory, NeedsLess):
            needs = factory.needed(settings, moving=moving)
        return tuple(dict.fromkeys(OF_AFFINITY if name == AFFINITY else name for name in needs))
    if settings is None:
        return ()
    values = [getattr(settings, field.name) for field in dataclasses.fields(settings)]
    named = [value for value in values if isinstance(value, str) and value in (TRAINED, *registry.checkpoints())]
    return tuple(dict.fromkeys(named))


def missing_packages(factory: Any) -> list[str]:
    """The packages of ``factory.packages`` that are not installed; see `icvos.method.Needs`."""
    return [name for name in getattr(factory, "packages", ()) if not registry.is_installed(name)]


def small(factory: Any) -> str:
    """How a method runs on the small networks that come with icvos, as options; "" where there are none for it."""
    return " ".join(f"--set {name}={value}" for name, value in getattr(factory, "small", {}).items())


def require_usable(method: str, settings: Mapping[str, Any], *, moving: bool) -> None:
    """Raise `IcvosError` where a method cannot segment as it is set: before it is built, and before data are read.

    Settings, packages and checkpoints are looked at; whether a checkpoint is whole, and fits, is seen where it is
    loaded. Where random weights are allowed, no checkpoint has to be there.

    Args:
        method: Its name.
        settings: Over its defaults.
        moving: Whether it is to segment videos, for which some checkpoints are alone.
    """
    factory, chosen = method_class(method), settings_for(method, settings)
    packages = missing_packages(factory)
    if packages:
        raise IcvosError(f"method {method} needs the package {packages[0]}; run: pip install 'icvos[models]'")
    if registry.random_weights():
        return
    if is_untrained(factory, chosen):
        less = f", or, for a small one that comes with icvos, {small(factory)}" if small(factory) else ""
        raise IcvosError(
            f"method {method} is not trained; add --set {CHECKPOINT}=PATH, a file that icvos train made "
            f"(icvos train --list shows recipes){less}"
        )
    for name in checkpoints_of(factory, chosen, moving=moving):
        if Path(name).expanduser().is_file():
            continue
        known = registry.find(name)
        if known is None:
            raise IcvosError(f"{name}: no such file, nor a checkpoint's name ({registry.hint(name)}); give its path")
        if isinstance(factory, Needs) and not registry.is_there(known):  # of another class, names are but a guess
            raise registry.absent(known)
