"""Pictures and masks as Painter and SegGPT are shown them, and masks of the colours that they paint."""

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image as PillowImage
from torch import Tensor
from torch.nn import functional

from icvos.method import Image, Mask
from icvos.models.squares import IMAGENET_MEAN, IMAGENET_STD, standardise

WHITE = (255, 255, 255)
NEAREST, BICUBIC = PillowImage.Resampling.NEAREST, PillowImage.Resampling.BICUBIC


@dataclass(frozen=True, slots=True)
class Example:
    """One prompt.

    Args:
        picture: (S, S, 3) uint8.
        target: (S, S, 3) uint8, its mask in colours on black.
    """

    picture: np.ndarray
    target: np.ndarray


def squared(image: Image, side: int, resample: PillowImage.Resampling = BICUBIC) -> Image:
    """(side, side, 3) uint8 of (H, W, 3): stretched by Pillow, its aspect ratio not kept."""
    return np.array(PillowImage.fromarray(image).resize((side, side), resample))


def painted(mask: Mask, colour: tuple[int, int, int] = WHITE) -> Image:
    """(H, W, 3) uint8: a mask in a colour on black."""
    return mask[..., None] * np.array(colour, np.uint8)


def example(
    image: Image,
    mask: Mask,
    side: int,
    colour: tuple[int, int, int] = WHITE,
    resample: PillowImage.Resampling = NEAREST,
) -> Example:
    """A prompt of a (H, W, 3) picture and its (H, W) mask, which is painted first and resized then."""
    return Example(squared(image, side), squared(painted(mask, colour), side, resample))


def stitched(upper: Image, lower: Image) -> Tensor:
    """(3, 2 S, S) float32, standardised: one (S, S, 3) square above another."""
    return standardise(np.concatenate([upper, lower]))


def to_colours(found: Tensor) -> np.ndarray:
    """(..., S, S, 3) float64 in [0, 255] of (..., 3, S, S) standardised colours."""
    standard = np.moveaxis(found.cpu().double().numpy(), -3, -1)
    return np.clip((standard * IMAGENET_STD + IMAGENET_MEAN) * 255, 0, 255)


def enlarged(square: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(H, W, ...) of (S, S, ...) by nearest neighbour, whose index is counted in whole numbers, as in torch."""
    rows, columns = (np.arange(edge) * len(square) // edge for edge in size)
    return np.ascontiguousarray(square[rows[:, None], columns])


def enlarged_smoothly(colours: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(H, W, 3) float64 of (S, S, 3), bilinear."""
    given = torch.from_numpy(colours).permute(2, 0, 1)[None]
    return functional.interpolate(given, size=size, mode="bilinear", align_corners=False)[0].permute(1, 2, 0).numpy()


def bright(colours: np.ndarray, threshold: float) -> Mask:
    """(H, W) bool: where the mean over the channels of (H, W, 3) colours is above ``threshold``, of 255."""
    found: Mask = colours.mean(-1) > threshold
    return found
