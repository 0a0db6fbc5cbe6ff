"""The frames of a video of your own: a folder of pictures, one picture, or (extra ``[video]``) a video file."""

import importlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pillow

from icvos.errors import IcvosError
from icvos.files.images import (
    decoding,
    first_shown,
    opened_image,
    picture_count,
    read_image,
    rgb,
)
from icvos.files.listing import natural, visible_entries

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")
ANIMATION_SUFFIXES = (".gif", ".apng")  # beside .png and .webp, which may be either
UNREAD_SUFFIXES = (*ANIMATION_SUFFIXES, ".tif", ".tiff", ".heic", ".heif", ".avif", ".jp2", ".jxl")


@dataclass(frozen=True)
class Frames:
    """The frames of one video, read one at a time whenever they are iterated: (name, (H, W, 3) uint8 RGB) pairs.

    Args:
        path: The folder, picture or video file.
        pictures: The files of a folder or a single picture, in order; None for a video file or an animated picture.
        animated: Whether it is an animated picture: a GIF, or a PNG or WebP that holds several pictures.
    """

    path: Path
    pictures: tuple[Path, ...] | None
    animated: bool = False

    @property
    def names(self) -> tuple[str, ...] | None:
        """The frames' names: file names without suffix; None for a video file, whose frames are 00000, 00001, ..."""
        return None if self.pictures is None else tuple(picture.stem for picture in self.pictures)

    @property
    def count(self) -> int | None:
        """How many frames there are, for progress bars: what a video file's header says, None where it does not."""
        if self.pictures is not None:
            return len(self.pictures)
        if self.animated:
            with opened_image(self.path) as image:
                return picture_count(self.path, image)
        with _opened(self.path) as container:
            return _video_stream(container, self.path).frames or None

    @property
    def fps(self) -> float | None:
        """Frames a second, the mean of a film that varies them; None for pictures, which do not say."""
        if self.pictures is not None:
            return None
        if self.animated:
            shown_ms = sum(_durations_ms(self.path))
            return 1000 * (self.count or 0) / shown_ms if shown_ms else None
        with _opened(self.path) as container:
            stream = _video_stream(container, self.path)
            rate = stream.average_rate or stream.guessed_rate or stream.base_rate
            return float(rate) if rate else None

    def __length_hint__(self) -> int:
        """`count`, or 0 where it is not known."""
        return self.count or 0

    def __iter__(self) -> Iterator[tuple[str, np.ndarray]]:
        """The frames in order; raises `IcvosError` for one that cannot be decoded or is of another size."""
        return self.after(0)

    def after(self, count: int) -> Iterator[tuple[str, np.ndarray]]:
        """The same without the first ``count`` frames."""
        size: tuple[int, int] | None = None
        for name, image in self._decoded(count):
            height, width = image.shape[:2]
            size = size or (height, width)
            if (height, width) != size:
                raise IcvosError(
                    f"{self.path}: frame {name} is {width}x{height} pixels and the first {size[1]}x{size[0]}; "
                    "give frames of one size"
                )
            yield name, image

    def _decoded(self, start: int) -> Iterator[tuple[str, np.ndarray]]:
        if self.animated:
            return islice(_decode_animation(self.path), start, None)
        if self.pictures is None:
            return _decode_video(self.path, start)
        return ((picture.stem, read_picture(picture)) for picture in self.pictures[start:])


def open_frames(path: Path | str) -> Frames:
    """The frames of a folder of pictures (in natural order of their names), of one picture, or of a video file.

    Raises `IcvosError` for a missing path, a folder without pictures, a file that is no video, and a video file without
    the package ``av``.

    >>> frames = open_frames("walk")
    >>> name, image = next(iter(frames))
    >>> name, image.dtype, image.shape[2]
    ('00000', dtype('uint8'), 3)
    """
    path = Path(path)
    if path.is_dir():
        return Frames(path, _pictures(path))
    if not path.exists():
        raise IcvosError(f"{path}: no such file or folder; give a folder of frames, a picture or a video file")
    if path.suffix.lower() in ANIMATION_SUFFIXES:
        return Frames(path, None, animated=True)
    if path.suffix.lower() in PICTURE_SUFFIXES:
        with opened_image(path) as image:
            return Frames(path, None, animated=True) if picture_count(path, image) > 1 else Frames(path, (path,))
    with _opened(path) as container:
        _video_stream(container, path)
        return Frames(path, None)


def read_picture(path: Path) -> np.ndarray:
    """(H, W, 3) uint8 RGB of a picture of your own, turned upright as its EXIF data say."""
    return read_image(path, upright=True)


def load_av(path: Path) -> Any:
    """The module ``av``; ``path`` names in the error what needs it."""
    try:
        return importlib.import_module("av")
    except ModuleNotFoundError as error:
        raise IcvosError(f"{path}: video files need the package av; run: pip install 'icvos[video]'") from error


def _pictures(folder: Path) -> tuple[Path, ...]:
    there = sorted(visible_entries(folder))
    found = [path for path in there if path.suffix.lower() in PICTURE_SUFFIXES]
    unread = [path for path in there if path.suffix.lower() in UNREAD_SUFFIXES]
    kinds = f"{', '.join(PICTURE_SUFFIXES)} files"
    if unread:
        more = f", and {len(unread) - 1:,} more" if len(unread) > 1 else ""
        raise IcvosError(f"{unread[0]}: a picture of a kind that frames cannot have{more}; save frames as {kinds}")
    if not found:
        raise IcvosError(f"{folder}: no frames; give a folder of {kinds} or a video file")
    found.sort(key=natural)
    stems: dict[str, Path] = {}
    for path in found:
        other = stems.setdefault(path.stem, path)
        if other is not path:
            raise IcvosError(f"{path}: same frame name as {other.name}; remove one of the two")
    return tuple(found)


def _opened(path: Path) -> Any:
    av = load_av(path)
    try:
        return av.open(str(path))
    except av.error.FFmpegError as error:
        raise IcvosError(
            f"{path}: not a readable video ({error.strerror}); give a folder of frames or another file"
        ) from error


def _video_stream(container: Any, path: Path) -> Any:
    """The stream that holds the film. Cover pictures and thumbnails are video streams too, and may come first."""
    disposition = load_av(path).stream.Disposition
    stills = disposition.attached_pic | disposition.timed_thumbnails | disposition.still_image
    films = [stream for stream in container.streams.video if not stream.disposition & stills]
    if not films:
        found = "only a cover picture and no" if container.streams.video else "no"
        raise IcvosError(f"{path}: holds {found} video stream; give a folder of frames or another file")
    # a stream of one frame is a cover that nobody marked; where several films remain, players show the default
    return max(films, key=lambda stream: (stream.frames != 1, bool(stream.disposition & disposition.default)))


def _decode_video(path: Path, start: int) -> Iterator[tuple[str, np.ndarray]]:
    av = load_av(path)
    number = 0
    with _opened(path) as container:
        stream = _video_stream(container, path)
        limit = Pillow.MAX_IMAGE_PIXELS or 0
        if stream.codec_context.width * stream.codec_context.height > limit:
            raise IcvosError(f"{path}: frames of more than {limit} pixels; scale the video down")
        try:
            for frame in container.decode(stream):
                if number >= start:
                    yield f"{number:05d}", _upright(frame)
                number += 1
        except av.error.FFmpegError as error:
            raise IcvosError(
                f"{path}: cannot be decoded after {number} frames ({error.strerror}); fetch or encode the file again"
            ) from error
    if not number:
        raise IcvosError(f"{path}: holds no frame; give a folder of frames or another file")


def _decode_animation(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    for number, image in enumerate(_pictures_of(path)):
        yield f"{number:05d}", rgb(path, image)


def _durations_ms(path: Path) -> Iterator[float]:
    return (float(image.info.get("duration") or 0) for image in _pictures_of(path))


def _pictures_of(path: Path) -> Iterator[Pillow.Image]:
    """The pictures of an animation, each as it is shown: drawn over the last where it holds only a part."""
    with opened_image(path) as image:
        first = first_shown(image)
        for number in range(picture_count(path, image)):
            with decoding(path):
                image.seek(first + number)
                image.load()
            yield image


def _upright(frame: Any) -> np.ndarray:
    """(H, W, 3) uint8 RGB, turned by the quarter turns that the camera wrote into the file."""
    image: np.ndarray = frame.to_ndarray(format="rgb24")
    quarter_turns = round(getattr(frame, "rotation", 0) / 90) % 4  # counterclockwise, as in rot90
    return np.ascontiguousarray(np.rot90(image, quarter_turns)) if quarter_turns else image


def read_ahead(paths: Iterable[Path], ahead: int = 2) -> Iterator[np.ndarray]:
    """The decoded frames in order, (H, W, 3) uint8 each, up to ``ahead`` decoded while the last is worked on."""
    with ThreadPoolExecutor(1) as pool:
        stream = iter(paths)
        waiting = [pool.submit(read_image, path) for path in islice(stream, ahead)]
        while waiting:
            frame = waiting.pop(0).result()
            waiting += [pool.submit(read_image, path) for path in islice(stream, 1)]
            yield frame
