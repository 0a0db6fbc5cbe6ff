"""What training by episodes needs: episodes, and of a method a network, its losses, and what of it learns."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from icvos.errors import IcvosError
from icvos.method import find_method, load_method
from icvos.models.weights.load import Loaded
from icvos.training.recipe import Recipe


@dataclass(frozen=True, slots=True)
class EpisodeBatch:
    """B few-shot episodes of K supports each, as tensors on one device.

    Args:
        query: (B, 3, S, S) float32, scaled to [0, 1] and standardised with ImageNet's mean and deviation.
        query_label: (B, S, S) int64, 1 = the episode's class, 0 = anything else, 255 = ignored; to train a base
            learner, the place of the training class among them, from 1.
        supports: (B, K, 3, S, S) float32, as ``query``; K = 0 to train a base learner.
        support_labels: (B, K, S, S) int64, as ``query_label``.
        classes: (B,) int64, the episode's class in the data set's own numbering, from 0; -1 to train a base learner.
    """

    query: Tensor
    query_label: Tensor
    supports: Tensor
    support_labels: Tensor
    classes: Tensor


class Episodes(Protocol):
    """Where episodes come from: training ones by (epoch, index), validation ones by index; always the same ones."""

    learned: tuple[int, ...]  # the classes to train on, in the data set's own numbering, from 0, ascending
    classes: tuple[int, ...]  # of the validation episodes
    digest: str

    def __len__(self) -> int:
        """Training pictures."""
        ...

    def training(self, epoch: int, index: int) -> EpisodeBatch:
        """One training episode, as a batch of one."""
        ...

    def validation(self, index: int) -> EpisodeBatch:
        """One frozen validation episode, as a batch of one; its pictures are not varied."""
        ...


class Trainable(Protocol):
    """A network with its losses, as the training loop sees it."""

    loaded: tuple[Loaded, ...]  # the checkpoints that training starts from, frozen helpers of the losses among them

    @property
    def network(self) -> nn.Module:
        """What learns, and what a checkpoint holds."""
        ...

    def train(self) -> None:
        """Put the learned parts into training mode; frozen parts and their batch norms as the paper has them."""
        ...

    def parameter_groups(self, learning_rate: float) -> list[dict[str, Any]]:
        """The learned parameters as an optimiser takes them; each group may scale ``learning_rate``."""
        ...

    def losses(self, batch: EpisodeBatch) -> dict[str, Tensor]:
        """Scalars by name; ``total`` is what is minimised (but see `TakesTurns`)."""
        ...

    def logits(self, batch: EpisodeBatch) -> Tensor:
        """(B, S, S) float32: above 0 where the query shows the class. ``query_label`` is not looked at."""
        ...


@runtime_checkable
class TakesTurns(Protocol):
    """A trainable whose optimisers take turns, as those of a network and of its adversary do.

    A parameter group's ``turn`` names the loss whose steps move it; without one that is ``total``. Its ``optimiser``
    (sgd, adam or adamw) takes the place of the recipe's.
    """

    def turn(self, iteration: int) -> str:
        """The name of the loss that is minimised at this iteration of an epoch, from 0; called before `losses`."""
        ...


@runtime_checkable
class Learns(Protocol):
    """A method that can be trained."""

    def trainable(self, classes: Sequence[int]) -> Trainable:
        """The method's network, as it is trained on these classes; training it changes the method.

        Args:
            classes: The classes to train on, in the data set's own numbering, from 0, ascending; none to look at what
                learns, without training it.
        """
        ...


def load_trainable(recipe: Recipe, classes: Sequence[int], device: torch.device) -> tuple[Trainable, dict[str, Any]]:
    """The recipe's method as it is trained on ``classes``, and the settings that it was made with.

    The recipe's ``size`` and ``shots`` are the method's too, where it has such settings. Raises `IcvosError` for a
    method that does not learn, and for settings that contradict the recipe.
    """
    kind = getattr(find_method(recipe.method).load(), "Settings", None)
    names = [found.name for found in dataclasses.fields(kind)] if kind else []
    settings = dict(recipe.settings)
    for name, value in (("size", recipe.size), ("shots", recipe.shots)):
        if str(settings.setdefault(name, value)) != str(value):
            raise IcvosError(f"settings.{name} = {settings[name]}, but {name} = {value}; set {name} alone")
        if name not in names:
            del settings[name]
    if "device" in settings:
        raise IcvosError(
            f"settings.device = {settings['device']}; leave it out: training takes the device that is there"
        )
    there = {"device": str(device)} if "device" in names else {}
    method = load_method(recipe.method, settings | there)
    if not isinstance(method, Learns):
        raise IcvosError(
            f"method {recipe.method} has nothing to train; icvos train --list shows recipes of those that do"
        )
    return method.trainable(classes), settings
