"""A video and support pictures of your own, without a benchmark."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from icvos.errors import AGAIN, IcvosError, Stopped
from icvos.files.frames import Frames, open_frames
from icvos.files.listing import is_empty
from icvos.files.masks import encode_binary
from icvos.files.schema import write_schema
from icvos.files.storage import require_writable
from icvos.guard import Asked, description_of, guarded, masks_of, require_timeout
from icvos.method import AnyMethod, Image, Support, load_method, method_class, sees_truth
from icvos.models.needs import require_usable
from icvos.models.weights.registry import random_weights_allowed
from icvos.own_exports import (
    folders_of,
    labelled,
    require_classes,
    require_cutouts,
    write_coco,
    write_cutouts,
    write_labels,
)
from icvos.own_masks import MADE, Made, continued, finished, is_made, made_of, partial_folder
from icvos.own_supports import Pairs, files_of, mask_places, removed_on_failure, support_of_files
from icvos.tasks.record import record_of
from icvos.tasks.task import SILENT, Drawing, Sheet, Watch

FPS = 12  # frames a second of what does not say how fast it is


def predict(
    supports: Pairs | Mapping[str, Pairs],
    video: Path | str,
    out: Path | str,
    *,
    method: str = "lite",
    settings: Mapping[str, Any] | None = None,
    overlay: Path | str | None = None,
    fps: float | None = None,
    coco: Path | str | None = None,
    cutouts: Path | str | None = None,
    segmenter: str | None = None,
    random_weights: bool = False,
    timeout: float | None = None,
    watch: Watch = SILENT,
) -> int:
    """Segment your own video from your own pictures with masks, boxes or clicks.

    Called again with the same arguments, it goes on where it was stopped, and makes no mask again that is there.

    Args:
        supports: (picture, mask) files; any non-zero value of a mask is the object. In the place of a mask, a `Prompt`
            with a box, or with points and labels, in pixels of the picture: the mask that is made of it is kept beside
            ``out``, see `icvos.own_supports`. A mapping has the supports of several classes by name, which are
            segmented one after the other: see `icvos.own_exports` for what ``out`` holds.
        video: A folder of frames, a picture, an animated picture, or a video file (extra ``[video]``).
        out: A new folder for one one-bit mask PNG per frame; it is there whole or not at all.
        method: The method's name.
        settings: Its settings, over its defaults.
        overlay: Also write the video with the masks, as .gif, .webp or .mp4.
        fps: Frames a second of the overlay; None: as many as the video has, and 12 of a folder of frames.
        coco: Also write all masks as a COCO JSON file, a category for each class.
        cutouts: Also write every frame as an RGBA PNG, transparent outside the masks, into this folder.
        segmenter: What makes masks of boxes and clicks: a SAM 2 or SAM, by name or path; None: ``sam2-nano``.
        random_weights: Put random weights in the place of missing checkpoints, to try the machinery.
        timeout: Seconds that the method may take for the video; None: as long as it wants.
        watch: Is told of every frame.

    Returns:
        The number of frames.

    Raises:
        IcvosError: A file is missing or does not fit, or ``out`` holds something else.
        Stopped: Ctrl-C; the message says how many frames are done.

    >>> count = predict([("dog.jpg", "dog.png")], "walk", "found", settings={"short_side": 96})
    >>> count == len(list(Path("found").glob("*.png")))
    True
    """
    out = Path(out)
    several = isinstance(supports, Mapping)
    classes = dict(supports) if isinstance(supports, Mapping) else {"": supports}
    folders = {name: out / name if name else out for name in classes}
    if several:
        require_classes(classes, out)
    for folder in folders.values():
        _require_places(folder, overlay, fps)
    require_timeout(timeout)
    with random_weights_allowed(random_weights):
        require_usable(method, settings or {}, moving=True)
    if sees_truth(method_class(method)):
        raise IcvosError(
            f"method {method} is given the truth, which a video of your own lacks; choose another --method"
        )
    if not classes or not all(classes.values()):
        raise IcvosError("no support is given; show the object with --support PICTURE, and --mask, --box or --click")
    with removed_on_failure(mask_places(classes, out)), random_weights_allowed(random_weights):
        files = files_of(classes, out, method, settings or {}, segmenter, watch)
        shown = {name: [support_of_files(image, mask) for image, mask in pairs] for name, pairs in files.items()}
        frames = open_frames(video)
        exports = _Exports.of(overlay, fps, coco, cutouts)
        exports.require(out, [frames.path, *(file for pairs in files.values() for pair in pairs for file in pair)])
        watch.stage(method)
        built = load_method(method, settings or {})
        record = record_of(description_of(built, method), method)  # refused before the work, not after
    with random_weights_allowed(random_weights):
        for name, folder in folders.items():
            if name:
                watch.stage(f"{method}, {name}")
            made = made_of(method, record, files[name], frames)
            count = finished(folder, made) or 0
            if not count:
                count = predict_video(
                    built, shown[name], frames, folder, made, Asked(method, str(video), timeout), watch
                )
            else:
                watch.note(f"{folder}: holds these {count} masks already")
    if record_of(description_of(built, method), method).made_with_random_weights:
        watch.note("RANDOM WEIGHTS: these masks mean nothing")
    try:
        if several:
            watch.stage("labels")
            watch.total(count)
            write_labels(frames, out, classes, watch.advance)
        exports.write(frames, folders_of(out), count, watch)
    except KeyboardInterrupt as error:
        raise Stopped(
            f"the masks of all {count} frames are done, but not all that is made of them; {AGAIN} for it"
        ) from error
    return count


@dataclass(frozen=True, slots=True)
class _Exports:
    """What is written beside the masks."""

    overlay: Path | None
    fps: float | None
    coco: Path | None
    cutouts: Path | None

    @classmethod
    def of(
        cls, overlay: Path | str | None, fps: float | None, coco: Path | str | None, cutouts: Path | str | None
    ) -> "_Exports":
        places = [None if place is None else Path(place) for place in (overlay, coco, cutouts)]
        return cls(places[0], fps, places[1], places[2])

    def require(self, out: Path, given: Sequence[Path]) -> None:
        """Refuse, before any work, what could not be written after it, or would be where something else is."""
        files = [*filter(None, (self.overlay, self.coco))]
        if self.coco is not None:
            require_writable(self.coco)
        for file in files:
            _require_other(file, [out, *given])
        if self.cutouts is not None:
            require_cutouts(self.cutouts)
            for path in (out, *given, *files):  # the folder is replaced as a whole
                _require_other(self.cutouts, [path])
                if _lies_in(path, self.cutouts):
                    raise IcvosError(f"{self.cutouts}: would be written over {path}; choose another --cutouts")

    def write(self, frames: Frames, folders: Mapping[str, Path], count: int, watch: Watch) -> None:
        if self.overlay is not None:
            watch.stage("overlay")
            watch.total(count)
            write_overlay(self.overlay, frames, folders, self.fps, watch.advance)
        if self.coco is not None:
            watch.stage("COCO JSON")
            watch.total(count)
            write_coco(self.coco, frames, folders, watch.advance)
        if self.cutouts is not None:
            watch.stage("cut-outs")
            watch.total(count)
            write_cutouts(self.cutouts, frames, folders, watch.advance)


def predict_video(
    method: AnyMethod,
    supports: Sequence[Support],
    frames: Frames,
    out: Path,
    made: Made,
    asked: Asked,
    watch: Watch = SILENT,
) -> int:
    """Segment a video of your own: one-bit ``<frame>.png`` masks in ``out``, whole or not; the number of frames.

    What was stopped goes on with the next frame where the method can put its memory aside, else it begins anew.

    Args:
        method: What segments.
        supports: What shows the object.
        frames: The video.
        out: The folder; empty, or not there.
        made: What the masks are made with and from.
        asked: Names the method and the video in errors.
        watch: Is told of every frame.
    """
    with partial_folder(out, made) as partial:
        with guarded(asked):
            going = continued(method, partial.memory)
        watch.total(frames.count or 0, partial.done)
        names: list[str] = []

        def images() -> Iterator[Image]:
            for name, image in frames.after(partial.done):
                names.append(name)
                yield image

        count = begun = partial.done
        try:
            for count, mask in enumerate(masks_of(going or method, supports, images(), asked), start=begun + 1):
                (partial.folder / f"{names[count - begun - 1]}.png").write_bytes(encode_binary(mask))
                if going is not None and going.memory is not None:
                    partial.keep(going.memory, count)
                watch.advance(1)
        except BaseException as error:
            if going is not None and going.memory is not None and partial.memory is not None:
                partial.keep(partial.memory, partial.done, now=True)
            if not isinstance(error, KeyboardInterrupt):
                raise
            how = "to go on" if going is not None else f"to begin anew: {asked.method} cannot go on within a video"
            raise Stopped(f"{count} of {frames.count or 'the'} frames are done; {AGAIN} {how}") from error
        write_schema(partial.folder / MADE, made.model_copy(update={"frames": count}))
    return count


def write_overlay(
    path: Path,
    frames: Frames,
    folders: Mapping[str, Path],
    fps: float | None = None,
    advance: Callable[[int], None] = lambda frames: None,
) -> None:
    """Write a video with the masks ``<frame>.png`` of each class on it.

    Args:
        path: ``.gif``, ``.webp`` or ``.mp4``.
        frames: The video.
        folders: The folder of each class.
        fps: Frames a second; None: as many as the video has, or `FPS`. A GIF of more than it can show leaves some out.
        advance: Is told of every frame.
    """
    from icvos.drawing.animation import most_fps, write_animation

    rate = fps or frames.fps or FPS
    every = math.ceil(rate / most_fps(path))

    def images() -> Iterator[Image]:
        for number, image in enumerate(drawn_frames(frames, folders)):
            advance(1)
            if number % every == 0:
                yield image

    write_animation(path, images(), rate / every)


def drawn_frames(frames: Frames, folders: Mapping[str, Path]) -> Iterator[Image]:
    """Every frame with its labels drawn on it; `IcvosError` where a mask is absent or of another size."""
    from icvos.drawing.overlays import overlay

    return (overlay(image, labels) for _, image, labels, _ in labelled(frames, folders))


def own_sheets(video: Path | str, predictions: Path | str, drawing: Drawing | None = None) -> Iterator[Sheet]:
    """A video of your own with the masks that `predict` made, for `icvos.tasks.calls.write_sheets`: one file.

    Args:
        video: As for `predict`.
        predictions: The folder that `predict` filled.
        drawing: How it is drawn; the video keeps its speed whichever frames are. There are no errors to be shown.
    """
    from icvos.drawing.animation import most_fps
    from icvos.drawing.panels import to_height

    frames, folders, drawing = open_frames(video), folders_of(Path(predictions)), drawing or Drawing()
    kind, rate = drawing.kind or "gif", frames.fps or FPS
    every = drawing.every * math.ceil(rate / drawing.every / most_fps(Path(f"x.{kind}")))
    shown = (image for number, image in enumerate(drawn_frames(frames, folders)) if number % every == 0)
    name = frames.path.resolve().stem if frames.path.is_file() else frames.path.resolve().name
    yield Sheet(name, kind, (to_height(image, drawing.height_px) for image in shown), fps=rate / every)


def _require_places(out: Path, overlay: Path | str | None, fps: float | None) -> None:
    """Refuse, before any work, what could not be written after it."""
    if not is_empty(out) and not is_made(out):
        raise IcvosError(f"{out}: is not an empty folder; choose another --out")
    require_writable(out, folder=True)
    if overlay is not None:
        from icvos.drawing.animation import most_fps, require_animation

        require_animation(Path(overlay), FPS if fps is None else min(fps, most_fps(Path(overlay))))
    elif fps is not None:
        raise IcvosError("--fps is of the overlay; give --overlay too")


def _require_other(place: Path, others: Sequence[Path]) -> None:
    """Refuse a place that is, or lies in, one of the files and folders that are given."""
    for path in others:
        if _lies_in(place, path):
            raise IcvosError(f"{place}: would be written over or into {path}, which was given; choose another name")


def _lies_in(place: Path, folder: Path) -> bool:
    return place.resolve().is_relative_to(folder.resolve())
