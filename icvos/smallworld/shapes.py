"""Drawings as lists of flat parts: polygons, smooth outlines, ellipses, limbs, rings, each with colour and relief.

A drawing is made in the object's own units: x to the right (objects face right), y **up**, the ground at y = 0,
about one unit tall. `icvos.smallworld.paint` turns it into pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

Colour = tuple[int, int, int]
Point = tuple[float, float]
Points = Sequence[Point] | np.ndarray


@dataclass(frozen=True, slots=True)
class Look:
    """What makes one instance of a category its own.

    Args:
        colours: Up to four colours (RGB), the main one first.
        shape: Eight numbers in [-1, 1] which vary proportions.
        variant: Which build of the category (a sailing boat or a motor boat), counted from 0.
        coat: Name of the surface texture; see `icvos.smallworld.textures`.
        marking: Name of the pattern that ``ink`` is drawn with on marked parts, or None.
        ink: The marking's colour.
        seed: Offset of texture and marking, in texels.
    """

    colours: tuple[Colour, ...]
    shape: tuple[float, ...]
    variant: int
    coat: str
    marking: str | None
    ink: Colour
    seed: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Part:
    """One flat piece: ``contours`` slices of the drawing's points (even-odd, so two make a ring)."""

    contours: tuple[tuple[int, int], ...]
    colour: Colour
    relief: int
    marked: int


def tint(colour: Colour, factor: float) -> Colour:
    """``colour`` darker (factor < 1) or, towards white, lighter (factor > 1)."""
    if factor <= 1:
        return (int(colour[0] * factor), int(colour[1] * factor), int(colour[2] * factor))
    pull = min(factor - 1, 1.0)
    return tuple(int(value + (255 - value) * pull) for value in colour)  # type: ignore[return-value]


@cache
def _circle(count: int) -> np.ndarray:
    angle = np.arange(count) * (2 * np.pi / count)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


@cache
def _smoother(count: int) -> np.ndarray:
    """(4 * count, count): two rounds of Chaikin's corner cutting of a closed polygon, as one matrix."""
    matrix = np.eye(count)
    for _ in range(2):
        after = np.roll(matrix, -1, axis=0)
        matrix = np.stack([0.75 * matrix + 0.25 * after, 0.25 * matrix + 0.75 * after], axis=1).reshape(-1, count)
    return matrix


class Drawing:
    """Parts from back to front. Every method adds one part; ``relief`` 0..255 is how far it stands out, for shading."""

    __slots__ = ("_count", "_points", "parts")

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self._points: list[np.ndarray] = []
        self._count = 0

    @property
    def points(self) -> np.ndarray:
        """(N, 2) float64: the points of all parts, in the object's units."""
        return np.concatenate(self._points) if self._points else np.zeros((0, 2))

    def add(self, contours: Sequence[np.ndarray], colour: Colour, relief: int = 140, marked: bool = False) -> None:
        """One part from closed contours, each (N, 2)."""
        slices = []
        for contour in contours:
            self._points.append(contour)
            slices.append((self._count, self._count + len(contour)))
            self._count += len(contour)
        self.parts.append(Part(tuple(slices), colour, relief, 255 if marked else 0))

    def place(self, other: "Drawing", origin: Point, scale: Point) -> None:
        """The parts of another drawing, scaled along x and y and moved so that its origin lies at ``origin``."""
        self._points.append(other.points * np.asarray(scale) + np.asarray(origin))
        for part in other.parts:
            contours = tuple((start + self._count, end + self._count) for start, end in part.contours)
            self.parts.append(Part(contours, part.colour, part.relief, part.marked))
        self._count += len(self._points[-1])

    def polygon(self, points: Points, colour: Colour, relief: int = 140, marked: bool = False) -> None:
        """A polygon with sharp corners."""
        self.add([np.asarray(points, dtype=np.float64)], colour, relief, marked)

    def smooth(self, points: Points, colour: Colour, relief: int = 140, marked: bool = False) -> None:
        """A closed curve that runs near ``points``."""
        outline = np.asarray(points, dtype=np.float64)
        self.add([_smoother(len(outline)) @ outline], colour, relief, marked)

    def ellipse(
        self,
        centre: Point,
        radius: Point,
        colour: Colour,
        relief: int = 140,
        marked: bool = False,
        turn: float = 0.0,
    ) -> None:
        """An ellipse with radii along x and y, turned by ``turn`` radians."""
        self.add([_ellipse(centre, radius, turn)], colour, relief, marked)

    def ring(self, centre: Point, outer: float, inner: float, colour: Colour, relief: int = 140) -> None:
        """A circle with a circular hole."""
        self.add([_ellipse(centre, (outer, outer), 0.0, 32), _ellipse(centre, (inner, inner), 0.0, 32)], colour, relief)

    def limb(
        self, start: Point, end: Point, width: Point, colour: Colour, relief: int = 140, marked: bool = False
    ) -> None:
        """A round-ended bar from ``start`` to ``end`` with radii ``width`` at the two ends."""
        self.add([_limb(start, end, width)], colour, relief, marked)

    def chain(self, points: Points, width: Point, colour: Colour, relief: int = 140, marked: bool = False) -> None:
        """Limbs along ``points`` whose radius goes from ``width[0]`` to ``width[1]``: tails, trunks, ropes."""
        radii = np.linspace(width[0], width[1], len(points))
        for index in range(len(points) - 1):
            start, end = points[index], points[index + 1]
            self.limb(
                (float(start[0]), float(start[1])),
                (float(end[0]), float(end[1])),
                (float(radii[index]), float(radii[index + 1])),
                colour,
                relief,
                marked,
            )


def _ellipse(centre: Point, radius: Point, turn: float, count: int = 20) -> np.ndarray:
    outline = _circle(count) * np.asarray(radius)
    if turn:
        cosine, sine = np.cos(turn), np.sin(turn)
        outline = outline @ np.array([[cosine, sine], [-sine, cosine]])
    return outline + np.asarray(centre)


def _limb(start: Point, end: Point, width: Point) -> np.ndarray:
    along_x, along_y = end[0] - start[0], end[1] - start[1]
    length = float(np.hypot(along_x, along_y)) or 1e-9
    cosine, sine = along_x / length, along_y / length
    turn = np.array([[sine, -cosine], [cosine, sine]])  # the half circle's axis, x to the side and y along the limb
    half = _circle(16)[:9]
    return np.concatenate([(half * width[1]) @ turn + np.asarray(end), (-half * width[0]) @ turn + np.asarray(start)])
