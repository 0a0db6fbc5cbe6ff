"""How a prediction folder is laid out: as it should be, or in a way that is recognised, named once and can be repaired.

Each of `LAYOUTS` looks at the whole of a folder in which no video is in its place, `_classes` at the folder of a video,
and `numbering` at the numbers of all classes. A pattern is one fault with a count and three examples; what it
explains is not listed again.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from icvos.categories import Category, category
from icvos.errors import Fault, PredictionError
from icvos.files.submitted import is_plain, visible
from icvos.files.untrusted import open_png
from icvos.tasks.video.benchmark import Benchmark, Clip
from icvos.tasks.video.names import REPAIRED, Names, class_key, examples, video_key

NUMBERINGS: dict[str, Callable[[Category], int]] = {
    "COCO's own ids, which go to 90 with gaps": lambda kind: kind.category_id,
    "counted from 0": lambda kind: kind.index - 1,
}
CLASSES = tuple(category(index) for index in range(1, 81))


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything is in a prediction folder.

    Args:
        videos: The folders of videos, by the names that they have.
        classes: For each video of the benchmark that is there, the folders or JSONs of its classes; `PredictionError`
            in the place of one that cannot be listed.
        faults: The patterns that are named.
        closed: Whether the patterns explain all: nothing else is wrong that could be told.
    """

    videos: Names
    classes: dict[str, Names | PredictionError] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()
    closed: bool = False


@dataclass(frozen=True, slots=True)
class _Folder:
    """A prediction folder that is looked at."""

    root: Path
    entries: Sequence[Path]
    clips: Mapping[str, Sequence[Clip]]

    @property
    def folders(self) -> list[Path]:
        return [entry for entry in self.entries if is_plain(entry, folder=True)]


def find_layout(benchmark: Benchmark, root: Path, entries: Sequence[Path]) -> Layout:
    """How the predictions in ``root`` lie, whose content ``entries`` is."""
    clips: dict[str, list[Clip]] = {}
    for clip in benchmark.clips:
        clips.setdefault(clip.video.name, []).append(clip)
    folder = _Folder(root, entries, clips)
    videos = Names("video", root, {entry.name: entry for entry in folder.folders}, video_key)
    meant = videos.renames(sorted(clips), sorted(clips))
    if not meant and not clips.keys() & videos.found.keys():
        found = next((layout for look in LAYOUTS if (layout := look(folder)) is not None), None)
        return found or Layout(videos)
    classes: dict[str, Names | PredictionError] = {}
    odd: dict[str, list[str]] = {}
    for video in sorted(clips.keys() & (videos.found.keys() | meant.keys())):
        place = videos.found[meant.get(video, video)]
        try:
            found_classes, pattern = _classes(place, clips[video])
        except PredictionError as error:
            classes[video] = error
            continue
        if pattern:
            odd.setdefault(pattern, []).append(place.name)
        if found_classes or not pattern:  # else the pattern says what is wrong with all of it
            classes[video] = Names("class", place, found_classes, class_key)
    faults = tuple(Fault("layout", str(root), _counted(what, places)) for what, places in odd.items())
    return _numbered(Layout(videos, classes, faults), clips)


def _counted(what: str, places: Sequence[str]) -> str:
    noun = "video" if len(places) == 1 else "videos"
    return f"{len(places):,} {noun} ({examples(places)}) {what}"


def _listed(folder: Path) -> dict[str, Path]:
    """Folders and files by the names of the classes that they would be."""
    return {entry.name.removesuffix(".json") if is_plain(entry) else entry.name: entry for entry in visible(folder)}


def _classes(folder: Path, clips: Sequence[Clip]) -> tuple[dict[str, Path], str]:
    """The classes in a video's folder, and what is odd about where they lie."""
    entries = _listed(folder)
    if any(class_key(name) is not None for name in entries):
        return entries, ""
    inner = entries.get("Annotations")
    if inner is not None and is_plain(inner, folder=True):
        return _listed(inner), f"have their classes in Annotations: move those up into the video's folder; {REPAIRED}"
    masks = [path for path in entries.values() if path.suffix.lower() == ".png" and is_plain(path)]
    if not masks:
        return entries, ""
    if len(clips) == 1 and _binary(masks, clips[0]):
        index = str(clips[0].category.index)
        return {index: folder}, f"have masks and no folder of their class: move them into <video>/<class>; {REPAIRED}"
    return {}, "have masks and no folder of their class: move each class's masks into <video>/<class>"


def _binary(masks: Iterable[Path], clip: Clip) -> bool:
    """Whether no mask has several values, which would be those of several objects."""
    try:
        return all(len(np.unique(np.asarray(open_png(path, clip.video.size)))) <= 2 for path in masks)
    except PredictionError:
        return False


def _class_first(folder: _Folder) -> Layout | None:
    """``<class>/<video>/...`` in the place of ``<video>/<class>/...``."""
    found: dict[str, dict[str, Path]] = {}
    if not 0 < len(folder.folders) <= len(CLASSES):
        return None
    for kind in folder.folders:
        if class_key(kind.name) is None and not kind.name.isdecimal():
            return None
        for name, path in _listed(kind).items():
            found.setdefault(name, {})[kind.name] = path
    videos = Names("video", folder.root, {name: next(iter(kinds.values())) for name, kinds in found.items()}, video_key)
    wanted = sorted(folder.clips)
    meant = videos.renames(wanted, wanted)
    if not found or found.keys() - set(wanted) - set(meant.values()):
        return None
    classes: dict[str, Names | PredictionError] = {}
    for video in sorted(set(wanted) & (found.keys() | meant.keys())):
        kinds = found[meant.get(video, video)]
        classes[video] = Names("class", folder.root, kinds, class_key)
    names = examples(f"{kind.name}/{entry.name}" for kind in folder.folders for entry in visible(kind)[:1])
    what = f"{len(folder.folders)} folders are classes with videos in them ({names}): move all to <video>/<class>"
    faults = (Fault("layout", str(folder.root), f"{what}; {REPAIRED}"),)
    return _numbered(Layout(videos, classes, faults), folder.clips)


def _backslashes(folder: _Folder) -> Layout | None:
    """A zip file of Windows, unpacked by a program that takes a backslash for a part of a name."""
    odd = [entry.name for entry in folder.entries if "\\" in entry.name]
    if not odd:
        return None
    what = f"{len(odd):,} files have backslashes in their names ({examples(odd)}): give the zip file itself"
    return _closed(folder, f"{what}, or unpack it with another program")


def _images(folder: _Folder) -> Layout | None:
    """A run on images."""
    folds = [entry.name for entry in folder.folders if is_plain(entry / "episodes.jsonl")]
    if not folds:
        return None
    what = f"is a run on images ({examples(folds)}), and the benchmark is one of videos: give --benchmark the images"
    return _closed(folder, what)


def _foreign(folder: _Folder) -> Layout | None:
    """Nothing that the benchmark knows."""
    wanted = f"{examples(sorted(folder.clips))}, each with <class>/<frame>.png or <class>.json in it"
    names = [entry.name for entry in folder.folders] or [entry.name for entry in folder.entries if is_plain(entry)]
    if not names:
        return _closed(folder, f"no predictions in it; expected folders called {wanted}")
    what = f"none of its {len(names):,} names ({examples(names)}) is a video of the benchmark"
    return _closed(folder, f"{what}; expected folders called {wanted}")


LAYOUTS: tuple[Callable[[_Folder], Layout | None], ...] = (_backslashes, _images, _class_first, _foreign)


def _closed(folder: _Folder, what: str) -> Layout:
    videos = Names("video", folder.root, {}, video_key)
    return Layout(videos, {}, (Fault("layout", str(folder.root), what),), closed=True)


def _numbered(layout: Layout, clips: Mapping[str, Sequence[Clip]]) -> Layout:
    """The layout with other numbers of classes read, where they are certainly other numbers."""
    there = {video: names for video, names in layout.classes.items() if isinstance(names, Names)}
    numbers = {video: {int(name) for name in names.found if _is_number(name)} for video, names in there.items()}
    kinds = {video: [clip.category for clip in clips[video]] for video in there}
    title = numbering(numbers, kinds)
    if not title:
        return layout
    number = NUMBERINGS[title]
    meant = {number(kind): str(kind.index) for kind in CLASSES}
    classes = dict(layout.classes)
    for video, names in there.items():
        found = {meant[int(name)] if _is_number(name) else name: path for name, path in names.found.items()}
        classes[video] = Names("class", names.place, found, class_key)
    used = sorted({one for found in numbers.values() for one in found})
    changed = [f"{one} to {meant[one]}" for one in used if meant[one] != str(one)]
    count = sum(map(len, numbers.values()))
    order = changed if title.startswith("COCO") else changed[::-1]  # so that no name is taken yet
    what = f"{count:,} class folders are {title}, and classes here are 1..80: rename {', '.join(order[:3])}"
    more = f" ... ({len(order)} names, in this order)" if len(order) > 3 else " in this order" if len(order) > 1 else ""
    fault = Fault("class-numbers", str(layout.videos.place), f"{what}{more}; {REPAIRED}")
    return Layout(layout.videos, classes, (*layout.faults, fault))


def _is_number(name: str) -> bool:
    return name.isascii() and name.isdecimal() and len(name) < 5


def numbering(numbers: Mapping[str, Collection[int]], kinds: Mapping[str, Sequence[Category]]) -> str:
    """Which of `NUMBERINGS` the numbers of the classes certainly are; "" for classes 1..80 and for what is uncertain.

    Certain is what explains every number where 1..80 do not: because one of them is no class, or because they are the
    very classes of each of several videos.

    Args:
        numbers: For each video the numbers that stand for classes.
        kinds: For each video the classes that it has.
    """
    found = {video: set(names) for video, names in numbers.items() if names}
    every = {one for names in found.values() for one in names}
    if all(names <= {kind.index for kind in kinds[video]} for video, names in found.items()):
        return ""
    titles = []
    for title, number in NUMBERINGS.items():
        impossible = bool(every - {kind.index for kind in CLASSES}) and every <= {number(kind) for kind in CLASSES}
        same = found == {video: {number(kind) for kind in kinds[video]} for video in found}
        if impossible or (same and len(found) > 1):
            titles.append(title)
    return titles[0] if len(titles) == 1 else ""
