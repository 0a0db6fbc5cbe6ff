"""BAM's losses, and the network as it is trained."""

from typing import Any

from torch import Tensor

from baselines.bam.network import BAMNetwork, Corrected
from baselines.parts.ensemble_training import EnsembleTrainable
from baselines.parts.episodes import support_masks
from icvos.models.losses import cross_entropy
from icvos.training.trainable import EpisodeBatch


def bam_losses(found: Corrected, label: Tensor) -> dict[str, Tensor]:
    """``total`` = ``main`` (cross entropy of final, as if it were logits) + ``meta``; (B, S, S) labels, 255 ignored.

    The published sum has the base learner's loss too, which moves nothing: the base learner is frozen.
    """
    main, meta = cross_entropy(found.final, label), cross_entropy(found.meta, label)
    return {"total": main + meta, "main": main, "meta": meta}


class BAMTrainable(EnsembleTrainable[BAMNetwork]):
    """BAM as it is trained."""

    # the base learner's dropout is on, too, as published
    varied = ("learner_base", "down_query", "down_supp", "cls_meta")

    def parameter_groups(self, learning_rate: float) -> list[dict[str, Any]]:
        """All but backbone and base learner, at one rate (the applied one: ten times the configured one)."""
        parts = ["down_query", "down_supp", "init_merge", "ASPP_meta", "res1_meta", "res2_meta", "cls_meta"]
        parts += ["gram_merge", "cls_merge", *(["kshot_rw"] if self.network.shots > 1 else [])]
        return [{"params": list(getattr(self.network, part).parameters()), "lr": learning_rate} for part in parts]

    def losses(self, batch: EpisodeBatch) -> dict[str, Tensor]:
        """``total``, ``main`` and ``meta``; the episode's own class is not something else."""
        found: Corrected = self.network(batch.query, batch.supports, support_masks(batch), self.own_classes(batch))
        return bam_losses(found, batch.query_label)
