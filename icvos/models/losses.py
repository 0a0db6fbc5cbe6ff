"""Losses of the few-shot networks."""

from torch import Tensor
from torch.nn import functional

from icvos.models.maps import aligned

IGNORED = 255  # label of pixels that no loss counts


def cross_entropy(logits: Tensor, label: Tensor) -> Tensor:
    """The mean over the pixels of (B, H, W) int64 labels, 255 left out, of (B, C, h, w) logits enlarged to them."""
    return functional.cross_entropy(aligned(logits, (label.shape[1], label.shape[2])), label, ignore_index=IGNORED)


def dice(logits: Tensor, truth: Tensor) -> Tensor:
    """The mean over a batch of 1 - (2 sum(p y) + 1) / (sum(p) + sum(y) + 1), p = sigmoid(logits), of (B, H, W)."""
    shown = logits.sigmoid().flatten(1)
    wanted = truth.flatten(1)
    return (1 - (2 * (shown * wanted).sum(1) + 1) / (shown.sum(1) + wanted.sum(1) + 1)).mean()
