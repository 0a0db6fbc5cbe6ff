"""What every installed method needs, and whether it is there: nothing is built, loaded or fetched."""

import dataclasses
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any

from icvos.method import Needs, method_factory, method_names
from icvos.models import registry

READY = "ready"


@dataclass(frozen=True, slots=True)
class Requirements:
    """What one method needs.

    Args:
        method: Its name.
        where: Its entry point, ``module:Class``.
        needs: Names of checkpoints, for its default settings.
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


def requirements() -> list[Requirements]:
    """What every installed method needs, in order of the methods' names."""
    where = {point.name: point.value for point in entry_points(group="icvos.methods")}
    return [_requirements(name, where[name]) for name in method_names()]


def _requirements(name: str, where: str) -> Requirements:
    try:
        factory = method_factory(name)
        needs = checkpoints_of(factory)
    except ModuleNotFoundError as error:
        extra = "icvos[models]" if where.startswith(("baselines", "dcsam")) else f"{error.name}"
        return Requirements(name, where, (), f"missing package {error.name}: pip install '{extra}'")
    except (ImportError, AttributeError) as error:
        return Requirements(name, where, (), f"cannot be loaded: {error}")
    missing = [known for known in map(registry.checkpoints().get, needs) if known and not registry.is_there(known)]
    state = f"missing: {'; '.join(map(registry.short_way, missing))}" if missing else READY
    return Requirements(name, where, needs, state)


def checkpoints_of(factory: Any) -> tuple[str, ...]:
    """The checkpoints of a method's default settings: what its class says (`Needs`), else settings that name one."""
    kind = getattr(factory, "Settings", None)
    try:
        settings = kind() if kind else None
    except TypeError:  # a setting without a default, such as the path of a checkpoint
        return ()
    if isinstance(factory, Needs):
        return tuple(factory.needs(settings))
    if settings is None or not dataclasses.is_dataclass(settings):
        return ()
    values = [getattr(settings, field.name) for field in dataclasses.fields(settings)]
    return tuple(dict.fromkeys(value for value in values if isinstance(value, str) and value in registry.checkpoints()))
