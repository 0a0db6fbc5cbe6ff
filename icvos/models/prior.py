"""What the few-shot networks share: prior masks, masked averages, preparing pictures and masks."""

import contextlib
from collections.abc import Iterator

import numpy as np
import torch
from PIL import Image as PillowImage
from torch import Tensor, nn
from torch.nn import functional

from icvos.method import Image, Mask
from icvos.models.propagation import IMAGENET_MEAN, IMAGENET_STD

EPSILON = 1e-7  # added to the product of two lengths
AREA_EPSILON = 0.0005  # added to the area of a mask


@contextlib.contextmanager
def fresh_layers(seed: int = 321) -> Iterator[None]:
    """Inside, new layers get the same values every time, and the program's own random numbers are left alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def aligned(x: Tensor, size: tuple[int, int] | int) -> Tensor:
    """(B, C, h, w) resized bilinearly with aligned corners to ``size``."""
    wanted = (size, size) if isinstance(size, int) else size
    if x.shape[2:] == wanted:
        return x
    return functional.interpolate(x, size=wanted, mode="bilinear", align_corners=True)


def prior(support: Tensor, query: Tensor) -> Tensor:
    """(B, 1, h, w): of every query cell the greatest cosine similarity with any support cell, one matrix product.

    Args:
        support: (B, C, h, w), masked; cells off the mask are 0 and give similarity 0.
        query: (B, C, h, w).
    """
    cells, others = support.flatten(2), query.flatten(2)
    product = cells.transpose(1, 2) @ others  # B HW HW
    lengths = cells.norm(dim=1)[:, :, None] * others.norm(dim=1)[:, None]
    greatest = (product / (lengths + EPSILON)).amax(1)
    return greatest.reshape(len(query), 1, *query.shape[2:])


def stretched(x: Tensor) -> Tensor:
    """(B, 1, h, w) moved and scaled to [0, 1], each map on its own."""
    low, high = x.amin((2, 3), keepdim=True), x.amax((2, 3), keepdim=True)
    return (x - low) / (high - low + EPSILON)


def masked_average(features: Tensor, mask: Tensor) -> Tensor:
    """(B, C, 1, 1) mean of (B, C, h, w) features under a (B, 1, h, w) mask."""
    return (features * mask).sum((2, 3), keepdim=True) / (mask.sum((2, 3), keepdim=True) + AREA_EPSILON)


def sine_positions(height: int, width: int, channels: int = 256) -> Tensor:
    """(1, channels, h, w): DETR's sine encoding, half of the channels for the row, half for the column."""
    half = channels // 2
    rows = torch.arange(1, height + 1, dtype=torch.float32)[:, None].expand(height, width)
    columns = torch.arange(1, width + 1, dtype=torch.float32)[None].expand(height, width)
    frequency = 10000 ** (2 * torch.arange(half).div(2, rounding_mode="floor") / half)
    maps = []
    for place, largest in ((rows, height), (columns, width)):
        angle = (place / (largest + 1e-6) * 2 * torch.pi)[..., None] / frequency
        maps.append(torch.stack([angle[..., 0::2].sin(), angle[..., 1::2].cos()], dim=-1).flatten(2))
    return torch.cat(maps, dim=2).permute(2, 0, 1)[None]


def dice(logits: Tensor, truth: Tensor) -> Tensor:
    """The mean over a batch of 1 - (2 sum(p y) + 1) / (sum(p) + sum(y) + 1), p = sigmoid(logits), of (B, H, W)."""
    shown = logits.sigmoid().flatten(1)
    wanted = truth.flatten(1)
    return (1 - (2 * (shown * wanted).sum(1) + 1) / (shown.sum(1) + wanted.sum(1) + 1)).mean()


def standardise(image: Image) -> Tensor:
    """(3, H, W) float32 of a (H, W, 3) uint8 RGB picture, by ImageNet's mean and deviation."""
    scaled = torch.tensor(image).permute(2, 0, 1).float() / 255
    return (scaled - torch.tensor(IMAGENET_MEAN)[:, None, None]) / torch.tensor(IMAGENET_STD)[:, None, None]


def squash(image: Image, side: int) -> Tensor:
    """(3, side, side) float32: stretched to a square by Pillow's antialiased bilinear rule, then standardised."""
    return standardise(np.array(PillowImage.fromarray(image).resize((side, side), PillowImage.Resampling.BILINEAR)))


def squash_mask(mask: Mask, side: int) -> Tensor:
    """(side, side) float32 of 0 and 1, by nearest neighbour."""
    given = torch.from_numpy(mask.astype(np.float32))[None, None]
    return functional.interpolate(given, size=(side, side), mode="nearest")[0, 0]


def freeze_norms(module: nn.Module) -> None:
    """Put every batch norm into evaluation mode: they use their running statistics and leave them alone."""
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.eval()
