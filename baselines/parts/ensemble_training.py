"""How networks on top of a base learner are trained: what of them learns, and what they say in validation."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Generic, Literal, TypeVar

import torch
from torch import Tensor, nn

from baselines.parts.ensemble import EnsembleNetwork
from baselines.parts.episodes import support_masks
from icvos.models.maps import aligned
from icvos.models.weights.load import Loaded
from icvos.training.remembered import Remembered
from icvos.training.trainable import EpisodeBatch

BaseLearner = Literal["leave-out", "fold", "none"]
N = TypeVar("N", bound=EnsembleNetwork)


class EnsembleTrainable(ABC, Generic[N]):
    """A network as it is trained: all batch norms in evaluation mode, those of learned parts too, as published.

    Args:
        network: The network.
        base_class: The base learner's class, from 0, of a data set's class; -1 for one that it does not know.
        base_learner: Its part in validation, where the episode's class is not told; see `EnsembleSettings`.
        loaded: What it starts from.
    """

    varied: ClassVar[tuple[str, ...]]  # the parts whose dropout is on in training

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

    def train(self) -> None:
        """Training mode for the dropout of some parts alone."""
        self.network.eval()
        for part in self.varied:
            getattr(self.network, part).train()
        for module in self.network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()

    @abstractmethod
    def parameter_groups(self, learning_rate: float) -> list[dict[str, Any]]:
        """The learned parameters; see `icvos.training.trainable.Trainable.parameter_groups`."""

    def remember(self, pictures: int) -> None:
        """Keep what the frozen parts see, as `icvos.training.trainable.Remembers`: supports whole and masked too."""
        self.network.remembered = Remembered(self.network.taps, 3 * pictures)

    @abstractmethod
    def losses(self, batch: EpisodeBatch) -> dict[str, Tensor]:
        """Scalars by name; see `icvos.training.trainable.Trainable.losses`."""

    def logits(self, batch: EpisodeBatch) -> Tensor:
        """(B, S, S) foreground less background."""
        masks = support_masks(batch)
        found = self.network.answer(batch.query, batch.supports, masks, leave_out=self.base_learner == "leave-out")
        channels = aligned(found.meta if self.base_learner == "none" else found.final, batch.query.shape[-1])
        return channels[:, 1] - channels[:, 0]

    def own_classes(self, batch: EpisodeBatch) -> Tensor:
        """(B,) int64: the base learner's class of every episode, which is not something else there; -1 for none."""
        known = self.base_class.to(batch.classes.device)
        found = known[batch.classes.clamp(max=len(known) - 1)]
        return torch.where(batch.classes < len(known), found, -1)  # inventions are numbered behind all classes
