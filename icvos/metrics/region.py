"""Region similarity J: the intersection over the union of two masks."""


def similarity(inter: int, truth_area: int, prediction_area: int) -> float:
    """J in [0, 1] from pixel counts; 1 where both masks are empty.

    >>> similarity(2, 4, 6)
    0.25
    >>> similarity(0, 0, 0)
    1.0
    """
    union = truth_area + prediction_area - inter
    return inter / union if union else 1.0
