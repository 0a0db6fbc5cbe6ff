"""Prompters that are a few-shot network on a backbone: what they are built of, and where its weights come from."""

from abc import abstractmethod
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from torch import nn

from icvos.models.device import pick_device
from icvos.models.prompter import Prompter, PrompterSettings
from icvos.models.weights.load import Loaded, State, fresh_layers, load_trained, without_body


class NetworkSettings(PrompterSettings, Protocol):
    """What the settings of such a method name besides."""

    @property
    def checkpoint(self) -> str:
        """Path of a trained network, or its name; "" to train."""
        ...

    @property
    def backbone(self) -> str:
        """The backbone, as in the registry of checkpoints."""
        ...


class Body(Protocol):
    """A backbone without its weights."""

    def load_published(self, checkpoint: str) -> Loaded:
        """Take those of this name of the registry, or path."""
        ...


S = TypeVar("S", bound=NetworkSettings)
B = TypeVar("B", bound=Body)
N = TypeVar("N", bound=nn.Module)


class NetworkPrompter(Prompter[S], Generic[S, B, N]):
    """A method that is such a network: of settings `S`, on a body `B`, whose layers are part of the network `N`.

    Args:
        name: The method's.
        shaping: The settings that shape the network.
        network: In evaluation mode, on the method's device.
    """

    Settings: ClassVar[Any]
    name: ClassVar[str]
    shaping: ClassVar[tuple[str, ...]] = ("backbone",)
    network: N

    def __init__(self, settings: S | None = None) -> None:
        self.settings = settings or self.Settings()
        self.device = pick_device(self.settings.device)
        body = self.body()
        if without_body(self.starting(self.settings), self.settings.backbone):
            self.loaded = body.load_published(self.settings.backbone)
        with fresh_layers():
            self.network = self.make(body)
        self.load(body)
        self.network.eval().to(self.device)

    @abstractmethod
    def body(self) -> B:
        """The backbone, without its weights."""

    @abstractmethod
    def make(self, body: B) -> N:
        """The network on a backbone, its own layers fresh."""

    def load(self, body: B) -> None:  # noqa: ARG002
        """Take the weights of the checkpoint, if there is one; raises `IcvosError` where it is of another network."""
        chosen = self.settings
        if chosen.checkpoint:
            self.loaded = load_trained(self.network, chosen.checkpoint, self.name, chosen, self.shaping, self.own_state)

    def own_state(self, state: State) -> State:
        """The state of a checkpoint by the names here; raises `IcvosError` where its shapes are of other settings."""
        return state

    @classmethod
    def starting(cls, settings: S) -> str:
        """The checkpoint that the method starts from, the backbone's layers among it; "" where it has none."""
        return settings.checkpoint

    @classmethod
    def needs(cls, settings: S) -> tuple[str, ...]:
        """The checkpoints that the method loads."""
        return (cls.starting(settings) or settings.backbone, settings.sam2)
