"""Where the masks of each video lie among many files, whatever folders were put around or below the videos' own.

    <video>/<frame>.png                            as documented
    Results/480p/MyMethod/<VIDEO>/masks/1.PNG      as people send it

A file belongs to the video that the deepest folder on its path is named after, however letters and dashes are written,
and shows the frame whose number its name holds.
"""

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from icvos.errors import IcvosError
from icvos.files.listing import is_passed_over
from icvos.files.storage import storable

Parts = tuple[str, ...]  # of a path
Key = int | str  # the number of a frame, or its name where that is no number
SUFFIX = ".png"


@dataclass(frozen=True, slots=True)
class Masks:
    """The masks of a video in one folder.

    Args:
        folder: The path of the folder.
        files: The name of each frame's file.
        note: What is odd about the names.
    """

    folder: Parts
    files: Mapping[Key, str]
    note: str = ""

    def path(self, frame: Key) -> Parts:
        """The path of a frame's file."""
        return *self.folder, self.files[frame]


def is_mask(parts: Sequence[str]) -> bool:
    """Whether a file may be a mask: a PNG, and neither hidden nor a leftover, as those in ``__MACOSX`` are."""
    return parts[-1].lower().endswith(SUFFIX) and not any(map(is_passed_over, parts))


@dataclass(frozen=True, slots=True)
class Frames:
    """The frames of a true video, in order, and those of them that are scored."""

    all: tuple[Key, ...]
    scored: tuple[Key, ...]


def find_masks(
    files: Iterable[Parts], name: str, videos: Collection[str], wanted: Mapping[str, Frames], *, alone: bool = False
) -> tuple[dict[str, list[Masks]], list[Parts]]:
    """The folders that may be each wanted video's, the likeliest alone where there is one, and folders of no video.

    Args:
        files: The paths of all files that `is_mask`.
        name: What the whole is called, as files in no folder are.
        videos: The names of all true videos.
        wanted: Those that are scored.
        alone: Whether the one true video is a bare folder of masks, whose name says nothing.
    """
    folders: dict[Parts, list[str]] = {}
    for parts in files:
        folders.setdefault(parts[:-1], []).append(parts[-1])
    looks = _by_look(videos)
    owned: dict[str, list[Parts]] = {}
    strange = []
    for folder in sorted(folders):
        video = next((looks[look] for look in map(_look, reversed(folder or (name,))) if look in looks), None)
        if video is None:
            strange.append(folder)
        else:
            owned.setdefault(video, []).append(folder)
    if alone and not owned and len(strange) == 1:
        owned, strange = dict.fromkeys(videos, strange), []
    found = {}
    for video in sorted(wanted.keys() & owned.keys()):
        masks = [_numbered(folder, folders[folder], wanted[video].all) for folder in owned[video]]
        found[video] = _likeliest(video, masks, wanted[video].scored)
    return found, strange


def _likeliest(video: str, found: list[Masks], needed: Collection[Key]) -> list[Masks]:
    """Those that have the most of the frames that are needed, of which the documented place wins."""
    counts = [sum(key in masks.files for key in needed) for masks in found]
    best = [masks for masks, count in zip(found, counts, strict=True) if count == max(counts)]
    return [masks for masks in best if masks.folder == (video,)] or best


def _by_look(videos: Iterable[str]) -> dict[str, str]:
    """Each video by how its name looks, and those that look alike by their names alone."""
    looks: dict[str, list[str]] = {}
    for video in videos:
        looks.setdefault(_look(video), []).append(video)
    return {look: alike[0] for look, alike in looks.items() if len(alike) == 1}


def _look(name: str) -> str:
    """A name without what programs and people change in it: case, dashes, and how accents are stored."""
    return re.sub("[_ ]", "-", unicodedata.normalize("NFC", storable(name)).casefold())


def _numbered(folder: Parts, names: Sequence[str], frames: Sequence[Key]) -> Masks:
    """The masks in ``folder`` by the frames that they show."""
    stems = {name: name[: -len(SUFFIX)] for name in sorted(names)}
    found = _unique(folder, {name: _key(stem) for name, stem in stems.items()})
    if not found.keys() & set(frames):
        parts = [re.fullmatch(r"(.*?)([0-9]+)([^0-9]*)", stem, re.DOTALL) for stem in stems.values()]
        around = {(part[1], part[3]) if part else None for part in parts}
        if len(around) == 1 and None not in around:  # shot_00001_mask.png
            numbers = {name: int(part[2]) for name, part in zip(stems, parts, strict=True) if part}
            found = _unique(folder, numbers)
    shift = _shift(found.keys(), frames)
    if not shift:
        return Masks(folder, found)
    renumbered: dict[Key, str] = {key - shift: name for key, name in found.items() if isinstance(key, int)}
    first, last = renumbered[frames[0]], renumbered[frames[-1]]
    note = f"numbered otherwise than the truth; {first} to {last} are taken for frames {frames[0]} to {frames[-1]}"
    return Masks(folder, renumbered, note)


def _key(stem: str) -> Key:
    return int(stem) if stem.isascii() and stem.isdecimal() else stem


def _unique(folder: Parts, keys: Mapping[str, Key]) -> dict[Key, str]:
    found: dict[Key, str] = {}
    for name, key in keys.items():
        other = found.setdefault(key, name)
        if other != name:
            raise IcvosError(f"{'/'.join((*folder, name))}: same frame number as {other}; remove one of the two")
    return found


def _shift(found: Collection[Key], frames: Sequence[Key]) -> int:
    """By how much the numbers in ``found`` are too high, where they are as many as the frames and all equally wrong."""
    ours, theirs = [key for key in frames if isinstance(key, int)], sorted(key for key in found if isinstance(key, int))
    if not ours or not len(ours) == len(theirs) == len(frames) == len(found):
        return 0
    shifts = {theirs[place] - key for place, key in enumerate(ours)}
    return shifts.pop() if len(shifts) == 1 else 0
