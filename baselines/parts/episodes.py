"""What networks read off an episode."""

from torch import Tensor

from icvos.training.trainable import EpisodeBatch


def support_masks(batch: EpisodeBatch) -> Tensor:
    """(B, K, S, S) float32 of 0 and 1: where the supports show the episode's class; ignored pixels are 0."""
    return (batch.support_labels == 1).float()
