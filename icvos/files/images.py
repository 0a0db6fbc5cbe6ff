"""Pictures in: decoding with Pillow, and sizes from the header alone."""

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from icvos.errors import IcvosError

ANIMATED_FORMATS = ("GIF", "PNG", "WEBP")


@contextlib.contextmanager
def decoding(path: Path) -> Iterator[None]:
    """What Pillow raises for a missing, unreadable or truncated file becomes an `IcvosError` that names it."""
    try:
        yield
    except FileNotFoundError:
        raise IcvosError(f"{path}: no such file") from None
    except (OSError, UnidentifiedImageError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise IcvosError(f"{path}: cannot be decoded ({error}); fetch the file again") from error


def opened_image(path: Path) -> Image.Image:
    """The Pillow image, not decoded yet; errors as for `open_image`."""
    with decoding(path):
        return Image.open(path)


def open_image(path: Path) -> Image.Image:
    """The decoded Pillow image; a missing, unreadable or truncated file raises `IcvosError` naming it."""
    with decoding(path):
        image = Image.open(path)
        image.load()
    return image


def picture_count(path: Path, image: Image.Image) -> int:
    """How many pictures the opened file ``path`` shows in turn; a camera's JPEG with previews beside it shows one."""
    if image.format not in ANIMATED_FORMATS:
        return 1
    with decoding(path):
        return getattr(image, "n_frames", 1) - first_shown(image)


def first_shown(image: Image.Image) -> int:
    """The place of an animation's first picture: behind the still that a PNG has for programs that show no others."""
    return int(bool(image.info.get("default_image")))


def refuse_animation(path: Path, image: Image.Image) -> None:
    """Raise `IcvosError` for a file of several pictures where one is meant: which one is not to be guessed."""
    count = picture_count(path, image)
    if count > 1:
        raise IcvosError(f"{path}: an animation of {count} pictures; save the one that is meant by itself")


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
