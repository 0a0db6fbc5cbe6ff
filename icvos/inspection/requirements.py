"""The installed methods: what each needs, and whether it is there. Nothing is built, loaded or fetched."""

from dataclasses import dataclass
from importlib.metadata import EntryPoint
from pathlib import Path

from icvos.errors import IcvosError
from icvos.method import find_method, first_line, how_to_install, method_names
from icvos.models.needs import CHECKPOINT, TRAINED, checkpoints_of, missing_packages, small
from icvos.models.weights import registry
from icvos.models.weights.integrity import cut_off, damage, what_else
from icvos.settings import without_default

READY = "ready"
FETCH = "icvos weights fetch "


@dataclass(frozen=True, slots=True)
class Requirements:
    """What one method needs.

    Args:
        method: Its name.
        where: Its entry point, ``module:Class``.
        needs: Names of the checkpoints that it loads to segment, with its default settings.
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
        state = f"missing package {error.name}: {how_to_install(point, error)}"
        return Requirements(point.name, point.value, (), state)
    except (Exception, SystemExit) as error:  # its module is anybody's code, and the others are listed all the same
        reason = first_line(error) if isinstance(error, ImportError | AttributeError) else repr(error)
        return Requirements(point.name, point.value, (), f"cannot be loaded: {first_line(Exception(reason))}")
    kind = getattr(factory, "Settings", None)
    required = without_default(kind) if kind else []
    if required:
        state = f"missing: {' '.join(f'--set {name}=...' for name in required)}"
        return Requirements(point.name, point.value, (), state)
    needs = checkpoints_of(factory, kind() if kind else None)
    ways = [f"package {name}, pip install 'icvos[models]'" for name in missing_packages(factory)]
    ways += [way for name in needs if (way := way_to(name))]
    fetched = [way.removeprefix(FETCH) for way in ways if way.startswith(FETCH)]
    ways = [way for way in ways if not way.startswith(FETCH)]
    if fetched:
        ways.append(FETCH + " ".join(fetched))
    if ways and small(factory):
        ways.append(f"or, small and with icvos: {small(factory)}")
    return Requirements(point.name, point.value, needs, f"missing: {'; '.join(ways)}" if ways else READY)


def way_to(name: str) -> str:
    """How to get a checkpoint, in a few words; "" for one that is there and is what it should be."""
    if name == TRAINED:
        return f"--set {CHECKPOINT}=FILE, which icvos train makes"
    known = registry.find(name)
    if known is None:
        path = Path(name).expanduser()
        fault = (what_else(path) or cut_off(path)) if path.is_file() else ""
        return f"{name} is {fault}" if fault else "" if path.is_file() else f"{name}, no such file"
    try:
        if not registry.is_there(known):
            return registry.short_way(known)
        file = registry.locate(known)
    except IcvosError as error:  # the user's variable names a file that is not there
        return str(error)
    other = (what_else(file) or cut_off(file)) if file else ""
    fault = f"is {other}" if other else damage(file, known) if file else ""
    return f"{file} {fault}, remove it and get {name} again" if fault else ""
