"""What Painter and SegGPT learn by: how far the colours of hidden patches are from the targets'."""

import torch
from torch import Tensor
from torch.nn import functional

from baselines.painter.network import PATCH
from icvos.models.squares import IMAGENET_MEAN, IMAGENET_STD

BETA = 0.01
FEWEST_COLOUR = 300.0  # of what is shown of a target, colours from 0 to 1 summed up; below, Painter takes it for black


def seggpt_loss(painted: Tensor, targets: Tensor, hidden: Tensor, valid: Tensor) -> Tensor:
    """The mean smooth L1 of the hidden patches.

    Args:
        painted: (K, 3, 2 S, S) standardised colours.
        targets: (K, 3, 2 S, S), what they should be.
        hidden: (K or 1, N) bool, the patches that were not shown, row by row.
        valid: (K, 3, 2 S, S), the weight of every pixel, 0 or more.
    """
    weights = _spread(hidden, targets) * valid
    return (_errors(painted, targets) * weights).sum() / weights.sum()


def painter_loss(painted: Tensor, targets: Tensor, hidden: Tensor, valid: Tensor) -> Tensor:
    """The same, without samples of whose target nothing is seen but black."""
    spread = _spread(hidden, targets)
    mean, deviation = (torch.tensor(one, device=targets.device)[:, None, None] for one in (IMAGENET_MEAN, IMAGENET_STD))
    shown = ((targets * deviation + mean) * (1 - spread)).sum((1, 2, 3), keepdim=True)
    weights = spread * valid * (shown >= FEWEST_COLOUR)
    return (_errors(painted, targets) * weights).sum() / (weights.sum() + 0.01)


def _errors(painted: Tensor, targets: Tensor) -> Tensor:
    return functional.smooth_l1_loss(painted, targets, reduction="none", beta=BETA)


def _spread(hidden: Tensor, targets: Tensor) -> Tensor:
    """(K or 1, 3, 2 S, S) of 0 and 1: the pixels of hidden patches."""
    grid = targets.shape[2] // PATCH, targets.shape[3] // PATCH
    pixels = hidden.unflatten(1, grid).repeat_interleave(PATCH, 1).repeat_interleave(PATCH, 2)
    return pixels[:, None].expand(-1, 3, -1, -1).to(targets.dtype)
