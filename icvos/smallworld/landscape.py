"""The parts that places are put together from: sky, hills, trees, ground, and what stands in the foreground."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from icvos.smallworld import scenery
from icvos.smallworld.backdrops import Ground, Layer
from icvos.smallworld.paint import Placement, paint
from icvos.smallworld.shapes import Colour, Drawing, tint
from icvos.smallworld.textures import SIDE, levels, tile


class Strip:
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


@dataclass(frozen=True, slots=True)
class Site:
    """What every part of a place depends on.

    Args:
        size: (H, W) of the view.
        horizon: First row of the ground.
        span: How far the camera travels, in pixels at the lower edge.
        random: Where chance comes from.
        screens: How many things stand in the foreground.
    """

    size: tuple[int, int]
    horizon: int
    span: float
    random: np.random.Generator
    screens: int

    def strip(self, rate: float, behind: Colour, full: bool = False) -> Strip:
        return Strip(self.size[0] if full else self.horizon + 1, self.size[1], self.span, rate, behind)

    def spread(self, width: int, gap: float) -> Iterator[float]:
        """Places along a strip, about ``gap`` apart."""
        x = -gap * float(self.random.random())
        while x < width + gap / 2:
            yield x
            x += gap * (0.6 + 0.8 * float(self.random.random()))

    def pick(self, *colours: Colour) -> Colour:
        return colours[int(self.random.integers(len(colours)))]


def make_sky(site: Site, high: Colour, low: Colour, cloud: int) -> Layer:
    """A gradient with clouds; ``cloud`` 0..255 is how much of the sky they take."""
    rate = 0.06
    height, horizon, random = site.size[0], site.horizon, site.random
    width = site.size[1] + int(site.span * rate) + 2
    share = (np.arange(horizon) * 256 // max(horizon, 1)).astype(np.int32)[:, None, None]
    sky = (np.asarray(high, dtype=np.int32) * (256 - share) + np.asarray(low, dtype=np.int32) * share) >> 8
    rows = (np.arange(horizon) * 256 * 2 // height + int(random.integers(256))) & 255
    columns = (np.arange(width) * 110 // height + int(random.integers(256))) & 255
    noise = tile("clouds")[rows].take(columns, axis=1).astype(np.int32)
    puff = np.clip((noise - (236 - cloud)) * 5, 0, 236)
    tone = 256 - np.clip(noise - 150, 0, 60) // 3
    planes = []
    for channel, white in enumerate((252, 250, 248)):
        planes.append((sky[..., channel] * (256 - puff) + (tone * white >> 8) * puff >> 8).astype(np.uint8))
    return Layer(np.asarray(cv2.merge(planes)), None, rate)


def make_ground(
    site: Site,
    surface: str,
    far: Colour,
    near: Colour,
    flow: float = 0.0,
    bands: tuple[tuple[float, float, Colour], ...] = (),
    dashes: tuple[float, float] | None = None,
    grain: float = 1.0,
) -> Ground:
    """A ground plane; ``bands`` are (from, to, colour) with depth shares 0 (horizon) to 1 (lower edge)."""
    height, width = site.size
    rows = height - site.horizon
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


def make_screens(site: Site, draw: Callable[[], Drawing], scale: float, coat: str, leaf: Colour) -> tuple[Layer, ...]:
    """The foreground: as many drawings as the site asks for, spread over the view."""
    if not site.screens:
        return ()
    strip = site.strip(1.25, leaf, full=True)
    height = site.size[0]
    for index in range(site.screens):
        place = (index + 0.3 + 0.4 * float(site.random.random())) / site.screens
        strip.put(draw(), place * strip.width, height * 1.03, scale * height)
    return (strip.layer(coat, site.random),)


def make_hills(site: Site, sky: Layer, haze: Colour, colour: Colour, heights: tuple[float, ...]) -> list[Layer]:
    """The sky and lines of hills before it, from far to near; ``heights`` are shares of the picture's."""
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


def make_trees(
    site: Site,
    rate: float,
    gap: float,
    tall: tuple[float, float],
    behind: Colour,
    leaf: Colour,
    kinds: tuple[str, ...],
) -> Layer:
    """A row of trees along the horizon; ``gap`` and ``tall`` (least, largest) are shares of the picture's height."""
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
