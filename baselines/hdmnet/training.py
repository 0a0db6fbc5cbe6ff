"""HDMNet's losses, and the network as it is trained."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from baselines.hdmnet.network import Ensembled, HDMNetwork
from baselines.parts.episodes import support_masks
from baselines.parts.matching_training import MatchingTrainable, certain, divergence
from icvos.models.losses import cross_entropy
from icvos.training.trainable import EpisodeBatch


def distillation(maps: Sequence[Tensor], label: Tensor) -> Tensor:
    """The coarsest correlation map learns from the label, (B, S, S), every other from the map before it."""
    teacher = certain(label)
    losses = []
    for found in maps:
        student = found[:, None]
        if teacher.shape[2:] != student.shape[2:]:
            teacher = functional.interpolate(teacher, size=student.shape[2:], mode="bilinear", align_corners=False)
        losses.append(divergence(teacher, student))
        teacher = student.detach()
    return torch.stack(losses).mean()


def hdmnet_losses(found: Ensembled, label: Tensor) -> dict[str, Tensor]:
    """``total`` = ``main`` (cross entropy of final and meta) + ``distil``; (B, S, S) labels, 255 ignored."""
    main = cross_entropy(found.final, label) + cross_entropy(found.meta, label)
    distil = distillation(found.matched.maps, label)
    return {"total": main + distil, "main": main, "distil": distil}


class HDMNetTrainable(MatchingTrainable[HDMNetwork]):
    """HDMNet as it is trained."""

    def losses(self, batch: EpisodeBatch) -> dict[str, Tensor]:
        """``total``, ``main`` and ``distil``; the episode's own class is not something else."""
        found: Ensembled = self.network(batch.query, batch.supports, support_masks(batch), self.own_classes(batch))
        return hdmnet_losses(found, batch.query_label)
