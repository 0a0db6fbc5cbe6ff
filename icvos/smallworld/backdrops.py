"""Layered backgrounds that scroll in parallax: sky, far layers, a ground plane in perspective, a foreground."""

from dataclasses import dataclass

import cv2
import numpy as np

from icvos.smallworld.textures import SIDE


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
class Terrain:
    """What a place is to those in it. Depths are shares of the way from the horizon to the lower edge.

    Args:
        front: Least depth at which an actor starts.
        shore: Least depth that a walker goes to.
        firm: Whether there is ground to stand on.
        contact: How dark the spot under what stands there is, of 255.
        shadow: How dark its shadow is, of 255.
    """

    front: float = 0.3
    shore: float = 0.16
    firm: bool = True
    contact: int = 100
    shadow: int = 84


@dataclass(frozen=True, slots=True)
class Backdrop:
    """A place: ``horizon`` is the first row of the ground, ``light`` the gain of red, green and blue (256 = none)."""

    size: tuple[int, int]
    terrain: Terrain
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
