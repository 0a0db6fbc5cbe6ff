"""Where predictions are when they are not in the very folder that was given: deeper, or further up."""

import os
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from icvos.categories import category
from icvos.errors import IcvosError, PredictionError
from icvos.files.submitted import is_plain, visible

MAX_LEVELS = 3
MAX_LOOKED_AT = 2000  # folders
PART = re.compile(r"(draw|fold)(0|[1-9][0-9]*)")
RECORD, EPISODES = "run.json", "episodes.jsonl"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What tells a folder of predictions: the names of what a benchmark has, with and without their source."""

    names: frozenset[str]

    @staticmethod
    def of(names: Collection[str]) -> "Wanted":
        """For videos, or folds, of these names."""
        return Wanted(frozenset(names) | {name.partition("_")[2] for name in names} - {""})

    def held(self, folder: Path) -> bool:
        """Whether ``folder`` holds predictions."""
        return any(
            entry.name in self.names or (PART.fullmatch(entry.name) and is_plain(entry, folder=True))
            for entry in _content(folder)
        )


def deeper(folder: Path, names: Collection[str]) -> tuple[Path, ...]:
    """The folders below ``folder`` that hold predictions, the topmost; none where it holds some itself.

    One that holds no more than the record of a run counts where there is no better.
    """
    wanted = Wanted.of(names)
    if wanted.held(folder):
        return ()
    recorded: tuple[Path, ...] = ()
    level, left = [folder], MAX_LOOKED_AT
    for _ in range(MAX_LEVELS):
        level = [entry for place in level for entry in _content(place) if _may_wrap(entry, wanted)][:left]
        left -= len(level)
        found = tuple(place for place in level if wanted.held(place))
        if found:
            return found
        recorded = recorded or tuple(place for place in level if is_plain(place / RECORD))
    return recorded if not is_plain(folder / RECORD) else ()


def further_up(folder: Path, names: Collection[str]) -> Path | None:
    """The folder of predictions that ``folder`` is a part of: the folder of a fold, a video, or a class of one."""
    wanted, path = Wanted.of(names), Path(os.path.abspath(folder))  # noqa: PTH100  # a link's own place counts
    place = folder if folder.name not in ("", "..") else path
    shown = place.parent, place.parent.parent
    inside = _content(folder)
    if path.name in names and PART.fullmatch(path.name) and is_plain(folder / EPISODES):
        return shown[0]
    if wanted.held(folder):
        return None
    if path.name in wanted.names and any(_is_part_of_video(entry) for entry in inside):
        return shown[0]
    if path.parent.name in wanted.names and _is_class(path.name) and any(entry.suffix == ".png" for entry in inside):
        return shown[1]
    return None


def _content(folder: Path) -> list[Path]:
    try:
        return visible(folder)
    except PredictionError:  # the check says what cannot be listed
        return []


def _may_wrap(entry: Path, wanted: Wanted) -> bool:
    return entry.name not in wanted.names and not _is_class(entry.name) and is_plain(entry, folder=True)


def _is_part_of_video(entry: Path) -> bool:
    return _is_class(entry.name.removesuffix(".json")) or entry.name == "Annotations" or entry.suffix == ".png"


def _is_class(name: str) -> bool:
    try:
        return name.isdecimal() or bool(category(name.replace("_", " ")))
    except IcvosError:
        return False


def shortened(places: Iterable[Path], folder: Path) -> str:
    """The first three of ``places`` as they lie in ``folder``, for a message."""
    names = [str(place.relative_to(folder)) for place in places]
    return ", ".join(names[:3]) + (" ..." if len(names) > 3 else "")
