"""Many prompts of one picture through SAM, in batches."""

from collections.abc import Iterator, Sequence

import numpy as np
from torch import Tensor

from icvos.models.sam.sam1 import Embedded, SamOnImages

BATCH, ON_CPU = 64, 16  # prompts at a time: each takes 40 MB, and a processor gains nothing by more


def decoded(
    sam: SamOnImages, image: Embedded, groups: Sequence[np.ndarray], box: np.ndarray | None = None, *, multimask: bool
) -> Iterator[tuple[Tensor, Tensor]]:
    """(K, 4 g, 4 g) logits and (K,) predicted IoUs, batch by batch; K counts a prompt's three masks one by one.

    Args:
        sam: SAM.
        image: The picture.
        groups: (M, k, 2) foreground points each, in pixels of the picture: M prompts of k points.
        box: (4,) beside every prompt.
        multimask: Ask for three masks.
    """
    together = ON_CPU if sam.device.type == "cpu" else BATCH
    for group in groups:
        for start in range(0, len(group), together):
            points = group[start : start + together]
            labels = np.ones(points.shape[:2], dtype=np.int64)
            boxes = None if box is None else np.repeat(box[None], len(points), axis=0)
            low, ious = sam.decode(image, points, labels, boxes, multimask=multimask)
            yield low.flatten(0, 1), ious.flatten()
