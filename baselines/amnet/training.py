"""AMNet's losses, and the network as it is trained against its adversary."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from baselines.amnet.adversary import PARTS
from baselines.amnet.network import AMNetwork, Mined
from baselines.parts.episodes import support_masks
from baselines.parts.matching_training import MatchingTrainable, certain, divergence
from icvos.models.losses import cross_entropy
from icvos.models.maps import aligned, in_float32
from icvos.training.trainable import EpisodeBatch

DRAWN = 9  # parts whose maps are compared at a time
CALM = 11.0  # generator loss above which the adversary's weighty turn is left out


def amnet_losses(found: Mined, label: Tensor) -> dict[str, Tensor]:
    """``total`` = ``main`` (final, and the mean of the predictions) + ``distil``; (B, S, S) labels, 255 ignored."""
    predictions = [cross_entropy(logits, label) for logits in found.logits]
    main = cross_entropy(found.final, label) + sum(predictions) / 3
    truth = certain(label)
    levels = []
    for weighted in found.maps:  # the label teaches every level
        size = (weighted.shape[1], weighted.shape[2])
        teacher = functional.interpolate(truth, size=size, mode="bilinear", align_corners=False)
        levels.append(divergence(teacher, weighted))
    distil = torch.stack(levels).mean()
    return {"total": main + distil, "main": main, "distil": distil}


def adversarial_losses(network: AMNetwork, found: Mined, label: Tensor) -> dict[str, Tensor]:
    """``generator``, ``discriminator`` and ``diversity``, means over the three features."""
    size = (found.final.shape[2], found.final.shape[3])
    real = aligned((label == 1).float()[:, None], size)
    fake = found.final[:, 1:]
    sums: dict[str, list[Tensor]] = {"generator": [], "discriminator": [], "diversity": []}
    for feature, mine, judge in zip(found.features, network.part, network.binary_cls, strict=True):
        parts_real, maps_real = mine(feature * real, real)
        parts_fake, maps_fake = mine(feature * fake, fake)
        worst = functional.cosine_similarity(parts_fake, parts_real, dim=2, eps=1e-6).argmin(1)
        row = torch.arange(len(worst), device=worst.device)
        judged_fake, judged_real = judge(parts_fake[row, worst]), judge(parts_real[row, worst])
        sums["generator"].append(_against(judged_fake, 1.0))
        sums["discriminator"].append(0.5 * (_against(judged_fake, 0.0) + _against(judged_real, 0.9)))
        sums["diversity"].append(0.5 * (diversity(maps_fake) + diversity(maps_real)))
    return {name: torch.stack(values).mean() for name, values in sums.items()}


def _against(judged: Tensor, wanted: float) -> Tensor:
    return functional.binary_cross_entropy_with_logits(judged, torch.full_like(judged, wanted))


@in_float32
def diversity(maps: Tensor) -> Tensor:
    """How much nine random parts of (B, 14, N) maps overlap, on the whole."""
    chosen = maps[:, torch.randperm(PARTS, device=maps.device)[:DRAWN]]
    product = chosen @ chosen.transpose(1, 2)
    own = product.diagonal(dim1=1, dim2=2)
    share = product / (own[:, :, None] * own[:, None] + 1e-8).sqrt()
    above = torch.ones(DRAWN, DRAWN, device=maps.device).triu(1)
    return (share * above).sum((1, 2)).abs().sum() / (len(maps) * DRAWN * (DRAWN - 1) / 2)


class AMNetTrainable(MatchingTrainable[AMNetwork]):
    """AMNet as it is trained: network and discriminators take turns (`icvos.training.trainable.TakesTurns`)."""

    iteration = 0

    def turn(self, iteration: int) -> str:
        """Even iterations move the network, odd ones the discriminators."""
        self.iteration = iteration
        return "discriminator" if iteration % 2 else "total"

    def train(self) -> None:
        """Training mode for the dropout of the learned parts alone."""
        super().train()
        self.network.part.train()

    def parameter_groups(self, learning_rate: float) -> list[dict[str, Any]]:
        """HDMNet's groups; weights and biases of the parts and of the discriminators. The tokens stay as they began."""
        groups = super().parameter_groups(learning_rate)
        adversary = {"turn": "discriminator", "optimiser": "adam"}
        scale = 1
        for module in (self.network.part, self.network.binary_cls):
            for leaf in ("weight", "bias"):
                chosen = [value for name, value in module.named_parameters() if name.endswith(leaf)]
                groups.append(adversary | {"params": chosen, "lr": scale * learning_rate})
                scale = 10
        return groups

    def losses(self, batch: EpisodeBatch) -> dict[str, Tensor]:
        """``total`` and ``discriminator``, of which the turn's is minimised, and their parts.

        The generator's term weighs 0.1 in every fifth iteration, where it is calm, and next to nothing in the others.
        """
        found: Mined = self.network(batch.query, batch.supports, support_masks(batch), self.own_classes(batch))
        losses = amnet_losses(found, batch.query_label)
        against = adversarial_losses(self.network, found, batch.query_label)
        weighty = self.iteration % 5 == 4 and float(against["generator"].detach()) <= CALM
        losses["total"] = losses["total"] + (0.1 if weighty else 1e-9) * against["generator"]
        losses["generator"] = against["generator"]
        losses["discriminator"] = against["discriminator"] + 0.01 * against["diversity"]
        return losses
