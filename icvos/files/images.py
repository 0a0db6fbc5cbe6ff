"""Pictures in: decoding with Pillow, and sizes from the header alone."""

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from icvos.errors import IcvosError
from icvos.files import png
from icvos.files.mask_rules import orientation

ANIMATED_FORMATS = ("GIF", "PNG", "WEBP")


@contextlib.contextmanager
def decoding(path: Path) -> Iterator[None]:
    """What Pillow raises for a missing, unreadable or truncated file becomes an `IcvosError` that names it."""
    try:
        yield
    except FileNotFoundError:
        raise IcvosError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise IcvosError(f"{path}: is a folder; give one picture") from None
    except (OSError, UnidentifiedImageError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise IcvosError(f"{path}: cannot be decoded ({error}); fetch the file again") from error


def opened_image(path: Path) -> Image.Image:
    """The Pillow image, not decoded yet; errors as for `open_image`."""
    with decoding(path):
        return Image.open(path)


def open_image(path: Path) -> Image.Image:
    """The decoded Pillow image; a missing, unreadable or cut-off file raises `IcvosError` naming it."""
    with decoding(path):
        image = Image.open(path)
        image.load()
        if image.format == "PNG" and not _has_end(path):
            raise ValueError("cut off: it has no end (IEND)")
    return image


def _has_end(path: Path) -> bool:
    with path.open("rb") as file:
        return png.is_whole(file)


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

    A PNG has its chunks up to the end, and a whole JPEG its end marker among its last bytes; one without it is decoded
    to be sure.
    """
    size = image_size(path)
    with path.open("rb") as file:
        if file.read(len(png.SIGNATURE)) == png.SIGNATURE:
            whole = png.is_whole(file)
        else:
            file.seek(max(0, file.seek(0, io.SEEK_END) - 64))
            whole = b"\xff\xd9" in file.read()
    if not whole:
        open_image(path)
    return size


def read_image(path: Path, *, upright: bool = False) -> np.ndarray:
    """(H, W, 3) uint8 RGB in [0, 255]; grey images are repeated over the channels.

    Raises `IcvosError` for a picture whose colours are not certain: transparent parts, or more than 8 bits of grey.

    Args:
        path: The file.
        upright: Turn it as its EXIF data say; else it is taken as it is stored.
    """
    image = open_image(path)
    if upright:
        refuse_animation(path, image)
    return turned(rgb(path, image), orientation(image) if upright else 1)


def rgb(path: Path, image: Image.Image) -> np.ndarray:
    """(H, W, 3) uint8 RGB of a decoded picture, as `read_image` says; ``path`` is for the message."""
    if image.mode.startswith(("I", "F")):  # Pillow would show 16 bits of grey as white
        raise IcvosError(f"{path}: a picture of mode {image.mode}; save it with 8 bits a channel")
    if image.has_transparency_data:
        if image.convert("RGBA").getchannel("A").getextrema() != (255, 255):
            raise IcvosError(f"{path}: has transparent parts, whose colours are not certain; save it without them")
        image = image.convert("RGBA")
    return np.asarray(image.convert("RGB"))


def read_orientation(path: Path) -> int:
    """How a picture is stored by its EXIF data: 1 = upright, to 8."""
    return orientation(open_image(path))


def turned(image: np.ndarray, orientation: int) -> np.ndarray:
    """An (H, W, ...) array as it was meant to be seen, when it is stored by one of EXIF's orientations, 1 to 8.

    >>> turned(np.array([[1, 2], [3, 4]]), 6).tolist()  # stored turned to the left: shown turned to the right
    [[3, 1], [4, 2]]
    """
    transposed = image.swapaxes(0, 1) if orientation >= 5 else image
    flips = {2: (1,), 3: (0, 1), 4: (0,), 6: (1,), 7: (0, 1), 8: (0,)}.get(orientation, ())
    return np.ascontiguousarray(np.flip(transposed, flips)) if flips or orientation >= 5 else image
