"""Masks in and out: PNG files, COCO RLE, and resizing with a named convention.

`icvos.png` reads the kinds of PNG that masks come in and Pillow all others; OpenCV turns palette indices into colours.
"""

import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from icvos import png
from icvos.errors import IcvosError
from icvos.metrics.bits import PackedMask, pack, pack_runs
from icvos.storage import write_bytes

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


def open_image(path: Path) -> Image.Image:
    """The decoded Pillow image; a missing, unreadable or truncated file raises `IcvosError` naming it."""
    try:
        image = Image.open(path)
        image.load()
    except FileNotFoundError:
        raise IcvosError(f"{path}: no such file") from None
    except (OSError, UnidentifiedImageError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise IcvosError(f"{path}: cannot be decoded ({error}); fetch the file again") from error
    return image


def image_header(path: Path) -> tuple[str, int, int]:
    """(Pillow mode, height, width) from the file's header alone, without decoding it."""
    try:
        with Image.open(path) as image:
            return image.mode, image.height, image.width
    except FileNotFoundError:
        raise IcvosError(f"{path}: no such file") from None
    except (OSError, UnidentifiedImageError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise IcvosError(f"{path}: not a readable image ({error}); fetch the file again") from error


def image_size(path: Path) -> tuple[int, int]:
    """(height, width) from the file's header alone, without decoding it."""
    return image_header(path)[1:]


def whole_image_size(path: Path) -> tuple[int, int]:
    """`image_size` of a file that is not cut off: a truncated JPEG or PNG raises `IcvosError` naming it.

    A whole file has its end marker among its last bytes; only one without it is decoded to be sure.
    """
    size = image_size(path)
    with path.open("rb") as file:
        file.seek(max(0, file.seek(0, io.SEEK_END) - 64))
        tail = file.read()
    if b"\xff\xd9" not in tail and b"IEND" not in tail:
        open_image(path)
    return size


def read_image(path: Path) -> np.ndarray:
    """(H, W, 3) uint8 RGB in [0, 255]; grey images are repeated over the channels."""
    return np.asarray(open_image(path).convert("RGB"))


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
    write_bytes(path, encode_binary(mask))


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


def encode_rle(mask: np.ndarray) -> dict[str, Any]:
    """COCO's compressed RLE of a (H, W) bool mask: ``{"size": [h, w], "counts": text}``."""
    from pycocotools import mask as coco_mask

    rle = coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))
    return {"size": [int(v) for v in rle["size"]], "counts": rle["counts"].decode("ascii")}


def decode_rle(rle: dict[str, Any]) -> np.ndarray:
    """(H, W) bool from COCO RLE, compressed (``counts`` text) or not (``counts`` a list of run lengths).

    Raises ValueError, TypeError or KeyError for anything else, also for runs that do not add up to the size:
    pycocotools fills what is missing with whatever is in memory.
    """
    height, width, runs = rle_runs(rle)
    return np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(width, height).T


def pack_rle(rle: dict[str, Any], size: tuple[int, int] | None = None) -> PackedMask:
    """`decode_rle` as bits, without the mask in between; resized to ``size`` by the rule of `resize_nearest`."""
    height, width, runs = rle_runs(rle)
    return pack_runs(runs, (height, width), size)


def compress_rle(rle: dict[str, Any]) -> dict[str, Any]:
    """Either form of COCO RLE in the compressed form of pycocotools; raises as `decode_rle` does."""
    from pycocotools import mask as coco_mask

    height, width, runs = rle_runs(rle)
    return dict(coco_mask.frPyObjects({"size": [height, width], "counts": runs.tolist()}, height, width))


def rle_runs(rle: dict[str, Any]) -> tuple[int, int, np.ndarray]:
    """Height, width, and the (N,) int64 lengths of background and foreground in turn, down the columns.

    Raises as `decode_rle` does.
    """
    height, width = (int(v) for v in rle["size"])
    counts = rle["counts"]
    runs = np.asarray(counts, dtype=np.int64) if isinstance(counts, list) else _decompress(counts)
    pixels = height * width
    inside = height >= 0 <= width and runs.ndim == 1 and runs.min(initial=0) >= 0 and runs.max(initial=0) <= pixels
    if not inside or int(runs.sum()) != pixels:
        raise ValueError(f"runs do not add up to the {height} x {width} pixels of the mask")
    return height, width, runs


def _decompress(counts: str | bytes) -> np.ndarray:
    """The run lengths of a compressed RLE text.

    Five bits a character from "0" on, low bits first, bit 5 = more to come; from the fourth on, runs are differences to
    the last but one.
    """
    if not isinstance(counts, str | bytes):
        raise ValueError("counts are neither text nor a list")
    text = counts.encode("ascii") if isinstance(counts, str) else counts
    characters = np.frombuffer(text, dtype=np.uint8).astype(np.int64) - 48
    last = (characters & 32) == 0
    if not len(characters) or not last[-1] or characters.min() < 0 or characters.max() > 63:
        raise ValueError("not a compressed RLE text")
    starts = np.flatnonzero(np.concatenate([[True], last[:-1]]))
    place = np.arange(len(characters)) - np.repeat(starts, np.diff(np.append(starts, len(characters))))
    if place.max() > 7:
        raise ValueError("run length of more than 40 bits")
    runs = np.add.reduceat((characters & 31) << (5 * place), starts)
    negative = (characters[last] & 16) != 0
    runs -= np.where(negative, 1 << (5 * (place[last] + 1)), 0)
    runs[1::2] = np.cumsum(runs[1::2])
    runs[2::2] = np.cumsum(runs[2::2])
    return runs
