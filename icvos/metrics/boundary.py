"""Contour accuracy F: how much of each mask's boundary lies within a few pixels of the other's.

The boundary map is Martin's ``seg2bmap`` as the DAVIS benchmark uses it, and the tolerance is a true disk: OpenCV's
``MORPH_ELLIPSE`` is larger and raises F.
"""

import math

import numpy as np

TOLERANCE = 0.008  # of the frame's diagonal


def tolerance_px(height: int, width: int, tolerance: float = TOLERANCE) -> int:
    """The radius in pixels within which boundaries match, for a full frame of this size.

    A ``tolerance`` below 1 is a share of the diagonal, rounded up; from 1 on it is the radius itself and must be whole.

    >>> tolerance_px(480, 854), tolerance_px(512, 512), tolerance_px(600, 800), tolerance_px(480, 854, 3)
    (8, 6, 8, 3)
    """
    if tolerance < 0 or (tolerance >= 1 and tolerance != int(tolerance)):
        raise ValueError(
            f"tolerance {tolerance}: expected a share of the diagonal in [0, 1) or a whole number of pixels"
        )
    return int(tolerance) if tolerance >= 1 else math.ceil(tolerance * math.sqrt(height * height + width * width))


def boundary_map(mask: np.ndarray) -> np.ndarray:
    """(H, W) bool: pixels that differ from their right, lower or lower right neighbour; ``mask`` is (H, W) bool.

    The last row only looks right and the last column only down, so an object cut by the frame has no boundary along it
    and a full mask has none at all.
    """
    right = mask[:, :-1] ^ mask[:, 1:]
    below = mask[:-1] ^ mask[1:]
    edges = np.zeros_like(mask)
    edges[:, :-1] = right
    edges[:-1] |= below
    edges[:-1, :-1] |= mask[:-1, :-1] ^ mask[1:, 1:]
    return edges


def matched(edges: np.ndarray, others: np.ndarray, radius_px: int) -> tuple[int, int]:
    """How many pixels of each boundary map lie within ``radius_px`` of a pixel of the other; both (H, W) bool."""
    if not edges.any() or not others.any():
        return 0, 0
    packed, packed_others = _pack(edges, radius_px), _pack(others, radius_px)
    return (
        _bit_count(packed & _dilate(packed_others, radius_px)),
        _bit_count(packed_others & _dilate(packed, radius_px)),
    )


def _pack(mask: np.ndarray, gap_px: int) -> np.ndarray:
    """(H, N) 64-bit words of a (H, W) bool mask, bit i of word k being column 64 k + i, with at least ``gap_px`` zero
    bits at the end of a row: as one long bit string its rows can then be widened by that much without touching."""
    height, width = mask.shape
    packed = np.zeros((height, -(-(width + gap_px) // 64) * 8), dtype=np.uint8)
    packed[:, : -(-width // 8)] = np.packbits(mask, axis=1, bitorder="little")
    return packed.view("<u8")


def _dilate(words: np.ndarray, radius_px: int) -> np.ndarray:
    """The packed mask of all pixels at most ``radius_px`` from a set one: an exact Euclidean disk; gaps get noise.

    The disk is a stack of rows that get shorter away from its middle. So the mask is widened one pixel at a time, and
    the unwidened mask is added, moved up and down, in between: the tips of the disk come last and are widened least.
    That takes ``radius_px`` widenings and twice as many shifts; the disk itself has about ``3 * radius_px**2`` pixels.
    """
    height, stride = words.shape
    source = words.reshape(-1)
    near = source.copy()
    half_widths = [math.isqrt(radius_px * radius_px - dy * dy) for dy in range(radius_px + 1)]
    for dy in range(1, radius_px + 1):
        _widen(near, half_widths[dy - 1] - half_widths[dy])
        if dy < height:
            near[dy * stride :] |= source[: -dy * stride]
            near[: -dy * stride] |= source[dy * stride :]
    _widen(near, half_widths[radius_px])
    return near.reshape(words.shape)


def _widen(bits: np.ndarray, steps: int) -> None:
    """Set the neighbours of every set bit of a bit string of 64-bit words, in place, ``steps`` times."""
    for _ in range(steps):
        up, down = bits << 1, bits >> 1
        up[1:] |= bits[:-1] >> 63
        down[:-1] |= bits[1:] << 63
        bits |= up
        bits |= down


def _bit_count(words: np.ndarray) -> int:
    return int.from_bytes(words.tobytes(), "little").bit_count()


def share(matched_count: int, boundary_count: int, other_count: int) -> float:
    """Precision or recall: the matched share of a boundary; 1 for an empty boundary, 0 where only the other is empty.

    >>> share(3, 4, 9), share(0, 0, 9), share(0, 9, 0), share(0, 0, 0)
    (0.75, 1.0, 0.0, 1.0)
    """
    if not boundary_count:
        return 1.0
    return matched_count / boundary_count if other_count else 0.0


def harmonic(precision: float, recall: float) -> float:
    """F in [0, 1] from precision and recall; 0 where both are 0. Evaluated left to right, for the last bit's sake."""
    total = precision + recall
    return 2 * precision * recall / total if total else 0.0
