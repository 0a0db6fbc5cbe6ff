"""One way to the feature maps of every image backbone, and the five stages that few-shot networks are built on."""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from torch import Tensor, nn

from icvos.errors import IcvosError
from icvos.models.weights.load import Loaded, State, load_weights

STAGES = ("layer0", "layer1", "layer2", "layer3", "layer4")


class Backbone(Protocol):
    """A network that gives feature maps on several levels, from fine to coarse.

    Args:
        channels: Channels of every level's map.
        strides: Pixels of the picture for a cell of it, along each axis.
    """

    channels: tuple[int, ...]
    strides: tuple[int, ...]

    def features(self, x: Tensor, levels: Sequence[int]) -> tuple[Tensor, ...]:
        """The maps of some levels, in the order of ``levels``; nothing behind the last of them is computed.

        Args:
            x: (B, 3, H, W) float32 pictures, standardised as the backbone's weights expect.
            levels: Numbers from 0.

        Returns:
            (B, channels[level], h, w) float32 for every level, h and w about H and W over strides[level].
        """
        ...


def outputs_of(stages: Iterable[Callable[[Tensor], Tensor]], x: Tensor, levels: Sequence[int]) -> tuple[Tensor, ...]:
    """What the stages of ``levels`` give, in the order of ``levels``, when ``x`` goes through all of them in turn.

    Raises `IcvosError` for a level that does not exist.
    """
    found, level = {}, 0
    for level, stage in enumerate(stages):
        x = stage(x)
        if level in levels:
            found[level] = x
        if len(found) == len(set(levels)):
            break
    missing = set(levels) - found.keys()
    if missing:
        raise IcvosError(f"level {max(missing)} of a backbone with levels 0 to {level}; choose one of these")
    return tuple(found[level] for level in levels)


class Staged(nn.Module):
    """A `Backbone` in five stages, ``layer0`` to ``layer4``, or a network that has those of one as its own.

    Every stage takes and gives (B, C, h, w). Published checkpoints of the few-shot networks name the stages directly
    below the network.

    Args:
        contrasts: Whether it is compared by `icvos.models.prior.contrast`, for what no published network prescribes.
    """

    contrasts: bool = False
    channels: tuple[int, ...]
    strides: tuple[int, ...]
    layer0: nn.Module
    layer1: nn.Module
    layer2: nn.Module
    layer3: nn.Module
    layer4: nn.Module

    def take_stages(self, body: "Staged") -> None:
        """Make the stages of ``body`` this network's own."""
        self.channels, self.strides, self.contrasts = body.channels, body.strides, body.contrasts
        for name in STAGES:
            setattr(self, name, getattr(body, name))

    def features(self, x: Tensor, levels: Sequence[int]) -> tuple[Tensor, ...]:
        """The maps of some stages; see `Backbone.features`."""
        return outputs_of((getattr(self, name) for name in STAGES), x, levels)

    @staticmethod
    def own_name(published: str) -> str | None:
        """The name here of a parameter in the published ImageNet file; None for the classifier's."""
        raise NotImplementedError

    def load_published(self, checkpoint: str) -> Loaded:
        """Load the ImageNet file of a backbone, a path or a name of the registry, by `load_weights`."""

        def convert(state: State) -> State:
            return {own: tensor for name, tensor in state.items() if (own := self.own_name(name)) is not None}

        return load_weights(self, checkpoint, convert)
