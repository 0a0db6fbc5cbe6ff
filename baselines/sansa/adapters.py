"""The adapters: a bottleneck beside the MLP of each block in some stages of a frozen trunk.

They are attached by hooks, and SAM 2's own code is left as it is. Names are those of the published files.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, cast

from torch import Tensor, nn
from torch.nn import functional

from icvos.errors import IcvosError
from icvos.models.sam.lite0_trunk import Lite0Trunk
from icvos.models.weights.load import Loaded, State, find_weights, fresh_layers, load_trained, read_state

SCALE = 0.1  # of what an adapter adds; not learned
TRUNK = "sam.image_encoder.trunk."  # before all names


@dataclass(frozen=True, slots=True)
class Place:
    """Where an adapter may be.

    Args:
        name: Of the block, within the trunk.
        entering: Channels that enter the block, of which the bottleneck is a share.
        width: Channels behind it.
    """

    name: str
    entering: int
    width: int


def places_of(trunk: Any) -> tuple[tuple[Place, ...], ...]:
    """The places of each of a trunk's four stages: Hiera's blocks; of the small trunk the maps that it gives alone."""
    if isinstance(trunk, Lite0Trunk):
        return tuple((Place(f"levels.{level}", width, width),) for level, width in enumerate(trunk.channel_list[::-1]))
    blocks = [Place(f"blocks.{number}", block.dim, block.dim_out) for number, block in enumerate(trunk.blocks)]
    starts = [0, *(end + 1 for end in trunk.stage_ends)]
    return tuple(tuple(blocks[start:end]) for start, end in pairwise(starts))


class Adapter(nn.Module):
    """A bottleneck for every token; at first it gives zero."""

    def __init__(self, width: int, bottleneck: int) -> None:
        super().__init__()
        self.adapter_layer_norm_before = nn.LayerNorm(width)
        self.down_proj = nn.Linear(width, bottleneck)
        self.up_proj = nn.Linear(bottleneck, width)
        for zero in (self.down_proj.bias, self.up_proj.weight, self.up_proj.bias):
            nn.init.zeros_(zero)

    def forward(self, x: Tensor) -> Tensor:
        """(B, h, w, C) to what is added to the same."""
        added: Tensor = self.up_proj(functional.relu(self.down_proj(self.adapter_layer_norm_before(x))))
        return SCALE * added


class Adapters(nn.Module):
    """All adapters of a trunk, under their published names.

    Args:
        sizes: Channels and bottleneck by the place's name.
    """

    def __init__(self, sizes: Mapping[str, tuple[int, int]]) -> None:
        super().__init__()
        self.places = tuple(sizes)
        for name, (width, bottleneck) in sizes.items():
            inner: nn.Module = self
            for part in f"{TRUNK}{name}".split("."):
                if part not in dict(inner.named_children()):
                    inner.add_module(part, nn.Module())
                inner = inner.get_submodule(part)
            inner.add_module("adapter", Adapter(width, bottleneck))

    def at(self, place: str) -> Adapter:
        """The adapter of a place."""
        return cast(Adapter, self.get_submodule(f"{TRUNK}{place}.adapter"))

    @classmethod
    def fresh(cls, trunk: Any, stages: Sequence[int], share: float) -> "Adapters":
        """New ones in some stages, from 0, whose bottlenecks are a share of the channels that enter a block, cut."""
        chosen = [place for stage, places in enumerate(places_of(trunk)) if stage in stages for place in places]
        with fresh_layers():
            return cls({place.name: (place.width, max(1, int(share * place.entering))) for place in chosen})

    def attach(self, image_encoder: Any) -> None:
        """Make SAM 2's image encoder add what these give, from now on."""
        trunk = image_encoder.trunk
        if isinstance(trunk, Lite0Trunk):
            image_encoder.neck.register_forward_pre_hook(self._to_levels)
            return
        for place in self.places:
            _beside(trunk.get_submodule(place), self.at(place))

    def _to_levels(self, _neck: nn.Module, given: tuple[Sequence[Tensor]]) -> tuple[list[Tensor]]:
        """Behind a trunk of convolutions there is no MLP to stand beside: its maps themselves are adapted."""
        maps = list(given[0])
        for place in self.places:
            level = int(place.rpartition(".")[2])
            maps[level] = maps[level] + self.at(place)(maps[level].permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return (maps,)


def _beside(block: nn.Module, adapter: Adapter) -> None:
    """Add to what a block gives what the adapter gives of its value behind the attention, which enters ``norm2``."""
    entered: list[Tensor] = []

    def take(_norm: nn.Module, given: tuple[Tensor]) -> None:
        entered[:] = given

    def add(_block: nn.Module, _given: Any, found: Tensor) -> Tensor:
        return found + adapter(entered.pop())

    block.get_submodule("norm2").register_forward_pre_hook(take)
    block.register_forward_hook(add)


def load_adapters(checkpoint: str, trunk: Any, sam2: str, settings: object) -> tuple[Adapters, Loaded]:
    """The adapters of a file, their stages and bottlenecks told from its tensors.

    Args:
        checkpoint: Its path: as published, or as `icvos train` writes it.
        trunk: SAM 2's.
        sam2: The name of SAM 2's weights.
        settings: What the method is built with.

    Raises `IcvosError` for a file that is something else, is not whole, or belongs to another SAM 2.
    """
    path = find_weights(checkpoint)
    if path is None:  # random weights take its place
        adapters = Adapters.fresh(trunk, (2, 3), 0.3)
    else:
        adapters = Adapters(sizes_of(read_state(path), trunk, checkpoint, sam2))
    return adapters, load_trained(adapters, checkpoint, "sansa", settings, ())


def sizes_of(state: State, trunk: Any, source: str, sam2: str) -> dict[str, tuple[int, int]]:
    """Channels and bottleneck of each place that a file has an adapter of, in order; see `load_adapters`."""
    remedy = "give the SAM 2 that it was trained on as --set sam2=NAME or PATH"
    shapes = {
        name.removeprefix(TRUNK).removesuffix(".adapter.down_proj.weight"): tensor.shape
        for name, tensor in state.items()
        if name.startswith(TRUNK) and name.endswith(".adapter.down_proj.weight") and tensor.dim() == 2
    }
    if not shapes:
        raise IcvosError(f"{source}: has no adapters ({TRUNK}blocks.N.adapter.*); give a file of SANSA's adapters")
    stages = places_of(trunk)
    adapted = [stage for stage in stages if any(place.name in shapes for place in stage)]
    wanted = {place.name: place for stage in adapted for place in stage}
    lacking, unknown = [name for name in wanted if name not in shapes], [name for name in shapes if name not in wanted]
    if lacking or unknown:
        what = f"has none of {lacking[0]}" if lacking else f"has one of {unknown[0]}, which {sam2} has not"
        raise IcvosError(f"{source}: its adapters do not fit {sam2}: it {what}; {remedy}")
    for name, place in wanted.items():
        if shapes[name][1] != place.width:
            raise IcvosError(
                f"{source}: its adapters do not fit {sam2}: that of {name} is for {shapes[name][1]} channels, not "
                f"{place.width}; {remedy}"
            )
    return {name: (place.width, int(shapes[name][0])) for name, place in wanted.items()}


def stages_of(adapters: Adapters, trunk: Any) -> tuple[int, ...]:
    """The stages, from 0, that have adapters."""

    def adapted() -> Iterator[int]:
        for stage, places in enumerate(places_of(trunk)):
            if any(place.name in adapters.places for place in places):
                yield stage

    return tuple(adapted())
