"""Boats and aircraft, drawn from parts: (look, phase in radians of gait) to a `Drawing`."""

from math import cos, sin

from icvos.smallworld.shapes import Colour, Drawing, Look, tint
from icvos.smallworld.vehicles import GLASS, TYRE, pane

_WHITE_PAINT: Colour = (238, 240, 242)


def boat(look: Look, phase: float) -> Drawing:
    """Sailing boat (0), motor cruiser (1) or fishing boat (2); y = 0 is the water line."""
    drawing = Drawing()
    hull, trim, s = look.colours[0], look.colours[1], look.shape
    if look.variant == 0:
        bend = 0.05 * sin(phase * 0.3)
        drawing.limb((0.05, 0.2), (0.05, 1.52), (0.022, 0.016), (120, 92, 66), 160)
        main, jib = look.colours[2], look.colours[3]
        drawing.smooth(
            [
                (0.0, 1.46),
                (0.0, 1.46),
                (-0.3 - bend, 0.95),
                (-0.62 - bend, 0.38),
                (-0.62 - bend, 0.38),
                (0.0, 0.36),
                (0.0, 0.36),
            ],
            main,
            190,
        )
        drawing.smooth([(-0.12, 1.1), (-0.3 - bend, 0.88), (-0.5, 0.62), (0.0, 0.6), (0.0, 1.1)], jib, 190)
        drawing.smooth(
            [(0.1, 1.36), (0.1, 1.36), (0.42 + bend, 0.86), (0.78, 0.34), (0.78, 0.34), (0.12, 0.36)],
            tint(main, 0.92),
            180,
        )
        for height in (0.7, 1.0):
            drawing.limb(
                (-0.02, height), (-0.42 + 0.3 * (height - 0.7), height - 0.03), (0.006, 0.006), tint(main, 0.78), 190
            )
        drawing.polygon([(0.05, 1.52), (-0.18, 1.58), (0.05, 1.64)], trim, 170)
        drawing.limb((0.05, 1.5), (0.05, 1.64), (0.014, 0.012), (120, 92, 66), 160)
    elif look.variant == 1:
        drawing.polygon([(-0.62, 0.26), (-0.56, 0.56), (0.22, 0.56), (0.46, 0.28)], _WHITE_PAINT, 190)
        drawing.polygon([(-0.46, 0.56), (-0.38, 0.78), (0.02, 0.78), (0.2, 0.56)], _WHITE_PAINT, 200)
        for x in (-0.5, -0.26, -0.02):
            pane(drawing, [(x, 0.36), (x, 0.5), (x + 0.18, 0.5), (x + 0.2, 0.36)])
        pane(drawing, [(-0.34, 0.6), (-0.3, 0.73), (-0.02, 0.73), (0.1, 0.6)])
        drawing.limb((-0.3, 0.78), (-0.36, 1.02), (0.014, 0.01), (90, 92, 98), 170)
        drawing.polygon([(-0.36, 1.02), (-0.56, 0.98), (-0.35, 0.92)], trim, 180)
        drawing.chain([(0.5, 0.4), (0.9, 0.5), (1.02, 0.34)], (0.012, 0.012), (200, 204, 210), 190)
    else:
        drawing.limb((-0.2, 0.3), (-0.2, 1.16), (0.026, 0.02), (104, 84, 64), 170)
        drawing.limb((-0.2, 1.1), (-0.84, 0.72), (0.016, 0.012), (104, 84, 64), 160)
        drawing.limb((-0.2, 1.1), (0.96, 0.42), (0.008, 0.008), (70, 66, 62), 150)
        drawing.polygon([(0.02, 0.24), (0.04, 0.72), (0.46, 0.72), (0.5, 0.24)], look.colours[2], 195)
        drawing.polygon([(-0.02, 0.72), (0.0, 0.79), (0.54, 0.79), (0.52, 0.72)], trim, 205)
        for x in (0.1, 0.29):
            pane(drawing, [(x, 0.48), (x, 0.65), (x + 0.14, 0.65), (x + 0.14, 0.48)])
        drawing.ellipse((-0.55, 0.32), (0.2, 0.12), (196, 120, 58), 190)
    low = -0.03
    drawing.polygon(
        [(-0.86, 0.32), (-0.74, low), (0.72, low), (0.94, 0.16), (1.08 + 0.05 * s[0], 0.4), (0.6, 0.31), (-0.3, 0.28)],
        hull,
        205,
    )
    drawing.polygon(
        [(-0.86, 0.32), (-0.83, 0.24), (0.98, 0.26), (1.08 + 0.05 * s[0], 0.4), (0.6, 0.31), (-0.3, 0.28)], trim, 210
    )
    drawing.polygon([(-0.755, 0.04), (-0.74, low), (0.72, low), (0.78, 0.04)], tint(hull, 0.55), 190)
    if look.variant:
        for x in (-0.5, -0.2, 0.55):
            drawing.ellipse((x, 0.15), (0.045, 0.045), (60, 74, 90), 190)
    return drawing


def airplane(look: Look, phase: float) -> Drawing:
    """An airliner (0) or a propeller plane (1), seen from the side and a little from above."""
    drawing = Drawing()
    body, trim, s = look.colours[0], look.colours[1], look.shape
    if look.variant == 0:
        drawing.polygon([(0.12, 0.55), (-0.2, 0.93), (-0.36, 0.93), (-0.22, 0.55)], tint(body, 0.66), 130)
        drawing.polygon([(-0.82, 0.56), (-1.1, 0.72), (-1.18, 0.72), (-1.04, 0.54)], tint(body, 0.7), 130)
        drawing.polygon([(-0.7, 0.56), (-1.02, 1.0), (-1.2, 1.0), (-1.1, 0.52)], trim, 170)
        drawing.smooth(
            [(-1.26, 0.54), (-1.0, 0.38), (-0.5, 0.3), (0.6, 0.3), (0.98, 0.36), (1.16, 0.44), (1.0, 0.56), (0.66,
            0.62), (-0.5, 0.61), (-1.1, 0.6)],
            body, 215,
        )  # fmt: skip
        drawing.polygon([(-0.95, 0.4), (-0.5, 0.335), (0.9, 0.335), (1.04, 0.385), (-0.4, 0.39)], trim, 215)
        for index in range(11):
            drawing.ellipse((-0.66 + index * 0.125, 0.48), (0.028, 0.036), (54, 74, 98), 205)
        drawing.polygon([(0.86, 0.5), (0.87, 0.56), (0.97, 0.54), (1.03, 0.49)], (44, 60, 82), 205)
        drawing.limb((-0.1, 0.22), (0.16, 0.22), (0.075, 0.085), tint(body, 0.82), 200)
        drawing.ellipse((0.2, 0.22), (0.035, 0.08), (50, 54, 62), 190)
        drawing.polygon([(0.26, 0.38), (-0.42, 0.02), (-0.62, 0.02), (-0.24, 0.4)], tint(body, 0.84), 235)
        drawing.polygon([(-0.88, 0.48), (-1.16, 0.36), (-1.28, 0.36), (-1.1, 0.5)], tint(body, 0.84), 235)
    else:
        drawing.polygon([(-0.8, 0.46), (-1.06, 0.86), (-1.2, 0.84), (-1.12, 0.42)], trim, 170)
        drawing.smooth(
            [
                (-1.2, 0.46),
                (-0.6, 0.3),
                (0.2, 0.22),
                (0.74, 0.26),
                (0.86, 0.4),
                (0.74, 0.52),
                (0.3, 0.56),
                (-0.6, 0.52),
            ],
            body,
            215,
        )
        drawing.smooth([(-0.36, 0.52), (-0.16, 0.74), (0.2, 0.74), (0.4, 0.54)], GLASS, 200)
        drawing.limb((0.03, 0.53), (0.0, 0.72), (0.018, 0.018), body, 205)
        drawing.polygon([(-1.0, 0.42), (0.84, 0.36), (0.84, 0.42), (-0.9, 0.48)], trim, 215)
        drawing.polygon([(-0.36, 0.8), (-0.42, 0.88), (0.5, 0.9), (0.56, 0.8)], tint(trim, 0.9), 225)
        drawing.limb((-0.1, 0.56), (0.0, 0.82), (0.016, 0.016), (90, 92, 98), 210)
        drawing.polygon([(-0.98, 0.5), (-1.26, 0.4), (-1.34, 0.44), (-1.16, 0.52)], tint(body, 0.85), 230)
        drawing.limb((0.3, 0.26), (0.36, 0.08), (0.02, 0.02), (90, 92, 98), 150)
        drawing.ellipse((0.37, 0.06), (0.09, 0.09), TYRE, 190)
        blade = 0.36 * abs(cos(phase * 2.3)) + 0.08
        drawing.limb((0.9, 0.4 - blade), (0.9, 0.4 + blade), (0.022, 0.022), (70, 60, 52), 210)
        drawing.ellipse((0.88, 0.4), (0.06, 0.06), trim, 225)
    if s[1] > 0.9:
        drawing.limb((-0.3, 0.44), (0.3, 0.44), (0.012, 0.012), trim, 215)
    return drawing
