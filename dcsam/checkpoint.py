"""Checkpoints of DC-SAM: the prompt generator alone, or behind ``prompt_encoder.`` beside SAM 2 behind ``sam2.``."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from torch import Tensor

from dcsam.prompt_generator import PromptGenerator
from icvos.errors import IcvosError
from icvos.models.sam.lora import FACTOR
from icvos.models.sam.sam2 import beside
from icvos.models.sam.tuned import TunedSam2
from icvos.models.weights.header import read_training
from icvos.models.weights.load import Loaded, State, find_weights, load_trained
from icvos.notices import notice
from icvos.settings import as_text

GENERATOR = "prompt_encoder."
SHAPING = {"merge_1.0.weight": 4, "transformer_decoder.supp_q_feat.weight": 2}  # dimensions
SAMS = {"maskmem_tpos_enc": "sam2", "image_encoder.pos_embed": "sam"}  # their settings, by what they hold


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
    mask_prompt: bool = False


def load_generator(network: PromptGenerator, checkpoint: str, settings: object) -> tuple[Loaded, TunedSam2 | None]:
    """Load the generator's part of a checkpoint; what was loaded, and SAM 2 where the file has something of it.

    Args:
        network: Takes the weights in place.
        checkpoint: The path of a file.
        settings: What the network was built with: those of a `Shape`, and others that leave no trace in the weights.

    Raises `IcvosError` for a file of another model, or of other settings, which it names.
    """
    path = find_weights(checkpoint)
    training = read_training(path) if path else None
    sam2: State = {}

    def own(state: State) -> State:
        if path:
            sam2.update(beside(state))
        found = below(state, GENERATOR) or state
        require(found, settings, checkpoint)
        return found

    loaded = load_trained(network, checkpoint, "dcsam", settings, ("cyclic",), own)
    if training and (there := training.settings.get("fidelity")) not in (None, getattr(settings, "fidelity", there)):
        notice(checkpoint, "fidelity", f"{checkpoint}: was trained with fidelity={there}, and is good for that alone")
    return loaded, TunedSam2.read(sam2, path, loaded) if path and sam2 else None


def below(state: Mapping[str, Tensor], prefix: str) -> State:
    """The tensors whose names begin with ``prefix``, without it."""
    return {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}


def require(state: Mapping[str, Tensor], wanted: object, source: str | Path) -> None:
    """Raise `IcvosError` where a generator's state dictionary is of another model or of other settings."""
    for name, setting in SAMS.items():
        if name in state:
            raise IcvosError(
                f"{source}: is a checkpoint of SAM itself; add it as --set {setting}={source}, and as checkpoint one "
                "that icvos train made"
            )
    if "merge_1.0.weight" in state and "transformer_decoder.q_embed.weight" not in state:
        raise IcvosError(f"{source}: is a checkpoint of VRP-SAM; run it with --method vrp-sam")
    if any(FACTOR.fullmatch(name) for name in state):
        raise IcvosError(f"{source}: is an adapter of SAM 2 without {GENERATOR}*, the prompt generator; save both")
    if any(name not in state or state[name].dim() != dimensions for name, dimensions in SHAPING.items()):
        raise IcvosError(f"{source}: is no checkpoint of DC-SAM; train one with: icvos train dcsam-coco-20i")
    found = shape_of(state)
    for setting in (field.name for field in fields(Shape)):
        there, here = (as_text(getattr(settings, setting)) for settings in (found, wanted))
        if there not in ("", here):
            images = " for images, or train for videos with: icvos train dcsam-ic-vos-image" if there == "sam" else ""
            raise IcvosError(
                f"{source}: was trained with {setting}={there}, not {here}; add --set {setting}={there}{images}"
            )


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
        mask_prompt="mask_prompt.likely.weight" in state,
    )


def _backbone(state: Mapping[str, Tensor]) -> str:
    if any(name.startswith("dinov2.") for name in state):
        return "dinov2-vitb14-reg"
    if not any(name.startswith("layer") for name in state):
        return ""  # left out of the file, whose header says what it is
    if "layer1.0._depthwise_conv.weight" in state:
        return "efficientnet-lite0"
    if "layer1.0.conv1.weight" in state:
        return "resnet101-v2" if "layer3.22.conv1.weight" in state else "resnet50-v2"
    return "vgg16-bn" if "layer0.0.weight" in state and state["layer0.0.weight"].shape[-1] == 3 else "swin-b"
