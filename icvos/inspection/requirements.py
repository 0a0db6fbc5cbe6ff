"""The installed methods: what each needs, and whether it is there. Nothing is built, loaded or fetched."""

import dataclasses
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

from icvos.errors import IcvosError
from icvos.method import Needs, find_method, method_names
from icvos.models.weights import registry

READY = "ready"
FETCH = "icvos weights fetch "


@dataclass(frozen=True, slots=True)
class Requirements:
    """What one method needs.

    Args:
        method: Its name.
        where: Its entry point, ``module:Class``.
        needs: Names of the checkpoints that it loads with its default settings.
        state: ``ready``, or what is missing and how to get it.
    """

    method: str
    where: str
    needs: tuple[str, ...]
    state: str

    @property
    def ready(self) -> bool:
        """Whether the method can run on this machine."""
        return self.state == READY


def list_methods() -> list[Requirements]:
    """Every installed method with what it needs, in order of the methods' names."""
    return [requirements_of(find_method(name)) for name in method_names()]


def requirements_of(point: EntryPoint) -> Requirements:
    """What the method at an entry point needs, for its default settings."""
    try:
        factory = point.load()
    except ModuleNotFoundError as error:
        package = "icvos[models]" if point.value.startswith(("baselines", "dcsam")) else error.name
        return Requirements(point.name, point.value, (), f"missing package {error.name}: pip install '{package}'")
    except (ImportError, AttributeError) as error:
        return Requirements(point.name, point.value, (), f"cannot be loaded: {error}")
    required = _settings_without_default(factory)
    if required:
        state = f"missing: {' '.join(f'--set {name}=...' for name in required)}"
        return Requirements(point.name, point.value, (), state)
    needs = checkpoints_of(factory)
    ways = [way for name in needs if (way := _way_to(name))]
    fetched = [way.removeprefix(FETCH) for way in ways if way.startswith(FETCH)]
    ways = [way for way in ways if not way.startswith(FETCH)]
    if fetched:
        ways.append(FETCH + " ".join(fetched))
    return Requirements(point.name, point.value, needs, f"missing: {'; '.join(ways)}" if ways else READY)


def _settings_without_default(factory: Any) -> list[str]:
    kind = getattr(factory, "Settings", None)
    missing = dataclasses.MISSING
    fields = dataclasses.fields(kind) if kind else ()
    return [field.name for field in fields if field.default is missing and field.default_factory is missing]


def _way_to(name: str) -> str:
    """How to get a checkpoint, in a few words; "" for one that is there."""
    known = registry.checkpoints().get(name)
    if known is None:
        return "" if Path(name).expanduser().is_file() else f"{name}, no such file"
    try:
        return "" if registry.is_there(known) else registry.short_way(known)
    except IcvosError as error:  # the user's variable names a file that is not there
        return str(error)


def checkpoints_of(factory: Any) -> tuple[str, ...]:
    """The checkpoints that a method loads with its default settings.

    They are what its class says (`Needs`), or else those settings that name a checkpoint.
    """
    kind = getattr(factory, "Settings", None)
    settings = kind() if kind else None
    if isinstance(factory, Needs):
        return tuple(factory.needs(settings))
    if settings is None:
        return ()
    values = [getattr(settings, field.name) for field in dataclasses.fields(settings)]
    return tuple(dict.fromkeys(value for value in values if isinstance(value, str) and value in registry.checkpoints()))
