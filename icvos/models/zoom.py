"""Looking at a part of a picture again, larger: where the object is small, cells of features are coarse."""

from collections.abc import Callable

import cv2
import numpy as np

from icvos.method import Image, Mask


def look_closer(
    segment: Callable[[Image], Mask], image: Image, rounds: int, *, surround: float, part: float, closest: float = 1.0
) -> Mask:
    """(H, W) bool: what ``segment`` finds in a picture, then in the part around that, then again.

    Args:
        segment: A (h, w) bool mask of (h, w, 3) uint8.
        image: (H, W, 3) uint8.
        rounds: How often it is looked at again.
        surround: Side of the part that is looked at again, over the side of what was found.
        part: Parts of a mask smaller than this share of its largest are dropped.
        closest: Share of the picture that such a part may be at most; a larger one is not looked at again.
    """
    mask = segment(image)
    for _ in range(rounds):
        mask = large_parts(mask, part)
        if not mask.any():
            break
        window = surroundings(mask, surround)
        if window_area(window) > closest * mask.size:
            break
        closer = np.ascontiguousarray(image[window])
        mask = np.zeros_like(mask)
        mask[window] = segment(closer)
    return large_parts(mask, part)


def bounds(mask: Mask) -> tuple[slice, slice]:
    """Rows and columns of the box around a mask that is not empty."""
    lines = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return slice(int(lines[0][0]), int(lines[0][-1]) + 1), slice(int(lines[1][0]), int(lines[1][-1]) + 1)


def surroundings(mask: Mask, factor: float) -> tuple[slice, slice]:
    """Rows and columns of the mask's box times ``factor``, each side at least 0.6 ``factor`` times the longer side."""
    box = bounds(mask)
    longer = max(span.stop - span.start for span in box)
    spans = []
    for span, limit in zip(box, mask.shape, strict=True):
        half = max(span.stop - span.start, 0.6 * longer) * factor / 2
        middle = (span.start + span.stop) / 2
        spans.append(slice(int(max(0, middle - half)), int(np.ceil(min(limit, middle + half)))))
    return spans[0], spans[1]


def window_area(window: tuple[slice, slice]) -> int:
    """Pixels in some rows and columns."""
    return (window[0].stop - window[0].start) * (window[1].stop - window[1].start)


def large_parts(mask: Mask, share: float) -> Mask:
    """The mask without the connected parts smaller than ``share`` times its largest."""
    count, parts, numbers, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    areas = numbers[:, cv2.CC_STAT_AREA]
    if count < 3:
        return mask
    kept = areas >= share * areas[1:].max()
    kept[0] = False
    return kept[parts]
