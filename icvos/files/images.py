"""Pictures in: decoding with Pillow, and sizes from the header alone."""

import io
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from icvos.errors import IcvosError


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
