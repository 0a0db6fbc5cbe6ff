"""Where the target is: its vector from the supports, and the pixels of a picture that are most and least like it."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from icvos.models.sam.sam1 import Embedded, SamOnImages


def target_cells(values: Tensor) -> Tensor:
    """(g, g) bool: the target's cells of `SamOnImages.mask_cells`; where none is above 0, those of the largest value.

    The published programs fail, or go on with not-a-number, where no cell is left.
    """
    cells = values > 0
    return cells if bool(cells.any()) else values == values.max()


def target_vector(features: Tensor, *, with_maximum: bool) -> Tensor:
    """(C,) of (n, C) features of target cells: their mean (PerSAM), or half of it and half of their maximum."""
    mean = features.mean(0)
    return features.max(0).values / 2 + mean / 2 if with_maximum else mean


def similarity(sam: SamOnImages, image: Embedded, target: Tensor) -> Tensor:
    """(H, W) float32 cosine similarity of every pixel with the target vector, in [-1, 1]."""
    cosine = torch.einsum("c,chw->hw", target / target.norm(), image.features / image.features.norm(dim=0))
    grown = functional.interpolate(cosine[None, None], scale_factor=4, mode="bilinear", align_corners=False)
    return sam.upscale(image, grown[0])[0]


def extreme_points(similar: Tensor, positives: int = 1, negatives: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """((N, 2) int64 (x, y), (N,) int64 labels): the most similar pixels, then the least similar ones."""
    flat, width = similar.flatten(), similar.shape[1]
    chosen = [flat.topk(positives).indices, flat.topk(negatives, largest=False).indices]
    index = torch.cat(chosen).cpu().numpy()
    labels = np.array([1] * positives + [0] * negatives, dtype=np.int64)
    return np.stack([index % width, index // width], axis=1), labels


def tight_box(mask: np.ndarray) -> np.ndarray | None:
    """(4,) int64: the smallest and largest x and y of the set pixels, inclusive; None for an empty (H, W) bool mask."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return None
    return np.array([columns[0], rows[0], columns[-1], rows[-1]], dtype=np.int64)
