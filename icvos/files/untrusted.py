"""Files from strangers: looked at before they are decoded, with bounds on kind, size and length.

Only PNG is ever decoded: Pillow would open any of its formats by content, and starts another program for some.
"""

import json
import os
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image

from icvos.bitmasks.mask import PackedMask
from icvos.errors import Fault, PredictionError, extent
from icvos.files import png
from icvos.files.mask_rules import BROKEN_PNG, MaskValues, decode, doubted, foreign, plainly, several_values, understood
from icvos.files.rle import Rle, rle_size
from icvos.files.storage import once_each
from icvos.files.submitted import opened
from icvos.files.text import without_mark
from icvos.protocol import PROTOCOLS

MODES = ("1", "L", "P", "I;16")  # of mask images: values or palette indices, never colours
MAX_RLE_BYTES = 1 << 25  # of one clip's JSON; read, it takes up to some thirty times as much
MAX_RLE_PARTS = 1 << 18  # objects and lists in it: three for every frame
HEAD_BYTES = 26  # of a PNG: up to the kind of its pixels
PNG_MODES = {0: "L", 2: "RGB", 3: "P", 4: "LA", 6: "RGBA"}
Decoded = TypeVar("Decoded")


def png_header(path: Path) -> tuple[int, int, str]:
    """Height, width and mode (``1``, ``L``, ``P``, ``LA``, ``RGB``, ``RGBA``; ``I;16``, ``RGB;16`` ...) of a PNG file.

    Read from its first bytes, without decoding; `PredictionError` for a file that is absent or no PNG. Links are
    followed: for files that the user chose.
    """
    if not path.is_file():
        raise PredictionError(Fault("missing-frame", str(path), "no such file; predict the frame"))
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError as error:
        raise PredictionError(Fault("unreadable", str(path), f"cannot be read ({error.strerror})")) from error
    return parse_header(head, path)


def parse_header(head: bytes, path: Path) -> tuple[int, int, str]:
    """`png_header` of the first `HEAD_BYTES` of a file."""
    if len(head) < HEAD_BYTES or head[:8] != png.SIGNATURE or head[12:16] != b"IHDR" or head[25] not in PNG_MODES:
        raise PredictionError(Fault("unreadable", str(path), foreign(head)))
    width, height = struct.unpack(">II", head[16:24])
    mode = PNG_MODES[head[25]]
    if head[24] == 16:
        mode = "I;16" if mode == "L" else f"{mode};16"
    elif mode == "L" and head[24] == 1:
        mode = "1"
    return height, width, mode


def open_png(path: Path, size: tuple[int, int], modes: tuple[str, ...] = MODES) -> Image.Image:
    """The decoded image of a PNG; size, kind and length of the file are looked at before pixels are decoded."""
    try:
        with opened(path) as file:
            height, width, mode = parse_header(file.read(HEAD_BYTES), path)
            require_size((height, width), size, str(path))
            if mode not in modes:
                what = f"image of mode {mode}; save the mask with one channel of values or palette indices"
                raise PredictionError(Fault("mode", str(path), f"{what}, 0 = background"))
            length = os.fstat(file.fileno()).st_size
            if length > _most_bytes(size):
                raise ValueError(f"{length:,} bytes for {extent(size)} pixels")
            file.seek(0)
            content = file.read()
        image = decode(content, size, (*modes, "I"))  # "I": 16 bits in older Pillows
    except FileNotFoundError as error:
        raise PredictionError(Fault("missing-frame", str(path), "no such file; predict the frame")) from error
    except BROKEN_PNG as error:
        what = f"cannot be decoded ({error}); write the file again"
        raise PredictionError(Fault("unreadable", str(path), what)) from error
    fault = doubted(image, str(path))
    if fault is not None:
        raise PredictionError(fault)
    return image


def read_values(path: Path, size: tuple[int, int]) -> MaskValues:
    """A predicted mask by the rules of `icvos.files.mask_rules`; `PredictionError` for one that they refuse."""
    found = understood(open_png(path, size), str(path))
    if isinstance(found, Fault):
        raise PredictionError(found)
    return found


def read_plain(path: Path, size: tuple[int, int], to_size: tuple[int, int] | None) -> PackedMask | None:
    """The bits of a PNG of a plain kind, resized to ``to_size``; None for what `open_png` has to judge."""
    found = _plain(path, size)
    return None if found is None else found.packed(to_size)


def examine(path: Path, size: tuple[int, int]) -> tuple[np.ndarray, Fault | None]:
    """A predicted mask, (H, W) bool, and what its values make one doubt of; `PredictionError` as for `open_png`."""
    plain = _plain(path, size)
    found = plainly(plain) if plain is not None else None
    if found is not None:
        return found.values != 0, several_values(found, str(path))
    image = open_png(path, size)
    return np.asarray(image) != 0, odd_values(image, path)


def _plain(path: Path, size: tuple[int, int]) -> png.Png | None:
    try:
        with opened(path) as file:
            honest = os.fstat(file.fileno()).st_size <= _most_bytes(size)
            found = png.parse(file.read()) if honest else None
    except png.PngError as error:
        what = f"cannot be decoded ({error}); write the file again"
        raise PredictionError(Fault("unreadable", str(path), what)) from error
    except OSError:
        return None
    return None if found is None or found.size != size else found


def _most_bytes(size: tuple[int, int]) -> int:
    """More than an honest PNG of (height, width) takes, comments included."""
    return (1 << 20) + 2 * size[0] * (8 * size[1] + 1)


def odd_values(image: Image.Image, path: Path) -> Fault | None:
    """A fault where a mask's values hardly mean what they will be read as, by the rules of `icvos.files.mask_rules`.

    Args:
        image: Decoded, of one of `MODES`.
        path: Its file, for the message.
    """
    found = understood(image, str(path))
    return found if isinstance(found, Fault) else several_values(found, str(path))


def load_rles(path: Path) -> dict[str, Rle]:
    """A clip's JSON, frame by frame, unchecked; `PredictionError` for a file that is no JSON object or far too long."""
    try:
        with opened(path) as file:
            if os.fstat(file.fileno()).st_size > MAX_RLE_BYTES:
                what = f"larger than {MAX_RLE_BYTES >> 20} MiB; write the clip as PNG files"
                raise PredictionError(Fault("unreadable", str(path), what))
            data = file.read(MAX_RLE_BYTES + 1)
        if data.count(b"{") + data.count(b"[") > MAX_RLE_PARTS:  # small lists take far more memory than text
            raise ValueError("more objects and lists than a clip has")
        found: dict[str, Rle] = json.loads(without_mark(data), object_pairs_hook=once_each)
    except (OSError, ValueError, RecursionError) as error:
        what = f"cannot be read as JSON ({error}); write the file again"
        raise PredictionError(Fault("unreadable", str(path), what)) from error
    if not isinstance(found, dict):
        what = 'not an object of the form {"<frame>": {"size": [h, w], "counts": ...}}; write the file again'
        raise PredictionError(Fault("unreadable", str(path), what))
    return found


def decode_frame(
    rles: Mapping[str, Rle], frame: str, size: tuple[int, int], path: Path, decode: Callable[[Rle], Decoded]
) -> Decoded:
    where = f"{path}: {frame}"
    if frame not in rles:
        raise PredictionError(Fault("missing-frame", where, "no such frame in the file; predict the frame"))
    try:
        rle = rles[frame]
        require_size(rle_size(rle), size, where)
        return decode(rle)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        what = f"not a COCO RLE ({error}); write the mask again"
        raise PredictionError(Fault("unreadable", where, what)) from error


def require_size(found: tuple[int, int], expected: tuple[int, int], where: str) -> None:
    if found != expected:
        what = f"mask of {extent(found)} pixels, the video is {extent(expected)}"
        raise PredictionError(Fault("size", where, f"{what}; {_size_remedy(found, expected)}"))


def _size_remedy(found: tuple[int, int], expected: tuple[int, int]) -> str:
    """What to do about a mask of another size: not to resize one that lies on its side."""
    if found == expected[::-1]:
        return "height and width are swapped: turn or transpose the mask as it was turned, and do not resize it"
    if found in {protocol.size for protocol in PROTOCOLS.values()}:
        return "save masks at the video's own size, scoring brings them to the protocol's size itself"
    return "resize the mask to the video's own size"
