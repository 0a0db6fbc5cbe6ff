"""Feature maps, (B, C, h, w): resized, averaged under a mask, given positions; and computed with in full precision."""

import functools
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

AREA_EPSILON = 0.0005  # added to the area of a mask


def aligned(x: Tensor, size: tuple[int, int] | int) -> Tensor:
    """(B, C, h, w) resized bilinearly with aligned corners to ``size``."""
    wanted = (size, size) if isinstance(size, int) else size
    if x.shape[2:] == wanted:
        return x
    return functional.interpolate(x, size=wanted, mode="bilinear", align_corners=True)


def nearest(x: Tensor, size: tuple[int, int]) -> Tensor:
    """(B, C, h, w) resized by nearest neighbour to ``size``: cell i is from floor(i h / size), along each axis."""
    return functional.interpolate(x, size=size, mode="nearest")


def resized(x: Tensor, side: int) -> Tensor:
    """(B, C, side, side), bilinear without aligned corners, as SAM 2 resizes."""
    return functional.interpolate(x, size=(side, side), mode="bilinear", align_corners=False)


def in_float32(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The function of tensors in float32 whatever the precision around it: small epsilons are 0 in half precision."""

    @functools.wraps(function)
    def run(*tensors: Tensor) -> Tensor:
        if tensors[0].is_meta:  # shapes alone, for counting: autocast does not know them
            return function(*tensors)
        with torch.autocast(tensors[0].device.type, enabled=False):
            return function(*(tensor.float() for tensor in tensors))

    return run


def masked_average(features: Tensor, mask: Tensor, epsilon: float = AREA_EPSILON) -> Tensor:
    """(B, C, 1, 1) mean of (B, C, h, w) features under a (B, 1, h, w) mask, to whose area ``epsilon`` is added."""
    return (features * mask).sum((2, 3), keepdim=True) / (mask.sum((2, 3), keepdim=True) + epsilon)


def tokens_of(x: Tensor) -> Tensor:
    """(B, C, h, w) to (B, h w, C), row by row."""
    return x.flatten(2).transpose(1, 2)


def map_of(x: Tensor, size: tuple[int, int]) -> Tensor:
    """(B, h w, C) to (B, C, h, w)."""
    return x.transpose(1, 2).unflatten(2, size)


def sine_positions(height: int, width: int, channels: int = 256) -> Tensor:
    """(1, channels, h, w): DETR's sine encoding, half of the channels for the row, half for the column."""
    return shown_positions(torch.ones(1, height, width, dtype=torch.bool), channels)


def shown_positions(shown: Tensor, channels: int) -> Tensor:
    """(B, channels, h, w): the same of places among the cells that a (B, h, w) bool mask shows, along each axis."""
    half = channels // 2
    channel = torch.arange(half, device=shown.device)
    frequency = (10000 ** (2 * channel.div(2, rounding_mode="floor") / half))[:, None, None]

    def along(axis: int) -> Tensor:
        place = shown.cumsum(axis, dtype=torch.float32)
        place = place / (place.narrow(axis, -1, 1) + 1e-6) * 2 * torch.pi
        angle = place[:, None] / frequency
        return torch.stack([angle[:, 0::2].sin(), angle[:, 1::2].cos()], dim=2).flatten(1, 2)

    return torch.cat([along(1), along(2)], 1)
