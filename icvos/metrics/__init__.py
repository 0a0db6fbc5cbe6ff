"""J and F of one mask pair, from seven integers that any right implementation agrees on.

Definitions and conventions are those of the DAVIS 2017 benchmark. The order of truth and prediction never changes J or
F, it swaps precision and recall.
"""

from dataclasses import dataclass

import numpy as np

from icvos.bitmasks.mask import SPARE, PackedMask
from icvos.bitmasks.scratch import scratch
from icvos.metrics.boundary import TOLERANCE, harmonic, share, tolerance_px
from icvos.metrics.region import similarity


def warm() -> None:
    """Load the compiled code now, and compile it where this machine has not yet: before workers start, or a clock."""
    from icvos.bitmasks import packing  # noqa: F401
    from icvos.files import png_filters  # noqa: F401
    from icvos.metrics import kernel  # noqa: F401


@dataclass(frozen=True, slots=True)
class Counts:
    """The counts of pixels from which J and F follow."""

    inter: int
    truth_area: int
    prediction_area: int
    truth_boundary: int
    prediction_boundary: int
    truth_matched: int
    prediction_matched: int

    @property
    def union(self) -> int:
        """Pixels in either mask."""
        return self.truth_area + self.prediction_area - self.inter

    @property
    def j(self) -> float:
        """Region similarity in [0, 1]; 1 where both masks are empty."""
        return similarity(self.inter, self.truth_area, self.prediction_area)

    @property
    def precision(self) -> float:
        """Share of the prediction's boundary near the truth's."""
        return share(self.prediction_matched, self.prediction_boundary, self.truth_boundary)

    @property
    def recall(self) -> float:
        """Share of the truth's boundary near the prediction's."""
        return share(self.truth_matched, self.truth_boundary, self.prediction_boundary)

    @property
    def f(self) -> float:
        """Contour accuracy in [0, 1]; 1 where neither mask has a boundary."""
        return harmonic(self.precision, self.recall)


def count(
    truth: np.ndarray,
    prediction: np.ndarray,
    void: np.ndarray | None = None,
    *,
    radius_px: int | None = None,
    tolerance: float = TOLERANCE,
) -> Counts:
    """Compare two masks of a frame.

    Args:
        truth: (H, W) bool.
        prediction: (H, W) bool, of the same size: another size raises `ValueError`, masks are never resized here.
        void: (H, W) bool, pixels left out: both masks are emptied there before boundaries are taken.
        radius_px: How near boundaries must be to match, in pixels; None: ``tolerance`` of the frame's diagonal.
        tolerance: See `icvos.metrics.boundary.tolerance_px`.

    >>> truth = np.zeros((480, 854), dtype=bool)
    >>> truth[100:200, 100:300] = True
    >>> found = count(truth, np.roll(truth, 5, axis=1))
    >>> found.inter, found.union, round(found.j, 4), found.f
    (19500, 20500, 0.9512, 1.0)
    """
    truth, prediction = np.asarray(truth, dtype=bool), np.asarray(prediction, dtype=bool)
    if truth.shape != prediction.shape or truth.ndim != 2:
        raise ValueError(
            f"truth of shape {truth.shape} and prediction of shape {prediction.shape}: expected (H, W) twice"
        )
    if void is not None:
        truth, prediction = truth & ~void, prediction & ~void
    from icvos.metrics import kernel  # imports numba, which takes its time

    height, width = truth.shape
    if radius_px is None:
        radius_px = tolerance_px(height, width, tolerance)
    found = kernel.count_bytes(
        np.ascontiguousarray(truth).view(np.uint8).reshape(-1),
        np.ascontiguousarray(prediction).view(np.uint8).reshape(-1),
        scratch.take("words", (2, -(-width // 64) + 1, height + SPARE), np.uint64),
        _space(height, width, radius_px),
        height,
        width,
        radius_px,
    )
    return Counts(*found)


def count_packed(
    truth: PackedMask, prediction: PackedMask, *, radius_px: int | None = None, tolerance: float = TOLERANCE
) -> Counts:
    """`count` for masks that are packed already."""
    from icvos.metrics import kernel

    if truth.size != prediction.size:
        raise ValueError(f"truth of {truth.size} and prediction of {prediction.size} pixels: expected the same size")
    height, width = truth.size
    if radius_px is None:
        radius_px = tolerance_px(height, width, tolerance)
    one, other = truth.window, prediction.window
    both = min(one[0], other[0]), max(one[1], other[1]), min(one[2], other[2]), max(one[3], other[3])
    inter, *boundaries = kernel.compare(
        truth.words,
        prediction.words,
        _space(height, width, radius_px),
        height,
        width,
        both,
        radius_px,
    )
    return Counts(inter, truth.area, prediction.area, *boundaries)


def _space(height: int, width: int, radius_px: int) -> np.ndarray:
    """Memory for five boundary maps with their margins."""
    return scratch.take("maps", (5 * (-(-width // 64) + 2) * (height + 2 * radius_px),), np.uint64)
