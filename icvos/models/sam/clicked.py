"""A mask from a box or clicks, by SAM or SAM 2 on a single picture."""

import numpy as np

from icvos.method import Image, Mask, Prompt
from icvos.models.sam.sam1 import SamOnImages


def segment_prompt(sam: SamOnImages, image: Image, prompt: Prompt) -> Mask:
    """(H, W) bool: the object of a (H, W, 3) uint8 picture that a box, points, or both say.

    A single point is ambiguous, so that of three masks the one is taken that SAM holds to be the best. With a box,
    nothing outside it is the object.

    Args:
        sam: What segments.
        image: The picture.
        prompt: A ``box``, or ``points`` with their ``labels``, in pixels of the picture.
    """
    lone = prompt.box is None and prompt.points is not None and len(prompt.points) == 1
    embedded = sam.embed(image)
    low, ious = sam.decode(
        embedded,
        None if prompt.points is None else prompt.points[None],
        None if prompt.labels is None else prompt.labels[None],
        None if prompt.box is None else prompt.box[None],
        multimask=lone,
    )
    best = int(ious[0].argmax())
    mask: Mask = (sam.upscale(embedded, low[0])[best] > 0).cpu().numpy()
    return mask if prompt.box is None else mask & filled(prompt.box, (image.shape[0], image.shape[1]))


def filled(box: np.ndarray, size: tuple[int, int]) -> Mask:
    """(H, W) bool of ``size``: the pixels that a box (x0, y0, x1, y1) touches."""
    x0, y0, x1, y1 = box.tolist()
    mask = np.zeros(size, dtype=bool)
    mask[int(np.floor(y0)) : int(np.ceil(y1)), int(np.floor(x0)) : int(np.ceil(x1))] = True
    return mask
