"""Mask PNGs in and out, and resizing with a named convention.

`icvos.files.png` reads the kinds of PNG that masks come in and Pillow all others; `icvos.files.mask_rules` says what
they mean and which are refused. OpenCV would turn palette indices into colours.
"""

import io
import struct
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from icvos.bitmasks.mask import PackedMask, pack
from icvos.errors import Fault, IcvosError
from icvos.files import mask_rules, png
from icvos.files.mask_rules import (
    BROKEN_PNG,
    MaskValues,
    decode,
    foreground,
    plainly,
    several_values,
    soft_edges,
    understood,
)
from icvos.files.storage import write_bytes
from icvos.notices import notice

Image.MAX_IMAGE_PIXELS = 1 << 28  # 16384 x 16384: above any dataset here, below a decompression bomb
DAVIS_PALETTE = mask_rules.DAVIS_PALETTE


def parse_png(path: Path) -> png.Png | None:
    """A mask PNG whose pixels are not decoded yet; None for what only Pillow reads, or says what is wrong with."""
    return _parse(path, _content(path))


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise IcvosError(f"{path}: no such file") from None
    except OSError as error:
        raise IcvosError(f"{path}: cannot be decoded ({error}); fetch the file again") from error


def _parse(path: Path, content: bytes) -> png.Png | None:
    try:
        return png.parse(content)
    except png.PngError as error:
        raise IcvosError(f"{path}: cannot be decoded ({error}); fetch the file again") from error


def read_mask(path: Path) -> MaskValues:
    """The values of a mask PNG and what they are shown as; `IcvosError` for what has no one right reading."""
    content = _content(path)
    plain = _parse(path, content)
    mask = plainly(plain) if plain is not None else None
    if mask is not None:
        return mask
    found = understood(_decoded(path, content), str(path))
    if isinstance(found, Fault):
        raise IcvosError(str(found))
    return found


def read_foreground(path: Path) -> MaskValues:
    """The values of a mask PNG of one object, in whatever shades and colours: it is where they are not 0."""
    content = _content(path)
    plain = _parse(path, content)
    mask = plainly(plain) if plain is not None else None
    found = foreground(_decoded(path, content), str(path)) if mask is None else mask
    if isinstance(found, Fault):
        raise IcvosError(str(found))
    return found


def _decoded(path: Path, content: bytes) -> Image.Image:
    """The picture in a PNG file of the size that its first header says."""
    if not content.startswith(png.SIGNATURE):
        raise IcvosError(f"{path}: {mask_rules.foreign(content[:8])}")
    try:
        width, height = struct.unpack(">II", content[16:24])
        return decode(content, (height, width))
    except BROKEN_PNG as error:
        raise IcvosError(f"{path}: cannot be decoded ({error}); fetch the file again") from error


def read_ids(path: Path) -> np.ndarray:
    """The values of a mask PNG as ids of objects, (H, W) uint8 or uint16, by the rules of `icvos.files.mask_rules`.

    255 (void, or the foreground of a 0/255 mask) is left as it is. `IcvosError` for shades of grey, which are no ids.
    """
    return read_id_mask(path).values


def read_id_mask(path: Path) -> MaskValues:
    """`read_ids`, and what the ids are shown as."""
    found = read_mask(path)
    fault = soft_edges(found, str(path))
    if fault is not None:
        raise IcvosError(str(fault))
    return found


def read_binary(path: Path) -> np.ndarray:
    """(H, W) bool: every non-zero value of the mask PNG is foreground; several of them are a notice."""
    found = read_mask(path)
    fault = several_values(found, str(path))
    if fault is not None:
        notice(str(path.parent), fault.kind, str(fault))
    return found.values != 0


def white_value(paths: Iterable[Path]) -> int:
    """What the object is in a video's masks that show it as white on black, all of them; 0 where they are not such.

    255 where any grey or colour picture has it, else 1 where any is of one bit. How a single frame was saved does not
    matter: grey, one bit, colours, or a palette of black and white among the others. The reading stops at the first
    mask that shows anything else.
    """
    found = 0
    for path in paths:
        mask = read_id_mask(path)
        largest = int(mask.values.max(initial=0))
        if not largest:
            continue
        if not mask.is_black_and_white():
            return 0
        if largest == 255 or mask.one_bit:
            found = max(found, largest)
    return found


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


def encode_ids(ids: np.ndarray) -> bytes:
    """A palette PNG in DAVIS colours of a (H, W) uint8 id map: the index of a pixel is its object's id."""
    image = Image.fromarray(ids)
    image.putpalette(DAVIS_PALETTE.tobytes())
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
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
