"""Encoders that give a feature for every patch of a square picture: a DINO, or EfficientNet-Lite0 in its place."""

from collections.abc import Callable, Collection, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from icvos.errors import IcvosError
from icvos.models.backbones.dinov2 import DINOV2_MODELS, PATCH, TRAINED_GRID, load_dinov2
from icvos.models.backbones.dinov3 import DINOV3_MODELS, load_dinov3
from icvos.models.backbones.lite0 import STANDARDISED, lite0, lite0_loaded
from icvos.models.backbones.lite0_stages import NAME
from icvos.models.maps import aligned
from icvos.models.weights.load import Loaded

GRID = TRAINED_GRID
SIDE = PATCH * GRID  # 518 pixels
PatchEncoder = Callable[[Tensor], Tensor]  # (B, 3, side, side), standardised, to (B, N, D), row by row

LOADERS: Mapping[str, Callable[[str, torch.device | str, str | None], tuple[nn.Module, Loaded]]] = {
    **dict.fromkeys(DINOV2_MODELS, load_dinov2),
    **dict.fromkeys(DINOV3_MODELS, load_dinov3),
}


class Lite0Patches(nn.Module):
    """EfficientNet-Lite0 as a `PatchEncoder`: two of its levels, on the grid of another encoder's patches.

    What all cells of a picture share is taken from them first, or all resemble one another; both levels count alike.

    Args:
        device: Where it is.
        grid: Patches on a side.
    """

    levels = (10, 14)  # blocks at strides 16 and 32
    side = 608  # pixels, a multiple of the largest stride, of which the finer grid has 38 cells

    def __init__(self, device: torch.device | str = "cpu", grid: int = GRID) -> None:
        super().__init__()
        self.body = lite0(device)
        self.grid = grid

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, H, W), standardised with ImageNet's mean and deviation, to (B, grid * grid, 304)."""
        scale, shift = (value.to(x) for value in STANDARDISED)
        maps = self.body.features(aligned(x, self.side) * scale + shift, self.levels)
        centred = [aligned(found - found.mean((2, 3), keepdim=True), self.grid) for found in maps]
        return torch.cat([functional.normalize(found, dim=1) for found in centred], 1).flatten(2).mT


def load_patch_encoder(
    name: str,
    device: torch.device | str = "cpu",
    checkpoint: str | None = None,
    *,
    models: Collection[str] = tuple(DINOV2_MODELS),
    grid: int = GRID,
) -> tuple[PatchEncoder, Loaded]:
    """An encoder with its weights, frozen.

    Args:
        name: One of ``models``, or ``efficientnet-lite0``.
        device: Where it goes.
        checkpoint: The path of the model's file, in place of the registry's.
        models: Which of `LOADERS` it may be.
        grid: Patches on a side of what stands in for them.

    Raises `IcvosError` for another name, and for a checkpoint where EfficientNet-Lite0 is asked for.
    """
    if name in models:
        return LOADERS[name](name, device, checkpoint)
    if name != NAME:
        raise IcvosError(f"{name}: no such encoder; choose from {', '.join((*models, NAME))}")
    if checkpoint:
        raise IcvosError(f"{checkpoint}: is for another encoder, and {NAME} comes with its own weights; leave it out")
    return Lite0Patches(device, grid), lite0_loaded()
