"""How HDMNet and AMNet are trained: what of them learns, and what they say in validation."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Generic, Literal, TypeVar

import torch
from torch import Tensor, nn

from baselines.parts.episodes import support_masks
from baselines.parts.matching_network import Answer, MatchingNetwork
from icvos.models.maps import aligned
from icvos.models.weights.load import Loaded
from icvos.training.remembered import Remembered
from icvos.training.trainable import EpisodeBatch

BaseLearner = Literal["leave-out", "fold", "none"]
N = TypeVar("N", bound=MatchingNetwork)


class MatchingTrainable(ABC, Generic[N]):
    """A network as it is trained: all batch norms in evaluation mode, the transformer's too, as published.

    Args:
        network: The network.
        base_class: The base learner's class, from 0, of a data set's class; -1 for one that it does not know.
        base_learner: Its part in validation, where the episode's class is not told; see `MatchingSettings`.
        loaded: What it starts from.
    """

    def __init__(
        self,
        network: N,
        base_class: Sequence[int],
        base_learner: BaseLearner = "leave-out",
        loaded: tuple[Loaded, ...] = (),
    ) -> None:
        self.network = network
        self.base_class = torch.tensor(base_class)
        self.base_learner = base_learner
        self.loaded = loaded

    def remember(self, pictures: int) -> None:
        """Keep what the frozen parts see, as `icvos.training.trainable.Remembers`: supports whole and masked too."""
        self.network.remembered = Remembered(self.network.taps, 3 * pictures)

    def train(self) -> None:
        """Training mode for the dropout of the learned parts alone."""
        self.network.eval()
        for part in ("down_supp", "down_query", "supp_merge", "query_merge", "transformer"):
            getattr(self.network, part).train()
        for module in self.network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()

    def parameter_groups(self, learning_rate: float) -> list[dict[str, Any]]:
        """The transformer at the rate, the reductions and merges at ten times it; ``kshot_rw`` is not learned."""
        groups = [{"params": list(self.network.transformer.parameters()), "lr": learning_rate}]
        for part in ("down_supp", "down_query", "supp_merge", "query_merge", "gram_merge", "cls_merge"):
            groups.append({"params": list(getattr(self.network, part).parameters()), "lr": 10 * learning_rate})
        return groups

    @abstractmethod
    def losses(self, batch: EpisodeBatch) -> dict[str, Tensor]:
        """Scalars by name; see `icvos.training.trainable.Trainable.losses`."""

    def logits(self, batch: EpisodeBatch) -> Tensor:
        """(B, S, S) foreground less background."""
        masks = support_masks(batch)
        left_out = self.network.voted(batch.supports, masks) if self.base_learner == "leave-out" else None
        found: Answer = self.network(batch.query, batch.supports, masks, left_out)
        channels = aligned(found.meta if self.base_learner == "none" else found.final, batch.query.shape[-1])
        return channels[:, 1] - channels[:, 0]

    def own_classes(self, batch: EpisodeBatch) -> Tensor:
        """(B,) int64: the base learner's class of every episode, which is not something else there; -1 for none."""
        known = self.base_class.to(batch.classes.device)
        found = known[batch.classes.clamp(max=len(known) - 1)]
        return torch.where(batch.classes < len(known), found, -1)  # inventions are numbered behind all classes


def certain(label: Tensor) -> Tensor:
    """(B, 1, S, S): the correlation map that is certain of a (B, S, S) label: its softmax is even over the object."""
    return torch.where(label == 1, 1.0, -1e9)[:, None]


def divergence(teacher: Tensor, student: Tensor) -> Tensor:
    """The Kullback-Leibler divergence of (B, ...) maps of scores, each a distribution over its cells; mean of B."""
    wanted, given = teacher.flatten(1).softmax(1), student.flatten(1).softmax(1)
    return (wanted * ((wanted + 1e-12).log() - (given + 1e-12).log())).sum(1).mean()
