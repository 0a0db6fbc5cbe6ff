"""What training by episodes needs: the episodes, and a method's network with its losses and what of it learns."""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NotRequired, Protocol, TypedDict, runtime_checkable

import torch
from torch import Tensor, nn

from icvos.errors import IcvosError
from icvos.method import load_method, method_class, settings_for
from icvos.models.weights.load import Loaded
from icvos.training.recipe import PREFIX, Recipe


@dataclass(frozen=True, slots=True)
class EpisodeBatch:
    """B few-shot episodes of K supports each, as tensors on one device.

    Args:
        query: (B, 3, S, S) float32 RGB, scaled to [0, 1] and standardised with ImageNet's mean and deviation.
        query_label: (B, S, S) int64: 1 = the episode's class, 0 = anything else, 255 = ignored. When a base learner is
            trained: the place of the training class in ascending order, from 1.
        supports: (B, K, 3, S, S) float32, as ``query``; K = 0 when a base learner is trained.
        support_labels: (B, K, S, S) int64, as ``query_label``.
        classes: (B,) int64: the episode's class in the data set's own numbering, from 0; -1 when a base learner is
            trained.
        later: (B, T - 1, 3, S, S) float32: the frames that follow the query in its mask tube; None where there is none.
        later_labels: (B, T - 1, S, S) int64, as ``query_label``; None likewise.
    """

    query: Tensor
    query_label: Tensor
    supports: Tensor
    support_labels: Tensor
    classes: Tensor
    later: Tensor | None = None
    later_labels: Tensor | None = None

    def parts(self) -> tuple[Tensor, ...]:
        """The tensors that there are, in order."""
        tube = () if self.later is None or self.later_labels is None else (self.later, self.later_labels)
        return self.query, self.query_label, self.supports, self.support_labels, self.classes, *tube

    def to(self, device: torch.device) -> "EpisodeBatch":
        """The same episodes on another device."""
        return EpisodeBatch(*(part.to(device, non_blocking=True) for part in self.parts()))

    @staticmethod
    def stack(batches: "Sequence[EpisodeBatch]") -> "EpisodeBatch":
        """Several batches as one; all have the same K, S and T."""
        return EpisodeBatch(*(torch.cat(parts) for parts in zip(*(batch.parts() for batch in batches), strict=True)))


class Episodes(Protocol):
    """Where episodes come from: training ones by (epoch, index), validation ones by index; always the same ones."""

    learned: tuple[int, ...]  # the classes to train on, in the data set's own numbering, from 0, ascending
    classes: tuple[int, ...]  # those of the validation episodes
    digest: str  # of all the data that the episodes come from

    def __len__(self) -> int:
        """How many training pictures there are."""
        ...

    def training(self, epoch: int, index: int) -> EpisodeBatch:
        """One training episode, as a batch of one."""
        ...

    def validation(self, index: int) -> EpisodeBatch:
        """One frozen validation episode, as a batch of one; its pictures are not varied."""
        ...


class ParameterGroup(TypedDict):
    """Parameters that learn in the same way; an optimiser of torch takes it as it is.

    ``turn`` is for a trainable that `TakesTurns`. ``optimiser`` and ``weight_decay`` take the place of the recipe's; a
    ``constant`` rate does not follow its schedule.
    """

    params: list[nn.Parameter]
    lr: float
    turn: NotRequired[str]
    optimiser: NotRequired[Literal["sgd", "adam", "adamw"]]
    weight_decay: NotRequired[float]
    constant: NotRequired[bool]


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

    def parameter_groups(self, learning_rate: float) -> list[ParameterGroup]:
        """The learned parameters; each group may scale ``learning_rate``."""
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

    A parameter group's ``turn`` names the loss whose steps move it; without one that is ``total``.
    """

    def turn(self, iteration: int) -> str:
        """The name of the loss that is minimised at this iteration of an epoch, from 0; called before `losses`."""
        ...


@runtime_checkable
class LeavesUnused(Protocol):
    """A trainable some of whose learned parameters may get no gradient: several processes must not wait for it."""

    @property
    def leaves_unused(self) -> bool:
        """Whether there are such parameters."""
        ...


@runtime_checkable
class Remembers(Protocol):
    """A trainable that can keep what its frozen networks see of pictures, which come again unvaried."""

    def remember(self, pictures: int) -> None:
        """Keep it, of at most so many pictures. Parts that learn, and what is behind them, are computed every time."""
        ...


@runtime_checkable
class LearnsFrom(Protocol):
    """A trainable that learns from other labels than those of episodes, see `icvos.training.recipe.Recipe.labels`."""

    labels: str


@runtime_checkable
class LearnsFromClips(Protocol):
    """A trainable that learns nothing from shorter clips than these."""

    least_frames: int


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


def settings_of(recipe: Recipe) -> dict[str, Any]:
    """The settings that the recipe's method is built with: the recipe's own, and its ``size`` and ``shots``.

    The two are left out where the method has no such setting. Raises `IcvosError` for settings that the method does not
    take or that contradict the recipe, and for a device, which training chooses.
    """
    fields = default_settings(recipe.method)
    settings = dict(recipe.settings)
    for name, value in (("size", recipe.size), ("shots", recipe.shots)):
        if str(settings.setdefault(name, value)) != str(value):
            raise IcvosError(f"settings.{name} = {settings[name]}, but {name} = {value}; set {name} alone")
        if name not in fields:
            del settings[name]
    if "device" in settings:
        raise IcvosError(
            f"settings.device = {settings['device']}; leave it out: training takes the device that is there"
        )
    shared: dict[str, Any] = {name: settings[name] for name in ("size", "shots") if name in settings}
    settings_for(recipe.method, shared)  # set by the recipe's own names
    settings_for(recipe.method, settings, PREFIX)
    return settings


def require_data(recipe: Recipe, trainable: Trainable) -> None:
    """Raise `IcvosError` where a recipe's labels, or its clips, are not what its method learns from."""
    labels = trainable.labels if isinstance(trainable, LearnsFrom) else "episode"
    if recipe.labels != labels:
        raise IcvosError(
            f"labels={recipe.labels}: {recipe.method} learns from labels={labels}; write that, or choose another recipe"
        )
    if isinstance(trainable, LearnsFromClips) and recipe.frames < trainable.least_frames:
        raise IcvosError(
            f"frames={recipe.frames}: of a SAM 2 that is trained already the memory learns, from clips; add --set "
            f"frames=8, or {PREFIX}sam2=nano for a new one"
        )


def default_settings(method: str) -> dict[str, Any]:
    """The settings of an installed method with their defaults; `dataclasses.MISSING` for one that has none.

    Raises `IcvosError` for a method that is not installed or lacks a package.
    """
    kind = getattr(method_class(method), "Settings", None)
    return {
        found.name: found.default if found.default_factory is dataclasses.MISSING else found.default_factory()
        for found in (dataclasses.fields(kind) if kind else ())
    }


def load_trainable(method: str, settings: Mapping[str, Any], classes: Sequence[int], device: torch.device) -> Trainable:
    """A method as it is trained on ``classes``; raises `IcvosError` for one that does not learn.

    Args:
        method: The method's name.
        settings: What it is built with, see `settings_of`.
        classes: See `Learns.trainable`.
        device: What it is put on, where it has such a setting.
    """
    there = {"device": str(device)} if "device" in default_settings(method) else {}
    try:
        built = load_method(method, {**settings, **there})
        if isinstance(built, Learns):
            return built.trainable(classes)
    except IcvosError as error:  # methods advise of their settings as icvos eval takes them
        raise IcvosError(re.sub(rf"add --set (?!{re.escape(PREFIX)})", f"add --set {PREFIX}", str(error))) from error
    raise IcvosError(f"method {method} has nothing to train; icvos train --list shows recipes of those that do")
