"""What carries people on the ground, drawn from parts: (look, phase in radians of the wheels) to a `Drawing`."""

from math import cos, pi, sin

import numpy as np

from icvos.smallworld.shapes import Colour, Drawing, Look, Point, tint

TYRE: Colour = (34, 34, 38)
_RIM: Colour = (176, 180, 186)
GLASS: Colour = (134, 170, 190)
_LAMP: Colour = (255, 240, 190)
_REAR: Colour = (200, 38, 34)


def _wheel(drawing: Drawing, centre: Point, radius: float, phase: float, rim: Colour = _RIM) -> None:
    drawing.ellipse(centre, (radius, radius), TYRE, 200)
    drawing.ellipse(centre, (radius * 0.62, radius * 0.62), rim, 180)
    for spoke in range(5):
        angle = -phase + spoke * 2 * pi / 5
        reach = radius * 0.4
        hole = (centre[0] + cos(angle) * reach, centre[1] + sin(angle) * reach)
        drawing.ellipse(hole, (radius * 0.12, radius * 0.12), (70, 72, 78), 180)
    drawing.ellipse(centre, (radius * 0.13, radius * 0.13), (90, 92, 98), 190)


def pane(drawing: Drawing, points: list[Point], glass: Colour = GLASS) -> None:
    """A window with a diagonal glint."""
    drawing.polygon(points, tint(glass, 0.62), 120)
    (ax, ay), (bx, by), (cx, cy), (dx, dy) = points  # lower left, upper left, upper right, lower right
    drawing.polygon(
        [
            (ax, ay),
            (bx, by),
            (bx + (cx - bx) * 0.55, by + (cy - by) * 0.55),
            (ax + (dx - ax) * 0.25, ay + (dy - ay) * 0.25),
        ],
        glass,
        120,
    )


def car(look: Look, phase: float) -> Drawing:
    """Saloon (0), hatchback (1) or pick-up-like estate (2) with two wheels, windows, lights."""
    drawing = Drawing()
    paint, s = look.colours[0], look.shape
    long, roof = 1.02 + 0.1 * s[0], 0.66 + 0.05 * s[1]
    sill, belt = 0.13, 0.4
    rear_roof = {0: -0.42, 1: -0.68, 2: -0.82}[look.variant]
    rear_belt = {0: -0.74, 1: -0.92, 2: -0.96}[look.variant] * long
    drawing.polygon(
        [(-long * 0.96, 0.12), (long * 0.96, 0.12), (long * 0.9, 0.2), (-long * 0.9, 0.2)], (28, 28, 32), 90
    )
    drawing.polygon(
        [(rear_belt, belt - 0.02), (rear_roof - 0.03, roof - 0.03), (rear_roof + 0.08, roof), (0.18, roof), (0.3,
        roof - 0.035),
         (0.62, belt - 0.02)], paint, 165,
    )  # fmt: skip
    drawing.smooth(
        [(-long, sill + 0.02), (-long * 1.02, belt - 0.04), (-long * 0.92, belt + 0.03), (-0.3, belt + 0.04), (0.5,
        belt + 0.03), (long * 0.9, belt - 0.06),
         (long * 1.03, belt - 0.14), (long * 1.01, sill + 0.02), (long * 0.7, sill - 0.02), (-long * 0.7,
         sill - 0.02)], paint, 190,
    )  # fmt: skip
    pane(
        drawing,
        [(rear_belt + 0.14, belt + 0.02), (rear_roof + 0.04, roof - 0.06), (-0.16, roof - 0.05), (-0.16, belt + 0.02)],
    )
    pane(drawing, [(-0.09, belt + 0.02), (-0.09, roof - 0.05), (0.2, roof - 0.06), (0.5, belt + 0.02)])
    drawing.limb((-0.125, belt), (-0.125, sill + 0.05), (0.008, 0.008), tint(paint, 0.6), 150)
    drawing.limb((0.44, belt - 0.02), (0.4, sill + 0.06), (0.008, 0.008), tint(paint, 0.6), 150)
    drawing.limb((-0.3, belt - 0.05), (-0.2, belt - 0.05), (0.014, 0.014), tint(paint, 0.5), 215)
    drawing.limb((-long * 0.9, 0.24), (long * 0.92, 0.24), (0.012, 0.012), tint(paint, 0.72), 170)
    drawing.ellipse((long * 0.95, belt - 0.12), (0.06, 0.038), _LAMP, 220)
    drawing.polygon(
        [
            (-long * 1.0, belt - 0.1),
            (-long * 1.0, belt - 0.01),
            (-long * 0.92, belt - 0.01),
            (-long * 0.94, belt - 0.1),
        ],
        _REAR,
        200,
    )
    for x in (-long * 0.6, long * 0.6):
        drawing.ellipse((x, 0.17), (0.215, 0.215), (26, 26, 30), 100)
        _wheel(drawing, (x, 0.165), 0.17, phase)
    return drawing


def bus(look: Look, phase: float) -> Drawing:
    """A long box with a row of windows, doors and a band; variant 1 has two decks."""
    drawing = Drawing()
    paint, band, s = look.colours[0], look.colours[1], look.shape
    long, top = (1.15 + 0.12 * s[0], 0.86) if look.variant == 0 else (0.98, 1.22)
    drawing.polygon([(-long, 0.1), (long, 0.1), (long, 0.24), (-long, 0.24)], (34, 34, 38), 100)
    body = [
        (-long, 0.14),
        (-long, top - 0.08),
        (-long + 0.07, top),
        (long - 0.12, top),
        (long, top - 0.12),
        (long + 0.03, 0.4),
        (long + 0.02, 0.14),
    ]
    drawing.polygon(body, paint, 185)
    drawing.polygon([(-long, 0.3), (-long, 0.38), (long + 0.02, 0.38), (long + 0.025, 0.3)], band, 185)
    drawing.polygon(
        [(-long + 0.05, top), (long - 0.14, top), (long - 0.2, top + 0.03), (-long + 0.12, top + 0.03)],
        tint(paint, 0.8),
        160,
    )
    for floor in range(look.variant + 1):
        low = 0.46 + 0.4 * floor
        high = low + 0.26
        count = 6
        width = (2 * long - 0.34) / count
        drawing.polygon(
            [
                (-long + 0.05, low - 0.02),
                (-long + 0.05, high + 0.02),
                (long - 0.28, high + 0.02),
                (long - 0.28, low - 0.02),
            ],
            (40, 44, 50),
            130,
        )
        for index in range(count):
            x = -long + 0.075 + index * width
            right = min(x + width * 0.88, long - 0.3)
            pane(drawing, [(x, low), (x, high), (right, high), (right, low)])
        pane(
            drawing,
            [(long - 0.2, low - 0.04), (long - 0.2, high + 0.02), (long - 0.05, high), (long + 0.005, low - 0.04)],
        )
    drawing.polygon(
        [(long - 0.46, 0.15), (long - 0.46, 0.7), (long - 0.27, 0.7), (long - 0.27, 0.15)], tint(paint, 0.55), 120
    )
    for x in (long - 0.445, long - 0.355):
        pane(drawing, [(x, 0.19), (x, 0.67), (x + 0.07, 0.67), (x + 0.07, 0.19)])
    drawing.ellipse((long - 0.02, 0.23), (0.035, 0.03), _LAMP, 215)
    drawing.polygon([(-long, 0.2), (-long, 0.28), (-long + 0.035, 0.28), (-long + 0.035, 0.2)], _REAR, 200)
    drawing.polygon(
        [(long - 0.22, top - 0.1), (long - 0.22, top - 0.03), (long - 0.08, top - 0.03), (long - 0.06, top - 0.1)],
        (250, 190, 60),
        170,
    )
    for x in (-long * 0.58, long * 0.5):
        drawing.ellipse((x, 0.16), (0.175, 0.175), (30, 30, 34), 90)
        _wheel(drawing, (x, 0.14), 0.14, phase)
    return drawing


def truck(look: Look, phase: float) -> Drawing:
    """A cab and a load: box (0), tipper (1) or tank (2)."""
    drawing = Drawing()
    cab, load, s = look.colours[0], look.colours[1], look.shape
    back = -1.1 - 0.1 * s[0]
    drawing.polygon([(back, 0.17), (1.0, 0.17), (1.0, 0.28), (back, 0.28)], (46, 46, 52), 110)
    if look.variant == 0:
        drawing.polygon([(back, 0.29), (back, 1.02), (0.4, 1.02), (0.4, 0.29)], load, 185)
        drawing.polygon([(back, 0.56), (back, 0.74), (0.4, 0.66), (0.4, 0.48)], look.colours[2], 185)
        for step in range(1, 6):
            x = back + (0.4 - back) * step / 6
            drawing.limb((x, 0.31), (x, 1.0), (0.007, 0.007), tint(load, 0.8), 190)
    elif look.variant == 1:
        drawing.smooth([(back * 0.85, 0.6), (-0.6, 0.98), (-0.2, 0.9), (0.0, 1.0), (0.3, 0.62)], (128, 96, 66), 150)
        drawing.polygon([(back, 0.29), (back - 0.08, 0.78), (0.46, 0.78), (0.38, 0.29)], load, 190)
        for step in range(1, 6):
            x = back + (0.4 - back) * step / 6
            drawing.polygon(
                [(x - 0.03, 0.3), (x - 0.03, 0.76), (x + 0.03, 0.76), (x + 0.03, 0.3)], tint(load, 0.72), 200
            )
    else:
        drawing.limb((back + 0.3, 0.62), (0.12, 0.62), (0.33, 0.33), load, 230)
        drawing.polygon(
            [(back * 0.6, 0.3), (back * 0.6, 0.93), (back * 0.6 + 0.1, 0.93), (back * 0.6 + 0.1, 0.3)],
            look.colours[2],
            230,
        )
        drawing.polygon([(-0.1, 0.3), (-0.1, 0.93), (0.0, 0.93), (0.0, 0.3)], look.colours[2], 230)
    drawing.polygon(
        [(0.47, 0.19), (0.47, 0.86), (0.55, 0.93), (0.86, 0.92), (0.98, 0.6), (1.12, 0.52), (1.14, 0.19)], cab, 200
    )
    pane(drawing, [(0.6, 0.58), (0.62, 0.83), (0.81, 0.83), (0.91, 0.58)])
    drawing.limb((0.56, 0.5), (0.56, 0.28), (0.008, 0.008), tint(cab, 0.6), 170)
    drawing.limb((0.94, 0.52), (0.92, 0.28), (0.008, 0.008), tint(cab, 0.6), 170)
    drawing.ellipse((1.09, 0.38), (0.045, 0.05), _LAMP, 220)
    drawing.polygon([(0.98, 0.15), (0.98, 0.24), (1.17, 0.24), (1.17, 0.15)], (150, 152, 158), 200)
    for x in (back + 0.3, back + 0.68, 0.8):
        drawing.ellipse((x, 0.175), (0.205, 0.205), (28, 28, 32), 90)
        _wheel(drawing, (x, 0.165), 0.165, phase)
    return drawing


def _spokes(drawing: Drawing, centre: Point, radius: float, phase: float, width: float, tyre: float) -> None:
    drawing.ring(centre, radius, radius - tyre, TYRE, 190)
    drawing.ring(centre, radius - tyre, radius - tyre * 1.5, (196, 198, 204), 190)
    for spoke in range(6):
        angle = -phase + spoke * pi / 3
        drawing.limb(
            centre, (centre[0] + cos(angle) * (radius - tyre), centre[1] + sin(angle) * (radius - tyre)), (width,
            width),
            (168, 170, 176), 150,
        )  # fmt: skip
    drawing.ellipse(centre, (0.045, 0.045), (90, 92, 98), 190)


def bicycle(look: Look, phase: float) -> Drawing:
    """Two spoked wheels, a diamond or step-through frame, saddle, handlebars, turning pedals."""
    drawing = Drawing()
    paint, s = look.colours[0], look.shape
    r = 0.36
    rear, front = (-0.56 - 0.04 * s[0], r), (0.58, r)
    crank, seat, head = (-0.06, 0.33), (-0.25, 0.8), (0.4, 0.82)
    _spokes(drawing, rear, r, phase, 0.01, 0.055)
    _spokes(drawing, front, r, phase, 0.01, 0.055)
    turn = phase * 0.5
    far = (crank[0] - cos(turn) * 0.16, crank[1] + sin(turn) * 0.16)
    drawing.limb(crank, far, (0.022, 0.018), (70, 70, 76), 110)
    width = 0.036
    low = (0.42, 0.74) if look.variant == 0 else (0.1, 0.4)
    for start, end in ((rear, crank), (rear, seat), (crank, seat), (crank, (0.43, 0.72))):
        drawing.limb(start, end, (width, width), paint, 200)
    if look.variant == 0:
        drawing.limb((-0.23, 0.74), (head[0] + 0.01, head[1] - 0.06), (width, width), paint, 210)
    else:
        drawing.chain([(-0.2, 0.6), low, head], (width, width), paint, 210)
    drawing.limb(front, head, (0.03, 0.036), tint(paint, 0.85), 205)
    drawing.limb(seat, (-0.28, 0.9), (0.022, 0.022), (150, 152, 158), 190)
    drawing.smooth([(-0.46, 0.9), (-0.44, 0.97), (-0.28, 0.96), (-0.1, 0.93), (-0.12, 0.9)], (44, 34, 30), 220)
    drawing.limb(head, (0.37, 0.98), (0.026, 0.026), (150, 152, 158), 200)
    if look.variant == 0:
        drawing.chain([(0.37, 0.97), (0.52, 0.98), (0.57, 0.88), (0.5, 0.8)], (0.034, 0.034), (40, 40, 46), 215)
    else:
        drawing.chain([(0.37, 0.97), (0.42, 1.04), (0.22, 1.02)], (0.03, 0.036), (40, 40, 46), 215)
        drawing.smooth([(0.55, 0.74), (0.85, 0.74), (0.92, 0.98), (0.5, 0.98)], (166, 122, 74), 190, marked=True)
    drawing.ring(crank, 0.105, 0.06, (60, 60, 66), 200)
    near = (crank[0] + cos(turn) * 0.16, crank[1] - sin(turn) * 0.16)
    drawing.limb(crank, near, (0.024, 0.02), (110, 112, 118), 215)
    drawing.limb((near[0] - 0.06, near[1]), (near[0] + 0.06, near[1]), (0.022, 0.022), (40, 40, 44), 220)
    return drawing


def motorcycle(look: Look, phase: float) -> Drawing:
    """Fat tyres, a tank and seat, an engine with a pipe, a lamp."""
    drawing = Drawing()
    paint, s = look.colours[0], look.shape
    rear, front = (-0.62, 0.28), (0.66 + 0.05 * s[0], 0.28)
    for centre in (rear, front):
        drawing.ring(centre, 0.285, 0.165, TYRE, 205)
        _spokes(drawing, centre, 0.2, phase, 0.012, 0.04)
    drawing.limb(rear, (-0.1, 0.34), (0.045, 0.05), (80, 82, 88), 160)
    drawing.limb(front, (0.36, 0.86), (0.04, 0.045), (186, 190, 196), 190)
    drawing.smooth(
        [(-0.3, 0.16), (-0.34, 0.44), (-0.1, 0.58), (0.3, 0.56), (0.36, 0.3), (0.2, 0.14)], (74, 76, 82), 180
    )
    for step in range(4):
        drawing.limb((-0.02, 0.26 + step * 0.07), (0.24, 0.29 + step * 0.07), (0.02, 0.02), (166, 170, 176), 200)
    drawing.limb((0.1, 0.2), (-0.86, 0.24), (0.035, 0.06), (206, 208, 212), 215)
    drawing.smooth([(-0.92, 0.62), (-0.84, 0.7), (-0.5, 0.62), (-0.44, 0.5), (-0.76, 0.5)], paint, 200)
    drawing.smooth(
        [(-0.66, 0.62), (-0.62, 0.76), (-0.34, 0.68), (0.02, 0.66), (0.0, 0.54), (-0.4, 0.56)], (38, 32, 32), 215
    )
    drawing.smooth([(-0.1, 0.6), (-0.04, 0.8), (0.22, 0.88), (0.44, 0.78), (0.4, 0.58), (0.1, 0.54)], paint, 225)
    drawing.smooth([(0.04, 0.64), (0.1, 0.72), (0.34, 0.74), (0.36, 0.66)], look.colours[1], 225)
    drawing.smooth([(0.36, 0.52), (0.44, 0.63), (0.72, 0.64), (0.94, 0.5), (0.7, 0.56)], tint(paint, 0.9), 210)
    drawing.limb((0.36, 0.86), (0.16, 1.0), (0.03, 0.036), (44, 44, 50), 220)
    drawing.ellipse((0.5, 0.82), (0.1, 0.105), (60, 62, 68), 205)
    drawing.ellipse((0.55, 0.82), (0.06, 0.09), _LAMP, 215)
    drawing.ellipse((-0.92, 0.62), (0.035, 0.04), _REAR, 215)
    return drawing


def carriage_points(count: int, spacing: float) -> np.ndarray:
    """(count,) float64: centres along x of ``count`` carriages, centred on 0."""
    return (np.arange(count) - (count - 1) / 2) * spacing


def train(look: Look, phase: float) -> Drawing:
    """A locomotive with a sloped front that pulls carriages with window rows."""
    drawing = Drawing()
    paint, band = look.colours[0], look.colours[1]
    centres = carriage_points(3, 1.04)
    for number, centre in enumerate(centres):
        first = number == len(centres) - 1
        left, right = float(centre) - 0.49, float(centre) + 0.49
        drawing.limb((left - 0.05, 0.17), (right + (0.0 if first else 0.05), 0.17), (0.04, 0.04), (40, 40, 44), 110)
        nose: list[Point] = [(right - 0.18, 0.78), (right - 0.04, 0.66), (right + 0.14, 0.36), (right + 0.12, 0.12)]
        end: list[Point] = nose if first else [(right, 0.76), (right, 0.12)]
        drawing.polygon([(left, 0.12), (left, 0.76), (left + 0.03, 0.8), *end], paint, 190)
        drawing.polygon(
            [(left, 0.26), (left, 0.36), (right + 0.1 * first, 0.36), (right + 0.13 * first, 0.26)], band, 190
        )
        width = 0.15
        for index in range(4 if first else 5):
            x = left + 0.06 + index * (width + 0.03)
            pane(drawing, [(x, 0.46), (x, 0.66), (x + width, 0.66), (x + width, 0.46)])
        if first:
            pane(drawing, [(right - 0.12, 0.46), (right - 0.12, 0.68), (right - 0.05, 0.65), (right + 0.06, 0.46)])
            drawing.ellipse((right + 0.1, 0.24), (0.03, 0.03), _LAMP, 215)
        for x in (left + 0.14, left + 0.3, right - 0.3, right - 0.14):
            _wheel(drawing, (x, 0.08), 0.08, phase, (110, 112, 118))
    return drawing
