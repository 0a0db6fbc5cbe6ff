"""Region similarity J: the intersection over the union of two masks."""

import numpy as np


def overlap(truth: np.ndarray, prediction: np.ndarray) -> tuple[int, int, int]:
    """Pixels in both masks, in the truth and in the prediction; both (H, W) bool."""
    inter = int(np.count_nonzero(truth & prediction))
    return inter, int(np.count_nonzero(truth)), int(np.count_nonzero(prediction))


def similarity(inter: int, truth_area: int, prediction_area: int) -> float:
    """J in [0, 1] from pixel counts; 1 where both masks are empty.

    >>> similarity(2, 4, 6)
    0.25
    >>> similarity(0, 0, 0)
    1.0
    """
    union = truth_area + prediction_area - inter
    return inter / union if union else 1.0
