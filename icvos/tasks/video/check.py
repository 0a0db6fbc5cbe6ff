"""Every fault of a submission in one pass: names, sizes, kinds of image, values, files that cannot be read."""

import contextlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from icvos.categories import category
from icvos.errors import Fault, IcvosError, PredictionError, Severity
from icvos.files.masks import read_binary
from icvos.files.submitted import visible
from icvos.protocol import Protocol
from icvos.tasks.record import RECORD, RunRecord, read_record
from icvos.tasks.runs import draw_folders, other_build
from icvos.tasks.video.benchmark import Benchmark, Clip
from icvos.tasks.video.predictions import Predictions, counted_frames, draw_faults

OWN_FILES = re.compile(r"run\.json|scores.*\.json|.*\.csv")
MAX_LISTED = 1000  # extra names of one place; the rest is counted


def check(
    benchmark: Benchmark,
    folder: Path | str,
    protocol: Protocol,
    clips: Sequence[Clip] | None = None,
    *,
    progress: Callable[[Clip], None] | None = None,
) -> list[Fault]:
    """Every fault of a prediction folder (or of all draws of a run), from one pass that reads every mask once.

    Frames that do not count under ``protocol`` are not required. What the benchmark does not have (videos, classes,
    frames, files) is a warning, and so is a clip that equals the truth in every frame.

    Args:
        benchmark: What the predictions are for.
        folder: A prediction folder, or a run folder with one per draw.
        protocol: Says which frames count.
        clips: The clips that must be there; None: all.
        progress: Called after each clip.
    """
    required = tuple(benchmark.clips if clips is None else clips)
    folders = draw_folders(folder)
    found = [fault for draw in folders for fault in _check_folder(benchmark, draw, protocol, required, progress)]
    with contextlib.suppress(PredictionError):  # of a record that cannot be read, which is among the faults
        found += draw_faults(benchmark, [Predictions.open(draw) for draw in folders])
    return found


def _check_folder(
    benchmark: Benchmark,
    root: Path,
    protocol: Protocol,
    required: tuple[Clip, ...],
    progress: Callable[[Clip], None] | None,
) -> Iterator[Fault]:
    try:
        entries = visible(root)
    except PredictionError as error:
        yield error.fault
        return
    run = RunRecord()
    try:
        run = read_record(root / RECORD)
    except PredictionError as error:
        yield error.fault
    yield from other_build(root / RECORD, run, benchmark.digest)
    for entry in entries:
        if not entry.is_dir() and not OWN_FILES.fullmatch(entry.name):
            yield Fault("extra-file", str(entry), "not part of a prediction folder; remove it", "warning")
    videos = {clip.video.name for clip in required}
    names = video_names(root, entries)
    yield from names.faults(sorted(videos), {video.name for video in benchmark.videos})
    meant = names.renames(videos, {video.name for video in benchmark.videos})
    for video in sorted(videos & (names.found.keys() | meant.keys())):
        folder = root / names.found[meant.get(video, video)]
        known = {str(clip.category.index) for clip in benchmark.clips if clip.video.name == video}
        wanted = {str(clip.category.index): clip for clip in required if clip.video.name == video}
        yield from _check_video(folder, wanted, known, run, protocol, progress)


def _check_video(
    folder: Path,
    wanted: dict[str, Clip],
    known: set[str],
    run: RunRecord,
    protocol: Protocol,
    progress: Callable[[Clip], None] | None,
) -> Iterator[Fault]:
    try:
        classes = class_names(folder)
    except PredictionError as error:
        yield error.fault
        return
    yield from classes.faults(wanted.keys(), known)
    meant = classes.renames(wanted.keys(), known)
    places = {wanted[name].id: folder / meant.get(name, name) for name in wanted}
    predictions = Predictions(folder.parent, run, places)
    for name in sorted(wanted.keys() & (classes.found.keys() | meant.keys()), key=int):
        try:
            yield from _check_clip(wanted[name], predictions, protocol)
        except PredictionError as error:
            yield error.fault
        if progress is not None:
            progress(wanted[name])


def _check_clip(clip: Clip, predictions: Predictions, protocol: Protocol) -> Iterator[Fault]:
    """Names first, then every mask that counts; `PredictionError` where the clip as a whole cannot be read."""
    place, present = predictions.place(clip), predictions.frames(clip)
    names = frame_names(place, present if place.suffix == ".json" else None)
    frames = counted_frames(clip, protocol)
    yield from names.faults(frames, clip.video.frames)
    meant = names.renames(frames, clip.video.frames)
    equal = True
    for frame in frames:
        name = meant.get(frame, frame)
        if name not in present:
            equal = False
            continue
        try:
            mask, oddity = predictions.examine(clip, name)
        except PredictionError as error:
            yield error.fault
            equal = False
            continue
        if oddity is not None:
            yield oddity
        equal = equal and np.array_equal(mask, read_binary(clip.mask_path(frame)))
    if equal:
        what = "equal to the true masks in every frame; submit predictions, not annotations"
        yield Fault("truth", str(place), what, "warning")


@dataclass(frozen=True, slots=True)
class Names:
    """What was found in a place: for each name without suffix the file or folder that carries it.

    Args:
        level: ``video``, ``class`` or ``frame``.
        place: The folder, or the JSON of a clip.
        found: File or folder names by names without suffix.
        key: Equal for names that mean the same; None for a name that means nothing.
    """

    level: str
    place: Path
    found: dict[str, str]
    key: Callable[[str], str | None]

    def renames(self, wanted: Iterable[str], known: Iterable[str]) -> dict[str, str]:
        """For each wanted name that is absent the one that is certainly meant by it, as found.

        Certain is what is the only one to mean the only absent name. Frames are certain only where every unknown number
        finds its frame: frames numbered 0, 1, 2 ... are not those of a video numbered 1, 6, 11 ...
        """
        known = set(known)
        absent = _by_key((name for name in wanted if name not in self.found), self.key)
        unknown = _by_key((name for name in self.found if name not in known), self.key)
        if self.level == "frame" and unknown.keys() - absent.keys():
            return {}
        return {
            absent[key][0]: names[0]
            for key, names in unknown.items()
            if len(names) == 1 and len(absent.get(key, ())) == 1
        }

    def faults(self, wanted: Iterable[str], known: Iterable[str]) -> Iterator[Fault]:
        """Faults where names are absent, unknown, or wrong in a way that shows what is meant."""
        wanted, known = tuple(wanted), set(known)
        meant = self.renames(wanted, known)
        for name, found in meant.items():
            what = f"is not a {self.level} of the benchmark; rename it to {name}"
            yield self._fault("misnamed", self.found[found], what)
        extra = sorted(self.found.keys() - known - set(meant.values()))
        for name in extra[:MAX_LISTED]:
            what = f"the benchmark has no such {self.level}; remove it"
            yield self._fault("extra", self.found[name], what, "warning")
        if len(extra) > MAX_LISTED:
            what = f"{len(extra) - MAX_LISTED:,} more that are no {self.level} of the benchmark; remove them"
            yield Fault(f"extra-{self.level}", str(self.place), what, "warning")
        for name in wanted:
            if name not in self.found and name not in meant:
                yield self._fault("missing", name, f"no such {self.level} among the predictions; predict it")

    def _fault(self, kind: str, name: str, what: str, severity: Severity = "error") -> Fault:
        if self.place.suffix == ".json":
            where = f"{self.place}: {name}"
        elif self.level == "frame" and kind == "missing":
            where = str(self.place / f"{name}.png")
        else:
            where = str(self.place / name)
        return Fault(f"{kind}-{self.level}", where, what, severity)


def _by_key(names: Iterable[str], key: Callable[[str], str | None]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in names:
        meaning = key(name)
        if meaning is not None:
            found.setdefault(meaning, []).append(name)
    return found


def video_names(root: Path, entries: Sequence[Path]) -> Names:
    """The folders among the ``entries`` of a prediction folder, as names of videos."""
    return Names("video", root, {entry.name: entry.name for entry in entries if entry.is_dir()}, _video_key)


def class_names(folder: Path) -> Names:
    """The classes in a video's folder: folders of PNGs and JSONs of RLEs."""
    entries = visible(folder)
    found = {e.name.removesuffix(".json") if e.is_file() else e.name: e.name for e in entries}
    return Names("class", folder, found, _class_key)


def frame_names(place: Path, frames: Iterable[str] | None = None) -> Names:
    """The frames of a clip: the PNGs in the folder ``place``, or ``frames`` where it is a JSON that has those."""
    if frames is not None:
        return Names("frame", place, {frame: frame for frame in sorted(frames)}, _frame_key)
    return Names("frame", place, {e.name.removesuffix(".png"): e.name for e in visible(place)}, _frame_key)


def _video_key(name: str) -> str:
    """Equal for ``davis_dog``, ``dog`` and ``Dog``."""
    for source in ("davis_", "mose_", "lvos_"):
        name = name.lower().removeprefix(source)
    return name


def _class_key(name: str) -> str | None:
    """Equal for ``17``, ``017`` and ``dog``; None for what names no class."""
    text = name.lstrip("0") if name.isdecimal() else name.replace("_", " ")
    try:
        return str(category(text).index)
    except IcvosError:
        return None


def _frame_key(name: str) -> str | None:
    """Equal for names whose last number is the same, as in ``00005``, ``5.jpg`` and ``frame_5``; None without one."""
    numbers = re.findall(r"\d+", re.sub(r"\.[A-Za-z]\w*$", "", name))
    return (numbers[-1].lstrip("0") or "0") if numbers else None
