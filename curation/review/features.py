"""What an object looks like, as EfficientNet-Lite0 sees it. This module needs torch; nothing else of a review does."""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from icvos.method import Image, Mask
from icvos.models.backbones.lite0 import lite0, lite0_input
from icvos.models.zoom import surroundings

SIDE = 224  # short side, in pixels, of the cut around an object
MARGIN = 1.3  # side of the cut over the side of the object
LONGEST = 3.0  # long over short side of a cut, from which on it is looked at smaller
BLOCK = 14  # whose features tell categories apart, as in the method `lite`


@dataclass(frozen=True, slots=True)
class Look:
    """What an object looks like.

    Args:
        block: (C,) float32, length 1: the mean of the block's features inside the object.
        head: (D,) float32, length 1: that of the head's features.
    """

    block: np.ndarray
    head: np.ndarray


class Eye:
    """EfficientNet-Lite0 on a CPU, for one thread at a time."""

    def __init__(self) -> None:
        self.network = lite0()

    def look(self, image: Image, mask: Mask) -> Look:
        """What the object of a (H, W) bool mask that is not empty looks like in a (H, W, 3) uint8 picture."""
        window = surroundings(mask, MARGIN)
        cut, inside = np.ascontiguousarray(image[window]), mask[window]
        sides = sorted(cut.shape[:2])
        picture = lite0_input(cut, round(SIDE * min(1.0, LONGEST * sides[0] / sides[1])))
        with torch.inference_mode():
            block, last = self.network.features(picture, [BLOCK, len(self.network.strides) - 1])
            head = functional.relu6(self.network._bn1(self.network._conv_head(last)))
            share = _share(inside, block.shape[2:])
            within = torch.where(share >= 0.5 * share.max(), share, 0)
            parts = [_mean(block[0], within), _mean(head[0], within)]
        return Look(*(part.numpy() for part in parts))


def _share(mask: Mask, grid: torch.Size) -> Tensor:
    """(h, w) float32: the share of every cell that the mask covers."""
    height, width = grid
    return torch.from_numpy(cv2.resize(mask.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA))


def _mean(features: Tensor, weights: Tensor) -> Tensor:
    """(C,) of length 1: the mean of (C, h, w) features under (h, w) weights; zeros where all weights are 0."""
    mean = torch.einsum("chw,hw->c", features, weights) / weights.sum().clamp(min=1e-6)
    return functional.normalize(mean, dim=0)
