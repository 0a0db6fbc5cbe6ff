"""A new prediction folder in which the harmless faults of another are repaired, and nothing else.

Repaired are names with one certain meaning, masks of 0 and 255 or in two colours, palettes turned round, and files that
do not belong there, which are left out. A mask is never resized, and none is made up.
"""

import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from icvos.errors import Fault, IcvosError, PredictionError, plural
from icvos.files.listing import is_empty
from icvos.files.mask_rules import BROKEN_PNG
from icvos.files.masks import write_binary
from icvos.files.storage import atomic_folder, write_bytes, write_text
from icvos.files.submitted import is_plain, visible
from icvos.files.untrusted import MODES, load_rles, odd_values, open_png, png_header
from icvos.protocol import Protocol
from icvos.tasks.archive import relocate, submission_folder
from icvos.tasks.record import RECORD, read_record
from icvos.tasks.repairs import Repair, RepairReport
from icvos.tasks.runs import draw_folders
from icvos.tasks.video.benchmark import Benchmark, Clip
from icvos.tasks.video.check import check
from icvos.tasks.video.layouts import find_layout
from icvos.tasks.video.names import REPAIRED, Names, frame_names
from icvos.tasks.video.predictions import counted_frames

COLOURS = ("RGB", "RGBA", "LA")


def repair(benchmark: Benchmark, path: Path | str, out: Path | str, protocol: Protocol) -> RepairReport:
    """Write the predictions in ``path``, a folder or a zip file, to the new folder ``out`` without harmless faults.

    ``out`` is there whole or not at all. Raises `IcvosError` where it exists or lies in ``path``, and `ArchiveError`
    for an archive that is not unpacked.
    """
    path, out = Path(path), Path(out)
    if not is_empty(out):
        raise IcvosError(f"{out}: exists; choose a new folder for the repaired predictions")
    if out.resolve().is_relative_to(path.resolve()):
        raise IcvosError(f"{out}: lies in the predictions; choose a folder outside")
    with submission_folder(path, {video.name for video in benchmark.videos}) as folder:
        repairs = []
        with atomic_folder(out, out.parent) as new:
            for draw in draw_folders(folder):
                target = new if draw == folder else new / draw.name
                target.mkdir(exist_ok=True)
                for done in _repair_folder(benchmark, draw, target, protocol):
                    fault = relocate(Fault("", done.where, done.what), folder, path)
                    repairs.append(Repair(fault.where, fault.what, done.kind))
    return RepairReport(tuple(repairs), tuple(check(benchmark, out, protocol)))


def _repair_folder(benchmark: Benchmark, root: Path, target: Path, protocol: Protocol) -> Iterator[Repair]:
    entries = visible(root)
    try:
        if read_record(root / RECORD).given:
            shutil.copyfile(root / RECORD, target / RECORD)
    except PredictionError:
        yield Repair(str(root / RECORD), "left out: not the record of a run", "left out")
    for entry in entries:
        if not entry.is_dir() and entry.name != RECORD:
            yield Repair(str(entry), "left out: not part of a prediction folder", "left out")
    layout = find_layout(benchmark, root, entries)
    for fault in layout.faults:
        if REPAIRED in fault.what:
            yield Repair(str(root), f"put in order: {fault.what.removesuffix(f'; {REPAIRED}')}", "layout")
    clips: dict[str, list[Clip]] = {}
    for clip in benchmark.clips:
        clips.setdefault(clip.video.name, []).append(clip)
    for video, _, renamed in _matched(layout.videos, sorted(clips)):
        yield from renamed
        names = layout.classes.get(video)
        if isinstance(names, Names):
            yield from _repair_video(clips[video], names, target / video, protocol)
    yield from _left_out(layout.videos, sorted(clips))


def _matched(names: Names, wanted: Sequence[str]) -> Iterator[tuple[str, Path, list[Repair]]]:
    """Each wanted name, the file or folder that it was found as, and the repair where the two differ."""
    meant = names.renames(wanted, wanted)
    for name in wanted:
        if name in meant:
            path = names.found[meant[name]]
            yield name, path, [Repair(str(path), f"renamed to {name}", f"renamed {names.level}")]
        elif name in names.found and not names.renumbered(wanted):
            yield name, names.found[name], []


def _left_out(names: Names, wanted: Sequence[str]) -> Iterator[Repair]:
    used = names.renames(wanted, wanted).values()
    extra = sorted(names.found.keys() - set(wanted if not names.renumbered(wanted) else ()) - set(used))
    paths = [names.found[name] for name in extra]
    if paths:
        more = f" and {len(paths) - 1:,} more" if len(paths) > 1 else ""
        what = f"left out{more}: the benchmark has no such {names.level}"
        yield Repair(str(paths[0]), what, f"left out {names.level}")


def _repair_video(clips: Sequence[Clip], names: Names, target: Path, protocol: Protocol) -> Iterator[Repair]:
    by_index = {str(clip.category.index): clip for clip in clips}
    for index, source, renamed in _matched(names, list(by_index)):
        clip = by_index[index]
        yield from renamed
        if is_plain(source, folder=True):
            yield from _repair_frames(clip, source, target / index, protocol)
        elif not is_plain(source.with_name(source.name.removesuffix(".json")), folder=True):
            yield from _repair_rles(clip, source, target / f"{index}.json", protocol)
    yield from _left_out(names, list(by_index))


def _repair_frames(clip: Clip, folder: Path, target: Path, protocol: Protocol) -> Iterator[Repair]:
    try:
        names = frame_names(folder, len(counted_frames(clip, protocol)))
    except PredictionError:
        return
    done: dict[str, list[str]] = {}
    for frame, source, renamed in _matched(names, clip.video.frames):
        if renamed:
            done.setdefault("renamed to the frames' names", []).append(source.name)
        what = _repair_mask(source, target / f"{frame}.png", clip.video.size)
        if what:
            done.setdefault(what, []).append(source.name)
    for path in names.explained(
        frame for frame in clip.video.frames if not (target / f"{frame}.png").exists()
    ).values():
        target.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target / path.name)  # no mask, and the check of the new folder says so
    for what, files in done.items():
        yield Repair(
            str(folder), f"{plural(len(files), 'mask')} {what}, first {files[0]}", f"masks {what.partition(' ')[0]}"
        )
    yield from _left_out(names, clip.video.frames)


def _repair_mask(source: Path, target: Path, size: tuple[int, int]) -> str:
    """Write a mask to ``target``, as it is or repaired; returns what was done, empty for nothing."""
    try:
        mode = png_header(source)[2]
        image = open_png(source, size, (*MODES, *COLOURS))
    except PredictionError:
        image = None
    mask, done = None, ""
    if image is not None and mode in COLOURS:
        mask, done = _two_colours(image), "of colours saved as one bit: not black"
    elif image is not None and mode != "1":
        values, fault = np.asarray(image), odd_values(image, source)
        if fault is not None and fault.kind == "palette":
            mask, done = _two_colours(image), "with a palette turned round saved as one bit"
        elif fault is None and values.max(initial=0) > 1:
            mask, done = values != 0, f"of 0 and {int(values.max())} saved as one bit"
    if mask is not None:
        write_binary(target, mask)
        return done
    if source.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    return ""


def _two_colours(image: Image.Image) -> np.ndarray | None:
    """A picture as the (H, W) bool mask of what is not black; None where that is not certain.

    Certain are opaque pictures in black and at most one other colour.
    """
    try:
        pixels = np.asarray(image.convert("RGBA"))
    except BROKEN_PNG:  # more transparent colours than colours, say
        return None
    if (pixels[..., 3] != 255).any():
        return None
    keys = pixels[..., :3].astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], dtype=np.uint32)
    mask: np.ndarray = keys != 0
    shades = keys[mask]
    return mask if not len(shades) or bool((shades == shades[0]).all()) else None


def _repair_rles(clip: Clip, source: Path, target: Path, protocol: Protocol) -> Iterator[Repair]:
    try:
        rles = load_rles(source)
    except PredictionError:
        write_bytes(target, b"")  # what is wrong with it is told by the check of the new folder
        return
    names = frame_names(source, len(counted_frames(clip, protocol)), rles)
    meant = names.renames(clip.video.frames, clip.video.frames)
    kept = {frame: rles[name] for frame in clip.video.frames if (name := meant.get(frame, frame)) in rles}
    if meant:
        first = next(iter(meant.values()))
        yield Repair(
            str(source), f"{plural(len(meant), 'mask')} renamed to the frames' names, first {first}", "masks renamed"
        )
    write_text(target, json.dumps(kept))  # in ASCII: half a surrogate pair in a text cannot be written as UTF-8
    yield from _left_out(names, clip.video.frames)
