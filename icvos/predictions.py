"""Prediction folders, which are also submissions: reading their masks, and finding every fault in one pass.

    <root>/run.json                       how the predictions were made; may be absent
           <video>/<class>/<frame>.png    at the video's own size; any non-zero value is foreground, or
           <video>/<class>.json           the same clip as COCO RLE: {"<frame>": {"size": [h, w], "counts": ...}, ...}

A run over several support draws holds one such folder per draw: ``<run>/draw0``, ``<run>/draw1``, ... What comes from
elsewhere is looked at before it is decoded: size, kind of image, run lengths.
"""

import contextlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np

from icvos.benchmark import Benchmark, Clip
from icvos.categories import category
from icvos.errors import IcvosError
from icvos.masks import decode_rle, image_size, open_image, pack_rle, parse_png, read_packed
from icvos.metrics.bits import PackedMask, pack
from icvos.png import Png
from icvos.protocol import Protocol
from icvos.storage import read_json

MODES = ("1", "L", "P", "I;16", "I;16B", "I")  # of mask images: values or palette indices, never colours
MAX_RLE_BYTES = 1 << 28  # of one clip's JSON
OWN_FILES = re.compile(r"run\.json|scores.*\.json|.*\.csv")
LEFTOVERS = ("__MACOSX", "Thumbs.db", "desktop.ini")

Severity = Literal["error", "warning"]
Decoded = TypeVar("Decoded")


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with a prediction folder.

    Args:
        kind: A word to group by: missing, extra or misnamed followed by -video, -class or -frame; size, mode,
            unreadable, ambiguous, truth, digest, extra-file.
        where: The file or folder.
        what: What is wrong and the remedy, in one line.
        severity: An ``error`` keeps the folder from being scored, a ``warning`` does not.
    """

    kind: str
    where: str
    what: str
    severity: Severity = "error"

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}"
        return "".join(character if character.isprintable() else "?" for character in text)


class PredictionError(IcvosError):
    """A predicted mask that cannot be used; its one argument is the `Fault`."""

    @property
    def fault(self) -> Fault:
        """What is wrong, as `check` reports it."""
        found: Fault = self.args[0]
        return found


def draw_folders(path: Path | str) -> tuple[Path, ...]:
    """The prediction folders of a run: its subfolders ``draw<N>`` in order of N, or ``path`` itself if it has none."""
    path = Path(path)
    if not path.is_dir():
        raise IcvosError(f"{path}: no such folder; expected predictions as <video>/<class>/<frame>.png")
    numbered = {int(entry.name[4:]): entry for entry in path.iterdir() if re.fullmatch(r"draw(0|[1-9]\d*)", entry.name)}
    return tuple(numbered[number] for number in sorted(numbered)) or (path,)


def counted_frames(clip: Clip, protocol: Protocol) -> tuple[str, ...]:
    """The names of the frames of ``clip`` that count under ``protocol``, in order; raises where none does."""
    frames = clip.video.frames
    names = tuple(frames[position] for position in protocol.frame_range(len(frames)))
    if not names:
        raise IcvosError(f"{clip.folder}: no frame of {len(frames)} counts under {protocol.id}; use another protocol")
    return names


class Predictions:
    """The masks of one prediction folder, read when asked for; make one with `Predictions.open`."""

    def __init__(self, folder: Path, run: dict[str, Any]) -> None:
        self.folder = folder
        self.run = run
        self._rles: tuple[Path, dict[str, Any]] | None = None  # of the clip read last

    @classmethod
    def open(cls, folder: Path | str) -> "Predictions":
        """Open a prediction folder; raises `IcvosError` where there is none or its ``run.json`` cannot be read."""
        folder = Path(folder)
        if not folder.is_dir():
            raise IcvosError(f"{folder}: no such folder; expected predictions as <video>/<class>/<frame>.png")
        path = folder / "run.json"
        run = read_json(path, "the record of a run") if path.is_file() else {}
        if not isinstance(run, dict):
            raise IcvosError(f"{path}: not a JSON object; write the record of the run again or remove the file")
        return cls(folder, run)

    @property
    def clip_ids(self) -> tuple[str, ...]:
        """The clips that are present, ``<video>/<class>``, in order of video name and class index."""
        found = {
            (video.name, int(entry.name.removesuffix(".json")))
            for video in _visible(self.folder)
            if video.is_dir()
            for entry in _visible(video)
            if re.fullmatch(r"[1-9]\d?(\.json)?", entry.name) and entry.is_dir() != (entry.suffix == ".json")
        }
        return tuple(f"{video}/{index}" for video, index in sorted(found))

    def frames(self, clip: Clip) -> frozenset[str]:
        """The names of the frames of ``clip`` that have a mask; empty where the clip is absent."""
        path = self._place(clip)
        if path.suffix == ".json":
            return frozenset(self._read_rles(path))
        if not path.is_dir():
            return frozenset()
        return frozenset(entry.stem for entry in _visible(path) if entry.suffix == ".png")

    def missing(self, clip: Clip, protocol: Protocol) -> list[str]:
        """The files (or entries of the clip's JSON) that ``protocol`` needs and that are not there."""
        present = self.frames(clip)
        return [str(self._where(clip, frame)) for frame in counted_frames(clip, protocol) if frame not in present]

    def mask(self, clip: Clip, frame: str) -> np.ndarray:
        """(H, W) bool at the video's own size; `PredictionError` for an absent or broken mask or another size."""
        place = self._place(clip)
        if place.suffix == ".json":
            return _decode(self._read_rles(place), frame, clip.video.size, place, decode_rle)
        return _read(place / f"{frame}.png", clip.video.size)

    def packed(self, clip: Clip, frame: str, size: tuple[int, int] | None = None) -> PackedMask:
        """`mask` as bits, resized to ``size`` by the rule of `icvos.masks.resize_nearest`; None: at its own size."""
        place = self._place(clip)
        if place.suffix == ".json":
            return _decode(self._read_rles(place), frame, clip.video.size, place, lambda rle: pack_rle(rle, size))
        path = place / f"{frame}.png"
        found = _parse(path, clip.video.size)
        packed = found.packed(size) if found is not None else None
        return pack(_read(path, clip.video.size), size) if packed is None else packed

    def _place(self, clip: Clip) -> Path:
        """The clip's folder of PNGs, or its JSON of RLEs."""
        folder = self.folder / clip.video.name / str(clip.category.index)
        listing = folder.with_name(f"{folder.name}.json")
        if not listing.is_file():
            return folder
        if folder.is_dir():
            raise PredictionError(
                Fault("ambiguous", str(folder), f"masks both here and in {listing.name}; remove one of the two")
            )
        return listing

    def _where(self, clip: Clip, frame: str) -> str:
        place = self._place(clip)
        return f"{place}: {frame}" if place.suffix == ".json" else str(place / f"{frame}.png")

    def _read_rles(self, path: Path) -> dict[str, Any]:
        if self._rles is None or self._rles[0] != path:
            self._rles = path, _load_rles(path)
        return self._rles[1]


def _visible(folder: Path) -> list[Path]:
    """What is in ``folder``, by name, without hidden files and leftovers of archives and file managers."""
    return sorted(entry for entry in folder.iterdir() if not entry.name.startswith(".") and entry.name not in LEFTOVERS)


def _read(path: Path, size: tuple[int, int]) -> np.ndarray:
    """A PNG as (H, W) bool; size and kind are looked at before pixels are decoded."""
    found = _parse(path, size)
    values = found.values() if found is not None else None
    if values is not None:
        return values != 0
    with _reading(path):
        _require_size(image_size(path), size, str(path))
        image = open_image(path)
    if image.mode not in MODES:
        what = (
            f"image of mode {image.mode}; save the mask with one channel of values or palette indices, 0 = background"
        )
        raise PredictionError(Fault("mode", str(path), what))
    return np.asarray(image) != 0


def _parse(path: Path, size: tuple[int, int]) -> Png | None:
    """A PNG of the right size whose pixels are not decoded yet; None for what only Pillow can judge."""
    if not path.is_file():
        raise PredictionError(Fault("missing-frame", str(path), "no such file; predict the frame"))
    with _reading(path):
        found = parse_png(path)
    if found is not None:
        _require_size(found.size, size, str(path))
    return found


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turn what `icvos.masks` says of a file that cannot be decoded into a fault."""
    try:
        yield
    except PredictionError:
        raise
    except IcvosError as error:
        what = f"cannot be decoded ({error.__cause__}); write the file again"
        raise PredictionError(Fault("unreadable", str(path), what)) from error


def _load_rles(path: Path) -> dict[str, Any]:
    if path.stat().st_size > MAX_RLE_BYTES:
        what = f"larger than {MAX_RLE_BYTES >> 20} MiB; write the clip as PNG files"
        raise PredictionError(Fault("unreadable", str(path), what))
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        what = f"cannot be read as JSON ({error}); write the file again"
        raise PredictionError(Fault("unreadable", str(path), what)) from error
    if not isinstance(found, dict):
        what = 'not an object of the form {"<frame>": {"size": [h, w], "counts": ...}}; write the file again'
        raise PredictionError(Fault("unreadable", str(path), what))
    return found


def _decode(
    rles: dict[str, Any], frame: str, size: tuple[int, int], path: Path, decode: Callable[[dict[str, Any]], Decoded]
) -> Decoded:
    where = f"{path}: {frame}"
    if frame not in rles:
        raise PredictionError(Fault("missing-frame", where, "no such frame in the file; predict the frame"))
    try:
        rle = rles[frame]
        height, width = (int(value) for value in rle["size"])
        _require_size((height, width), size, where)
        return decode(rle)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        what = f"not a COCO RLE ({error}); write the mask again"
        raise PredictionError(Fault("unreadable", where, what)) from error


def _require_size(found: tuple[int, int], expected: tuple[int, int], where: str) -> None:
    if found != expected:
        what = f"mask of {found[0]} x {found[1]}, the video is {expected[0]} x {expected[1]} (height x width)"
        raise PredictionError(Fault("size", where, f"{what}; resize the mask to the video's own size"))


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
    return [
        fault
        for draw in draw_folders(folder)
        for fault in _check_folder(benchmark, Predictions.open(draw), protocol, required, progress)
    ]


def _check_folder(
    benchmark: Benchmark,
    predictions: Predictions,
    protocol: Protocol,
    required: tuple[Clip, ...],
    progress: Callable[[Clip], None] | None,
) -> Iterator[Fault]:
    root = predictions.folder
    made_for = predictions.run.get("benchmark")
    digest = made_for.get("digest") if isinstance(made_for, dict) else None
    if digest and benchmark.digest and digest != benchmark.digest:
        what = f"made for another build of the benchmark ({digest}, not {benchmark.digest}); predict again for this one"
        yield Fault("digest", str(root / "run.json"), what, "warning")
    entries = _visible(root)
    for entry in entries:
        if not entry.is_dir() and not OWN_FILES.fullmatch(entry.name):
            yield Fault("extra-file", str(entry), "not part of a prediction folder; remove it", "warning")
    videos = {clip.video.name for clip in required}
    names = _Names("video", root, {entry.name: entry.name for entry in entries if entry.is_dir()})
    yield from names.compare(videos, {video.name for video in benchmark.videos}, _video_key)
    for video in sorted(videos & names.found.keys()):
        known = {str(clip.category.index) for clip in benchmark.clips if clip.video.name == video}
        wanted = {str(clip.category.index): clip for clip in required if clip.video.name == video}
        yield from _check_video(root / video, wanted, known, predictions, protocol, progress)


def _check_video(
    folder: Path,
    wanted: dict[str, Clip],
    known: set[str],
    predictions: Predictions,
    protocol: Protocol,
    progress: Callable[[Clip], None] | None,
) -> Iterator[Fault]:
    classes = _Names(
        "class",
        folder,
        {e.name.removesuffix(".json") if e.is_file() else e.name: e.name for e in _visible(folder)},
    )
    yield from classes.compare(wanted.keys(), known, _class_key)
    for name in sorted(wanted.keys() & classes.found.keys(), key=int):
        try:
            yield from _check_clip(wanted[name], predictions, protocol)
        except PredictionError as error:
            yield error.fault
        if progress is not None:
            progress(wanted[name])


def _check_clip(clip: Clip, predictions: Predictions, protocol: Protocol) -> Iterator[Fault]:
    """Names first, then every mask that counts; `PredictionError` where the clip as a whole cannot be read."""
    present = predictions.frames(clip)
    place = predictions.folder / clip.video.name / str(clip.category.index)
    if place.is_dir():
        listed = {e.name.removesuffix(".png"): e.name for e in _visible(place)}
    else:
        place, listed = place.with_name(f"{place.name}.json"), {frame: frame for frame in present}
    frames = counted_frames(clip, protocol)
    yield from _Names("frame", place, listed).compare(frames, clip.video.frames, _frame_key)
    equal = True
    for frame in frames:
        if frame not in present:
            equal = False
            continue
        try:
            mask = predictions.packed(clip, frame)
        except PredictionError as error:
            yield error.fault
            equal = False
            continue
        equal = equal and mask == read_packed(clip.mask_path(frame))
    if equal:
        what = "equal to the true masks in every frame; submit predictions, not annotations"
        yield Fault("truth", str(place), what, "warning")


@dataclass(frozen=True, slots=True)
class _Names:
    """What was found in a place: for each name without suffix the file or folder that carries it."""

    level: str
    place: Path
    found: dict[str, str]

    def compare(self, wanted: Iterable[str], known: Iterable[str], key: Callable[[str], str | None]) -> Iterator[Fault]:
        """Faults where names are absent, unknown, or wrong in a way that shows what is meant (an equal ``key``)."""
        wanted, known = tuple(wanted), set(known)
        absent = [name for name in wanted if name not in self.found]
        meant: dict[str | None, list[str]] = {}
        for name in absent:
            meant.setdefault(key(name), []).append(name)
        taken = set()
        for name, file in self.found.items():
            if name in known:
                continue
            target = meant.get(key(name), [])
            if key(name) is not None and len(target) == 1 and target[0] not in taken:
                taken.add(target[0])
                yield self._fault("misnamed", file, f"is not a {self.level} of the benchmark; rename it to {target[0]}")
            else:
                what = f"the benchmark has no such {self.level}; remove it"
                yield self._fault("extra", file, what, "warning")
        for name in absent:
            if name not in taken:
                yield self._fault("missing", name, f"no such {self.level} among the predictions; predict it")

    def _fault(self, kind: str, name: str, what: str, severity: Severity = "error") -> Fault:
        if self.place.suffix == ".json":
            where = f"{self.place}: {name}"
        elif self.level == "frame" and kind == "missing":
            where = str(self.place / f"{name}.png")
        else:
            where = str(self.place / name)
        return Fault(f"{kind}-{self.level}", where, what, severity)


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
