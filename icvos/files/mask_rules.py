"""What a mask file may be, what it says, and what makes one doubt it: the same everywhere.

Supports, truth, source masks and predictions are read by it. A mask is a whole PNG of one upright picture, and its
values say what is where, 0 = background:

* grey of 1 to 16 bits: the grey levels, those of one bit as 0 and 1. Sixteen bits that hold 8-bit levels spread over
  65535, as image tools write them, are those levels.
* a palette: the indices, whatever their colours.
* colours: the DAVIS palette turned back into indices, or black and white, which is 255.
* transparency: what is wholly transparent is background.

Refused, as there is no one right reading: other formats (a JPEG's noise would count as object), files that are cut off,
animations, pictures to be turned by EXIF, half transparent pixels, black on nothing, a palette that shows index 0 as
objects are shown and another one as background, other colours. Where all that is not 0 is the object, several values
are a warning; where values are the ids of objects, shades as soft edges and a JPEG leave them are refused.
`foreground` reads masks of one object that others made for other programs: there any colour but black is the object.
"""

import io
import struct
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from PIL import Image

from icvos.bitmasks.values import occurring
from icvos.errors import Fault
from icvos.files import png

EXIF_ORIENTATION = 0x0112
SPREAD = 257  # 65535 / 255
MIN_SHADES = 8  # different ones; fewer are objects
# what Pillow raises for a PNG whose chunks are broken in one way or another
BROKEN_PNG = (
    OSError,
    SyntaxError,
    ValueError,
    struct.error,
    IndexError,
    KeyError,
    TypeError,
    OverflowError,
    EOFError,
    Image.DecompressionBombError,
)


def _davis_palette() -> np.ndarray:
    """(256, 3) uint8: the PASCAL VOC colour map, bit by bit, which DAVIS and all that follow it use."""
    index = np.arange(256)
    palette = np.zeros((256, 3), dtype=np.uint8)
    for bit in range(8):
        for channel in range(3):
            palette[:, channel] |= (((index >> (3 * bit + channel)) & 1) << (7 - bit)).astype(np.uint8)
    return palette


DAVIS_PALETTE = _davis_palette()
_KEY = np.array([1 << 16, 1 << 8, 1], dtype=np.uint32)
_COLOUR_KEYS = DAVIS_PALETTE.astype(np.uint32) @ _KEY
_COLOUR_ORDER = np.argsort(_COLOUR_KEYS)
WHITE = 0xFFFFFF


@dataclass(frozen=True, slots=True)
class MaskValues:
    """A mask as read.

    Args:
        values: (H, W) uint8 or uint16.
        colours: (N, 3) uint8, what each value is shown as; None: grey levels.
        one_bit: A grey picture of one bit, which shows 1 as white.
    """

    values: np.ndarray
    colours: np.ndarray | None = None
    one_bit: bool = False

    def used(self) -> np.ndarray:
        """The values that occur, ascending."""
        return occurring(self.values)

    def ids(self) -> list[int]:
        """The values that occur beside 0, ascending."""
        return [value for value in self.used().tolist() if value]

    def says_white(self) -> bool:
        """Whether it is white on black, and as such masks are: of one bit, or 255."""
        largest = self.values.max(initial=0)
        return bool(largest) and (self.one_bit or largest == 255) and self.is_black_and_white()

    def is_black_and_white(self) -> bool:
        """Whether every pixel is shown as black, where it is 0, or as white, where it is not."""
        if self.one_bit:
            return True
        used = self.used()
        if self.colours is None:
            return set(used.tolist()) <= {0, 255}
        if used.max(initial=0) >= len(self.colours):
            return False
        return bool(((self.colours[used] == 255).all(axis=1) == (used > 0)).all())

    def shades(self) -> str:
        """Some of the grey levels between black and white that edges leave; empty where there are none.

        Edges are thin: hardly a pixel among them has eight neighbours of its own value, as those in an object have.
        """
        if self.one_bit or self.values.dtype != np.uint8 or not self._shows_levels():
            return ""
        used = self.used()
        between = used[(used > 0) & (used < 255)]
        if len(between) < MIN_SHADES or between[-1] < 128:
            return ""
        edge = (self.values > 0) & (self.values < 255)
        if 10 * np.count_nonzero(edge & _inside(self.values)) >= np.count_nonzero(edge):
            return ""
        return ", ".join(map(str, between[:3].tolist()))

    def _shows_levels(self) -> bool:
        """Whether values are shown as grey levels, by a palette too."""
        if self.colours is None:
            return True
        return bool((self.colours == np.arange(len(self.colours))[:, None]).all())


def _inside(values: np.ndarray) -> np.ndarray:
    """(H, W) bool: where a pixel and its eight neighbours have one value; False along the frame."""
    found = np.zeros(values.shape, dtype=bool)
    height, width = values.shape
    if min(height, width) < 3:
        return found
    middle = values[1:-1, 1:-1]
    equal = np.ones(middle.shape, dtype=bool)
    for y in range(3):
        for x in range(3):
            equal &= values[y : y + height - 2, x : x + width - 2] == middle
    found[1:-1, 1:-1] = equal
    return found


def foreign(head: bytes) -> str:
    """What is wrong with a file that begins with ``head`` and is not a PNG."""
    if head.startswith(b"\xff\xd8\xff"):
        return "is a JPEG, not a PNG file, and a JPEG cannot hold a mask: it changes values; save masks as PNG"
    return "cannot be decoded (not a PNG file); write the file again"


def plainly(found: png.Png) -> MaskValues | None:
    """The values of a PNG of a plain kind; None where Pillow should look."""
    values = found.values()
    if values is None or not found.palette:
        return None if values is None else MaskValues(values, one_bit=found.depth == 1)
    length = len(found.colours) // 3
    return MaskValues(values, np.frombuffer(found.colours[: 3 * length], dtype=np.uint8).reshape(-1, 3))


def decode(content: bytes, size: tuple[int, int] | None = None, modes: Collection[str] = ()) -> Image.Image:
    """The picture in a PNG file; raises one of `BROKEN_PNG` for one that is damaged or cut off.

    Args:
        content: The file's.
        size: Its (height, width) by the header, where they were looked at already: nothing else is decoded.
        modes: Pillow's modes, one of which it must be then; none: any.
    """
    if content.startswith(png.SIGNATURE) and not png.is_whole(io.BytesIO(content)):
        raise ValueError("cut off: it has no end (IEND)")
    image = Image.open(io.BytesIO(content), formats=("PNG",))
    if size is not None and ((image.height, image.width) != size or (modes and image.mode not in modes)):
        raise ValueError("a second header that differs from the first")
    image.load()
    return image


def doubted(image: Image.Image, where: str) -> Fault | None:
    """Why a decoded PNG has no one right reading as a mask whatever its values are; ``where`` is for the message."""
    if getattr(image, "n_frames", 1) > 1:
        return Fault("mode", where, "is an animation, not one mask; save one PNG for every frame")
    if orientation(image) != 1:
        what = "is stored turned, with a note (EXIF) to turn it back; save the mask upright, without EXIF"
        return Fault("mode", where, what)
    return None


def orientation(image: Image.Image) -> int:
    """How a picture is stored by its EXIF data: 1 = upright, to 8; 1 also for what EXIF does not know."""
    try:
        found = image.getexif().get(EXIF_ORIENTATION, 1)
    except BROKEN_PNG:  # EXIF data that cannot be read say nothing
        return 1
    return found if isinstance(found, int) and found in range(1, 9) else 1


def understood(image: Image.Image, where: str) -> MaskValues | Fault:
    """The values of a decoded PNG as the module says, or why it has no one right reading."""
    fault = doubted(image, where)
    if fault is not None:
        return fault
    if image.mode == "1":
        found: MaskValues | Fault = MaskValues(np.asarray(image).astype(np.uint8), one_bit=True)
    elif image.mode == "P":
        found = MaskValues(np.asarray(image), colours_of(image))
        fault = turned_palette(image, found, where)
    elif image.mode in ("L", "LA"):
        found = MaskValues(np.asarray(image.getchannel(0)))
    elif image.mode in ("I;16", "I;16B", "I"):
        found = MaskValues(narrowed(np.asarray(image).astype(np.uint16)))
    elif image.mode in ("RGB", "RGBA"):
        found = _of_colours(image, where)
    else:
        what = f"image of mode {image.mode}; save it as a palette PNG whose indices are the object ids"
        fault = Fault("mode", where, what)
    if fault is not None or image.mode == "P":
        return fault or found
    return found if isinstance(found, Fault) else _seen(image, found, where)


def foreground(image: Image.Image, where: str) -> MaskValues | Fault:
    """Values of which all but 0 are the one object, in whatever colours; or why a PNG has no one right reading."""
    fault = doubted(image, where)
    if fault is not None or image.mode not in ("RGB", "RGBA"):
        return fault or understood(image, where)
    values, alpha = np.asarray(image)[..., :3].max(axis=-1), _alpha(image)
    return MaskValues(values if alpha is None else np.where(alpha == 0, np.uint8(0), values))


def narrowed(values: np.ndarray) -> np.ndarray:
    """The 8-bit levels in (H, W) uint16 values that are such levels spread over 0..65535; else the values."""
    if values.any() and not (values % SPREAD).any():
        return (values // SPREAD).astype(np.uint8)
    return values


def colours_of(image: Image.Image) -> np.ndarray:
    """(N, 3) uint8: the palette of a picture."""
    return np.array(image.getpalette("RGB") or [], dtype=np.uint8).reshape(-1, 3)


def turned_palette(image: Image.Image, found: MaskValues, where: str) -> Fault | None:
    """A fault where a palette shows index 0 as objects are shown, and another index as background.

    Among several objects, whose colours may be any, it must cover more than index 0 does.
    """
    transparency = image.info.get("transparency")
    if isinstance(transparency, int):
        transparency = b"\xff" * transparency + b"\0"
    if found.colours is None or not (turned := png.turned_indices(found.colours, transparency or b"")).any():
        return None
    counts = np.bincount(found.values.ravel(), minlength=256)
    shown = counts[: len(turned)] * turned
    if not shown.any() or (np.count_nonzero(counts[1:]) > 1 and shown.max() <= counts[0]):
        return None
    what = "index 0 is shown in a colour and another one as black, yet indices count: 0 = background; swap them"
    return Fault("palette", where, what)


def _seen(image: Image.Image, found: MaskValues, where: str) -> MaskValues | Fault:
    """``found`` with background where the picture is transparent."""
    alpha = _alpha(image)
    if alpha is None or (alpha == 255).all():
        return found
    if ((alpha > 0) & (alpha < 255)).any():
        return Fault("mode", where, "has half transparent pixels; save the mask without an alpha channel")
    values = np.where(alpha == 0, np.zeros((), found.values.dtype), found.values)
    if not values.any():
        what = "shows nothing but black and transparency, either of which may be the object; save a mask of 0 and 1"
        return Fault("mode", where, what)
    return MaskValues(values, found.colours, found.one_bit)


def _alpha(image: Image.Image) -> np.ndarray | None:
    """(H, W) uint8: 0 = transparent, 255 = opaque; None: all is opaque."""
    if image.mode in ("LA", "RGBA"):
        return np.asarray(image.getchannel("A"))
    clear = image.info.get("transparency")
    if clear is None:
        return None
    pixels = np.asarray(image)
    hidden = pixels == clear if pixels.ndim == 2 else (pixels == np.asarray(clear)).all(axis=-1)
    return np.where(hidden, np.uint8(0), np.uint8(255))


def _of_colours(image: Image.Image, where: str) -> MaskValues | Fault:
    colours = np.array(image)[..., :3]
    alpha = _alpha(image)
    if alpha is not None:
        colours[alpha == 0] = 0
    keys = colours.astype(np.uint32) @ _KEY
    position = np.searchsorted(_COLOUR_KEYS, keys, sorter=_COLOUR_ORDER).clip(max=255)
    ids = np.where(keys == WHITE, 255, _COLOUR_ORDER[position])  # white is in no palette here: a saved 0/255 mask
    unknown = (_COLOUR_KEYS[ids] != keys) & (keys != WHITE)
    if unknown.any():
        y, x = (int(v) for v in np.argwhere(unknown)[0])
        what = f"colour {colours[y, x].tolist()} at row {y}, column {x} is not in the DAVIS palette; "
        return Fault("mode", where, what + "save the mask as a palette PNG whose indices are the object ids")
    shown = DAVIS_PALETTE
    if (keys == WHITE).any():
        if ((keys != WHITE) & (keys != 0)).any():
            what = "white beside other colours, which is no object of the DAVIS palette; "
            return Fault("mode", where, what + "save the mask as a palette PNG whose indices are the object ids")
        shown = DAVIS_PALETTE.copy()
        shown[255] = 255
    return MaskValues(ids.astype(np.uint8), shown)


def several_values(found: MaskValues, where: str) -> Fault | None:
    """A warning where a mask of one object has more values than one beside 0."""
    if found.one_bit:
        return None
    largest = found.values.max(initial=0)
    if largest <= 1 or np.count_nonzero(found.values == largest) == np.count_nonzero(found.values):
        return None
    several = np.count_nonzero(found.used())
    what = f"{several} different values beside 0, and every one counts as foreground; save a mask of 0 and 1"
    return Fault("values", where, what, "warning")


def soft_edges(found: MaskValues, where: str) -> Fault | None:
    """A fault where values that should be the ids of objects are shades."""
    shades = found.shades()
    if not shades:
        return None
    what = f"shades of grey ({shades} ...), as soft edges or a JPEG leave them, are no object ids; "
    return Fault("values", where, what + "save the mask without smoothing, as a PNG of object ids")
