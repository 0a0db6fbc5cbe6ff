"""Drawn supports and frames for `benchmarks.networks`: a textured ellipse that moves over a textured ground."""

from dataclasses import dataclass

import numpy as np

from icvos.method import Image, Mask

SIZE = (480, 854)


@dataclass(frozen=True, eq=False)
class Drawn:
    """A support that is no file, as `icvos.method.Support`.

    Args:
        name: Its name.
        picture: (H, W, 3) uint8.
        shown: (H, W) bool.
    """

    name: str
    picture: Image
    shown: Mask

    def image(self) -> Image:
        """(H, W, 3) uint8 RGB."""
        return self.picture

    def mask(self) -> Mask:
        """(H, W) bool."""
        return self.shown


def texture(seed: int) -> np.ndarray:
    """(H, W, 3) in [0, 1]: waves and grain."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[: SIZE[0], : SIZE[1]] / SIZE[0]
    found = np.zeros((*SIZE, 3))
    for channel in range(3):
        for _ in range(6):
            first, second, phase = random.uniform((0.5, 0.5, 0), (12, 12, 6))
            found[..., channel] += np.sin(2 * np.pi * (first * y + second * x) + phase)
    found = (found - found.min()) / (found.max() - found.min()) + 0.03 * random.standard_normal(found.shape)
    return found.clip(0, 1)


def scene(number: int, share: float) -> Drawn:
    """The object, which covers a share of the picture, where it is in some picture."""
    random = np.random.default_rng(number)
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    centre, stretch = random.uniform(0.35, 0.65, 2) * SIZE, random.uniform(0.8, 1.2)
    radius = (share * SIZE[0] * SIZE[1] / np.pi) ** 0.5
    inside = ((y - centre[0]) / stretch) ** 2 + ((x - centre[1]) * stretch) ** 2 <= radius**2
    mixed = np.where(inside[..., None], texture(1), texture(100 + number))
    return Drawn(f"drawn-{number}", (255 * mixed).round().astype(np.uint8), inside)
