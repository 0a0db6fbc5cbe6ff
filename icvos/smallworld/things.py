"""Things that people hold, sit on or play with, drawn from parts: (look, phase) to a `Drawing`."""

from math import cos, pi, sin

import numpy as np

from icvos.smallworld.shapes import Drawing, Look, Point, tint

_STEEL = (168, 172, 180)


def umbrella(look: Look, _phase: float) -> Drawing:
    """An open canopy of alternating panels on a shaft with a hooked handle."""
    drawing = Drawing()
    one, two, s = look.colours[0], look.colours[1], look.shape
    edge, top = 0.52, 0.98 + 0.05 * s[0]
    drawing.limb((0, 0.1), (0, edge + 0.2), (0.018, 0.018), _STEEL, 150)
    drawing.chain([(0, 0.14), (0.0, 0.05), (0.05, 0.0), (0.11, 0.02), (0.12, 0.08)], (0.028, 0.028), (96, 58, 34), 190)
    ribs = np.sin(np.linspace(-pi / 2, pi / 2, 7)) * 0.68
    steps = np.linspace(0, 1, 7)
    for index in range(6):
        left, right = float(ribs[index]), float(ribs[index + 1])
        bow = [
            (x * float(np.sin(t * pi / 2)), edge + (top - edge) * float(np.cos(t * pi / 2)))
            for x, t in ((left, t) for t in steps)
        ]
        back = [
            (x * float(np.sin(t * pi / 2)), edge + (top - edge) * float(np.cos(t * pi / 2)))
            for x, t in ((right, t) for t in steps[::-1])
        ]
        middle = ((left + right) / 2, edge + 0.055)
        drawing.polygon(
            [*bow, middle, *back], one if index % 2 == 0 else two, 150 + 18 * (3 - abs(index - 3)), marked=True
        )
    drawing.limb((0, top - 0.01), (0, top + 0.07), (0.016, 0.01), _STEEL, 200)
    return drawing


def sports_ball(look: Look, phase: float) -> Drawing:
    """Football (0), basketball (1) or beach ball (2), rolling with the phase."""
    drawing = Drawing()
    one, two = look.colours[0], look.colours[1]
    if look.variant == 1:
        one, two = (214, 118, 48), (58, 36, 26)
    centre = (0.0, 0.5)
    drawing.ellipse(centre, (0.5, 0.5), one, 200)
    turn = -phase * 0.6
    if look.variant == 0:
        for ring, count, radius in ((0.0, 1, 0.15), (0.34, 5, 0.12)):
            for index in range(count):
                angle = turn + index * 2 * pi / 5
                x, y = ring * cos(angle), 0.5 + ring * sin(angle)
                corners = [
                    (x + radius * cos(turn + k * 2 * pi / 5 + ring), y + radius * sin(turn + k * 2 * pi / 5 + ring))
                    for k in range(5)
                ]
                drawing.polygon(corners, two, 200)
                if ring:
                    drawing.limb((0.14 * cos(angle), 0.5 + 0.14 * sin(angle)), (x, y), (0.014, 0.014), two, 200)
                    drawing.limb((x, y), (0.48 * cos(angle), 0.5 + 0.48 * sin(angle)), (0.03, 0.03), two, 200)
    elif look.variant == 1:
        for angle in (turn, turn + pi / 2):
            drawing.limb(
                (-0.49 * cos(angle), 0.5 - 0.49 * sin(angle)),
                (0.49 * cos(angle), 0.5 + 0.49 * sin(angle)),
                (0.016, 0.016),
                two,
                190,
            )
        for side in (-1, 1):
            seam: list[Point] = []
            for t in np.linspace(-0.95, 0.95, 8):
                x, y = side * (0.5 - 0.24 * cos(t * 1.2)), 0.44 * t
                seam.append((x * cos(turn) - y * sin(turn), 0.5 + x * sin(turn) + y * cos(turn)))
            drawing.chain(seam, (0.016, 0.016), two, 190)
    else:
        for index in range(6):
            a, b = turn + index * pi / 3, turn + (index + 1) * pi / 3
            colour = (one, two, look.colours[2], one, look.colours[3], two)[index]
            arc = [(0.5 * cos(t), 0.5 + 0.5 * sin(t)) for t in np.linspace(a, b, 6)]
            drawing.polygon([(0.08, 0.56), *arc], colour, 200)
        drawing.ellipse((0.08, 0.56), (0.06, 0.06), (250, 250, 250), 210)
    return drawing


def kite(look: Look, phase: float) -> Drawing:
    """A diamond of four coloured panels with a waving tail of bows."""
    drawing = Drawing()
    one, two, three, four = look.colours
    wide = 0.42 + 0.05 * look.shape[0]
    tail = [(0.1 * sin(phase + t * 5) * t, 0.42 - 0.42 * t) for t in np.linspace(0, 1, 7)]
    drawing.chain(tail, (0.014, 0.01), (70, 60, 60), 140)
    for index in (2, 4, 6):
        x, y = tail[index]
        for side in (-1, 1):
            drawing.polygon(
                [(x, y), (x + side * 0.1, y + 0.055), (x + side * 0.1, y - 0.055)],
                (one, two, three)[index // 2 - 1],
                170,
            )
    top, low, cross = (0.0, 1.3), (0.0, 0.4), 0.95
    drawing.polygon([top, (-wide, cross), (0, cross)], one, 190)
    drawing.polygon([top, (wide, cross), (0, cross)], two, 170)
    drawing.polygon([low, (-wide, cross), (0, cross)], three, 170)
    drawing.polygon([low, (wide, cross), (0, cross)], four, 190)
    drawing.limb(top, low, (0.014, 0.014), (104, 78, 54), 210)
    drawing.limb((-wide, cross), (wide, cross), (0.014, 0.014), (104, 78, 54), 210)
    return drawing


def bottle(look: Look, _phase: float) -> Drawing:
    """Glass with a neck, cap, label and a highlight: wine-like (0) or a round flask (1)."""
    drawing = Drawing()
    glass, label, cap = look.colours[0], look.colours[1], look.colours[2]
    wide = (0.17 if look.variant == 0 else 0.24) + 0.02 * look.shape[0]
    shoulder = 0.62 if look.variant == 0 else 0.55
    drawing.smooth(
        [(-wide, 0.0), (-wide, 0.0), (-wide * 1.02, shoulder * 0.6), (-wide, shoulder), (-0.075, shoulder + 0.15),
        (-0.065, 0.95), (-0.065, 1.0),
         (0.065, 1.0), (0.065, 0.95), (0.075, shoulder + 0.15), (wide, shoulder), (wide * 1.02, shoulder * 0.6),
         (wide, 0.0), (wide, 0.0)], glass, 190,
    )  # fmt: skip
    drawing.polygon(
        [(-wide * 0.97, 0.02), (-wide * 0.97, 0.3), (wide * 0.97, 0.3), (wide * 0.97, 0.02)], tint(glass, 0.72), 190
    )
    drawing.polygon([(-wide, 0.17), (-wide, 0.47), (wide, 0.47), (wide, 0.17)], label, 200)
    drawing.polygon([(-wide, 0.38), (-wide, 0.42), (wide, 0.42), (wide, 0.38)], cap, 200)
    drawing.ellipse((0, 0.28), (0.07, 0.06), cap, 200)
    drawing.limb((-wide * 0.62, 0.52), (-wide * 0.6, shoulder - 0.02), (0.02, 0.015), tint(glass, 1.6), 200)
    drawing.limb((-wide * 0.66, 0.05), (-wide * 0.66, 0.12), (0.018, 0.018), tint(glass, 1.5), 200)
    drawing.polygon([(-0.078, 0.92), (-0.078, 1.03), (0.078, 1.03), (0.078, 0.92)], cap, 215)
    return drawing


def cup(look: Look, _phase: float) -> Drawing:
    """A mug with a handle, a visible rim with coffee or tea, and a band or a dot."""
    drawing = Drawing()
    clay, band, s = look.colours[0], look.colours[1], look.shape
    wide, tall, taper = 0.4 + 0.03 * s[0], 0.78 + 0.08 * s[1], 0.86 + 0.1 * s[2]
    handle = [(wide * 0.9 + 0.3 * sin(t), tall * 0.52 + 0.22 * cos(t)) for t in np.linspace(0.2, pi - 0.2, 7)]
    drawing.chain(handle, (0.055, 0.055), tint(clay, 0.9), 170)
    drawing.smooth(
        [(-wide * taper, 0.03), (-wide * taper, 0.03), (-wide, tall), (-wide, tall), (wide, tall), (wide, tall),
        (wide * taper, 0.03), (wide * taper, 0.03),
         (0, -0.05)], clay, 205,
    )  # fmt: skip
    if look.variant == 0:
        mid = wide * (taper + 1) / 2
        drawing.polygon(
            [(-mid * 0.985, 0.28), (-mid, 0.46), (0, 0.41), (mid, 0.46), (mid * 0.985, 0.28), (0, 0.23)], band, 205
        )
    else:
        for x in (-0.2, 0.0, 0.2):
            drawing.ellipse((x, 0.36), (0.065, 0.07), band, 205)
    drawing.ellipse((0, tall - 0.01), (wide * 0.98, 0.115), tint(clay, 1.25), 225)
    drawing.ellipse((0, tall - 0.015), (wide * 0.86, 0.085), tint(clay, 0.6), 120)
    drawing.ellipse((0, tall - 0.035), (wide * 0.78, 0.062), look.colours[2], 120)
    drawing.limb((-wide * 0.74, 0.16), (-wide * 0.8, tall - 0.2), (0.022, 0.03), tint(clay, 1.6), 205)
    return drawing


def potted_plant(look: Look, phase: float) -> Drawing:
    """A tapered pot with broad leaves (0), blades (1) or a leafy ball with blossoms (2)."""
    drawing = Drawing()
    pot, leaf, s = look.colours[0], look.colours[1], look.shape
    sway = 0.04 * sin(phase * 0.4)
    if look.variant == 0:
        for index, angle in enumerate((0.35, 2.8, 0.75, 2.35, 1.1, 2.0, 1.55)):
            reach = 0.42 + 0.06 * sin(index * 2.1 + s[0] * 3)
            turn = angle + sway
            tip = (cos(turn) * reach, 0.42 + sin(turn) * reach)
            drawing.limb((0, 0.4), tip, (0.016, 0.012), tint(leaf, 0.6), 130)
            drawing.ellipse(tip, (0.22, 0.11), tint(leaf, 0.82 + 0.06 * index), 150 + 10 * index, True, turn=turn)
            drawing.limb(
                (tip[0] - cos(turn) * 0.15, tip[1] - sin(turn) * 0.15), (tip[0] + cos(turn) * 0.17,
                tip[1] + sin(turn) * 0.17),
                (0.008, 0.005), tint(leaf, 1.3), 150 + 10 * index,
            )  # fmt: skip
    elif look.variant == 1:
        for index in range(9):
            turn = pi * (0.16 + 0.68 * ((index * 4) % 9) / 8) + sway
            reach = 0.62 + 0.1 * sin(index * 1.7 + s[1])
            tip = (cos(turn) * reach, 0.36 + sin(turn) * reach)
            side = (-sin(turn) * 0.05, cos(turn) * 0.05)
            mid = (cos(turn) * reach * 0.5, 0.36 + sin(turn) * reach * 0.5 + 0.05)
            drawing.polygon(
                [(-side[0] * 0.5, 0.36 - side[1] * 0.5), (mid[0] - side[0], mid[1] - side[1]), tip, (mid[0] + side[0],
                mid[1] + side[1]),
                 (side[0] * 0.5, 0.36 + side[1] * 0.5)], tint(leaf, 0.8 + 0.06 * index), 140 + 9 * index, True,
            )  # fmt: skip
    else:
        drawing.limb((0, 0.34), (0, 0.6), (0.03, 0.026), (110, 80, 54), 140)
        for index in range(11):
            turn = index * 2.4
            reach = 0.08 * np.sqrt(index)
            place = (cos(turn) * reach, 0.72 + sin(turn) * reach * 0.85 + sway * 0.3)
            drawing.ellipse(place, (0.15, 0.14), tint(leaf, 0.8 + 0.04 * index), 150 + 7 * index, True)
        for index in range(6):
            turn = index * 1.05 + s[2]
            drawing.ellipse((cos(turn) * 0.2, 0.74 + sin(turn) * 0.18), (0.05, 0.05), look.colours[2], 230)
            drawing.ellipse((cos(turn) * 0.2, 0.74 + sin(turn) * 0.18), (0.02, 0.02), (250, 226, 120), 235)
    drawing.polygon([(-0.2, 0.0), (-0.27, 0.36), (0.27, 0.36), (0.2, 0.0)], pot, 205)
    drawing.polygon([(-0.3, 0.33), (-0.3, 0.43), (0.3, 0.43), (0.3, 0.33)], tint(pot, 1.1), 225)
    return drawing


def chair(look: Look, _phase: float) -> Drawing:
    """A dining chair seen at an angle: four legs, a cushion, a back with slats (0) or upholstered (1)."""
    drawing = Drawing()
    wood, cloth, s = look.colours[0], look.colours[1], look.shape
    back = 1.0 + 0.06 * s[0]
    for x, foot in ((-0.14, 0.1), (0.34, 0.1)):
        drawing.limb((x, 0.44), (x + 0.01, foot), (0.032, 0.026), tint(wood, 0.66), 110)
    drawing.limb((-0.3, 0.46), (-0.34, back), (0.036, 0.03), wood, 180)
    drawing.limb((-0.1, 0.56), (-0.13, back + 0.06), (0.034, 0.028), tint(wood, 0.9), 170)
    if look.variant == 0:
        for height in (0.66, 0.8, 0.94):
            drawing.limb((-0.32, height - 0.03), (-0.12, height + 0.03), (0.032, 0.032), wood, 190)
    else:
        drawing.polygon([(-0.31, 0.54), (-0.34, back), (-0.12, back + 0.06), (-0.1, 0.6)], cloth, 200, marked=True)
    drawing.polygon([(-0.36, 0.4), (-0.34, 0.48), (-0.1, 0.57), (0.4, 0.56), (0.36, 0.44)], wood, 170)
    drawing.smooth(
        [(-0.34, 0.47), (-0.3, 0.53), (-0.08, 0.6), (0.38, 0.59), (0.42, 0.53), (0.3, 0.48)], cloth, 215, marked=True
    )
    for x in (-0.31, 0.3):
        drawing.limb((x, 0.43), (x + (0.03 if x > 0 else -0.03), 0.02), (0.038, 0.028), wood, 200)
    drawing.limb((-0.31, 0.2), (0.31, 0.2), (0.018, 0.018), tint(wood, 0.85), 190)
    return drawing


def teddy_bear(look: Look, phase: float) -> Drawing:
    """A sitting plush bear with a pale snout, soles and a ribbon."""
    drawing = Drawing()
    fur, pale, s = look.colours[0], look.colours[1], look.shape
    lean = 0.03 * sin(phase * 0.5) + 0.02 * s[0]
    for side in (-1, 1):
        drawing.ellipse((side * 0.21 + lean, 0.98), (0.11, 0.11), fur, 170, True)
        drawing.ellipse((side * 0.21 + lean, 0.98), (0.065, 0.065), pale, 170)
        drawing.limb((side * 0.2, 0.52), (side * 0.4, 0.3), (0.11, 0.095), fur, 170, True)
    drawing.ellipse((0, 0.34), (0.3, 0.34), fur, 190, True)
    drawing.ellipse((0, 0.32), (0.19, 0.23), pale, 195)
    for side in (-1, 1):
        drawing.limb((side * 0.16, 0.12), (side * 0.36, 0.12), (0.12, 0.13), fur, 210, True)
        drawing.ellipse((side * 0.38, 0.12), (0.1, 0.12), pale, 225)
    head = (lean, 0.78)
    drawing.ellipse(head, (0.29, 0.26), fur, 215, True)
    drawing.ellipse((lean, 0.7), (0.14, 0.11), pale, 230)
    drawing.ellipse((lean, 0.75), (0.05, 0.036), (40, 28, 26), 235)
    drawing.limb((lean, 0.73), (lean, 0.67), (0.008, 0.008), (60, 40, 36), 230)
    for side in (-1, 1):
        drawing.ellipse((side * 0.11 + lean, 0.85), (0.032, 0.034), (28, 20, 20), 215)
        drawing.ellipse((side * 0.11 + lean + 0.01, 0.862), (0.011, 0.011), (250, 250, 250), 215)
        drawing.polygon([(0, 0.55), (side * 0.16, 0.61), (side * 0.16, 0.48)], look.colours[2], 230)
    drawing.ellipse((0, 0.55), (0.04, 0.04), tint(look.colours[2], 0.8), 240)
    return drawing
