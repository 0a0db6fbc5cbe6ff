"""HSNet and VAT as methods: the network's mask of the first frame, which SAM 2 carries on."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Generic, Protocol, TypeVar

import torch
from torch import Tensor

from baselines.parts.correlation_network import CorrelationNetwork
from baselines.parts.correlation_training import CorrelationTrainable
from baselines.parts.four_axes import vote
from icvos.errors import IcvosError
from icvos.method import Image, Mask, Support
from icvos.models.backbones.taps import Tapped, TappedBackbone, build_tapped
from icvos.models.maps import aligned
from icvos.models.network_prompter import NetworkPrompter, NetworkSettings
from icvos.models.weights.load import State


class CorrelationSettings(NetworkSettings, Protocol):
    """What the settings of such a method name besides."""

    @property
    def backbone(self) -> TappedBackbone:
        """The backbone."""
        ...

    @property
    def size(self) -> int:
        """Side of the network's square input."""
        ...


S = TypeVar("S", bound=CorrelationSettings)


class CorrelationMethod(NetworkPrompter[S, Tapped, CorrelationNetwork], Generic[S]):
    """A method around such a network.

    Args:
        hybrid: Whether its supports are masked by HM.
        leaves_unused: See `CorrelationTrainable`.
    """

    hybrid: ClassVar[bool] = False
    leaves_unused: ClassVar[bool] = False

    def body(self) -> Tapped:
        """The backbone, without its weights."""
        return build_tapped(self.settings.backbone)

    def own_state(self, state: State) -> State:
        """The state of a published checkpoint; raises `IcvosError` where its shapes are of other settings."""
        return CorrelationNetwork.own_state(state)

    @staticmethod
    @abstractmethod
    def picture(image: Image, side: int) -> Tensor:
        """(3, side, side) float32, as the network wants a picture."""

    @staticmethod
    @abstractmethod
    def mask(mask: Mask, side: int) -> Tensor:
        """(side, side) float32 of 0 and 1."""

    def segment_image(self, supports: Sequence[Support], image: Image) -> Mask:
        """(H, W) bool: what the supports vote for, each by the arg-max of its logits at the picture's size."""
        if not supports:
            raise IcvosError(f"{self.name} needs a support; give an image with its mask")
        side = self.settings.size
        pictures = torch.stack([self.picture(support.image(), side) for support in supports])[None]
        masks = torch.stack([self.mask(support.mask(), side) for support in supports])[None]
        with torch.inference_mode():
            query = self.picture(image, side)[None]
            low = self.network(query.to(self.device), pictures.to(self.device), masks.to(self.device))[0]
            full = aligned(low, (image.shape[0], image.shape[1]))
            return vote(full[None])[0].cpu().numpy()

    def trainable(self, classes: Sequence[int]) -> CorrelationTrainable:  # noqa: ARG002
        """The network, as it is trained on whatever classes."""
        return CorrelationTrainable(self.network, (self.loaded,), leaves_unused=self.leaves_unused)
