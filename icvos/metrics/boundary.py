"""Contour accuracy F: how much of each mask's boundary lies within a few pixels of the other's.

The boundary map is Martin's ``seg2bmap`` as the DAVIS benchmark uses it, and the tolerance is a true disk: OpenCV's
``MORPH_ELLIPSE`` is larger and raises F.
"""

import math

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
