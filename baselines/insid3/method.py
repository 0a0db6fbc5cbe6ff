"""INSID3: the clusters of patches that resemble the supports' object, by the features of a frozen backbone alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from baselines.insid3.grouping import (
    Groups,
    candidates_of,
    clusters_of,
    debiased,
    patch_mask,
    positional_basis,
    prototype_of,
    to_pixels,
    weigh,
)
from icvos.errors import IcvosError
from icvos.method import Image, Mask, Support
from icvos.models.backbones.dinov3 import DINOV3_MODELS, PATCH
from icvos.models.backbones.lite0_stages import NAME as LITE0
from icvos.models.backbones.patches import PatchEncoder, load_patch_encoder
from icvos.models.device import Device, pick_device
from icvos.models.prompter import Prompter
from icvos.models.sam.propagation import DType
from icvos.models.squares import squash, squash_mask
from icvos.settings import Checked, Range, Side, renamed
from icvos.sharing import Remembered

REMEMBERED_SUPPORTS = 64


@dataclass(frozen=True, slots=True)
class INSID3Settings(Checked):
    """What can be set of `insid3`.

    Args:
        backbone: A DINOv3 for the features, by name; or efficientnet-lite0, small, in its place.
        backbone_checkpoint: Path of DINOv3's file, in place of the registry's.
        side: Side, in pixels, of the square that pictures become; a multiple of 16.
        directions: Directions of position that are taken from the features before pictures are compared; fewer than
            the backbone has channels: 500 of 1024 as published, about 250 of 768 and 125 of 384.
        tau: Likeness, 0..1, below which clusters of patches are not merged.
        theta: What likeness to the target, likeness to its surest part and coverage must come to, 0..1.
        sam2: SAM 2 for the video, by name or path; or ``affinity``, which carries the mask on as in ``lite``.
        short_side: Short side, in pixels, of the frames that affinity carries it through.
        device: Where the networks run: auto, cpu, cuda or mps.
        dtype: The precision of SAM 2: auto, float32 or bfloat16.
    """

    backbone: str = "dinov3-vitl16"
    backbone_checkpoint: str | None = None
    side: Annotated[int, Range(64, 4096)] = 1024
    directions: Annotated[int, Range(0, 4096)] = 500
    tau: Annotated[float, Range(0, 1)] = 0.6
    theta: Annotated[float, Range(0, 1)] = 0.2
    sam2: str = renamed("sam2.1-hiera-l", "propagation")
    short_side: Side = 480
    device: Device = "auto"
    dtype: DType = "auto"


@dataclass(frozen=True, slots=True)
class Found:
    """What was found in a picture.

    Args:
        features: (C, h, w) of unit length.
        similarity: (h, w) to the supports' prototype.
        candidates: (h, w) bool.
        clusters: (h, w) int64; None where there was no candidate.
        groups: What is known of each of them; None likewise.
        patches: (h, w) bool, the target.
    """

    features: Tensor
    similarity: Tensor
    candidates: Tensor
    clusters: Tensor | None
    groups: Groups | None
    patches: Tensor


class INSID3(Prompter[INSID3Settings]):
    """The method ``insid3``; see `INSID3Settings`."""

    Settings = INSID3Settings
    packages = ("sam2", "scipy")
    small = MappingProxyType(
        {"backbone": LITE0, "side": "320", "directions": "20", "tau": "0.3", "theta": "0.05", "sam2": "affinity"}
    )

    def __init__(self, settings: INSID3Settings | None = None) -> None:
        self.settings = settings or INSID3Settings()
        chosen = self.settings
        self.device = pick_device(chosen.device)
        if chosen.side % PATCH:
            raise IcvosError(f"setting side={chosen.side}: give a multiple of {PATCH}, as 1024 or 768")
        self.encoder: PatchEncoder
        self.encoder, self.loaded = load_patch_encoder(
            chosen.backbone, self.device, chosen.backbone_checkpoint, models=DINOV3_MODELS, grid=chosen.side // PATCH
        )
        features = self._encoded(squash(np.zeros((chosen.side, chosen.side, 3), np.uint8), chosen.side))
        if chosen.directions >= len(features):
            raise IcvosError(
                f"setting directions={chosen.directions}: {chosen.backbone} has {len(features)} channels, of which "
                "nothing would be left; give about a third as many"
            )
        with torch.inference_mode():
            self.basis = positional_basis(features, chosen.directions)
        self.supports: Remembered[tuple[Tensor, Tensor]] = Remembered(REMEMBERED_SUPPORTS)

    @staticmethod
    def needs(settings: INSID3Settings) -> tuple[str, ...]:
        """The checkpoints that the method loads."""
        return tuple(dict.fromkeys((settings.backbone_checkpoint or settings.backbone, settings.sam2)))

    def segment_image(self, supports: Sequence[Support], image: Image) -> Mask:
        """(H, W) bool; empty where no patch is like the supports' object."""
        found = self.find(supports, image)
        return to_pixels(found.patches, self.settings.side, (image.shape[0], image.shape[1])).cpu().numpy()

    def find(self, supports: Sequence[Support], image: Image) -> Found:
        """Where the target of the supports is in a picture. Raises `IcvosError` without a support or a mask."""
        if not supports:
            raise IcvosError("insid3 needs a support; give an image with its mask")
        with torch.inference_mode():
            shown = [self._of_support(support) for support in supports]
            features = self.frames.get(image, "insid3", lambda: self.features(image))
            target = debiased(features, self.basis)
            compared, masks = (torch.stack(parts) for parts in zip(*shown, strict=True))
            prototype = prototype_of(compared, masks)
            similarity = torch.einsum("c,chw->hw", prototype, target)
            candidates = candidates_of(similarity, target, compared, masks)
            if not bool(candidates.any()):
                return Found(features, similarity, candidates, None, None, candidates)
            clusters = self.frames.get(image, "clusters", lambda: clusters_of(features, self.settings.tau))
            groups = weigh(clusters, candidates, similarity, prototype, features, target)
            kept = groups.combined > self.settings.theta
            return Found(features, similarity, candidates, clusters, groups, kept[clusters])

    def features(self, image: Image) -> Tensor:
        """(C, h, w) float32 of unit length, of a picture stretched to a square."""
        return functional.normalize(self._encoded(squash(image, self.settings.side)), dim=0)

    def _encoded(self, picture: Tensor) -> Tensor:
        """(C, h, w) of a (3, side, side) standardised picture, as the backbone gives it."""
        side = self.settings.side // PATCH
        with torch.inference_mode():
            encoded = self.encoder(picture[None].to(self.device))[0]
        return encoded.T.unflatten(1, (side, side))

    def _of_support(self, support: Support) -> tuple[Tensor, Tensor]:
        """A support's debiased features (C, h, w) and its object's patches (h, w); the last few are remembered."""

        def seen() -> tuple[Tensor, Tensor]:
            mask = squash_mask(support.mask(), self.settings.side)
            if not bool(mask.any()):
                raise IcvosError(f"{support.name}: its mask is empty; give a support that shows the object")
            features = debiased(self.features(support.image()), self.basis)
            return features, patch_mask(mask, (features.shape[1], features.shape[2])).to(self.device)

        return self.supports.get(support, seen)
