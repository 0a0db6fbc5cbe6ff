"""Layered backgrounds that scroll in parallax: sky, far layers, a ground plane in perspective, a foreground."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from icvos.smallworld import scenery
from icvos.smallworld.paint import Placement, paint
from icvos.smallworld.shapes import Colour, Drawing, tint
from icvos.smallworld.textures import SIDE, levels, tile


@dataclass(frozen=True, slots=True)
class Layer:
    """A strip that is wider than the view; ``rate`` is its share of the camera's travel.

    ``cover`` (h, w) uint8 is non-zero where the strip hides what is behind it; None: everywhere.
    """

    pixels: np.ndarray
    cover: np.ndarray | None
    rate: float

    def offset(self, camera: float) -> int:
        """The first visible column when the camera has travelled ``camera`` pixels at the picture's lower edge."""
        return round(camera * self.rate)


@dataclass(frozen=True, slots=True)
class Ground:
    """A textured plane below the horizon, looked up texel by texel.

    Args:
        across: (h, W) int32 texel columns for a camera at 0; ``down`` (h, 1) int32 flat offsets of row and blur level.
        colours: (h, 1, 3) uint16, the colour of each row.
        surface: (4 * 256 * 256,) uint8 of `icvos.smallworld.textures.levels`.
        rate: Texels for one pixel of camera travel.
        flow: Texels that the surface moves towards the viewer in one frame (water).
        dashes: Rows (first, last) of a dashed white line, or None.
    """

    across: np.ndarray
    down: np.ndarray
    colours: np.ndarray
    surface: np.ndarray
    rate: float
    flow: float
    dashes: tuple[int, int] | None

    def draw(self, target: np.ndarray, camera: float, frame: int) -> None:
        """Fill ``target`` (h, W, 3) uint8."""
        columns = (self.across + round(camera * self.rate)) & (SIDE - 1)
        down = self.down
        if self.flow:
            down = (down & ~0xFFFF) | ((down + (round(frame * self.flow) << 8)) & 0xFF00)
        values = self.surface.take(columns + down)
        glint = np.where(values > 158, np.uint16(30), np.uint16(0)) if self.flow else 0
        planes = [np.minimum((values * self.colours[..., channel] >> 7) + glint, 255) for channel in range(3)]
        target[...] = cv2.merge([plane.astype(np.uint8) for plane in planes])
        if self.dashes:
            first, last = self.dashes
            stripe = ((self.across[first:last] + round(camera * self.rate)) & 255) < 120
            target[first:last][stripe] = (228, 224, 206)


@dataclass(frozen=True, slots=True)
class Backdrop:
    """A place: ``horizon`` is the first row of the ground, ``light`` the gain of red, green and blue (256 = none)."""

    name: str
    size: tuple[int, int]
    horizon: int
    layers: tuple[Layer, ...]
    ground: Ground
    front: tuple[Layer, ...]
    light: tuple[int, int, int]

    def draw(self, camera: float, frame: int) -> np.ndarray:
        """(H, W, 3) uint8: everything behind the objects."""
        height, width = self.size
        image = np.empty((height, width, 3), dtype=np.uint8)
        self.ground.draw(image[self.horizon :], camera, frame)
        for layer in self.layers:
            _lay(layer, image, camera)
        return image

    def draw_front(self, image: np.ndarray, ids: np.ndarray, camera: float) -> None:
        """Put the foreground over ``image`` and take what it hides out of ``ids``, both in place."""
        for layer in self.front:
            _lay(layer, image, camera)
            assert layer.cover is not None
            first = layer.offset(camera)
            ids[layer.cover[:, first : first + ids.shape[1]] != 0] = 0


def _lay(layer: Layer, image: np.ndarray, camera: float) -> None:
    first, width = layer.offset(camera), image.shape[1]
    rows = image[: layer.pixels.shape[0]]
    view = layer.pixels[:, first : first + width]
    if layer.cover is None:
        rows[...] = view
    else:
        cv2.copyTo(view, layer.cover[:, first : first + width], rows)


class _Strip:
    """A layer in the making: drawings are collected, then painted in one go."""

    def __init__(self, height: int, width: int, span: float, rate: float, behind: Colour) -> None:
        self.rate = rate
        self.width = width + int(span * rate) + 2
        self.pixels = np.empty((height, self.width, 3), dtype=np.uint8)
        self.pixels[...] = behind
        self.cover = np.zeros((height, self.width), dtype=np.uint8)
        self._drawing = Drawing()
        self._scale = 0.0

    def put(self, drawing: Drawing, x: float, y: float, scale: float, across: float = 1.0) -> None:
        """Add a drawing with its foot at (x, y); ``across`` -1 mirrors it."""
        self._scale = self._scale or scale
        size = scale / self._scale
        self._drawing.place(drawing, (x / self._scale, -y / self._scale), (size * across, size))

    def layer(self, coat: str, random: np.random.Generator) -> Layer:
        """The finished layer, its drawings painted with the surface ``coat``."""
        if self._drawing.parts:
            look = scenery.plain_look(random, coat)
            paint(self.pixels, self.cover, self._drawing, look, Placement(0.0, 0.0, self._scale), 1)
        return Layer(self.pixels, self.cover, self.rate)


def _sky(
    size: tuple[int, int], horizon: int, span: float, high: Colour, low: Colour, random: np.random.Generator, cloud: int
) -> Layer:
    """A gradient with clouds; ``cloud`` 0..255 is how much of the sky they take."""
    rate = 0.06
    width = size[1] + int(span * rate) + 2
    share = (np.arange(horizon) * 256 // max(horizon, 1)).astype(np.int32)[:, None, None]
    sky = (np.asarray(high, dtype=np.int32) * (256 - share) + np.asarray(low, dtype=np.int32) * share) >> 8
    rows = (np.arange(horizon) * 256 * 2 // size[0] + int(random.integers(256))) & 255
    columns = (np.arange(width) * 110 // size[0] + int(random.integers(256))) & 255
    noise = tile("clouds")[rows].take(columns, axis=1).astype(np.int32)
    puff = np.clip((noise - (236 - cloud)) * 5, 0, 236)
    tone = 256 - np.clip(noise - 150, 0, 60) // 3
    planes = []
    for channel, white in enumerate((252, 250, 248)):
        planes.append((sky[..., channel] * (256 - puff) + (tone * white >> 8) * puff >> 8).astype(np.uint8))
    return Layer(np.asarray(cv2.merge(planes)), None, rate)


def _ground(
    size: tuple[int, int],
    horizon: int,
    surface: str,
    far: Colour,
    near: Colour,
    flow: float = 0.0,
    bands: tuple[tuple[float, float, Colour], ...] = (),
    dashes: tuple[float, float] | None = None,
    grain: float = 1.0,
) -> Ground:
    """A ground plane; ``bands`` are (from, to, colour) with depth shares 0 (horizon) to 1 (lower edge)."""
    height, width = size
    rows = height - horizon
    depth = (np.arange(rows) + 2.0) / (rows + 1.0)
    distance = 1 / depth
    rate = 230 / height * grain
    across = np.rint((np.arange(width) - width / 2)[None, :] * distance[:, None] * rate).astype(np.int32)
    down = np.rint(distance * rows * rate * 0.9).astype(np.int32) & (SIDE - 1)
    blur = np.searchsorted([1.6, 3.2, 6.0], distance * rate).astype(np.int32)
    colours = np.asarray(far) * (1 - depth[:, None]) + np.asarray(near) * depth[:, None]
    for first, last, colour in bands:
        inside = (depth >= first) & (depth < last)
        colours[inside] = colour
    line = None
    if dashes:
        line = (int(np.searchsorted(depth, dashes[0])), int(np.searchsorted(depth, dashes[1])))
    return Ground(
        across,
        ((blur << 16) | (down << 8))[:, None],
        np.rint(colours)[:, None, :].astype(np.uint16),
        levels(surface),
        rate,
        flow,
        line,
    )


_Parts = tuple[tuple[Layer, ...], Ground, tuple[Layer, ...]]


@dataclass(frozen=True, slots=True)
class _Site:
    """What every place is made from."""

    size: tuple[int, int]
    horizon: int
    span: float
    random: np.random.Generator
    screens: int

    def strip(self, rate: float, behind: Colour, full: bool = False) -> _Strip:
        return _Strip(self.size[0] if full else self.horizon + 1, self.size[1], self.span, rate, behind)

    def spread(self, width: int, gap: float) -> Iterator[float]:
        """Places along a strip, about ``gap`` apart."""
        x = -gap * float(self.random.random())
        while x < width + gap / 2:
            yield x
            x += gap * (0.6 + 0.8 * float(self.random.random()))

    def pick(self, *colours: Colour) -> Colour:
        return colours[int(self.random.integers(len(colours)))]


def _screens(site: _Site, draw: Callable[[], Drawing], scale: float, coat: str, leaf: Colour) -> tuple[Layer, ...]:
    """The foreground: as many drawings as the site asks for, spread over the view."""
    if not site.screens:
        return ()
    strip = site.strip(1.25, leaf, full=True)
    height = site.size[0]
    for index in range(site.screens):
        place = (index + 0.3 + 0.4 * float(site.random.random())) / site.screens
        strip.put(draw(), place * strip.width, height * 1.03, scale * height)
    return (strip.layer(coat, site.random),)


def _hills(site: _Site, sky: Layer, haze: Colour, colour: Colour, heights: tuple[float, ...]) -> list[Layer]:
    layers = [sky]
    for index, share in enumerate(heights):
        rate = 0.12 + 0.12 * index
        strip = site.strip(rate, haze)
        height = site.size[0] * share
        pull = (index + 1) / (len(heights) + 0.6)
        shade: Colour = tuple(int(h + (c - h) * pull) for h, c in zip(haze, colour, strict=True))  # type: ignore[assignment]
        drawing = scenery.ridge(site.random, strip.width / height, 1.0, 0.22, shade)
        strip.put(drawing, 0, site.horizon, height)
        layers.append(strip.layer("smooth", site.random))
    return layers


def _trees(
    site: _Site,
    rate: float,
    gap: float,
    tall: tuple[float, float],
    behind: Colour,
    leaf: Colour,
    kinds: tuple[str, ...],
) -> Layer:
    strip = site.strip(rate, behind)
    height = site.size[0]
    makers: dict[str, Callable[[np.random.Generator, Colour], Drawing]] = {
        "broadleaf": scenery.broadleaf, "conifer": scenery.conifer, "acacia": scenery.acacia, "palm": scenery.palm,
        "bush": scenery.bush,
    }  # fmt: skip
    for x in site.spread(strip.width, gap * height):
        kind = kinds[int(site.random.integers(len(kinds)))]
        scale = (
            height * (tall[0] + (tall[1] - tall[0]) * float(site.random.random())) * (0.45 if kind == "bush" else 1.0)
        )
        shade = tint(leaf, 0.85 + 0.25 * float(site.random.random()))
        across = 1.0 if site.random.random() < 0.5 else -1.0
        strip.put(makers[kind](site.random, shade), x, site.horizon + 1, scale, across)
    return strip.layer("leaf", site.random)


def _meadow(site: _Site) -> _Parts:
    low = (214, 230, 240)
    sky = _sky(
        site.size,
        site.horizon,
        site.span,
        site.pick((96, 152, 214), (120, 170, 222), (140, 168, 200)),
        low,
        site.random,
        110,
    )
    grass = site.pick((116, 158, 72), (132, 164, 70), (164, 160, 84), (96, 148, 80))
    layers = _hills(site, sky, (176, 200, 216), tint(grass, 0.78), (0.26, 0.16))
    layers.append(
        _trees(site, 0.4, 0.5, (0.2, 0.34), tint(grass, 0.9), tint(grass, 0.62), ("broadleaf", "broadleaf", "bush"))
    )
    ground = _ground(site.size, site.horizon, "grass", tint(grass, 1.15), tint(grass, 0.84))
    leaf = tint(grass, 0.7)
    blossom = site.pick((240, 214, 90), (236, 120, 140), (240, 240, 240))
    return tuple(layers), ground, _screens(site, lambda: scenery.bush(site.random, leaf, blossom), 0.36, "leaf", leaf)


def _park(site: _Site) -> _Parts:
    sky = _sky(
        site.size,
        site.horizon,
        site.span,
        site.pick((126, 178, 226), (150, 180, 210)),
        (226, 236, 240),
        site.random,
        120,
    )
    leaf = site.pick((84, 138, 66), (110, 144, 62), (190, 124, 58), (72, 124, 80))
    grass = site.pick((112, 158, 76), (124, 160, 80))
    behind = tint(leaf, 0.8)
    layers = [sky, _trees(site, 0.25, 0.2, (0.34, 0.46), (170, 196, 190), tint(leaf, 0.72), ("broadleaf", "conifer"))]
    layers.append(_trees(site, 0.42, 0.42, (0.42, 0.6), behind, leaf, ("broadleaf", "broadleaf", "bush")))
    path = site.pick((206, 190, 158), (188, 184, 176))
    ground = _ground(site.size, site.horizon, "grass", tint(grass, 0.82), grass, bands=((0.3, 0.62, path),))
    bark = site.pick((94, 74, 58), (112, 100, 86))
    return tuple(layers), ground, _screens(site, lambda: scenery.trunk(site.random, bark), 1.0, "wood", bark)


def _street(site: _Site) -> _Parts:
    sky = _sky(
        site.size,
        site.horizon,
        site.span,
        site.pick((140, 176, 214), (170, 184, 200), (206, 186, 170)),
        (226, 228, 228),
        site.random,
        100,
    )
    strip = site.strip(0.45, (150, 140, 132))
    unit = site.size[0] * 0.3
    x = -10.0
    while x < strip.width:
        wall = site.pick(
            (206, 178, 148), (184, 124, 100), (214, 206, 188), (150, 160, 168), (196, 168, 116), (164, 142, 150)
        )
        bays, storeys = int(site.random.integers(2, 5)), int(site.random.integers(2, 5))
        strip.put(scenery.house(site.random, wall, storeys, bays), x, site.horizon + 1, unit)
        x += unit * 0.3 * bays + 1
    road = site.pick((104, 106, 112), (118, 116, 116), (92, 96, 102))
    bands = ((0.0, 0.2, (182, 176, 166)), (0.2, 0.235, (138, 134, 128)), (0.97, 1.1, (180, 174, 164)))
    ground = _ground(site.size, site.horizon, "asphalt", road, tint(road, 0.92), bands=bands, dashes=(0.6, 0.635))
    front = _screens(site, lambda: scenery.lamp_post(site.random), 1.04, "metal", (54, 60, 64))
    return (sky, strip.layer("smooth", site.random)), ground, front


def _beach(site: _Site) -> _Parts:
    sky = _sky(
        site.size,
        site.horizon,
        site.span,
        site.pick((84, 160, 220), (230, 176, 140), (120, 176, 216)),
        (236, 232, 224),
        site.random,
        95,
    )
    sea = site.pick((54, 132, 168), (72, 150, 170))
    sand = site.pick((226, 204, 160), (214, 190, 148))
    palms = _trees(site, 0.5, 1.1, (0.36, 0.5), (150, 200, 210), (84, 140, 72), ("palm",))
    bands = ((0.0, 0.1, tint(sea, 0.8)), (0.1, 0.24, sea), (0.24, 0.28, (232, 240, 240)), (0.28, 0.36, tint(sand, 0.8)))
    ground = _ground(site.size, site.horizon, "sand", sand, sand, bands=bands)
    return (
        (sky, palms),
        ground,
        _screens(site, lambda: scenery.bush(site.random, (140, 160, 90)), 0.3, "leaf", (140, 160, 90)),
    )


def _savanna(site: _Site) -> _Parts:
    high = site.pick((226, 170, 110), (130, 176, 214), (214, 150, 120))
    sky = _sky(site.size, site.horizon, site.span, high, (246, 226, 186), site.random, 85)
    grass = site.pick((206, 176, 104), (190, 166, 92), (176, 168, 96))
    layers = _hills(site, sky, (226, 200, 166), tint(grass, 0.72), (0.16,))
    layers.append(_trees(site, 0.38, 0.6, (0.24, 0.42), grass, (118, 128, 62), ("acacia", "acacia", "bush")))
    ground = _ground(site.size, site.horizon, "grass", tint(grass, 1.1), tint(grass, 0.86))
    leaf = (150, 140, 70)
    return tuple(layers), ground, _screens(site, lambda: scenery.bush(site.random, leaf), 0.36, "leaf", leaf)


def _forest(site: _Site) -> _Parts:
    sky = _sky(site.size, site.horizon, site.span, (170, 196, 180), (206, 222, 196), site.random, 60)
    leaf = site.pick((62, 104, 64), (84, 112, 56), (70, 98, 80))
    layers = [sky]
    for index, (rate, tall) in enumerate(((0.15, 0.5), (0.28, 0.62), (0.45, 0.8))):
        shade = tint(leaf, 1.25 - 0.2 * index)
        layers.append(
            _trees(
                site,
                rate,
                0.2 + 0.14 * index,
                (tall * 0.8, tall),
                tint(shade, 1.1),
                shade,
                ("conifer", "conifer", "broadleaf"),
            )
        )
    soil = site.pick((120, 106, 72), (104, 114, 68))
    ground = _ground(site.size, site.horizon, "grass", tint(leaf, 0.95), soil)
    bark = (88, 70, 56)
    return tuple(layers), ground, _screens(site, lambda: scenery.trunk(site.random, bark), 1.0, "wood", bark)


def _water(site: _Site) -> _Parts:
    high = site.pick((108, 166, 218), (236, 180, 140), (150, 180, 206))
    sky = _sky(site.size, site.horizon, site.span, high, (232, 234, 232), site.random, 115)
    layers = _hills(site, sky, (170, 190, 206), site.pick((84, 120, 96), (110, 116, 104)), (0.2, 0.1))
    layers.append(
        _trees(site, 0.3, 0.3, (0.08, 0.14), (120, 140, 130), (74, 112, 78), ("broadleaf", "conifer", "bush"))
    )
    water = site.pick((52, 116, 150), (64, 128, 140), (58, 100, 140))
    ground = _ground(site.size, site.horizon, "waves", tint(water, 1.3), water, flow=2.0, grain=0.7)
    reed = (110, 126, 70)
    return tuple(layers), ground, _screens(site, lambda: scenery.bush(site.random, reed), 0.3, "leaf", reed)


def _high(site: _Site) -> _Parts:
    sky = _sky(
        site.size,
        site.horizon,
        site.span,
        site.pick((72, 136, 208), (96, 156, 218), (224, 160, 130)),
        (222, 232, 240),
        site.random,
        135,
    )
    grass = site.pick((116, 154, 80), (168, 160, 96))
    layers = _hills(site, sky, (180, 200, 216), tint(grass, 0.8), (0.12, 0.08))
    ground = _ground(site.size, site.horizon, "grass", tint(grass, 1.1), grass)
    return (
        tuple(layers),
        ground,
        _screens(site, lambda: scenery.broadleaf(site.random, (80, 124, 62)), 0.6, "leaf", (80, 124, 62)),
    )


def _wall(site: _Site, paper: Colour) -> _Strip:
    """A striped wall with a skirting board."""
    strip = site.strip(0.5, paper)
    pitch = max(6, site.size[0] // int(site.random.integers(14, 26)))
    stripe = (np.arange(strip.width) // pitch % 2).astype(bool)
    strip.pixels[:, stripe] = tint(paper, 0.94)
    shade = (256 - np.arange(strip.pixels.shape[0])[::-1] * 44 // strip.pixels.shape[0]).astype(np.uint16)
    strip.pixels[...] = strip.pixels.astype(np.uint16) * shade[:, None, None] >> 8
    return strip


def _indoor(site: _Site) -> _Parts:
    paper = site.pick((226, 212, 188), (188, 206, 200), (214, 190, 180), (196, 202, 220), (232, 220, 170))
    strip = _wall(site, paper)
    height = site.size[0]
    makers = (scenery.window, scenery.painting, scenery.bookshelf)
    first = int(site.random.integers(3))
    for index, x in enumerate(site.spread(strip.width, height * 0.62)):
        maker = makers[(first + index) % 3]
        scale = height * (0.32 if maker is scenery.window else 0.2 if maker is scenery.painting else 0.36)
        lift = 0.0 if maker is scenery.bookshelf else height * (0.14 if maker is scenery.window else 0.26)
        strip.put(maker(site.random), x, site.horizon - lift, scale)
    strip.pixels[-max(3, height // 48) :][...] = (240, 236, 228)
    floor = site.pick((168, 122, 80), (196, 156, 108), (132, 96, 70), (176, 168, 158))
    ground = _ground(
        site.size,
        site.horizon,
        "flagstones" if floor == (176, 168, 158) else "planks",
        tint(floor, 0.84),
        tint(floor, 1.1),
        grain=0.8,
    )
    leaf = (74, 124, 72)
    wall = Layer(strip.layer("smooth", site.random).pixels, None, strip.rate)
    return (wall,), ground, _screens(site, lambda: scenery.bush(site.random, leaf), 0.34, "leaf", leaf)


def _table(site: _Site) -> _Parts:
    paper = site.pick((206, 214, 206), (226, 206, 190), (190, 202, 214), (220, 214, 180))
    strip = _wall(site, paper)
    height = site.size[0]
    for index, x in enumerate(site.spread(strip.width, height * 0.8)):
        maker = (scenery.window, scenery.painting)[index % 2]
        strip.put(maker(site.random), x, site.horizon - height * 0.12, height * (0.4, 0.26)[index % 2])
    wall = strip.layer("smooth", site.random)
    wall = Layer(cv2.blur(wall.pixels, (5, 5)), None, wall.rate)  # out of focus
    wood = site.pick((176, 124, 76), (142, 96, 62), (206, 170, 122), (110, 78, 60))
    ground = _ground(site.size, site.horizon, "wood", tint(wood, 0.9), tint(wood, 1.06), grain=0.7)
    return (wall,), ground, ()


_PLACES: dict[str, tuple[Callable[[_Site], _Parts], float]] = {
    "meadow": (_meadow, 0.46), "park": (_park, 0.46), "street": (_street, 0.5), "beach": (_beach, 0.44),
    "savanna": (_savanna, 0.44),
    "forest": (_forest, 0.48), "water": (_water, 0.42), "sky": (_high, 0.88), "indoor": (_indoor, 0.58),
    "table": (_table, 0.52),
}  # fmt: skip
PLACES: tuple[str, ...] = tuple(_PLACES)


def make_backdrop(
    name: str, size: tuple[int, int], random: np.random.Generator, span: float = 0.0, screens: int = 0
) -> Backdrop:
    """A new place of the named sort, for a view of ``size`` = (H, W) and a camera that travels 0..``span`` pixels.

    ``screens`` is the number of things in the foreground that hide what passes behind them.
    """
    build, level = _PLACES[name]
    horizon = round(size[0] * (level + 0.04 * (2 * float(random.random()) - 1)))
    layers, ground, front = build(_Site(size, horizon, span, random, screens))
    warmth = int(random.integers(-9, 10))
    level_gain = int(random.integers(-14, 13))
    light = (256 + level_gain + warmth, 256 + level_gain, 256 + level_gain - warmth)
    return Backdrop(name, size, horizon, layers, ground, front, light)
