"""Image backbones by name: pictures in, feature maps of several levels out; see `stages.Backbone`."""

import functools
from collections.abc import Callable, Mapping
from typing import Literal

import torch

from icvos.errors import IcvosError
from icvos.models.backbones.dinov2 import DINOV2_MODELS, load_dinov2
from icvos.models.backbones.dinov3 import DINOV3_MODELS, load_dinov3
from icvos.models.backbones.lite0_stages import Lite0Stages
from icvos.models.backbones.resnet import Dilations, ResNet
from icvos.models.backbones.stages import Backbone, Staged
from icvos.models.backbones.swin import SwinB
from icvos.models.backbones.vgg import VGG16
from icvos.models.weights.load import Loaded

STAGED: Mapping[str, Callable[[Dilations], Staged]] = {
    "resnet50-v2": functools.partial(ResNet, 50),
    "resnet101-v2": functools.partial(ResNet, 101),
    "vgg16-bn": lambda dilations: VGG16(),
    "swin-b": lambda dilations: SwinB(),
    "efficientnet-lite0": lambda dilations: Lite0Stages(),
}
BACKBONES = (*STAGED, *DINOV2_MODELS, *DINOV3_MODELS)
# whose maps the few-shot networks are made for, and a small one for a CPU
FewShotBackbone = Literal["resnet50-v2", "resnet101-v2", "vgg16-bn", "efficientnet-lite0"]


def build_backbone(name: str, dilations: Dilations = "whole") -> Staged:
    """A backbone of `STAGED` without its weights; all its parameters are frozen.

    Args:
        name: As in the registry of checkpoints.
        dilations: How a ResNet is dilated; see `icvos.models.backbones.resnet.ResNet`.

    Raises `IcvosError` for another name.
    """
    if name not in STAGED:
        raise IcvosError(f"unknown backbone {name!r}; choose from {', '.join(STAGED)}")
    return STAGED[name](dilations).requires_grad_(False)


def load_backbone(
    name: str, device: torch.device | str = "cpu", checkpoint: str | None = None, dilations: Dilations = "whole"
) -> tuple[Backbone, Loaded]:
    """A backbone of `BACKBONES` with its published weights, frozen, in evaluation mode; and what was loaded.

    Args:
        name: As in the registry of checkpoints.
        device: Where it goes.
        checkpoint: The path of its file, in place of the registry's.
        dilations: How a ResNet is dilated; see `icvos.models.backbones.resnet.ResNet`.

    Raises `IcvosError` for another name, and where the weights are missing or do not fit.
    """
    if name in DINOV2_MODELS:
        return load_dinov2(name, device, checkpoint)
    if name in DINOV3_MODELS:
        return load_dinov3(name, device, checkpoint)
    if name not in BACKBONES:
        raise IcvosError(f"unknown backbone {name!r}; choose from {', '.join(BACKBONES)}")
    network = build_backbone(name, dilations)
    loaded = network.load_published(checkpoint or name)
    return network.eval().to(device), loaded
