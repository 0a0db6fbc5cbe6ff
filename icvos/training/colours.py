"""Colours of a training picture, varied as VAT varies them: seven changes in a row, each with probability 0.2.

Their ranges are the defaults of albumentations 1.1, which the published program uses.
"""

import cv2
import numpy as np

from icvos.method import Image

CHANCE = 0.2  # of every change
KEPT_BITS = 0b11110000  # of a posterised channel
ALPHA, LIGHTNESS = (0.2, 0.5), (0.5, 1.0)  # of sharpening: its share, and what is added to the centre of the kernel
BRIGHTNESS = CONTRAST = 0.2  # the most that either changes, of the whole range
BRIGHT = 128  # a solarised channel is turned over from here
JITTER = (0.8, 1.2)  # factors of brightness, contrast and saturation
HUE = 0.2  # the most that it turns, of a full turn


def vary_colours(image: Image, random: np.random.Generator) -> Image:
    """A (H, W, 3) uint8 RGB picture, its colours perhaps changed; every choice comes from ``random``."""
    for change in (grey, posterise, equalise, sharpen, relight, solarise, jitter):
        if random.random() < CHANCE:
            image = change(image, random)
    return image


def grey(image: Image, random: np.random.Generator) -> Image:  # noqa: ARG001  # all changes are called alike
    """Without colour."""
    return cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)


def posterise(image: Image, random: np.random.Generator) -> Image:  # noqa: ARG001
    """With 16 values a channel."""
    return image & np.uint8(KEPT_BITS)


def equalise(image: Image, random: np.random.Generator) -> Image:  # noqa: ARG001
    """With an even histogram of each channel."""
    return np.dstack([cv2.equalizeHist(np.ascontiguousarray(channel)) for channel in np.moveaxis(image, 2, 0)])


def sharpen(image: Image, random: np.random.Generator) -> Image:
    """Mixed with itself behind a filter that sharpens."""
    alpha, lightness = random.uniform(*ALPHA), random.uniform(*LIGHTNESS)
    kernel = np.full((3, 3), -alpha, dtype=np.float32)
    kernel[1, 1] = 1 - alpha + alpha * (8 + lightness)
    return cv2.filter2D(image, -1, kernel)


def relight(image: Image, random: np.random.Generator) -> Image:
    """With another contrast and brightness."""
    factor, added = 1 + random.uniform(-CONTRAST, CONTRAST), 255 * random.uniform(-BRIGHTNESS, BRIGHTNESS)
    return clipped(factor * np.arange(256) + added)[image]


def solarise(image: Image, random: np.random.Generator) -> Image:  # noqa: ARG001
    """With its bright values turned over."""
    return np.where(image >= BRIGHT, 255 - image, image)


def jitter(image: Image, random: np.random.Generator) -> Image:
    """With another brightness, contrast, saturation and hue, in a random order."""
    factors = random.uniform(*JITTER, 3)
    turn = round(180 * random.uniform(-HUE, HUE))
    for which in random.permutation(4):
        if which == 3:
            colours = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
            colours[..., 0] = (colours[..., 0].astype(np.int16) + turn) % 180
            image = cv2.cvtColor(colours, cv2.COLOR_HSV2RGB)
            continue
        if which == 0:
            middle: np.ndarray | float = 0.0
        elif which == 1:
            middle = float(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).mean())
        else:
            middle = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None].astype(np.float32)
        image = clipped(factors[which] * image + (1 - factors[which]) * middle)
    return image


def clipped(values: np.ndarray) -> np.ndarray:
    """uint8, rounded, of values that may lie beyond."""
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
