"""What a video of a source data set is, and the rules by which its frames and masks are read.

The rules are the same for every data set. A frame's name is its number, never its position: frames and masks are
listed, put in order of their numbers and matched by them. `icvos.files.mask_rules` says what a mask's values are.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypedDict

import numpy as np

from curation.sources.left_out import Findings, some_of
from icvos.bitmasks.values import occurring
from icvos.errors import IcvosError, extent, plural, printable
from icvos.files.images import whole_image_size
from icvos.files.listing import frames_by_number, visible_entries
from icvos.files.mask_rules import MaskValues
from icvos.files.masks import read_id_mask, resize_nearest, white_value
from icvos.files.names import DRAWN
from icvos.files.storage import read_json
from icvos.suggestions import nearest

FRAME_SUFFIXES = (".jpg", ".jpeg", ".JPG", ".JPEG", ".png")
MASK_SUFFIXES = (".png", ".PNG")
VOID = 255
SourceName = Literal["davis", "mose", "lvos", "youtube-vos"]
MissingMasks = Literal["error", "empty", "skip"]


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How strict a reader is; the defaults are the strict ones.

    Args:
        missing_masks: A frame without a mask file is an error, is read as empty, or is left out of the video.
        resize: Resize a mask of another size than its frame, by `icvos.files.masks.resize_nearest`; else an error.
        natural_sort: Accept frame names that are no numbers, in natural order; else they are an error.
    """

    missing_masks: MissingMasks = "error"
    resize: bool = False
    natural_sort: bool = False


STRICT = ReadOptions()


class _Known(TypedDict, total=False):
    """What a video has found out about itself so far."""

    size: tuple[int, int]
    binary: bool
    ids: dict[Path, set[int]]
    object_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SourceVideo:
    """One video of a source data set; pictures are read when asked for.

    Args:
        source: ``davis``, ``mose``, ``lvos`` or ``youtube-vos``.
        name: The source's own name, case kept.
        frames: The frames in order; their stems are the frames' names.
        masks: Aligned with ``frames``; None is a frame without a mask file that is read as empty.
        options: How strictly it is read.
    """

    source: SourceName
    name: str
    frames: tuple[Path, ...]
    masks: tuple[Path | None, ...]
    options: ReadOptions = STRICT
    _known: _Known = field(default_factory=_Known, init=False, repr=False, compare=False)

    def size(self) -> tuple[int, int]:
        """(height, width) of every frame, from the files' headers; a cut-off file or one of another size raises."""
        if "size" not in self._known:
            first = whole_image_size(self.frames[0])
            for path in self.frames[1:]:
                size = whole_image_size(path)
                if size != first:
                    raise IcvosError(
                        f"{path}: {extent(size)} pixels, but {self.frames[0].name} of the same video has "
                        f"{extent(first)}; fetch the video again"
                    )
            self._known["size"] = first
        return self._known["size"]

    def iter_ids(self) -> Iterator[np.ndarray]:
        """One (H, W) uint8 or uint16 map of object ids for every frame, in order, read one at a time.

        0 is background. Void (255) becomes 0, except where `is_binary`: there the foreground is object 1.
        """
        size, binary = self.size(), self.is_binary()
        for path, frame in zip(self.masks, self.frames, strict=True):
            if path is None:
                yield np.zeros(size, dtype=np.uint8)
                continue
            found = read_id_mask(path)
            if not binary and found.says_white():
                self._require_meaning(found, path)
            ids = self._of_frame_size(found.values, path, frame, size)
            if binary:
                yield (ids != 0).astype(np.uint8)
            else:
                yield np.where(ids == VOID, np.zeros((), ids.dtype), ids)

    def _require_meaning(self, mask: MaskValues, path: Path) -> None:
        """Refuse a mask of white on black among masks of ids, unless their ids say what it means.

        255 is void where another mask has it beside ids; one bit is object 1 where there is no other.
        """
        if "ids" not in self._known:
            found = {other: read_id_mask(other) for other in self.masks if other}
            self._known["ids"] = {other: set(one.ids()) for other, one in found.items() if not one.says_white()}
        ids = set().union(*self._known["ids"].values())
        if ids == {1} if mask.one_bit else VOID in ids:
            return
        other = next(name for name, values in self._known["ids"].items() if values)
        raise IcvosError(
            f"{path}: shows white on black, one object or void, but {other.name} of the same video has ids of objects; "
            "save all masks of the video in one way"
        )

    def _of_frame_size(self, ids: np.ndarray, path: Path, frame: Path, size: tuple[int, int]) -> np.ndarray:
        if ids.shape == size:
            return ids
        if not self.options.resize:
            raise IcvosError(
                f"{path}: mask of {extent(ids.shape)} pixels, but its frame {frame.name} has {extent(size)}; "
                "fetch the masks that belong to these frames, or have masks resized"
            )
        return resize_nearest(ids, size)

    def is_binary(self) -> bool:
        """Whether the masks are the 0/255 union of all objects (DAVIS 2016), which cannot be split into objects.

        So it is where every mask of the video shows white on black, however each was saved. The reading stops at the
        first mask that does not.
        """
        if "binary" not in self._known:
            self._known["binary"] = white_value(path for path in self.masks if path is not None) > 0
        return self._known["binary"]

    def object_ids(self) -> tuple[int, ...]:
        """The ids seen in the whole video, sorted; reads every mask unless `is_binary`."""
        if "object_ids" not in self._known:
            seen: set[int] = set()
            if self.is_binary():
                seen = {1}
            else:
                for ids in self.iter_ids():
                    seen.update(occurring(ids).tolist())
            self._known["object_ids"] = tuple(sorted(seen - {0}))
        return self._known["object_ids"]


@dataclass(frozen=True, slots=True)
class SourceDataset:
    """A source data set as found on disk.

    Args:
        source: ``davis``, ``mose``, ``lvos`` or ``youtube-vos``.
        root: The folder that its own layout starts in.
        version: ``2016`` or ``2017`` (DAVIS), ``v1`` or ``v2`` (MOSE, LVOS); empty where it cannot be told.
        splits: The splits read, as they are called on disk.
        videos: In order of their names.
        warnings: Every finding that did not stop the reading, one line each.
        left_out: What is named like a video where videos are and is not among them, with the reason.
        elsewhere: The videos of splits that are not read, with the split.
        categories: What the data set itself calls its objects, by video and object id, where it does.
    """

    source: SourceName
    root: Path
    version: str
    splits: tuple[str, ...]
    videos: tuple[SourceVideo, ...]
    warnings: tuple[str, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)
    elsewhere: Mapping[str, str] = field(default_factory=dict)
    categories: Mapping[str, Mapping[int, str]] = field(default_factory=dict)

    @property
    def drawn(self) -> bool:
        """Whether its videos are drawn, in the layout of the data set."""
        return (self.root / DRAWN).is_file()

    def video(self, name: str) -> SourceVideo:
        """The video with this name; case matters. Raises `IcvosError` with the nearest name."""
        for video in self.videos:
            if video.name == name:
                return video
        near = nearest(name, [video.name for video in self.videos])
        hint = f"did you mean {near}?" if near else f"videos are named like {self.videos[0].name}"
        raise IcvosError(f"{self.root}: no video {name} in {', '.join(self.splits)}; {hint}")


@dataclass(frozen=True, slots=True)
class VideoMeta:
    """What a meta file says of one video.

    Args:
        length: Its number of frames.
        first_frames: By object id, the number of the frame in which it starts.
        categories: By object id, what it is called, where that is said.
    """

    length: int | None
    first_frames: dict[int, int | None]
    categories: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MetaFindings:
    """What comes of a meta file: ``warnings``, and the names of objects by video and object id."""

    warnings: list[str] = field(default_factory=list)
    categories: dict[str, dict[int, str]] = field(default_factory=dict)


def list_video(
    source: SourceName, frame_folder: Path, mask_folder: Path, options: ReadOptions, findings: Findings
) -> SourceVideo | None:
    """The video in these two folders, or None where there is nothing to read; ``findings`` says why."""
    frames = frames_by_number(frame_folder, FRAME_SUFFIXES, options.natural_sort)
    _note_strangers(frame_folder, frames, "frames", findings)
    if not frames:
        findings.leave_out(frame_folder, f"no frame ({', '.join(FRAME_SUFFIXES)}) in it")
        return None
    if len(frames) == 1:
        findings.leave_out(frame_folder, "only one frame, so no video")
        return None
    masks = frames_by_number(mask_folder, MASK_SUFFIXES, options.natural_sort) if mask_folder.is_dir() else {}
    if masks:
        _note_strangers(mask_folder, masks, "masks", findings)
    surplus = [path.name for key, path in masks.items() if key not in frames]
    if surplus:
        findings.warnings.append(
            f"{mask_folder}: {plural(len(surplus), 'mask')} without a frame, not read: {some_of(surplus)}"
        )
    missing = [path.name for key, path in frames.items() if key not in masks]
    if missing and options.missing_masks == "error":
        raise IcvosError(
            f"{mask_folder}: no mask for frame {missing[0]} ({len(missing)} of {len(frames)} frames have none); fetch "
            "the masks, or have such frames read as empty (--missing-masks empty) or left out (--missing-masks skip)"
        )
    if missing:
        done = "left out" if options.missing_masks == "skip" else "read as empty"
        findings.warnings.append(
            f"{mask_folder}: {plural(len(missing), 'frame')} without a mask, {done}: {some_of(missing)}"
        )
    if options.missing_masks == "skip":
        frames = {key: path for key, path in frames.items() if key in masks}
        if not frames:
            findings.leave_out(frame_folder, "no frame with a mask")
            return None
    return SourceVideo(
        source, frame_folder.name, tuple(frames.values()), tuple(masks.get(key) for key in frames), options
    )


def _note_strangers(folder: Path, known: Mapping[int | str, Path], what: str, findings: Findings) -> None:
    """Say what else lies among the frames or masks in ``folder``."""
    names = {path.name for path in known.values()}
    strangers = sorted(path.name for path in visible_entries(folder) if path.name not in names)
    if strangers:
        findings.warnings.append(
            f"{folder}: {plural(len(strangers), 'file')} beside the {what}, not read: {some_of(strangers)}"
        )


def read_meta(path: Path) -> dict[str, VideoMeta]:
    """The videos of a meta file in the schema that MOSE v2, LVOS and YouTube-VOS share; extra keys are passed over.

    ``{"videos": {"<video>": {"length": .., "objects": {"<id>": {"category": .., "frame_range": {"start": ..}}}}}}``,
    where ``objects`` may be a list of ids and every number may be a text; in the place of a range there may be the
    names of the object's ``frames``. Raises `IcvosError` for another schema.
    """
    value = read_json(path, "a meta file of videos and objects")
    try:
        return {name: _video_meta(entry) for name, entry in value["videos"].items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise IcvosError(
            f'{path}: expected {{"videos": {{"<video>": {{"objects": {{"<id>": ...}}}}}}}} ({error!r}); '
            "fetch the meta file of this data set"
        ) from error


def _video_meta(entry: Mapping[str, Any]) -> VideoMeta:
    objects, length = entry["objects"], entry.get("length")
    first_frames: dict[int, int | None] = {int(key): None for key in objects}
    if len(first_frames) < len(objects):
        raise ValueError("an object id that occurs twice")
    categories: dict[int, str] = {}
    for key, found in objects.items() if isinstance(objects, dict) else ():
        if not isinstance(found, dict):
            continue
        if found.get("frame_range"):
            first_frames[int(key)] = int(found["frame_range"]["start"])
        elif _are_numbers(found.get("frames")):
            first_frames[int(key)] = min(map(int, found["frames"]))
        if found.get("category"):
            categories[int(key)] = _text(found["category"])
    return VideoMeta(None if length is None else int(length), first_frames, categories)


def _are_numbers(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(str(name).isdecimal() for name in value)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"a category that is no text: {value!r}")
    return printable(value)


def check_meta(
    path: Path, meta: Mapping[str, VideoMeta], on_disk: Mapping[str, Path], videos: Mapping[str, SourceVideo]
) -> MetaFindings:
    """Where the meta file ``path`` disagrees with the disk, one line for each finding, and what it calls the objects.

    Args:
        path: The meta file, for the messages.
        meta: What it says.
        on_disk: The frame folders of the split by the video's name.
        videos: The videos read, by name; folders that were skipped are not among them.
    """
    warnings = []
    absent, unknown = sorted(set(meta) - set(on_disk)), sorted(set(on_disk) - set(meta))
    if absent or unknown:
        warnings.append(
            f"{path}: in the meta file but not on disk: {', '.join(absent) or 'none'}; "
            f"on disk but not in the meta file: {', '.join(unknown) or 'none'}"
        )
    for name in sorted(set(meta) & set(on_disk) & set(videos)):
        warnings += _incomplete(videos[name], meta[name])
    return MetaFindings(warnings, {name: meta[name].categories for name in sorted(meta) if meta[name].categories})


def _incomplete(video: SourceVideo, meta: VideoMeta) -> list[str]:
    """Signs that a video is not all there: other than the said number of frames, no frame where an object starts."""
    if video.options.missing_masks == "skip":  # frames were left out on purpose
        return []
    warnings = []
    folder = video.frames[0].parent
    if meta.length is not None and meta.length != len(video.frames):
        warnings.append(f"{folder}: {plural(len(video.frames), 'frame')}, but the meta file says {meta.length}")
    numbers = {int(path.stem) for path in video.frames if path.stem.isdecimal()}
    for key, start in meta.first_frames.items():
        if start is not None and start not in numbers:
            warnings.append(f"{folder}: no frame {start}, where the meta file has object {key} start")
    return warnings
