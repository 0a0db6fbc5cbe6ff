"""What a reviewer sees of a video: its frames as JPEGs, its objects as outlines, and when they are there."""

import itertools
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import cv2
import numpy as np

from curation.sources.video import SourceVideo
from icvos.bitmasks.values import occurring
from icvos.errors import IcvosError
from icvos.files.images import read_image

CLIP_WIDTH = 640  # pixels of a frame of the clip
JPEG_QUALITY = 85
TOLERANCE = 0.6  # pixels that an outline may leave the mask's edge by, so that it has few points
JUMP = 2.0  # times by which an area changes from a frame to the next, from which on a reviewer should look
LEAST = 64  # pixels below which an area is too small to speak of jumps
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Drawn:
    """An object in a frame.

    Args:
        path: Its outline as the path of an SVG, in pixels of the frame.
        x, y: A point well inside it.
        depth: The distance of that point to its edge.
    """

    path: str
    x: float
    y: float
    depth: float

    def to_json(self) -> dict[str, Any]:
        """Its parts by name."""
        return {"path": self.path, "x": round(self.x, 1), "y": round(self.y, 1), "depth": round(self.depth, 1)}


@dataclass(frozen=True, slots=True)
class First:
    """The first frame of a video: (height, width), and its objects by id."""

    size: tuple[int, int]
    objects: dict[int, Drawn]


@dataclass(frozen=True, slots=True)
class Course:
    """A video from frame to frame.

    Args:
        size: (height, width) of the outlines.
        areas: The pixels of every object in every frame, by id, in pixels of the frames.
        outlines: For every frame, the outlines of the objects in it.
        jumps: By object, the frames at which its area is ``JUMP`` times that of the frame before, or a part of it.
        changes: By object, the frames at which it goes, comes back or jumps.
    """

    size: tuple[int, int]
    areas: dict[int, list[int]]
    outlines: list[dict[int, str]]
    jumps: dict[int, list[int]]
    changes: dict[int, list[int]]

    def to_json(self) -> dict[str, Any]:
        """Its parts by name."""
        return {
            "size": list(self.size),
            "areas": self.areas,
            "outlines": self.outlines,
            "jumps": self.jumps,
            "changes": self.changes,
        }


def first_frame(video: SourceVideo) -> First:
    """The first frame with its objects; reads one mask, and those that say how it is to be read."""
    ids = next(video.iter_ids())
    return First(video.size(), {number: draw(ids == number) for number in sorted(occurring(ids).tolist()) if number})


def draw(mask: np.ndarray) -> Drawn:
    """The outline of a (H, W) bool mask that is not empty, and its innermost point."""
    x, y, width, height = cv2.boundingRect(mask.astype(np.uint8))
    part = np.pad(mask[y : y + height, x : x + width].astype(np.uint8), 1)
    depth = cv2.distanceTransform(part, cv2.DIST_L2, 3)
    row, column = np.unravel_index(int(depth.argmax()), depth.shape)
    path = outline(part, (x - 1, y - 1), TOLERANCE)
    return Drawn(path, x - 1 + float(column) + 0.5, y - 1 + float(row) + 0.5, float(depth.max()))


def outline(mask: np.ndarray, offset: tuple[int, int] = (0, 0), tolerance: float = TOLERANCE) -> str:
    """The outline of a (H, W) uint8 mask as the path of an SVG, holes too; ``offset`` (x, y) is added.

    >>> outline(np.pad(np.ones((2, 3), np.uint8), 1))
    'M1.5 1.5 1.5 2.5 3.5 2.5 3.5 1.5Z'
    """
    contours, _ = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    parts = []
    for contour in contours:
        points = cv2.approxPolyDP(contour, tolerance, True)[:, 0] if len(contour) > 8 else contour[:, 0]
        shifted = points + np.array(offset) + 0.5
        parts.append("M" + " ".join(f"{x:g} {y:g}" for x, y in shifted) + "Z")
    return "".join(parts)


def course(video: SourceVideo) -> Course:
    """A video from frame to frame; reads every mask."""
    height, width = video.size()
    scale = min(1.0, CLIP_WIDTH / width)
    size = round(height * scale), round(width * scale)
    counts, outlines = [], []
    for ids in video.iter_ids():
        numbers, pixels = np.unique(ids, return_counts=True)
        counts.append({int(n): int(p) for n, p in zip(numbers, pixels, strict=True) if n})
        small = cv2.resize(ids, size[::-1], interpolation=cv2.INTER_NEAREST)
        found = ((number, (small == number).astype(np.uint8)) for number in counts[-1])
        outlines.append({number: outline(mask, tolerance=0.8) for number, mask in found if mask.any()})
    objects = sorted({number for frame in counts for number in frame})
    areas = {number: [frame.get(number, 0) for frame in counts] for number in objects}
    jumps = {number: jumps_of(found) for number, found in areas.items()}
    changes = {number: sorted({*comings(found), *jumps[number]}) for number, found in areas.items()}
    return Course(size, areas, outlines, jumps, changes)


def jumps_of(areas: Sequence[int]) -> list[int]:
    """The frames at which an area jumps while the object is there.

    >>> jumps_of([100, 110, 300, 290, 0, 290, 90])
    [2, 6]
    """
    pairs = enumerate(itertools.pairwise(areas), start=1)
    return [
        frame
        for frame, (before, after) in pairs
        if min(before, after) > 0
        and max(before, after) >= LEAST
        and max(before, after) >= JUMP * min(before, after)
    ]  # fmt: skip


def comings(areas: Sequence[int]) -> list[int]:
    """The frames at which an object comes or goes.

    >>> comings([0, 5, 5, 0, 0, 5])
    [1, 3, 5]
    """
    there = [area > 0 for area in areas]
    return [frame for frame in range(1, len(there)) if there[frame] != there[frame - 1]]


def frame_jpeg(path: Path, width: int | None = None) -> bytes:
    """A frame as a JPEG: the file itself where that is one and no ``width`` is asked for, else no wider than that."""
    if width is None and path.suffix.lower() in (".jpg", ".jpeg"):
        try:
            return path.read_bytes()
        except OSError as error:
            raise IcvosError(f"{path}: cannot be read ({error.strerror}); fetch the video again") from error
    image = read_image(path)
    if width is not None and width < image.shape[1]:
        size = width, max(1, round(image.shape[0] * width / image.shape[1]))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return bytes(cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1])


class Shelf(Generic[T]):
    """What was made lately; whoever asks for what is being made waits for that.

    Args:
        most: How many things are kept.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, Future[T]] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """The thing called ``key``, made where it is not kept; an error in making it is not kept."""
        with self._lock:
            future = self._kept.get(key)
            is_mine = future is None
            if future is None:
                future = self._kept[key] = Future()
            self._kept.move_to_end(key)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        if is_mine:
            try:
                future.set_result(make())
            except BaseException as error:
                with self._lock:
                    self._kept.pop(key, None)
                future.set_exception(error)
        return future.result()
