"""Methods around encoders of others, for `benchmarks.networks`: drawn supports, and drawn frames that share them."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn

from baselines.gf_sam import GFSAM, GFSAMSettings
from baselines.insid3 import INSID3, INSID3Settings
from baselines.insid3.grouping import to_pixels
from baselines.sansa import SANSA, SANSASettings
from benchmarks.plain.gf_sam import plain_gf_sam
from benchmarks.plain.insid3 import plain_insid3
from benchmarks.plain.pictures import Drawn, scene
from benchmarks.plain.sansa import plain_sansa
from icvos.method import Image
from icvos.models.backbones.dinov2 import DINOV2_MODELS
from icvos.models.backbones.dinov3 import DINOV3_MODELS
from icvos.models.sam.sam1 import SAM_MODELS
from icvos.models.sam.sam2 import SAM2_MODELS
from icvos.models.weights.load import fill_randomly
from icvos.models.weights.registry import random_weights_allowed

Answers = Callable[[], list[Tensor]]
Sides = tuple[nn.Module, Answers, Answers]  # the image encoders, the plain formulation, and what icvos does


def method_sides(name: str, frames: int, shots: int, share: float, whole: bool) -> Sides:
    """A method with random weights on pictures of 480 x 854, at the published sizes.

    Args:
        name: One of `METHODS`.
        frames: How many, which share their supports.
        shots: Supports.
        share: Of a picture that the object covers.
        whole: Whether image encoders have all their blocks; otherwise a few, of the published width.
    """
    supports = [scene(number, share) for number in range(shots)]
    shown = [scene(50 + number, share).image() for number in range(frames)]
    with random_weights_allowed(), torch.no_grad(), nullcontext() if whole else few_blocks():
        return METHODS[name](supports, shown)


def sansa(supports: Sequence[Drawn], frames: Sequence[Image]) -> Sides:
    """SANSA on SAM 2 Hiera-L; memory as published, where the first support alone is kept for good."""
    method: Any = SANSA(SANSASettings(keep="first", device="cpu"))
    fill_randomly(method.adapters)
    in_pieces(method.network.sam_mask_decoder)

    def ours() -> list[Tensor]:
        method.stream.supports = type(method.stream.supports)(len(supports))
        return [method.stream.output["pred_masks"] for _ in method.segment(supports, frames)]

    return method.network.image_encoder, lambda: plain_sansa(method, supports, frames), ours


def gf_sam(supports: Sequence[Drawn], frames: Sequence[Image]) -> Sides:
    """GF-SAM on DINOv2 ViT-L and SAM ViT-H."""
    method: Any = GFSAM(GFSAMSettings(device="cpu"))
    in_pieces(method.sam.network.mask_decoder)

    def ours() -> list[Tensor]:
        method.supports = type(method.supports)(len(supports))
        return [method.find(supports, frame).chosen.mask for frame in frames]

    encoders = nn.ModuleList([method.encoder, method.sam.network.image_encoder])
    return encoders, lambda: plain_gf_sam(method, supports, frames), ours


def insid3(supports: Sequence[Drawn], frames: Sequence[Image]) -> Sides:
    """INSID3 on DINOv3 ViT-L; its branches are weakened, or random weights have all patches alike."""
    method: Any = INSID3(INSID3Settings(device="cpu"))
    for block in method.encoder.blocks:
        block.ls1.gamma -= 0.6
        block.ls2.gamma -= 0.9
    side = method.settings.side

    def ours() -> list[Tensor]:
        method.supports = type(method.supports)(len(supports))
        found = [method.find(supports, frame) for frame in frames]
        return [
            part for one in found for part in (one.similarity.flatten(), to_pixels(one.patches, side, (side, side)))
        ]

    return method.encoder, lambda: plain_insid3(method, supports, frames), ours


METHODS: dict[str, Callable[[Sequence[Drawn], Sequence[Image]], Sides]] = {
    "sansa": sansa,
    "gf-sam": gf_sam,
    "insid3": insid3,
}


@contextmanager
def few_blocks() -> Iterator[None]:
    """Inside, the encoders are built with a few blocks of their published width, one of which sees all of a picture."""
    cut = (
        (SAM_MODELS, "sam-vit-h", {"depth": 2, "global_blocks": (1,)}),
        (SAM2_MODELS, "sam2-hiera-l", {"stages": (1, 2, 3, 2), "global_blocks": (5,)}),
        (DINOV2_MODELS, "dinov2-vitl14", {"depth": 2}),
        (DINOV3_MODELS, "dinov3-vitl16", {"depth": 2}),
    )
    with ExitStack() as stack:
        for models, name, changed in cut:
            known: Any = models[name]
            stack.enter_context(patch.dict(models, {name: replace(known, **changed)}))
        yield


def in_pieces(decoder: Any) -> None:
    """Make all places of the enlarging kernels alike, or random weights give masks of single dots."""
    for layer in (0, 3):
        kernel = decoder.output_upscaling[layer].weight
        kernel.copy_(kernel[..., :1, :1].expand_as(kernel))
