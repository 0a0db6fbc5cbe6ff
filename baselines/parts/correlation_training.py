"""How HSNet and VAT are trained: one cross entropy, and what they say in validation."""

from typing import Any

from torch import Tensor

from baselines.parts.correlation_network import CorrelationNetwork
from baselines.parts.episodes import support_masks
from baselines.parts.four_axes import vote
from icvos.models.losses import cross_entropy
from icvos.models.maps import aligned
from icvos.models.weights.load import Loaded
from icvos.training.remembered import Remembered
from icvos.training.trainable import EpisodeBatch


class CorrelationTrainable:
    """A network as it is trained, its backbone always in evaluation mode.

    Args:
        network: The network.
        loaded: What it starts from.
        leaves_unused: Whether published parameters are in it that nothing is computed from.
    """

    def __init__(
        self, network: CorrelationNetwork, loaded: tuple[Loaded, ...] = (), *, leaves_unused: bool = False
    ) -> None:
        self.network = network
        self.loaded = loaded
        self.leaves_unused = leaves_unused

    def train(self) -> None:
        """Training mode for all that learns."""
        self.network.eval()
        self.network.hpn_learner.train()

    def remember(self, pictures: int) -> None:
        """Keep what the frozen backbone sees, as `Remembers` says; not of pictures that HM masks."""
        self.network.remembered = Remembered(self.network.taps, pictures)

    def parameter_groups(self, learning_rate: float) -> list[dict[str, Any]]:
        """All that is not the backbone, at the rate."""
        return [{"params": list(self.network.hpn_learner.parameters()), "lr": learning_rate}]

    def losses(self, batch: EpisodeBatch) -> dict[str, Tensor]:
        """``total``, the mean over all pixels and shots; as published, ignored pixels count as background."""
        label = (batch.query_label == 1).long()
        low = self._run(batch)
        shots = low.shape[1]
        return {"total": cross_entropy(low.flatten(0, 1), label.repeat_interleave(shots, 0))}

    def logits(self, batch: EpisodeBatch) -> Tensor:
        """(B, S, S): 0.5 where the shots vote for the class, -0.5 elsewhere."""
        low = self._run(batch)
        enlarged = aligned(low.flatten(0, 1), batch.query.shape[-1]).unflatten(0, low.shape[:2])
        return vote(enlarged).float() - 0.5

    def _run(self, batch: EpisodeBatch) -> Tensor:
        low: Tensor = self.network(batch.query, batch.supports, support_masks(batch))
        return low
