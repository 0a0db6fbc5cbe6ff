"""PerSAM-F's two numbers, which weigh SAM's three masks, fitted to the supports."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional


class Losses(NamedTuple):
    """Of (N,) logits z and a mask m of 0 and 1, with q = sigmoid(z), and p the probability of the truth.

    ``dice`` is 1 - (2 sum(q m) + 1) / (sum(q) + sum(m) + 1), and ``focal`` mean(-a (1 - p)^2 log(p)), a = 0.25 on the
    object and 0.75 off it; ``slope`` is the derivative of their sum, (N,).
    """

    dice: Tensor
    focal: Tensor
    slope: Tensor


class Truth(NamedTuple):
    """What the losses know of a (N,) mask m of 0 and 1: m, 2 m, 2 m - 1, a of the focal loss, and the sum of m."""

    mask: Tensor
    twice: Tensor
    sign: Tensor
    balance: Tensor
    area: Tensor

    @classmethod
    def of(cls, mask: Tensor) -> "Truth":
        """That of a mask, which every step of the fit asks for."""
        return cls(mask, 2 * mask, 2 * mask - 1, 0.75 - 0.5 * mask, mask.sum())


def losses_of(logits: Tensor, truth: Truth) -> Losses:
    """The losses and their derivative, which is written out: half of the work of one that is found backwards."""
    shown = logits.sigmoid()
    whole = shown.sum() + truth.area + 1
    overlap = (2 * (shown @ truth.mask) + 1) / whole
    entropy = -functional.logsigmoid(truth.sign * logits)
    missed = (truth.mask - shown).abs()  # 1 - p
    balanced = truth.balance * missed * missed
    of_dice = (overlap - truth.twice) / whole * shown * (1 - shown)
    of_focal = truth.sign * balanced * (2 * (1 - missed) * entropy + missed) / len(logits)
    return Losses(1 - overlap, (balanced @ entropy) / len(logits), of_dice - of_focal)


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
    chosen = torch.full((2,), 1 / 3, device=shown[0][0].device)
    optimiser = torch.optim.AdamW([chosen], learning_rate, eps=1e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs)
    flat = [(logits.flatten(1), Truth.of(mask.flatten().float())) for logits, mask in shown]
    changes = [logits[1:] - logits[0] for logits, _ in flat]  # by which the sum answers to w1 and w2
    dices, focals, path = [], [], []
    for _ in range(epochs):
        path.append(chosen.clone())
        found = [losses_of(combine(logits, chosen), truth) for logits, truth in flat]
        slopes = [change @ one.slope for change, one in zip(changes, found, strict=True)]
        chosen.grad = torch.stack(slopes).mean(0)
        optimiser.step()
        schedule.step()
        dices.append(float(torch.stack([one.dice for one in found]).mean()))
        focals.append(float(torch.stack([one.focal for one in found]).mean()))
    return Fit(chosen, dices, focals, path)


def combine(masks: Tensor, weights: Tensor) -> Tensor:
    """(1 - w1 - w2) z1 + w1 z2 + w2 z3 of (3, ...) logits."""
    shares = torch.stack([1 - weights.sum(), weights[0], weights[1]])
    return (masks * shares.reshape(3, *[1] * (masks.dim() - 1))).sum(0)
