"""What the few-shot networks share: prior masks, masked averages, preparing pictures and masks."""

import contextlib
import functools
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional

EPSILON = 1e-7  # added to the product of two lengths
AREA_EPSILON = 0.0005  # added to the area of a mask
LARGEST = 2**22  # similarities that are computed at a time


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


def in_float32(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The function of tensors in float32 whatever the precision around it: small epsilons are 0 in half precision."""

    @functools.wraps(function)
    def run(*tensors: Tensor) -> Tensor:
        if tensors[0].is_meta:  # shapes alone, for counting: autocast does not know them
            return function(*tensors)
        with torch.autocast(tensors[0].device.type, enabled=False):
            return function(*(tensor.float() for tensor in tensors))

    return run


@in_float32
def prior(query: Tensor, supports: Tensor, masks: Tensor) -> Tensor:
    """(B, K, h, w): of every query cell the greatest cosine similarity with any cell of each masked support.

    The cells off a mask are 0 and all give similarity 0, so that one of them is enough; all shots meet the query in one
    matrix product, of so many query cells at a time that it stays small.

    Args:
        query: (B, C, h, w).
        supports: (B, K, C, h, w), not masked yet.
        masks: (B, K, 1, h, w), from 0 to 1.
    """
    batch, shots = supports.shape[:2]
    weights = masks.flatten(2)
    shown = shown_cells(weights.flatten(0, 1)).unflatten(0, (batch, shots))
    cells = supports.flatten(3).transpose(2, 3).gather(2, shown[..., None].expand(-1, -1, -1, query.shape[1]))
    cells = (cells * weights.gather(2, shown)[..., None]).flatten(1, 2)  # B (K n) C
    length = cells.norm(dim=2, keepdim=True)
    greatest = []
    for some in query.flatten(2).split(max(1, LARGEST // length.numel()), dim=2):
        similar = (cells @ some) / (length * some.norm(dim=1, keepdim=True) + EPSILON)
        greatest.append(similar.unflatten(1, (shots, -1)).amax(2))
    return torch.cat(greatest, 2).unflatten(2, query.shape[2:])


def shown_cells(masks: Tensor) -> Tensor:
    """(B, n) int64: which cells of (B, N) masks are not 0, in their order.

    n is one more than the most of any mask, but at most N; what a mask lacks is filled up with cells that are 0, at
    least one where there is one. The meta device has no values to choose by: there, all cells.
    """
    shows = masks != 0
    count = masks.shape[1] if masks.is_meta else min(int(shows.sum(1).max()) + 1, masks.shape[1])
    return shows.byte().argsort(dim=1, descending=True, stable=True)[:, :count]


def stretched(x: Tensor) -> Tensor:
    """(B, K, h, w) moved and scaled to [0, 1], each map on its own."""
    low, high = x.amin((2, 3), keepdim=True), x.amax((2, 3), keepdim=True)
    return (x - low) / (high - low + EPSILON)


def masked_average(features: Tensor, mask: Tensor) -> Tensor:
    """(B, C, 1, 1) mean of (B, C, h, w) features under a (B, 1, h, w) mask."""
    return (features * mask).sum((2, 3), keepdim=True) / (mask.sum((2, 3), keepdim=True) + AREA_EPSILON)


def sine_positions(height: int, width: int, channels: int = 256) -> Tensor:
    """(1, channels, h, w): DETR's sine encoding, half of the channels for the row, half for the column."""
    half = channels // 2
    frequency = 10000 ** (2 * torch.arange(half).div(2, rounding_mode="floor") / half)

    def along(length: int) -> Tensor:
        place = torch.arange(1, length + 1, dtype=torch.float32) / (length + 1e-6) * 2 * torch.pi
        angle = place / frequency[:, None]
        return torch.stack([angle[0::2].sin(), angle[1::2].cos()], dim=1).flatten(0, 1)

    rows, columns = along(height)[:, :, None], along(width)[:, None]
    return torch.cat([rows.expand(half, height, width), columns.expand(half, height, width)])[None]


def dice(logits: Tensor, truth: Tensor) -> Tensor:
    """The mean over a batch of 1 - (2 sum(p y) + 1) / (sum(p) + sum(y) + 1), p = sigmoid(logits), of (B, H, W)."""
    shown = logits.sigmoid().flatten(1)
    wanted = truth.flatten(1)
    return (1 - (2 * (shown * wanted).sum(1) + 1) / (shown.sum(1) + wanted.sum(1) + 1)).mean()


def freeze_norms(module: nn.Module) -> None:
    """Put every batch norm into evaluation mode: they use their running statistics and leave them alone."""
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.eval()
