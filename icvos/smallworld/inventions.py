"""Categories that no language has a word for: as many as wanted, each with its own build, colours, surface and gait.

Whoever learns to compare from twenty categories learns the twenty. Of inventions there are as many as there are
numbers, and what their instances share is for each to be found out: parts in places, a set of colours, a texture.
"""

from collections.abc import Callable
from colorsys import hsv_to_rgb
from dataclasses import dataclass
from functools import cache, partial
from math import cos, pi, sin
from typing import Literal

import numpy as np

from icvos.categories import Category
from icvos.smallworld.catalogue import BY_NAME, Kind
from icvos.smallworld.manners import BALL, BIRD, BOAT, KITE, THING, VEHICLE, WALKER, Manner
from icvos.smallworld.shapes import Colour, Drawing, Look, Point

FIRST_INDEX = 81  # of a category, behind those of COCO
WORD = "invention "
_SEED = 20251204
_GROUND = ("meadow", "park", "street", "beach", "indoor", "savanna", "forest", "table")
_LIVES: tuple[tuple[Manner, tuple[str, ...], float], ...] = (  # how it moves, where, and its gait
    (WALKER, _GROUND, 6.0),
    (WALKER, _GROUND, 7.5),
    (VEHICLE, _GROUND, 5.0),
    (THING, _GROUND, 0.0),
    (THING, _GROUND, 0.0),
    (BALL, _GROUND, 3.0),
    (BIRD, ("meadow", "park", "sky", "beach", "water"), 5.0),
    (KITE, ("sky", "beach"), 0.0),
    (BOAT, ("water",), 2.0),
)
_COATS = ("smooth", "metal", "cloth", "feather", "fur", "wool", "skin", "leaf", "wood")
_MARKINGS = (None, None, "tabby", "saddle", "patches", "stripes", "cells")
Shape = Literal["limb", "spike", "lobe", "tail", "wheel", "fin", "bar"]
SHAPES: tuple[Shape, ...] = ("limb", "limb", "spike", "lobe", "lobe", "tail", "wheel", "fin", "bar")


@dataclass(frozen=True, slots=True)
class _Group:
    """Equal parts, at angles around the trunk or in it.

    Args:
        shape: What each is.
        angles: Where they are; 0 is the front, pi / 2 the top.
        reach: Where along the way from the middle (0) to the outline (1) they begin.
        length, width: Of each, in units of the trunk.
        colour: Which of the look's.
        relief: See `Drawing`.
        sway: How far the gait moves them, in radians.
        behind: Whether the trunk hides where they begin.
    """

    shape: Shape
    angles: tuple[float, ...]
    reach: float
    length: float
    width: float
    colour: int
    relief: int
    sway: float
    behind: bool


@dataclass(frozen=True, slots=True)
class _Build:
    """An invention.

    Args:
        outline: Radii of the trunk at equal angles.
        smooth: Whether its corners are round.
        stretch: Width and height of the trunk.
        groups: What it has beside the trunk.
    """

    outline: tuple[float, ...]
    smooth: bool
    stretch: Point
    groups: tuple[_Group, ...]


def kind_of(name: str) -> Kind:
    """A category of the small world, or the invention of that name; KeyError where there is neither."""
    return BY_NAME[name] if name in BY_NAME or not is_kind(name) else invention(int(name.removeprefix(WORD)))


def is_kind(name: str) -> bool:
    """Whether the small world can draw what is called so."""
    return name in BY_NAME or (name.startswith(WORD) and name.removeprefix(WORD).isdecimal())


@cache
def invention(number: int) -> Kind:
    """The invention of this number, the same for ever; its category is called ``invention <number>``."""
    random = np.random.Generator(np.random.PCG64(np.random.SeedSequence([_SEED, number])))
    manner, habitats, gait = _LIVES[int(random.integers(len(_LIVES)))]
    build = _invented_build(random, legs=manner is WALKER)
    return Kind(
        category=Category(FIRST_INDEX + number, f"{WORD}{number}", 0, "invention"),
        draw=partial(_draw, build),
        palettes=tuple(_invented_palette(random) for _ in range(int(random.integers(1, 4)))),
        habitats=habitats,
        size=0.3 + 0.3 * float(random.random()),
        coat=str(random.choice(_COATS)),
        markings=(_MARKINGS[int(random.integers(len(_MARKINGS)))],),
        inks=_invented_palette(random)[:2],
        manner=manner,
        gait=gait,
    )


def _invented_palette(random: np.random.Generator) -> tuple[str, ...]:
    """Four colours, the first two of which differ."""
    hue = float(random.random())
    found = []
    for turn in (0.0, 0.25 + 0.5 * float(random.random()), float(random.random()), float(random.random())):
        rgb = hsv_to_rgb((hue + turn) % 1, float(random.beta(1.6, 1.8)), 0.2 + 0.75 * float(random.random()))
        found.append("".join(f"{int(255 * value):02x}" for value in rgb))
    return tuple(found)


def _invented_build(random: np.random.Generator, *, legs: bool) -> _Build:
    corners = int(random.integers(4, 10))
    groups = [_invented_group(random) for _ in range(int(random.integers(2, 6)))]
    if legs:
        half = 0.2 + 0.5 * float(random.random())
        angles = tuple(float(v) for v in np.linspace(-pi / 2 - half, -pi / 2 + half, int(random.integers(2, 6))))
        length, width = 0.5 + 0.6 * float(random.random()), 0.06 + 0.08 * float(random.random())
        groups.append(_Group("limb", angles, 0.7, length, width, int(random.integers(3)), 130, 0.5, behind=True))
    return _Build(
        outline=tuple(0.6 + 0.5 * float(v) for v in random.random(corners)),
        smooth=bool(random.random() < 0.7),
        stretch=(0.45 + 0.75 * float(random.random()), 0.35 + 0.5 * float(random.random())),
        groups=tuple(groups),
    )


def _invented_group(random: np.random.Generator) -> _Group:
    shape = SHAPES[int(random.integers(len(SHAPES)))]
    count, middle = int(random.choice([1, 1, 2, 2, 3, 4, 6])), 2 * pi * float(random.random())
    spread = pi * (0.2 + 1.6 * float(random.random())) if count > 1 else 0.0
    angles = tuple(float(middle + v) for v in np.linspace(-spread / 2, spread / 2, count))
    inside = random.random() < 0.45
    size = float(random.random())
    return _Group(
        shape,
        angles,
        reach=0.2 + 0.45 * float(random.random()) if inside else 0.85,
        length=(0.15 + 0.3 * size) if inside else 0.3 + 0.7 * size,
        width=0.05 + 0.2 * float(random.random()),
        colour=int(random.integers(1, 4)),
        relief=int(random.integers(110, 220)),
        sway=0.35 * float(random.random()),
        behind=not inside and random.random() < 0.5,
    )


def _draw(build: _Build, look: Look, phase: float) -> Drawing:
    """The invention, one unit tall, on y = 0."""
    made = Drawing()
    wide, tall = (value * (1 + 0.12 * look.shape[axis]) for axis, value in enumerate(build.stretch))
    steps = np.arange(len(build.outline)) * (2 * pi / len(build.outline))
    radii = np.asarray(build.outline)
    trunk = np.stack([radii * np.cos(steps) * wide, radii * np.sin(steps) * tall], 1)
    for number, group in enumerate(build.groups):
        if group.behind:
            _draw_group(made, group, (wide, tall), look, phase, number)
    (made.smooth if build.smooth else made.polygon)(trunk, look.colours[0], 190, marked=True)
    for number, group in enumerate(build.groups):
        if not group.behind:
            _draw_group(made, group, (wide, tall), look, phase, number)
    low, high = float(made.points[:, 1].min()), float(made.points[:, 1].max())
    scale = 1 / (high - low)
    placed = Drawing()
    placed.place(made, (0.0, -low * scale), (scale, scale))
    return placed


@dataclass(frozen=True, slots=True)
class _Piece:
    """One part of a group: where it begins, which way it goes (radians), how long and wide it is, and its look."""

    start: Point
    away: float
    length: float
    width: float
    colour: Colour
    relief: int

    def at(self, along: float, across: float) -> Point:
        """The point so far along the part and to its left."""
        x, y = along * cos(self.away) - across * sin(self.away), along * sin(self.away) + across * cos(self.away)
        return (self.start[0] + x, self.start[1] + y)


def _draw_group(made: Drawing, group: _Group, stretch: Point, look: Look, phase: float, number: int) -> None:
    grown = 1 + 0.15 * look.shape[2 + number % 6]
    for place, angle in enumerate(group.angles):
        turned = angle + 0.1 * look.shape[7 - number % 6]
        start = (group.reach * stretch[0] * cos(turned), group.reach * stretch[1] * sin(turned))
        away = turned + group.sway * sin(phase + pi * place)
        colour = look.colours[group.colour]
        piece = _Piece(start, away, group.length * grown, group.width * grown, colour, group.relief)
        _PARTS[group.shape](made, piece)


def _limb(made: Drawing, piece: _Piece) -> None:
    widths = (piece.width, 0.7 * piece.width)
    made.limb(piece.start, piece.at(piece.length, 0), widths, piece.colour, piece.relief)


def _spike(made: Drawing, piece: _Piece) -> None:
    corners = [piece.at(0, 1.3 * piece.width), piece.at(piece.length, 0), piece.at(0, -1.3 * piece.width)]
    made.polygon(corners, piece.colour, piece.relief)


def _lobe(made: Drawing, piece: _Piece) -> None:
    radii = (0.5 * piece.length, 0.5 * piece.length * (0.4 + 3 * piece.width))
    made.ellipse(piece.at(0.4 * piece.length, 0), radii, piece.colour, piece.relief, turn=piece.away)


def _tail(made: Drawing, piece: _Piece) -> None:
    points, x, y = [piece.start], *piece.start
    for step in range(5):
        x += piece.length / 4 * cos(piece.away + 0.35 * step)
        y += piece.length / 4 * sin(piece.away + 0.35 * step)
        points.append((x, y))
    made.chain(points, (0.6 * piece.width, 0.3 * piece.width), piece.colour, piece.relief)


def _wheel(made: Drawing, piece: _Piece) -> None:
    radius = 0.12 + 0.25 * piece.length
    made.ring(piece.at(0.1, 0), radius, radius * (0.3 + piece.width), piece.colour, piece.relief)


def _fin(made: Drawing, piece: _Piece) -> None:
    corners = ((0.0, -0.6), (0.5, -0.5), (1.0, -1.4), (0.9, 0.3), (0.0, 0.9))
    points = [piece.at(along * piece.length, 1.6 * across * piece.width) for along, across in corners]
    made.smooth(points, piece.colour, piece.relief)


def _bar(made: Drawing, piece: _Piece) -> None:
    ends = piece.at(0, piece.length / 2), piece.at(0, -piece.length / 2)
    made.limb(*ends, (piece.width / 2, piece.width / 2), piece.colour, piece.relief)


_PARTS: dict[Shape, Callable[[Drawing, _Piece], None]] = {
    "limb": _limb,
    "spike": _spike,
    "lobe": _lobe,
    "tail": _tail,
    "wheel": _wheel,
    "fin": _fin,
    "bar": _bar,
}
