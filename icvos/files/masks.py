"""Mask PNGs in and out, and resizing with a named convention.

`icvos.files.png` reads the kinds of PNG that masks come in and Pillow all others; OpenCV turns palette indices into
colours.
"""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from icvos.bitmasks.mask import PackedMask, pack
from icvos.errors import IcvosError
from icvos.files import png
from icvos.files.images import open_image
from icvos.files.storage import write_bytes

Image.MAX_IMAGE_PIXELS = 1 << 28  # 16384 x 16384: above any dataset here, below a decompression bomb


def _davis_palette() -> np.ndarray:
    """(256, 3) uint8: the PASCAL VOC colour map, bit by bit, which DAVIS and all that follow it use."""
    index = np.arange(256)
    palette = np.zeros((256, 3), dtype=np.uint8)
    for bit in range(8):
        for channel in range(3):
            palette[:, channel] |= (((index >> (3 * bit + channel)) & 1) << (7 - bit)).astype(np.uint8)
    return palette


DAVIS_PALETTE = _davis_palette()
_COLOUR_KEYS = DAVIS_PALETTE.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], dtype=np.uint32)
_COLOUR_ORDER = np.argsort(_COLOUR_KEYS)
WHITE = 0xFFFFFF


def parse_png(path: Path) -> png.Png | None:
    """A mask PNG whose pixels are not decoded yet; None for what only Pillow reads, or says what is wrong with."""
    try:
        return png.parse(path.read_bytes())
    except FileNotFoundError:
        raise IcvosError(f"{path}: no such file") from None
    except (OSError, png.PngError) as error:
        raise IcvosError(f"{path}: cannot be decoded ({error}); fetch the file again") from error


def read_ids(path: Path) -> np.ndarray:
    """The values of a mask PNG, (H, W) uint8 or uint16: palette indices or grey levels, never colours.

    ``P`` gives indices whatever the palette; ``1``, ``L`` and ``I;16`` give values (``1`` as 0 and 1); ``RGB`` and
    ``RGBA``, which image tools make of palette PNGs, are mapped back through the DAVIS palette, white to 255, and a
    colour that is not in it raises `IcvosError`. 255 (void, or the foreground of a 0/255 mask) is left as it is.
    """
    found = parse_png(path)
    values = found.values() if found is not None else None
    if values is not None:
        return values
    image = open_image(path)
    if image.mode in ("P", "L"):
        return np.asarray(image)
    if image.mode == "1":
        return np.asarray(image).astype(np.uint8)
    if image.mode in ("I;16", "I;16B", "I"):
        values = np.asarray(image)
        if values.min(initial=0) < 0 or values.max(initial=0) > 65535:
            raise IcvosError(f"{path}: values outside 0..65535; save the mask as an 8-bit palette PNG of object ids")
        return values.astype(np.uint16)
    if image.mode in ("RGB", "RGBA"):
        return _ids_from_colours(np.asarray(image)[..., :3], path)
    raise IcvosError(f"{path}: mask of mode {image.mode}; save it as a palette PNG whose indices are the object ids")


def _ids_from_colours(colours: np.ndarray, path: Path) -> np.ndarray:
    keys = colours.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], dtype=np.uint32)
    position = np.searchsorted(_COLOUR_KEYS, keys, sorter=_COLOUR_ORDER).clip(max=255)
    ids = np.where(keys == WHITE, 255, _COLOUR_ORDER[position])  # white is in no palette here: a saved 0/255 mask
    unknown = (_COLOUR_KEYS[ids] != keys) & (keys != WHITE)
    if unknown.any():
        y, x = (int(v) for v in np.argwhere(unknown)[0])
        raise IcvosError(
            f"{path}: colour {colours[y, x].tolist()} at row {y}, column {x} is not in the DAVIS palette; "
            "save the mask as a palette PNG whose indices are the object ids"
        )
    return ids.astype(np.uint8)


def read_binary(path: Path) -> np.ndarray:
    """(H, W) bool: every non-zero value of the mask PNG is foreground."""
    return read_ids(path) != 0


def read_packed(path: Path, size: tuple[int, int] | None = None) -> PackedMask:
    """`read_binary` as bits, for `icvos.metrics.count_packed`; resized to ``size`` by the rule of `resize_nearest`."""
    found = parse_png(path)
    packed = found.packed(size) if found is not None else None
    return pack(read_binary(path), size) if packed is None else packed


def encode_binary(mask: np.ndarray) -> bytes:
    """A one-bit PNG of a (H, W) bool mask: 1 = foreground."""
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(mask, dtype=bool)).save(buffer, format="PNG", compress_level=6)
    return buffer.getvalue()


def write_binary(path: Path, mask: np.ndarray) -> None:
    """Write `encode_binary` of ``mask`` to ``path``, whole or not at all."""
    write_bytes(path, encode_binary(mask), lasting=False)


def resize_nearest(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize a (H, W) array to ``size`` = (h, w) by the old nearest rule: source index ``i * H // h``.

    This is the rule of torch's ``interpolate(mode="nearest")``, which the published evaluation uses. Pillow's nearest
    takes pixel centres instead, and gives other scores.
    """
    height, width = mask.shape
    if (height, width) == size:
        return mask
    rows = np.arange(size[0]) * height // size[0]
    columns = np.arange(size[1]) * width // size[1]
    return mask.take(rows, axis=0).take(columns, axis=1)
