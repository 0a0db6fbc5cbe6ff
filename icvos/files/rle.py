"""COCO run-length encoding of masks, compressed or not, in and out."""

import numpy as np
from typing_extensions import TypedDict

from icvos.bitmasks.mask import PackedMask, pack_runs
from icvos.errors import extent


class Rle(TypedDict):
    """COCO's RLE of a mask: its (height, width), and run lengths down the columns, background first.

    ``counts`` is COCO's compressed text, or a list of numbers.
    """

    size: list[int]
    counts: str | list[int]


class PackedRle(TypedDict):
    """`Rle` as pycocotools has it: compressed text as bytes."""

    size: list[int]
    counts: bytes


def encode_rle(mask: np.ndarray) -> Rle:
    """COCO's compressed RLE of a (H, W) bool mask: ``{"size": [h, w], "counts": text}``."""
    from pycocotools import mask as coco_mask

    rle = coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))
    return {"size": [int(v) for v in rle["size"]], "counts": rle["counts"].decode("ascii")}


def decode_rle(rle: Rle | PackedRle) -> np.ndarray:
    """(H, W) bool from COCO RLE, compressed (``counts`` text) or not (``counts`` a list of run lengths).

    Raises ValueError, TypeError or KeyError for anything else, also for runs that do not add up to the size:
    pycocotools fills what is missing with whatever is in memory.
    """
    height, width, runs = rle_runs(rle)
    return np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(width, height).T


def pack_rle(rle: Rle | PackedRle, size: tuple[int, int] | None = None) -> PackedMask:
    """`decode_rle` as bits, without the mask in between; resized to ``size`` by the rule of `resize_nearest`."""
    height, width, runs = rle_runs(rle)
    return pack_runs(runs, (height, width), size)


def compress_rle(rle: Rle | PackedRle) -> PackedRle:
    """Either form of COCO RLE in the compressed form of pycocotools; raises as `decode_rle` does."""
    from pycocotools import mask as coco_mask

    height, width, runs = rle_runs(rle)
    packed: PackedRle = coco_mask.frPyObjects({"size": [height, width], "counts": runs.tolist()}, height, width)
    return packed


def rle_extent(rle: Rle) -> tuple[int, list[float]]:
    """The pixels of a mask, and the box [left, top, width, height] around them, as COCO's files have them."""
    from pycocotools import mask as coco_mask

    packed = compress_rle(rle)
    return int(coco_mask.area(packed)), [float(side) for side in coco_mask.toBbox(packed)]


def rle_runs(rle: Rle | PackedRle) -> tuple[int, int, np.ndarray]:
    """Height, width, and the (N,) int64 lengths of background and foreground in turn, down the columns.

    Raises as `decode_rle` does.
    """
    height, width = rle_size(rle)
    counts = rle["counts"]
    runs = _whole(counts, "counts") if isinstance(counts, list) else _decompress(counts)
    pixels = height * width
    if runs.min(initial=0) < 0 or runs.max(initial=0) > pixels or int(runs.sum()) != pixels:
        raise ValueError(f"runs do not add up to the {extent((height, width))} pixels of the mask")
    return height, width, runs


def rle_size(rle: Rle | PackedRle) -> tuple[int, int]:
    """(height, width) of the mask; raises as `decode_rle` does, also for other than two whole numbers from 0 on."""
    size = rle["size"]
    if not isinstance(size, list | tuple) or len(size) != 2:
        raise ValueError(f"size {size!r:.40} is not [height, width]")
    height, width = (int(value) for value in _whole(list(size), "size"))
    if min(height, width) < 0:
        raise ValueError(f"size {size!r:.40} is not [height, width]")
    return height, width


def _whole(values: list[int], what: str) -> np.ndarray:
    """(N,) int64 of a list of whole numbers; fractions, texts, booleans and lists, which numpy would take, are none."""
    if not all(kind is int or issubclass(kind, np.integer) for kind in set(map(type, values))):
        raise ValueError(f"{what} are not whole numbers")
    try:
        return np.asarray(values, dtype=np.int64)
    except OverflowError:
        raise ValueError(f"{what} of more than 64 bits") from None


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
