"""Masks by name: what the rows of the golden tables were measured on.

===================  ====================================================================================
``empty``            no pixel
``full``             every pixel
``ellipses:S``       two ellipses, from the seed S
``moved:S,DY,DX``    the same, shifted by DY rows and DX columns; what leaves the frame is lost
``noise:S,P``        ``numpy.random.RandomState(S).rand(h, w) < P``
``rect:Y0,X0,Y1,X1`` rows Y0..Y1-1 and columns X0..X1-1, clipped to the frame; negative counts from the end
``ring:T``           the T outermost rows and columns of the frame
``rows:N``           rows whose index is a multiple of N
``cols:N``           columns whose index is a multiple of N
``checker:N``        N x N squares, the top left one set
``diag``             pixels with ``x == y * w // h``
``not:SPEC``         the complement
``SPEC+SPEC``        the union
===================  ====================================================================================
"""

from collections.abc import Callable
from functools import reduce

import numpy as np


def build(spec: str, height: int, width: int) -> np.ndarray:
    """The mask called ``spec``, (height, width) bool."""
    if "+" in spec:
        return reduce(np.logical_or, (build(part, height, width) for part in spec.split("+")))
    name, _, rest = spec.partition(":")
    if name == "not":
        return ~build(rest, height, width)
    numbers = [float(text) if "." in text else int(text) for text in rest.split(",")] if rest else []
    return _BUILDERS[name](height, width, *numbers)


def _ellipses(height: int, width: int, seed: int) -> np.ndarray:
    random = np.random.RandomState(seed + 7919)
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    out = np.zeros((height, width), dtype=bool)
    for _ in range(2):
        centre_y, centre_x = random.uniform(0.3, 0.7, 2) * (height, width)
        radius_y, radius_x = random.uniform(0.1, 0.25, 2) * (height, width)
        out |= ((y - centre_y) / radius_y) ** 2 + ((x - centre_x) / radius_x) ** 2 <= 1
    return out


def _moved(height: int, width: int, seed: int, dy: int, dx: int) -> np.ndarray:
    out = np.zeros((height, width), dtype=bool)
    y, x = np.nonzero(_ellipses(height, width, seed))
    y, x = y + dy, x + dx
    inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
    out[y[inside], x[inside]] = True
    return out


def _noise(height: int, width: int, seed: int, share: float) -> np.ndarray:
    return np.random.RandomState(seed).rand(height, width) < share


def _rectangle(height: int, width: int, *edges: int) -> np.ndarray:
    y0, x0, y1, x1 = (
        max(edge if edge >= 0 else edge + size, 0)
        for edge, size in zip(edges, (height, width, height, width), strict=True)
    )
    out = np.zeros((height, width), dtype=bool)
    out[y0:y1, x0:x1] = True
    return out


def _ring(height: int, width: int, thickness: int) -> np.ndarray:
    out = np.ones((height, width), dtype=bool)
    out[thickness : max(height - thickness, 0), thickness : max(width - thickness, 0)] = False
    return out


def _diagonal(height: int, width: int) -> np.ndarray:
    y, x = np.indices((height, width))
    return x == y * width // height


_BUILDERS: dict[str, Callable[..., np.ndarray]] = {
    "empty": lambda height, width: np.zeros((height, width), dtype=bool),
    "full": lambda height, width: np.ones((height, width), dtype=bool),
    "ellipses": _ellipses,
    "moved": _moved,
    "noise": _noise,
    "rect": _rectangle,
    "ring": _ring,
    "rows": lambda height, width, step: np.broadcast_to(np.arange(height)[:, None] % step == 0, (height, width)),
    "cols": lambda height, width, step: np.broadcast_to(np.arange(width) % step == 0, (height, width)),
    "checker": lambda height, width, side: np.indices((height, width)).__floordiv__(side).sum(axis=0) % 2 == 0,
    "diag": _diagonal,
}
