"""The networks of a method, the image encoders among them, and what of them learns."""

import re
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from icvos.method import AnyMethod, Segmenter

if TYPE_CHECKING:
    from torch import nn

BACKBONES = "icvos.models.backbones."
ENCODER = re.compile(r"(image_encoder|backbone|encoder|vision\w*|trunk|dino\w*|resnet\w*|vgg\w*|swin\w*|layer[0-4])$")


@runtime_checkable
class NamesParts(Protocol):
    """A method that says itself which networks it has."""

    def parts(self) -> Mapping[str, "nn.Module"]:
        """Its networks by name; none is a part of another."""
        ...


def find_networks(method: AnyMethod) -> dict[str, "nn.Module"]:
    """The networks of a method by name; none is a part of another.

    They are what its ``parts()`` gives (`NamesParts`); without that, the networks among its attributes, those of its
    propagator, and those one level below in plain objects, each named by the way to it (``sam.network``). A method
    without torch has none.
    """
    torch = sys.modules.get("torch")
    if torch is None:
        return {}
    if isinstance(method, NamesParts):
        return dict(method.parts())
    found: dict[str, nn.Module] = {}
    for prefix, owner in _owners(method).items():
        for name, value in _attributes(owner).items():
            if isinstance(value, torch.nn.Module) and not any(value is known for known in found.values()):
                found[f"{prefix}{name.lstrip('_')}"] = value
    inner = {id(module) for network in found.values() for module in network.modules() if module is not network}
    return {name: network for name, network in found.items() if id(network) not in inner}


def _owners(method: AnyMethod) -> dict[str, object]:
    """The objects whose attributes may be networks, by what their names begin with."""
    torch = sys.modules["torch"]
    owners: dict[str, object] = {"": method}
    if not isinstance(method, Segmenter):
        owners["propagator."] = method.propagator()
    for prefix, owner in list(owners.items()):
        for name, value in _attributes(owner).items():
            plain = not isinstance(value, (torch.nn.Module, type)) and not callable(value)
            if plain and hasattr(value, "__dict__") and all(value is not known for known in owners.values()):
                owners[f"{prefix}{name.lstrip('_')}."] = value
    return owners


def _attributes(owner: object) -> dict[str, object]:
    """Attributes of an object, by name; those of classes with slots too."""
    slots = [name for kind in type(owner).__mro__ for name in getattr(kind, "__slots__", ())]
    named = {name: getattr(owner, name) for name in slots if isinstance(name, str) and hasattr(owner, name)}
    return named | dict(getattr(owner, "__dict__", {}))


def find_encoders(networks: Mapping[str, "nn.Module"]) -> dict[str, "nn.Module"]:
    """The outermost modules that encode images: backbones of `icvos.models`, and modules with such a name."""
    return {key: module for name, network in networks.items() for key, module in _encoders(name, network)}


def _encoders(name: str, module: "nn.Module") -> Iterator[tuple[str, "nn.Module"]]:
    if type(module).__module__.startswith(BACKBONES) or ENCODER.match(name.rpartition(".")[2]):
        yield name, module
        return
    for child, inner in module.named_children():
        yield from _encoders(f"{name}.{child}", inner)


def learned_parameters(method: AnyMethod) -> dict[int, int]:
    """Numbers in each parameter that training changes, by the parameter's identity; none for an untrained method."""
    from icvos.training.trainable import Learns

    if not isinstance(method, Learns):
        return {}
    groups = method.trainable(()).parameter_groups(1.0)
    return {id(parameter): parameter.numel() for group in groups for parameter in group["params"]}
