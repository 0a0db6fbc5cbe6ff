"""PerSAM-F's two numbers, which weigh SAM's three masks, fitted to the supports."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


def dice_loss(logits: Tensor, mask: Tensor) -> Tensor:
    """1 - (2 sum(q m) + 1) / (sum(q) + sum(m) + 1) with q = sigmoid(logits); both (H W,)."""
    shown = logits.sigmoid()
    return 1 - (2 * (shown * mask).sum() + 1) / (shown.sum() + mask.sum() + 1)


def focal_loss(logits: Tensor, mask: Tensor) -> Tensor:
    """mean(a (1 - p)^2 BCE), p the probability of the truth, a = 0.25 on the object and 0.75 off it; both (H W,)."""
    shown = logits.sigmoid()
    entropy = functional.binary_cross_entropy_with_logits(logits, mask, reduction="none")
    truth = shown * mask + (1 - shown) * (1 - mask)
    balance = 0.25 * mask + 0.75 * (1 - mask)
    return (balance * (1 - truth) ** 2 * entropy).mean()


@dataclass(frozen=True, slots=True)
class Fit:
    """PerSAM-F's two numbers and how they came about: losses and (w1, w2) of every epoch, before its step."""

    weights: Tensor
    dice: list[float]
    focal: list[float]
    path: list[Tensor]


def fit_weights(shown: Sequence[tuple[Tensor, Tensor]], epochs: int, learning_rate: float) -> Fit:
    """Fit the weights of SAM's second and third mask; the first has 1 - w1 - w2.

    SAM's decoder does not change while they are fitted, so it has run once, and only the sum of its masks is computed
    again: the published program's numbers to rounding, without its decodings.

    Args:
        shown: For every support the (3, H, W) logits at its size, and its (H, W) mask of 0 and 1.
        epochs: Steps.
        learning_rate: At the start; it falls to 0 as a cosine.
    """
    chosen = torch.full((2,), 1 / 3, device=shown[0][0].device, requires_grad=True)
    optimiser = torch.optim.AdamW([chosen], learning_rate, eps=1e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs)
    flat = [(logits.flatten(1), mask.flatten().float()) for logits, mask in shown]
    dices, focals, path = [], [], []
    for _ in range(epochs):
        path.append(chosen.detach().clone())
        dice = torch.stack([dice_loss(combine(logits, chosen), mask) for logits, mask in flat]).mean()
        focal = torch.stack([focal_loss(combine(logits, chosen), mask) for logits, mask in flat]).mean()
        optimiser.zero_grad()
        (dice + focal).backward()
        optimiser.step()
        schedule.step()
        dices.append(float(dice.detach()))
        focals.append(float(focal.detach()))
    return Fit(chosen.detach(), dices, focals, path)


def combine(masks: Tensor, weights: Tensor) -> Tensor:
    """(1 - w1 - w2) z1 + w1 z2 + w2 z3 of (3, ...) logits."""
    shares = torch.stack([1 - weights.sum(), weights[0], weights[1]])
    return (masks * shares.reshape(3, *[1] * (masks.dim() - 1))).sum(0)
