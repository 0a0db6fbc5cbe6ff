"""Every fault of a submission in one pass: names, sizes, kinds of image, values, files that cannot be read."""

import contextlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from icvos.errors import Fault, PredictionError
from icvos.files.masks import read_binary
from icvos.files.submitted import visible
from icvos.protocol import Protocol
from icvos.tasks.record import RECORD, RunRecord, read_record
from icvos.tasks.runs import draw_folders, other_build
from icvos.tasks.video.benchmark import Benchmark, Clip
from icvos.tasks.video.layouts import find_layout
from icvos.tasks.video.names import Names, frame_names
from icvos.tasks.video.predictions import Predictions, counted_frames, draw_faults

MOST = 0.9  # share of a border, or of the frames of a clip
OWN_FILES = re.compile(r"run\.json|(scores|frames).*\.json|.*\.csv")


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
    layout = find_layout(benchmark, root, entries)
    yield from layout.faults
    if layout.closed:
        return
    for entry in entries:
        if not entry.is_dir() and not OWN_FILES.fullmatch(entry.name):
            yield Fault("extra-file", str(entry), "not part of a prediction folder; remove it", "warning")
    videos = {clip.video.name for clip in required}
    yield from layout.videos.faults(sorted(videos), [video.name for video in benchmark.videos])
    for video in sorted(videos & layout.classes.keys()):
        names = layout.classes[video]
        if isinstance(names, PredictionError):
            yield names.fault
            continue
        known = [str(clip.category.index) for clip in benchmark.clips if clip.video.name == video]
        wanted = {str(clip.category.index): clip for clip in required if clip.video.name == video}
        yield from _check_video(names, wanted, known, run, protocol, progress)


def _check_video(
    names: Names,
    wanted: dict[str, Clip],
    known: Sequence[str],
    run: RunRecord,
    protocol: Protocol,
    progress: Callable[[Clip], None] | None,
) -> Iterator[Fault]:
    yield from names.faults(sorted(wanted, key=int), known)
    meant = names.renames(wanted.keys(), known)
    there = {index: names.found[name] for index in wanted if (name := meant.get(index, index)) in names.found}
    places = {wanted[index].id: path.with_name(path.name.removesuffix(".json")) for index, path in there.items()}
    predictions = Predictions(names.place, run, places)
    for index in sorted(there, key=int):
        try:
            yield from _check_clip(wanted[index], predictions, protocol)
        except PredictionError as error:
            yield error.fault
        if progress is not None:
            progress(wanted[index])


def _check_clip(clip: Clip, predictions: Predictions, protocol: Protocol) -> Iterator[Fault]:
    """Names first, then every mask that counts; `PredictionError` where the clip as a whole cannot be read."""
    place, present = predictions.place(clip), predictions.frames(clip)
    frames = counted_frames(clip, protocol)
    names = frame_names(place, len(frames), present if place.suffix == ".json" else None)
    yield from names.faults(frames, clip.video.frames)
    meant = names.renames(frames, clip.video.frames)
    equal, seen = True, Coverage()
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
        if oddity is None or oddity.severity == "warning":
            seen.add(mask)
        equal = equal and np.array_equal(mask, read_binary(clip.mask_path(frame)))
    if equal:
        what = "equal to the true masks in every frame; submit predictions, not annotations"
        yield Fault("truth", str(place), what, "warning")
    yield from seen.faults(place)


@dataclass(slots=True)
class Coverage:
    """How much of the picture the masks of a clip take, for what is odd in most of its frames."""

    frames: int = 0
    empty: int = 0
    full: int = 0
    around: int = 0

    def add(self, mask: np.ndarray) -> None:
        """Count one more (H, W) bool mask."""
        area = int(np.count_nonzero(mask))
        self.frames += 1
        self.empty += not area
        self.full += area == mask.size
        if mask.size < 2 * area < 2 * mask.size:
            border = np.concatenate((mask[0], mask[-1], mask[1:-1, 0], mask[1:-1, -1]))
            self.around += bool(np.count_nonzero(border) > MOST * border.size)

    def faults(self, place: Path) -> Iterator[Fault]:
        """A warning about a clip that is all empty, all full, or hardly anything but background."""
        if self.frames < 2:
            return
        if self.empty == self.frames:
            what = "no pixel in any frame: nothing was found, or the masks were lost when they were saved"
            yield Fault("empty", str(place), what, "warning")
        elif self.full == self.frames:
            what = "every pixel of every frame is foreground, as of masks whose values are all other than 0"
            yield Fault("full", str(place), what, "warning")
        elif self.around > MOST * self.frames:
            what = f"the mask covers the border of the picture in {self.around:,} of {self.frames:,} frames"
            what += ", as where foreground and background are swapped; 0 is background"
            yield Fault("inverted", str(place), what, "warning")
