"""What stands in the background and in the foreground: trees, houses, hills, windows. Drawings without an identity."""

from math import cos, pi, sin

import numpy as np

from icvos.smallworld.shapes import Colour, Drawing, Look, tint


def plain_look(random: np.random.Generator, coat: str) -> Look:
    """A look that only chooses the surface."""
    return Look((), (), 0, coat, None, (0, 0, 0), (int(random.integers(256)), int(random.integers(256))))


def broadleaf(random: np.random.Generator, leaf: Colour, trunk: Colour = (98, 74, 54)) -> Drawing:
    """A round-crowned tree one unit tall."""
    drawing = Drawing()
    drawing.chain([(0, 0), (0.01, 0.28), (-0.01, 0.5)], (0.055, 0.03), trunk, 120)
    drawing.limb((0, 0.35), (0.13, 0.52), (0.025, 0.015), trunk, 120)
    for index in range(9):
        angle = index * 2.4 + float(random.random())
        reach = 0.085 * index**0.5
        x, y = cos(angle) * reach * 1.05, 0.68 + sin(angle) * reach * 0.85
        size = 0.15 + 0.04 * float(random.random())
        drawing.ellipse((x, y), (size, size * 0.9), tint(leaf, 0.74 + 0.26 * (y - 0.4) / 0.5), 130 + 8 * index)
    return drawing


def conifer(random: np.random.Generator, leaf: Colour) -> Drawing:
    """A fir one unit tall."""
    drawing = Drawing()
    drawing.limb((0, 0), (0, 0.3), (0.035, 0.03), (84, 64, 48), 110)
    lean = 0.02 * float(random.random())
    for index in range(4):
        low, wide = 0.14 + 0.19 * index, 0.3 - 0.055 * index
        drawing.polygon(
            [(-wide, low), (-wide * 0.4, low + 0.05), (0, low - 0.01), (wide * 0.45, low + 0.04), (wide, low - 0.01),
            (lean, low + 0.34)],
            tint(leaf, 0.76 + 0.09 * index), 140 + 15 * index,
        )  # fmt: skip
    return drawing


def acacia(random: np.random.Generator, leaf: Colour) -> Drawing:
    """A flat-topped savanna tree one unit tall."""
    drawing = Drawing()
    bark = (104, 84, 62)
    drawing.chain([(0, 0), (0.02, 0.36), (-0.04, 0.6)], (0.04, 0.025), bark, 120)
    for x in (-0.3, -0.1, 0.2, 0.36):
        drawing.limb((0.01, 0.34), (x, 0.74), (0.022, 0.012), bark, 120)
    for x, y in ((-0.32, 0.74), (0.3, 0.76), (0.0, 0.82), (-0.14, 0.86), (0.16, 0.88)):
        drawing.ellipse((x, y), (0.26 + 0.06 * float(random.random()), 0.085), tint(leaf, 0.8 + (y - 0.74)), 160)
    return drawing


def palm(random: np.random.Generator, leaf: Colour) -> Drawing:
    """A palm one unit tall."""
    drawing = Drawing()
    lean = 0.16 * float(random.random()) + 0.05
    drawing.chain([(0, 0), (lean * 0.3, 0.4), (lean, 0.8)], (0.035, 0.022), (140, 110, 78), 140)
    for angle in (-0.5, 0.1, 0.7, 1.5, 2.4, 3.0, 3.6):
        tip = (lean + cos(angle) * 0.36, 0.8 + sin(angle) * 0.2 - 0.08)
        mid = (lean + cos(angle) * 0.2, 0.84 + sin(angle) * 0.2)
        drawing.smooth(
            [(lean, 0.77), (mid[0], mid[1] + 0.05), tip, (mid[0], mid[1] - 0.03)],
            tint(leaf, 0.8 + 0.2 * abs(sin(angle))),
            160,
        )
    return drawing


def bush(random: np.random.Generator, leaf: Colour, blossom: Colour | None = None) -> Drawing:
    """A low round shrub one unit wide."""
    drawing = Drawing()
    for index in range(9):
        x = -0.42 + 0.84 * ((index * 4) % 9) / 8
        y = 0.22 + 0.2 * float(random.random()) * (1 - abs(x))
        drawing.ellipse(
            (x, y), (0.2, 0.22 + 0.1 * float(random.random())), tint(leaf, 0.7 + 0.05 * index), 130 + 9 * index
        )
    drawing.polygon([(-0.58, 0.0), (-0.5, 0.22), (0.5, 0.22), (0.58, 0.0)], tint(leaf, 0.8), 150)
    if blossom:
        for index in range(9):
            drawing.ellipse((-0.42 + 0.1 * index, 0.16 + 0.3 * float(random.random())), (0.03, 0.03), blossom, 220)
    return drawing


def ridge(random: np.random.Generator, width: float, height: float, roughness: float, colour: Colour) -> Drawing:
    """A line of hills from x = 0 to ``width``, between 0 and about ``height``."""
    x = np.linspace(-4, width + 4, 48)
    y = np.full_like(x, 0.55)
    for octave in range(1, 5):
        phase = float(random.random()) * 2 * pi
        y += np.sin(x / width * 2 * pi * octave * (1 + width / (height * 14)) + phase) * roughness / octave
    drawing = Drawing()
    line = np.stack([x, np.clip(y, 0.12, 1.2) * height], axis=1)
    drawing.polygon(np.concatenate([line, [(width + 4, -6), (-4, -6)]]), colour, 150)
    return drawing


def house(random: np.random.Generator, wall: Colour, storeys: int, bays: int) -> Drawing:
    """A town house front: 0.3 units for each bay and 0.34 for each storey, a shop below."""
    drawing = Drawing()
    wide, high = 0.3 * bays, 0.34 * storeys + 0.12
    drawing.polygon([(0, 0), (0, high), (wide, high), (wide, 0)], wall, 150)
    roof = int(random.integers(3))
    if roof == 0:
        drawing.polygon(
            [(-0.03, high), (0.1, high + 0.22), (wide - 0.1, high + 0.22), (wide + 0.03, high)], (128, 74, 60), 170
        )
    else:
        drawing.polygon(
            [(-0.02, high), (-0.02, high + 0.06), (wide + 0.02, high + 0.06), (wide + 0.02, high)],
            tint(wall, 0.75),
            190,
        )
    glass = (92, 112, 130)
    for storey in range(storeys):
        low = 0.34 * storey + 0.12
        if storey == 0:
            drawing.polygon(
                [(0.05, 0.03), (0.05, low + 0.16), (wide - 0.05, low + 0.16), (wide - 0.05, 0.03)],
                tint(glass, 0.7),
                110,
            )
            awning = ((196, 70, 58), (66, 120, 150), (214, 168, 72))[int(random.integers(3))]
            strips = max(4, 3 * bays)
            for strip in range(strips):
                left = 0.03 + (wide - 0.06) * strip / strips
                right = 0.03 + (wide - 0.06) * (strip + 1) / strips
                shade = awning if strip % 2 == 0 else (238, 232, 220)
                drawing.polygon([(left, 0.22), (left, 0.32), (right, 0.32), (right, 0.22)], shade, 200)
            drawing.polygon(
                [(wide * 0.42, 0.0), (wide * 0.42, 0.21), (wide * 0.58, 0.21), (wide * 0.58, 0.0)], tint(wall, 0.5), 130
            )
            continue
        for bay in range(bays):
            x = 0.3 * bay + 0.075
            pane = glass if random.random() < 0.7 else (232, 206, 140)
            drawing.polygon(
                [
                    (x - 0.015, low - 0.015),
                    (x - 0.015, low + 0.215),
                    (x + 0.165, low + 0.215),
                    (x + 0.165, low - 0.015),
                ],
                tint(wall, 1.35),
                180,
            )
            drawing.polygon([(x, low), (x, low + 0.2), (x + 0.15, low + 0.2), (x + 0.15, low)], pane, 120)
            drawing.polygon([(x, low), (x, low + 0.2), (x + 0.07, low + 0.2)], tint(pane, 1.25), 120)
            drawing.limb((x + 0.075, low), (x + 0.075, low + 0.2), (0.006, 0.006), tint(wall, 1.3), 150)
    return drawing


def lamp_post(random: np.random.Generator) -> Drawing:
    """A street lamp one unit tall."""
    drawing = Drawing()
    iron = (54, 60, 64)
    drawing.limb((0, 0), (0, 0.86), (0.022, 0.015), iron, 190)
    drawing.limb((0, 0), (0, 0.12), (0.035, 0.025), iron, 200)
    drawing.polygon([(-0.06, 0.94), (-0.04, 0.84), (0.04, 0.84), (0.06, 0.94)], (250, 236, 186), 200)
    drawing.polygon([(-0.075, 0.94), (0.0, 1.0), (0.075, 0.94)], iron, 210)
    if random.random() < 0.5:
        drawing.ellipse((0.0, 0.7), (0.06, 0.04), (196, 74, 66), 220)
    return drawing


def trunk(random: np.random.Generator, bark: Colour) -> Drawing:
    """A tree trunk that runs out of the picture at the top, one unit tall."""
    drawing = Drawing()
    lean = 0.04 * (float(random.random()) - 0.5)
    drawing.smooth(
        [
            (-0.13, 0),
            (-0.07, 0.07),
            (-0.052, 0.3),
            (-0.05 + lean, 1.2),
            (0.05 + lean, 1.2),
            (0.056, 0.3),
            (0.075, 0.06),
            (0.14, 0),
        ],
        bark,
        190,
    )
    for index in range(5):
        y = 0.14 + 0.18 * index
        drawing.limb(
            (-0.03 + 0.02 * (index % 3), y),
            (-0.026 + 0.02 * (index % 3), y + 0.1),
            (0.005, 0.003),
            tint(bark, 0.7),
            170,
        )
    return drawing


def window(random: np.random.Generator) -> Drawing:
    """A window with curtains, 1 x 1 unit, with a view."""
    drawing = Drawing()
    drawing.polygon([(0, 0), (0, 1), (1, 1), (1, 0)], (240, 238, 232), 190)
    drawing.polygon([(0.06, 0.06), (0.06, 0.94), (0.94, 0.94), (0.94, 0.06)], (172, 206, 232), 120)
    drawing.polygon([(0.06, 0.06), (0.06, 0.36), (0.4, 0.46), (0.94, 0.34), (0.94, 0.06)], (122, 162, 106), 120)
    drawing.ellipse((0.66, 0.74), (0.16, 0.06), (240, 244, 248), 120)
    drawing.limb((0.5, 0.05), (0.5, 0.95), (0.018, 0.018), (240, 238, 232), 190)
    drawing.limb((0.05, 0.5), (0.95, 0.5), (0.018, 0.018), (240, 238, 232), 190)
    cloth = ((196, 92, 80), (88, 128, 168), (214, 180, 110), (120, 150, 118))[int(random.integers(4))]
    for side, x in ((1, -0.1), (-1, 1.1)):
        drawing.smooth(
            [(x, 1.08), (x + side * 0.34, 1.08), (x + side * 0.2, 0.5), (x + side * 0.24, -0.08), (x, -0.08)],
            cloth,
            220,
        )
        drawing.limb((x + side * 0.1, 1.0), (x + side * 0.09, 0.0), (0.012, 0.012), tint(cloth, 0.8), 200)
    drawing.limb((-0.16, 1.08), (1.16, 1.08), (0.025, 0.025), (120, 92, 64), 230)
    return drawing


def painting(random: np.random.Generator) -> Drawing:
    """A framed picture, 1.2 x 0.9 units."""
    drawing = Drawing()
    drawing.polygon([(0, 0), (0, 0.9), (1.2, 0.9), (1.2, 0)], (132, 96, 58), 210)
    sky, land = (((226, 196, 150), (150, 96, 74)), ((166, 196, 214), (90, 120, 96)), ((232, 214, 196), (92, 108, 142)))[
        int(random.integers(3))
    ]
    drawing.polygon([(0.1, 0.1), (0.1, 0.8), (1.1, 0.8), (1.1, 0.1)], sky, 130)
    drawing.polygon(
        [(0.1, 0.1), (0.1, 0.34), (0.4, 0.58), (0.66, 0.3), (0.86, 0.46), (1.1, 0.26), (1.1, 0.1)], land, 130
    )
    drawing.ellipse((0.84, 0.62), (0.08, 0.08), (248, 232, 190), 130)
    return drawing


def bookshelf(random: np.random.Generator) -> Drawing:
    """A shelf of books, 1 unit wide and 1.2 tall."""
    drawing = Drawing()
    wood = (128, 90, 58)
    drawing.polygon([(0, 0), (0, 1.2), (1, 1.2), (1, 0)], tint(wood, 0.5), 110)
    for shelf in range(3):
        low = 0.06 + shelf * 0.38
        x = 0.07
        while x < 0.86:
            wide, tall = 0.045 + 0.05 * float(random.random()), 0.2 + 0.1 * float(random.random())
            spine = tuple(int(v) for v in random.integers(60, 215, 3))
            drawing.polygon([(x, low), (x, low + tall), (x + wide, low + tall), (x + wide, low)], spine, 170)  # type: ignore[arg-type]
            x += wide + 0.006
        drawing.polygon([(0, low - 0.06), (0, low), (1, low), (1, low - 0.06)], wood, 200)
    drawing.polygon([(0, 0), (0, 1.2), (0.05, 1.2), (0.05, 0)], wood, 200)
    drawing.polygon([(0.95, 0), (0.95, 1.2), (1, 1.2), (1, 0)], wood, 200)
    drawing.polygon([(-0.02, 1.16), (-0.02, 1.22), (1.02, 1.22), (1.02, 1.16)], wood, 210)
    return drawing
