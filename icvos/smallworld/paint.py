"""From drawings to pixels: antialiased colour with light, texture and shadow, and exact hard-edged masks.

Polygons are rounded to 1/16 of a half pixel before they are filled, and all blending is in integers.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from icvos.smallworld.shapes import Drawing, Look
from icvos.smallworld.textures import SIDE, tile

_SHIFT = 4  # OpenCV's fixed-point bits below one pixel
_TEXELS = 128  # texture texels per object unit


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a drawing's origin lies and how it is seen.

    Args:
        x, y: Pixels, from the image's upper left corner; y is where the feet are.
        scale: Pixels per object unit.
        turn: Radians, counter-clockwise as seen.
        across: Factor along x before turning; negative faces left, below 1 in size is seen at an angle.
    """

    x: float
    y: float
    scale: float
    turn: float = 0.0
    across: float = 1.0

    def matrix(self) -> np.ndarray:
        """(2, 2): object units (x right, y up) to pixels (y down)."""
        cosine, sine = np.cos(self.turn) * self.scale, np.sin(self.turn) * self.scale
        return np.array([[self.across * cosine, -sine], [-self.across * sine, -cosine]])

    def project(self, points: np.ndarray) -> np.ndarray:
        """(N, 2) object points to (N, 2) pixels."""
        return np.asarray(points @ self.matrix().T + (self.x, self.y))


def paint(image: np.ndarray, ids: np.ndarray, drawing: Drawing, look: Look, place: Placement, identity: int) -> None:
    """Draw over ``image`` (H, W, 3) uint8; pixels at least half covered get ``identity`` in ``ids`` (H, W) uint8."""
    points = place.project(drawing.points)
    margin = 4 + int(place.scale * 0.08)
    left, top = (int(v) for v in np.maximum(np.floor(points.min(axis=0)) - margin, 0))
    right, bottom = (int(v) for v in np.minimum(np.ceil(points.max(axis=0)) + margin, (image.shape[1], image.shape[0])))
    if right <= left or bottom <= top:
        return
    colour, relief, marked = _rasterise(drawing, points - (left, top), (bottom - top, right - left))
    alpha = _to_256(colour[..., 3])
    gain = _light(relief, place.scale)
    surface, pattern = _surface(look, place, (left, top), relief.shape)
    gain += surface
    np.clip(gain, 80, 420, out=gain)
    rgb = colour[..., :3].astype(np.uint16)
    if pattern is not None:
        share = _to_256(cv2.bitwise_and(pattern, marked))
        ink = (alpha.astype(np.uint32) * share >> 8).astype(np.uint16)
        rgb *= three(256 - share)
        rgb += cv2.merge([ink * value for value in look.ink])
        rgb >>= 8
    rgb *= three((gain >> 1).astype(np.uint16))  # at most 255 * 210, within 16 bits
    rgb >>= 7
    np.minimum(rgb, three(colour[..., 3]), out=rgb)
    target = image[top:bottom, left:right]
    rgb += target * three(256 - alpha) >> 8
    target[...] = rgb
    ids[top:bottom, left:right][colour[..., 3] >= 128] = identity


def three(plane: np.ndarray) -> np.ndarray:
    """(h, w) to (h, w, 3): numpy is several times slower where it has to repeat values along so short an axis."""
    return np.asarray(cv2.merge((plane, plane, plane)))


def _to_256(share: np.ndarray) -> np.ndarray:
    """0..255 to 0..256 as uint16, so that blending can shift instead of divide."""
    wide = share.astype(np.uint16)
    wide += wide >> 7
    return wide


def _rasterise(
    drawing: Drawing, points: np.ndarray, size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Premultiplied RGBA (h, w, 4), relief (h, w) and marked (h, w), all uint8, at ``size``.

    Colour is drawn at twice the size, where blending an opaque colour into all four channels premultiplies it.
    """
    height, width = size
    large = np.zeros((2 * height, 2 * width, 4), dtype=np.uint8)
    plain = np.zeros((height, width, 2), dtype=np.uint8)
    fine = np.rint((points * 2 - 0.5) * (1 << _SHIFT)).astype(np.int32)
    coarse = np.rint((points - 0.5) * (1 << _SHIFT)).astype(np.int32)
    for part in drawing.parts:
        contours = [fine[start:end] for start, end in part.contours]
        cv2.fillPoly(large, contours, (*part.colour, 255), cv2.LINE_AA, _SHIFT)
        contours = [coarse[start:end] for start, end in part.contours]
        cv2.fillPoly(plain, contours, (part.relief, part.marked), cv2.LINE_8, _SHIFT)
    return (
        cv2.resize(large, (width, height), interpolation=cv2.INTER_AREA),
        np.ascontiguousarray(plain[..., 0]),
        np.ascontiguousarray(plain[..., 1]),
    )


def _light(relief: np.ndarray, scale: float) -> np.ndarray:
    """(h, w) int16 gain around 256: parts bulge towards the viewer and the light comes from the upper left.

    The mean relief of a box to the lower right minus that of a box to the upper left is the slope towards the light.
    """
    gain = np.full(relief.shape, 262, dtype=np.int16)
    for share, strength in ((0.045, 90), (0.2, 95)):
        side = max(3, int(scale * share))
        below = cv2.blur(relief, (side, side), anchor=(side // 3, 0)).astype(np.int16)
        above = cv2.blur(relief, (side, side), anchor=(side - 1 - side // 3, side - 1)).astype(np.int16)
        gain += (below - above) * strength // 160
    return gain


def _surface(
    look: Look, place: Placement, corner: tuple[int, int], size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray | None]:
    """The coat's gain (h, w) int16 around 0 and the marking (h, w) uint8, both fixed to the object."""
    inverse = np.linalg.inv(place.matrix()) * _TEXELS
    fixed = np.rint(inverse * (1 << 12)).astype(np.int64)
    columns = np.rint((np.arange(size[1]) + corner[0] + 0.5 - place.x) * 16).astype(np.int64)
    rows = np.rint((np.arange(size[0]) + corner[1] + 0.5 - place.y) * 16).astype(np.int64)
    u = ((fixed[0, 0] * columns)[None, :] + (fixed[0, 1] * rows)[:, None]) >> 16
    v = ((fixed[1, 0] * columns)[None, :] + (fixed[1, 1] * rows)[:, None]) >> 16
    mask = SIDE - 1
    index = (((v + look.seed[1]) & mask) << 8) | ((u + look.seed[0]) & mask)
    coat = tile(look.coat).reshape(-1).take(index).astype(np.int16) - 128
    pattern = tile(look.marking).reshape(-1).take(index) if look.marking else None
    return coat, pattern


def cast_shadow(
    image: np.ndarray, drawing: Drawing, place: Placement, lean: tuple[float, float], depth: int, tone: int = 0
) -> None:
    """Darken ``image`` in place where the drawing's shadow, or with a negative ``lean[1]`` its reflection, falls.

    Args:
        image: (H, W, 3) uint8.
        drawing: What casts the shadow.
        place: Where it stands.
        lean: How far the shadow runs to the right and up for one unit of the object's height.
        depth: 0..255, how dark.
        tone: The grey level that the shadow goes towards.
    """
    points = drawing.points
    upright = np.array([[abs(place.across), lean[0]], [0.0, -lean[1]]]) * place.scale
    upright[0, 0] *= 1 if place.across > 0 else -1
    pixels = points @ upright.T + (place.x, place.y)
    left, top = (int(v) for v in np.maximum(np.floor(pixels.min(axis=0)) - 4, 0))
    right, bottom = (int(v) for v in np.minimum(np.ceil(pixels.max(axis=0)) + 4, (image.shape[1], image.shape[0])))
    if right - left < 2 or bottom - top < 2:
        return
    cover = np.zeros((bottom - top, right - left), dtype=np.uint8)
    fixed = np.rint((pixels - (left, top) - 0.5) * (1 << _SHIFT)).astype(np.int32)
    for part in drawing.parts:
        cv2.fillPoly(cover, [fixed[start:end] for start, end in part.contours], depth, cv2.LINE_8, _SHIFT)
    side = max(3, int(place.scale * 0.05) | 1)
    share = three(_to_256(cv2.blur(cover, (side, side))))
    target = image[top:bottom, left:right]
    target[...] = (target * (256 - share) + tone * share) >> 8


def shade_ground(image: np.ndarray, centre: tuple[float, float], radius: tuple[float, float], depth: int) -> None:
    """A soft dark ellipse under an object: the contact that makes it stand on the ground."""
    left, right = max(int(centre[0] - radius[0] * 1.3), 0), min(int(centre[0] + radius[0] * 1.3) + 1, image.shape[1])
    top, bottom = max(int(centre[1] - radius[1] * 1.3), 0), min(int(centre[1] + radius[1] * 1.3) + 1, image.shape[0])
    if right <= left or bottom <= top:
        return
    x = np.rint((np.arange(left, right) - centre[0]) * 256 / radius[0]).astype(np.int64)
    y = np.rint((np.arange(top, bottom) - centre[1]) * 256 / radius[1]).astype(np.int64)
    away = (x * x)[None, :] + (y * y)[:, None]  # 65536 on the ellipse
    share = three((np.maximum(98304 - away, 0) * depth // 98304).astype(np.uint16))
    target = image[top:bottom, left:right]
    target[...] = target * (256 - share) >> 8
