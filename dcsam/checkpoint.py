"""Checkpoints of DC-SAM: the prompt generator alone, or behind ``prompt_encoder.`` beside SAM 2 behind ``sam2.``."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from torch import Tensor

from dcsam.prompt_generator import PromptGenerator
from icvos.errors import IcvosError
from icvos.models.weights.load import Loaded, State, load_weights
from icvos.settings import as_text

GENERATOR, SAM2 = "prompt_encoder.", "sam2."


@dataclass(frozen=True, slots=True)
class Shape:
    """What a checkpoint's names and shapes say of the settings that it was trained with; an encoder "" fits both."""

    backbone: str
    variant: str
    encoder: str
    queries: int
    branches: str = "both"
    fusion: bool = True
    width: int = 256


def load_generator(network: PromptGenerator, checkpoint: str, wanted: Shape) -> tuple[Loaded, State]:
    """Load the generator's part of a checkpoint; what was loaded, and the weights of SAM 2 beside it ({}: none).

    Args:
        network: Takes the weights in place.
        checkpoint: The path of a file.
        wanted: What the network was built as.

    Raises `IcvosError` for a file of another model, or of other settings, which it names.
    """
    beside: State = {}

    def own(state: State) -> State:
        beside.update(below(state, SAM2))
        found = below(state, GENERATOR) if beside else state
        require(found, wanted, checkpoint)
        return found

    return load_weights(network, checkpoint, own), beside


def below(state: Mapping[str, Tensor], prefix: str) -> State:
    """The tensors whose names begin with ``prefix``, without it."""
    return {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}


def require(state: Mapping[str, Tensor], wanted: Shape, source: str | Path) -> None:
    """Raise `IcvosError` where a generator's state dictionary is of another model or of other settings."""
    if "merge_1.0.weight" not in state:
        raise IcvosError(f"{source}: is no checkpoint of DC-SAM; train one with: icvos train dcsam-coco-20i")
    if "transformer_decoder.q_embed.weight" not in state:
        raise IcvosError(f"{source}: is a checkpoint of VRP-SAM; run it with --method vrp-sam")
    found = shape_of(state)
    for setting in (field.name for field in fields(Shape)):
        there, here = (as_text(getattr(shape, setting)) for shape in (found, wanted))
        if there not in ("", here):
            raise IcvosError(f"{source}: was trained with {setting}={there}, not {here}; add --set {setting}={there}")


def shape_of(state: Mapping[str, Tensor]) -> Shape:
    """The settings that a generator's state dictionary was made with."""
    width, fused = state["merge_1.0.weight"].shape[:2]
    reduced = "downsample_query.0.weight" in state
    fusion = not reduced or fused == 3 * width + 1
    return Shape(
        backbone=_backbone(state),
        variant="full" if reduced else "prior",
        encoder=("sam2" if "sam_downscaling.0.weight" in state else "sam") if fusion else "",
        queries=len(state["transformer_decoder.supp_q_feat.weight"]),
        branches="both" if "merge_2.0.weight" in state else "positive",
        fusion=fusion,
        width=width,
    )


def _backbone(state: Mapping[str, Tensor]) -> str:
    if any(name.startswith("dinov2.") for name in state):
        return "dinov2-vitb14-reg"
    if "layer1.0._depthwise_conv.weight" in state:
        return "efficientnet-lite0"
    if "layer1.0.conv1.weight" in state:
        return "resnet101-v2" if "layer3.22.conv1.weight" in state else "resnet50-v2"
    return "vgg16-bn" if "layer0.0.weight" in state and state["layer0.0.weight"].shape[-1] == 3 else "swin-b"
