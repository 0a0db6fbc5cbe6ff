"""Pictures and masks as the square tensors that networks take."""

import cv2
import numpy as np
import torch
from PIL import Image as PillowImage
from torch import Tensor
from torch.nn import functional

from icvos.files.masks import resize_nearest
from icvos.method import Image, Mask
from icvos.models.maps import aligned

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def standardise(image: Image) -> Tensor:
    """(3, H, W) float32 of a (H, W, 3) uint8 RGB picture, by ImageNet's mean and deviation."""
    scaled = torch.tensor(image).permute(2, 0, 1).contiguous().float().div_(255)
    return scaled.sub_(torch.tensor(IMAGENET_MEAN)[:, None, None]).div_(torch.tensor(IMAGENET_STD)[:, None, None])


def squash(image: Image, side: int) -> Tensor:
    """(3, side, side) float32: stretched to a square by Pillow's antialiased bilinear rule, then standardised."""
    return standardise(np.array(PillowImage.fromarray(image).resize((side, side), PillowImage.Resampling.BILINEAR)))


def squash_mask(mask: Mask, side: int) -> Tensor:
    """(side, side) float32 of 0 and 1, by nearest neighbour."""
    given = torch.from_numpy(mask.astype(np.float32))[None, None]
    return functional.interpolate(given, size=(side, side), mode="nearest")[0, 0]


def stretch(image: Image, side: int) -> Tensor:
    """(3, side, side) float32: stretched to a square by OpenCV's bilinear rule, not antialiased, then standardised."""
    return standardise(cv2.resize(image, (side, side), interpolation=cv2.INTER_LINEAR))


def stretch_mask(mask: Mask, side: int) -> Tensor:
    """(side, side) float32 of 0 and 1, by OpenCV's nearest neighbour."""
    return torch.from_numpy(cv2.resize(mask.astype(np.float32), (side, side), interpolation=cv2.INTER_NEAREST))


def fit_size(height: int, width: int, side: int) -> tuple[int, int]:
    """The size of PFENet's picture in its square: the longer side is ``side``, both rounded down to eights."""
    longer = max(height, width)
    scaled = (side if edge == longer else int(edge * side / longer) for edge in (height, width))
    first, second = (max(8, edge // 8 * 8) for edge in scaled)
    return first, second


def fit_picture(image: Image, side: int) -> Tensor:
    """(3, side, side) float32: in the top left corner of a black square, its aspect ratio kept, standardised."""
    height, width = fit_size(image.shape[0], image.shape[1], side)
    square = np.zeros((side, side, 3), dtype=np.uint8)
    resized = PillowImage.fromarray(image).resize((width, height), PillowImage.Resampling.BILINEAR)
    square[:height, :width] = np.array(resized)
    return standardise(square)


def fit_label(label: np.ndarray, side: int, outside: int) -> np.ndarray:
    """(side, side) uint8: a (H, W) uint8 label placed as `fit_picture` places the picture, by nearest neighbour."""
    height, width = fit_size(label.shape[0], label.shape[1], side)
    square = np.full((side, side), outside, dtype=np.uint8)
    square[:height, :width] = resize_nearest(label, (height, width))
    return square


def fit_mask(mask: Mask, side: int) -> Tensor:
    """(side, side) float32 of 0 and 1, placed as `fit_picture` places the picture."""
    return torch.from_numpy(fit_label(mask.astype(np.uint8), side, outside=0)).float()


def fitted_back(maps: Tensor, height: int, width: int) -> Tensor:
    """(B, C, height, width) of (B, C, h, h) maps of a fitted picture: enlarged to its longer side, and cut to it."""
    return aligned(maps, max(height, width))[:, :, :height, :width]
