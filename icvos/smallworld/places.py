"""The places of the small world: how each is put together, and what it is to those in it."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from icvos.smallworld import scenery
from icvos.smallworld.backdrops import Backdrop, Ground, Layer, Terrain
from icvos.smallworld.landscape import Site, Strip, make_ground, make_hills, make_screens, make_sky, make_trees
from icvos.smallworld.shapes import Colour, tint

_Parts = tuple[tuple[Layer, ...], Ground, tuple[Layer, ...]]  # layers behind, ground, foreground


def _meadow(site: Site) -> _Parts:
    low = (214, 230, 240)
    sky = make_sky(site, site.pick((96, 152, 214), (120, 170, 222), (140, 168, 200)), low, 110)
    grass = site.pick((116, 158, 72), (132, 164, 70), (164, 160, 84), (96, 148, 80))
    layers = make_hills(site, sky, (176, 200, 216), tint(grass, 0.78), (0.26, 0.16))
    layers.append(
        make_trees(site, 0.4, 0.5, (0.2, 0.34), tint(grass, 0.9), tint(grass, 0.62), ("broadleaf", "broadleaf", "bush"))
    )
    ground = make_ground(site, "grass", tint(grass, 1.15), tint(grass, 0.84))
    leaf = tint(grass, 0.7)
    blossom = site.pick((240, 214, 90), (236, 120, 140), (240, 240, 240))
    front = make_screens(site, lambda: scenery.bush(site.random, leaf, blossom), 0.36, "leaf", leaf)
    return tuple(layers), ground, front


def _park(site: Site) -> _Parts:
    sky = make_sky(site, site.pick((126, 178, 226), (150, 180, 210)), (226, 236, 240), 120)
    leaf = site.pick((84, 138, 66), (110, 144, 62), (190, 124, 58), (72, 124, 80))
    grass = site.pick((112, 158, 76), (124, 160, 80))
    behind = tint(leaf, 0.8)
    layers = [
        sky,
        make_trees(site, 0.25, 0.2, (0.34, 0.46), (170, 196, 190), tint(leaf, 0.72), ("broadleaf", "conifer")),
    ]
    layers.append(make_trees(site, 0.42, 0.42, (0.42, 0.6), behind, leaf, ("broadleaf", "broadleaf", "bush")))
    path = site.pick((206, 190, 158), (188, 184, 176))
    ground = make_ground(site, "grass", tint(grass, 0.82), grass, bands=((0.3, 0.62, path),))
    bark = site.pick((94, 74, 58), (112, 100, 86))
    front = make_screens(site, lambda: scenery.trunk(site.random, bark), 1.0, "wood", bark)
    return tuple(layers), ground, front


def _street(site: Site) -> _Parts:
    sky = make_sky(site, site.pick((140, 176, 214), (170, 184, 200), (206, 186, 170)), (226, 228, 228), 100)
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
    ground = make_ground(site, "asphalt", road, tint(road, 0.92), bands=bands, dashes=(0.6, 0.635))
    front = make_screens(site, lambda: scenery.lamp_post(site.random), 1.04, "metal", (54, 60, 64))
    return (sky, strip.layer("smooth", site.random)), ground, front


def _beach(site: Site) -> _Parts:
    sky = make_sky(site, site.pick((84, 160, 220), (230, 176, 140), (120, 176, 216)), (236, 232, 224), 95)
    sea = site.pick((54, 132, 168), (72, 150, 170))
    sand = site.pick((226, 204, 160), (214, 190, 148))
    palms = make_trees(site, 0.5, 1.1, (0.36, 0.5), (150, 200, 210), (84, 140, 72), ("palm",))
    bands = ((0.0, 0.1, tint(sea, 0.8)), (0.1, 0.24, sea), (0.24, 0.28, (232, 240, 240)), (0.28, 0.36, tint(sand, 0.8)))
    ground = make_ground(site, "sand", sand, sand, bands=bands)
    front = make_screens(site, lambda: scenery.bush(site.random, (140, 160, 90)), 0.3, "leaf", (140, 160, 90))
    return (sky, palms), ground, front


def _savanna(site: Site) -> _Parts:
    high = site.pick((226, 170, 110), (130, 176, 214), (214, 150, 120))
    sky = make_sky(site, high, (246, 226, 186), 85)
    grass = site.pick((206, 176, 104), (190, 166, 92), (176, 168, 96))
    layers = make_hills(site, sky, (226, 200, 166), tint(grass, 0.72), (0.16,))
    layers.append(make_trees(site, 0.38, 0.6, (0.24, 0.42), grass, (118, 128, 62), ("acacia", "acacia", "bush")))
    ground = make_ground(site, "grass", tint(grass, 1.1), tint(grass, 0.86))
    leaf = (150, 140, 70)
    front = make_screens(site, lambda: scenery.bush(site.random, leaf), 0.36, "leaf", leaf)
    return tuple(layers), ground, front


def _forest(site: Site) -> _Parts:
    sky = make_sky(site, (170, 196, 180), (206, 222, 196), 60)
    leaf = site.pick((62, 104, 64), (84, 112, 56), (70, 98, 80))
    layers = [sky]
    for index, (rate, tall) in enumerate(((0.15, 0.5), (0.28, 0.62), (0.45, 0.8))):
        shade = tint(leaf, 1.25 - 0.2 * index)
        layers.append(
            make_trees(
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
    ground = make_ground(site, "grass", tint(leaf, 0.95), soil)
    bark = (88, 70, 56)
    front = make_screens(site, lambda: scenery.trunk(site.random, bark), 1.0, "wood", bark)
    return tuple(layers), ground, front


def _water(site: Site) -> _Parts:
    high = site.pick((108, 166, 218), (236, 180, 140), (150, 180, 206))
    sky = make_sky(site, high, (232, 234, 232), 115)
    layers = make_hills(site, sky, (170, 190, 206), site.pick((84, 120, 96), (110, 116, 104)), (0.2, 0.1))
    layers.append(
        make_trees(site, 0.3, 0.3, (0.08, 0.14), (120, 140, 130), (74, 112, 78), ("broadleaf", "conifer", "bush"))
    )
    water = site.pick((52, 116, 150), (64, 128, 140), (58, 100, 140))
    ground = make_ground(site, "waves", tint(water, 1.3), water, flow=2.0, grain=0.7)
    reed = (110, 126, 70)
    front = make_screens(site, lambda: scenery.bush(site.random, reed), 0.3, "leaf", reed)
    return tuple(layers), ground, front


def _high(site: Site) -> _Parts:
    sky = make_sky(site, site.pick((72, 136, 208), (96, 156, 218), (224, 160, 130)), (222, 232, 240), 135)
    grass = site.pick((116, 154, 80), (168, 160, 96))
    layers = make_hills(site, sky, (180, 200, 216), tint(grass, 0.8), (0.12, 0.08))
    ground = make_ground(site, "grass", tint(grass, 1.1), grass)
    front = make_screens(site, lambda: scenery.broadleaf(site.random, (80, 124, 62)), 0.6, "leaf", (80, 124, 62))
    return tuple(layers), ground, front


def _wall(site: Site, paper: Colour) -> Strip:
    """A striped wall with a skirting board."""
    strip = site.strip(0.5, paper)
    pitch = max(6, site.size[0] // int(site.random.integers(14, 26)))
    stripe = (np.arange(strip.width) // pitch % 2).astype(bool)
    strip.pixels[:, stripe] = tint(paper, 0.94)
    shade = (256 - np.arange(strip.pixels.shape[0])[::-1] * 44 // strip.pixels.shape[0]).astype(np.uint16)
    strip.pixels[...] = strip.pixels.astype(np.uint16) * shade[:, None, None] >> 8
    return strip


def _indoor(site: Site) -> _Parts:
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
    ground = make_ground(
        site,
        "flagstones" if floor == (176, 168, 158) else "planks",
        tint(floor, 0.84),
        tint(floor, 1.1),
        grain=0.8,
    )
    leaf = (74, 124, 72)
    wall = Layer(strip.layer("smooth", site.random).pixels, None, strip.rate)
    front = make_screens(site, lambda: scenery.bush(site.random, leaf), 0.34, "leaf", leaf)
    return (wall,), ground, front


def _table(site: Site) -> _Parts:
    paper = site.pick((206, 214, 206), (226, 206, 190), (190, 202, 214), (220, 214, 180))
    strip = _wall(site, paper)
    height = site.size[0]
    for index, x in enumerate(site.spread(strip.width, height * 0.8)):
        maker = (scenery.window, scenery.painting)[index % 2]
        strip.put(maker(site.random), x, site.horizon - height * 0.12, height * (0.4, 0.26)[index % 2])
    wall = strip.layer("smooth", site.random)
    wall = Layer(cv2.blur(wall.pixels, (5, 5)), None, wall.rate)  # out of focus
    wood = site.pick((176, 124, 76), (142, 96, 62), (206, 170, 122), (110, 78, 60))
    ground = make_ground(site, "wood", tint(wood, 0.9), tint(wood, 1.06), grain=0.7)
    return (wall,), ground, ()


_OUTSIDE = Terrain()
_INSIDE = Terrain(contact=120, shadow=50)


@dataclass(frozen=True, slots=True)
class _Place:
    """How a place is put together, how high its horizon lies (a share of the height), what it is to those in it."""

    build: Callable[[Site], _Parts]
    horizon: float
    terrain: Terrain = _OUTSIDE


_PLACES: dict[str, _Place] = {
    "meadow": _Place(_meadow, 0.46),
    "park": _Place(_park, 0.46),
    "street": _Place(_street, 0.5),
    "beach": _Place(_beach, 0.44, Terrain(front=0.44, shore=0.4)),
    "savanna": _Place(_savanna, 0.44),
    "forest": _Place(_forest, 0.48),
    "water": _Place(_water, 0.42, Terrain(firm=False)),
    "sky": _Place(_high, 0.88, Terrain(firm=False)),
    "indoor": _Place(_indoor, 0.58, _INSIDE),
    "table": _Place(_table, 0.52, _INSIDE),
}
PLACES: tuple[str, ...] = tuple(_PLACES)


def make_backdrop(
    name: str, size: tuple[int, int], random: np.random.Generator, span: float = 0.0, screens: int = 0
) -> Backdrop:
    """A new place of the named sort, for a view of ``size`` = (H, W) and a camera that travels 0..``span`` pixels.

    ``screens`` is the number of things in the foreground that hide what passes behind them.
    """
    place = _PLACES[name]
    horizon = round(size[0] * (place.horizon + 0.04 * (2 * float(random.random()) - 1)))
    layers, ground, front = place.build(Site(size, horizon, span, random, screens))
    warmth = int(random.integers(-9, 10))
    level_gain = int(random.integers(-14, 13))
    light = (256 + level_gain + warmth, 256 + level_gain, 256 + level_gain - warmth)
    return Backdrop(size, place.terrain, horizon, layers, ground, front, light)
