"""SAM's mask proposals for many prompts: decoded in batches, filtered before they are enlarged."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from baselines.parts.decoding import decoded
from icvos.models.backbones.patches import SIDE
from icvos.models.sam.sam1 import Embedded, SamOnImages

OFFSET = 1.0  # of the logits between which a mask is called stable


@dataclass(frozen=True, slots=True)
class Filter:
    """What a proposal must reach: predicted IoU (above) and stability (at least); 0 lets all pass."""

    iou: float
    stability: float


@dataclass(frozen=True, slots=True)
class Proposals:
    """M masks, by descending predicted IoU.

    Args:
        masks: (M, 518, 518) bool.
        ious: (M,) float32 predicted.
        stability: (M,) float32: pixels above +1 over pixels above -1.
        low: (M, 4 g, 4 g) float32 logits.
    """

    masks: Tensor
    ious: Tensor
    stability: Tensor
    low: Tensor


def grid_points(side: int) -> np.ndarray:
    """(side^2, 1, 2) float64: the centres of a grid of cells over the square, row by row, each a prompt."""
    line = (np.arange(side) + 0.5) / side * SIDE
    return np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 1, 2)


def propose(
    sam: SamOnImages,
    image: Embedded,
    groups: Sequence[np.ndarray],
    keep: Filter,
    *,
    multimask: bool,
    box: np.ndarray | None = None,
) -> Proposals:
    """The masks that pass the filter, of groups of prompts, (M, k, 2) points each, with one box beside all of them."""
    kept = [
        _enlarge(sam, image, low[wanted], ious[wanted], keep)
        for low, ious in decoded(sam, image, groups, box, multimask=multimask)
        if bool((wanted := ious > keep.iou if keep.iou else torch.ones_like(ious, dtype=torch.bool)).any())
    ]
    return joined(kept, sam)


def joined(parts: Sequence[Proposals], sam: SamOnImages) -> Proposals:
    """Several sets of proposals, one behind the other."""
    if not parts:
        none = torch.zeros(0, device=sam.device)
        return Proposals(none.new_zeros(0, SIDE, SIDE, dtype=torch.bool), none, none, none.new_zeros(0, 1, 1))
    names = ("masks", "ious", "stability", "low")
    return Proposals(*(torch.cat([getattr(part, name) for part in parts]) for name in names))


def _enlarge(sam: SamOnImages, image: Embedded, low: Tensor, ious: Tensor, keep: Filter) -> Proposals:
    full = sam.upscale(image, low)
    stability = _count(full > OFFSET) / _count(full > -OFFSET)
    wanted = stability >= keep.stability if keep.stability else torch.ones_like(stability, dtype=torch.bool)
    return Proposals(full[wanted] > 0, ious[wanted], stability[wanted], low[wanted])


def _count(masks: Tensor) -> Tensor:
    """(M,) int32: the pixels of (M, H, W) bool masks; torch adds bytes a good deal faster than truth values."""
    return masks.view(torch.uint8).flatten(1).sum(1, dtype=torch.int32)


def suppress(found: Proposals, threshold: float) -> Proposals:
    """Sorted by predicted IoU, without those whose box overlaps an earlier one by more than ``threshold``."""
    from torchvision.ops import nms

    if not len(found.ious):
        return found
    order = nms(boxes_of(found.masks), found.ious, threshold)
    return Proposals(found.masks[order], found.ious[order], found.stability[order], found.low[order])


def boxes_of(masks: Tensor) -> Tensor:
    """(M, 4) float32 x0, y0, x1, y1, inclusive, of (M, H, W) bool masks; zeros for an empty one."""
    boxes = masks.new_zeros(len(masks), 4, dtype=torch.float32)
    for index, mask in enumerate(masks):
        rows, columns = mask.any(1).nonzero(), mask.any(0).nonzero()
        if len(rows):
            boxes[index] = torch.stack([columns[0], rows[0], columns[-1], rows[-1]]).flatten().float()
    return boxes
