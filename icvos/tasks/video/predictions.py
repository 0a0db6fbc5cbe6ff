"""Prediction folders, which are also submissions: reading their masks. What is wrong with one: `check.py`.

    <root>/run.json                       how the predictions were made; may be absent
           <video>/<class>/<frame>.png    at the video's own size; any non-zero value is foreground, or
           <video>/<class>.json           the same clip as COCO RLE: {"<frame>": {"size": [h, w], "counts": ...}, ...}

A run over several support draws holds one such folder per draw: ``<run>/draw0``, ``<run>/draw1``, ... What comes from
elsewhere is looked at before it is decoded: kind of file, size, kind of image, run lengths. Only PNG is ever decoded:
Pillow would open any of its formats by content, and starts another program for some.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from icvos.bitmasks.mask import PackedMask, pack
from icvos.errors import Fault, IcvosError, PredictionError
from icvos.files.rle import Rle, decode_rle, pack_rle
from icvos.files.submitted import is_plain, visible
from icvos.files.untrusted import decode_frame, examine, load_rles, read_plain, read_values
from icvos.protocol import Protocol
from icvos.tasks.mixture import mixture
from icvos.tasks.record import RECORD, RunRecord, read_record
from icvos.tasks.video.benchmark import Benchmark, Clip


def counted_frames(clip: Clip, protocol: Protocol) -> tuple[str, ...]:
    """The names of the frames of ``clip`` that count under ``protocol``, in order; raises where none does."""
    frames = clip.video.frames
    names = tuple(frames[position] for position in protocol.frame_range(len(frames)))
    if not names:
        raise IcvosError(f"{clip.folder}: no frame of {len(frames)} counts under {protocol.id}; use another protocol")
    return names


def draw_faults(benchmark: Benchmark, draws: Sequence["Predictions"]) -> Iterator[Fault]:
    """What keeps prediction folders from being the draws of one run: draws that there are not, or another method's."""
    for draw in draws:
        if draw.number >= max(1, benchmark.draws):
            there = f"draws 0..{benchmark.draws - 1}" if benchmark.draws else "no supports, so only draw 0"
            what = f"is of draw {draw.number}, {benchmark.name} has {there}; make it one of those, or remove it"
            yield Fault("extra-draw", str(draw.folder), what)
    yield from mixture({draw.number: (draw.folder, draw.run) for draw in draws}, "draw")


class Predictions:
    """The masks of one prediction folder, read when asked for; make one with `Predictions.open`.

    Args:
        folder: The prediction folder.
        run: Its record.
        places: By clip id, the folder of PNGs (or the JSON beside it, without suffix) of clips that have other names.
    """

    def __init__(self, folder: Path, run: RunRecord, places: Mapping[str, Path] | None = None) -> None:
        self.folder = folder
        self.run = run
        self.places = places or {}
        self._rles: tuple[Path, dict[str, Rle]] | None = None  # of the clip read last

    @classmethod
    def open(cls, folder: Path | str) -> "Predictions":
        """Open a prediction folder; raises `IcvosError` where there is none or its ``run.json`` cannot be read."""
        folder = Path(folder)
        if not folder.is_dir():
            raise IcvosError(f"{folder}: no such folder; expected predictions as <video>/<class>/<frame>.png")
        return cls(folder, read_record(folder / RECORD))

    @property
    def number(self) -> int:
        """The support draw: what the folder's name says, else its record, else 0."""
        name = re.fullmatch(r"draw(\d{1,4})", self.folder.name)
        return int(name[1]) if name else self.run.draw or 0

    @property
    def clip_ids(self) -> tuple[str, ...]:
        """The clips that are present, ``<video>/<class>``, in order of video name and class index."""
        found = {
            (video.name, int(entry.name.removesuffix(".json")))
            for video in visible(self.folder)
            if video.is_dir()
            for entry in visible(video)
            if re.fullmatch(r"[1-9]\d?(\.json)?", entry.name) and entry.is_dir() != (entry.suffix == ".json")
        }
        return tuple(f"{video}/{index}" for video, index in sorted(found))

    def frames(self, clip: Clip) -> frozenset[str]:
        """The names of the frames of ``clip`` that have a mask; empty where the clip is absent."""
        path = self.place(clip)
        if path.suffix == ".json":
            return frozenset(self._read_rles(path))
        if not is_plain(path, folder=True):
            return frozenset()
        return frozenset(entry.stem for entry in visible(path) if entry.suffix == ".png")

    def missing(self, clip: Clip, protocol: Protocol) -> list[str]:
        """The files (or entries of the clip's JSON) that ``protocol`` needs and that are not there."""
        present = self.frames(clip)
        return [str(self._where(clip, frame)) for frame in counted_frames(clip, protocol) if frame not in present]

    def mask(self, clip: Clip, frame: str) -> np.ndarray:
        """(H, W) bool at the video's own size; `PredictionError` for an absent or broken mask or another size."""
        place = self.place(clip)
        if place.suffix == ".json":
            return decode_frame(self._read_rles(place), frame, clip.video.size, place, decode_rle)
        return read_values(place / f"{frame}.png", clip.video.size).values != 0

    def packed(self, clip: Clip, frame: str, size: tuple[int, int] | None = None) -> PackedMask:
        """`mask` as bits, resized to ``size`` by the rule of `resize_nearest`; None: at its own size."""
        place = self.place(clip)
        if place.suffix == ".json":
            return decode_frame(self._read_rles(place), frame, clip.video.size, place, lambda rle: pack_rle(rle, size))
        found = read_plain(place / f"{frame}.png", clip.video.size, size)
        return pack(self.mask(clip, frame), size) if found is None else found

    def examine(self, clip: Clip, frame: str) -> tuple[np.ndarray, Fault | None]:
        """`mask`, and what the values in its file make one doubt of; RLE has two values and no doubt."""
        place = self.place(clip)
        if place.suffix == ".json":
            return self.mask(clip, frame), None
        return examine(place / f"{frame}.png", clip.video.size)

    def place(self, clip: Clip) -> Path:
        """The clip's folder of PNGs, there or not, or its JSON of RLEs; `PredictionError` where both are there."""
        folder = self.places.get(clip.id, self.folder / clip.video.name / str(clip.category.index))
        listing = folder.with_name(f"{folder.name}.json")
        if not is_plain(listing):
            return folder
        if is_plain(folder, folder=True):
            raise PredictionError(
                Fault("ambiguous", str(folder), f"masks both here and in {listing.name}; remove one of the two")
            )
        return listing

    def _where(self, clip: Clip, frame: str) -> str:
        place = self.place(clip)
        return f"{place}: {frame}" if place.suffix == ".json" else str(place / f"{frame}.png")

    def _read_rles(self, path: Path) -> dict[str, Rle]:
        if self._rles is None or self._rles[0] != path:
            self._rles = path, load_rles(path)
        return self._rles[1]
