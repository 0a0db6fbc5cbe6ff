"""Folders of frames: which files count, and in which order."""

import re
from collections.abc import Collection, Iterator
from pathlib import Path

from icvos.errors import IcvosError
from icvos.files.leftovers import is_ours

# what file managers, archives and file systems leave in a folder without being asked, in lower case
LEFTOVERS = frozenset(
    {
        *("__macosx", ".ds_store", ".localized", ".spotlight-v100", ".trashes", ".fseventsd", ".temporaryitems"),
        *("thumbs.db", "ehthumbs.db", "desktop.ini", "$recycle.bin", "system volume information"),
        *("@eadir", "#recycle", ".directory", "lost+found"),
    }
)


def is_leftover(name: str) -> bool:
    """Whether a file or folder of this name is one of `LEFTOVERS`, or what macOS writes beside a file elsewhere.

    >>> [is_leftover(name) for name in (".DS_Store", "._walk.png", "Thumbs.db", "walk.png", ".git")]
    [True, True, True, False, False]
    """
    return name.lower() in LEFTOVERS or name.startswith("._")


def is_passed_over(name: str) -> bool:
    """Whether every reader passes over a file or folder of this name: a leftover, or hidden."""
    return name.startswith(".") or is_leftover(name)


def is_empty(folder: Path, but: Collection[Path] = ()) -> bool:
    """Whether ``folder`` is absent, or a folder that holds nothing but leftovers; a file is not empty.

    ``but`` are entries of it that do not count.
    """
    if not folder.is_dir():
        return not folder.exists()
    return all(is_leftover(entry.name) or is_ours(entry.name) or entry in but for entry in folder.iterdir())


def visible_entries(root: Path) -> Iterator[Path]:
    """What is in ``root``, in no order, without what `is_passed_over`."""
    return (entry for entry in root.iterdir() if not is_passed_over(entry.name))


def natural(path: Path) -> tuple[list[tuple[int, int, str]], str]:
    """A sort key under which frame2 comes before frame10."""
    parts = re.findall(r"[0-9]+|[^0-9]+", path.stem)
    return [(0, int(part), "") if part[0] in "0123456789" else (1, 0, part.lower()) for part in parts], path.name


def visible_folders(root: Path) -> Iterator[Path]:
    """The folders among `visible_entries`."""
    return (entry for entry in visible_entries(root) if entry.is_dir())


def sorted_frames(folder: Path, suffixes: tuple[str, ...]) -> tuple[Path, ...]:
    """The files of ``folder`` with one of ``suffixes``, by integer stem; raises for other stems, ties or no file."""
    paths = tuple(frames_by_number(folder, suffixes).values())
    if not paths:
        raise IcvosError(f"{folder}: no {'/'.join(suffixes)} files")
    return paths


def frames_by_number(folder: Path, suffixes: tuple[str, ...], natural_sort: bool = False) -> dict[int | str, Path]:
    """The files of ``folder`` with one of ``suffixes``, keyed by integer stem and in that order; may be empty.

    A stem that is no number raises `IcvosError`, as do two files with one number. With ``natural_sort`` such a stem is
    its own key, and the order is that of the numbers and texts in the stems.
    """
    if not folder.is_dir():
        raise IcvosError(f"{folder}: no such folder")
    found: dict[int | str, Path] = {}
    for name, path in sorted((path.name, path) for path in folder.iterdir()):
        stem, _, suffix = name.rpartition(".")
        if f".{suffix}" not in suffixes or is_passed_over(name):
            continue
        is_number = stem.isascii() and stem.isdecimal()
        if not is_number and not natural_sort:
            raise IcvosError(f"{path}: frame names must be numbers, to be put in order; rename the file or remove it")
        key = int(stem) if is_number else stem
        if key in found:
            raise IcvosError(f"{path}: same frame number as {found[key].name}; remove one of the two")
        found[key] = path
    order = _natural_key if natural_sort else int
    return {key: found[key] for key in sorted(found, key=order)}


def _natural_key(key: int | str) -> list[tuple[bool, int, str]]:
    parts = re.findall(r"[0-9]+|[^0-9]+", str(key))
    return [(False, int(part), "") if part.isdecimal() else (True, 0, part) for part in parts]
