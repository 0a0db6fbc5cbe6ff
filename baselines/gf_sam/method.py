"""GF-SAM (Zhang et al., 2024): points by likeness, SAM's mask for each, and those that the graph of points leaves.

Nothing is trained: DINOv2 ViT-L and SAM ViT-H have 304 and 637 million numbers. DINOv2 sees each picture once, SAM the
query alone, and then decodes at most 128 single points. The published code is under the MIT licence.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np
import torch
from PIL import Image as PillowImage
from torch import Tensor
from torch.nn import functional

from baselines.gf_sam.graph import Chosen, Masks, choose
from baselines.gf_sam.similarity import Likeness, all_alike, by_channel, likeness, points_of, prompt_map
from baselines.parts.decoding import decoded
from icvos.errors import IcvosError
from icvos.method import Image, Mask, Prompt, Support
from icvos.models.backbones.lite0_stages import NAME as LITE0
from icvos.models.backbones.patches import GRID, SIDE, PatchEncoder, load_patch_encoder
from icvos.models.device import Device, pick_device
from icvos.models.prompter import Prompter
from icvos.models.sam.propagation import DType
from icvos.models.sam.sam2_images import load_sam_on_images
from icvos.models.squares import squash_mask, standardise
from icvos.models.weights.load import Loaded
from icvos.settings import Checked, Side, renamed
from icvos.sharing import Remembered

REMEMBERED_SUPPORTS = 64
STAND_IN = 7  # pixels: half the side of the square that stands in where no support has a mask


@dataclass(frozen=True, slots=True)
class GFSAMSettings(Checked):
    """What can be set of `gf-sam`.

    Args:
        sam: SAM for the points' masks: a SAM 1 by name or path, as published, or a SAM 2 by name.
        dinov2: DINOv2 for the features, by name; or efficientnet-lite0, small, in its place.
        dinov2_checkpoint: Path of DINOv2's file, in place of the registry's.
        sam2: SAM 2 for the video, by name or path; or ``affinity``, which carries the mask on as in ``lite``.
        short_side: Short side, in pixels, of the frames that affinity carries it through.
        handover: What SAM 2 is given: the ``mask``, or of each cluster with chosen points the one whose mask is best
            (``points``).
        device: Where the networks run: auto, cpu, cuda or mps.
        dtype: The precision of SAM 2: auto, float32 or bfloat16.
    """

    sam: str = "sam-vit-h"
    dinov2: str = "dinov2-vitl14"
    dinov2_checkpoint: str | None = None
    sam2: str = renamed("sam2.1-hiera-l", "propagation")
    short_side: Side = 480
    handover: Literal["mask", "points"] = "mask"
    device: Device = "auto"
    dtype: DType = "auto"


@dataclass(frozen=True, slots=True)
class Found:
    """What was found in a picture.

    Args:
        maps: Its likeness to the supports.
        points: (K, 2) int64, x and y on the grid of patches.
        masks: The mask of each; None where there is no point, and so is ``chosen``.
        chosen: Which of them are the answer.
    """

    maps: Likeness
    points: Tensor
    masks: Masks | None
    chosen: Chosen | None


class GFSAM(Prompter[GFSAMSettings]):
    """The method ``gf-sam``; see `GFSAMSettings`. k supports are compared one by one, and their maps averaged."""

    Settings = GFSAMSettings
    packages = ("sam2", "segment_anything")
    small = MappingProxyType({"sam": "sam2-nano", "dinov2": "efficientnet-lite0", "sam2": "affinity"})

    def __init__(self, settings: GFSAMSettings | None = None) -> None:
        self.settings = settings or GFSAMSettings()
        chosen = self.settings
        self.device = pick_device(chosen.device)
        self.sam = load_sam_on_images(chosen.sam, self.device)
        self.side = self.sam.side
        self.encoder: PatchEncoder
        self.encoder, self.loaded = load_patch_encoder(chosen.dinov2, self.device, chosen.dinov2_checkpoint)
        self.supports: Remembered[tuple[Tensor, Tensor]] = Remembered(REMEMBERED_SUPPORTS)

    @staticmethod
    def needs(settings: GFSAMSettings) -> tuple[str, ...]:
        """The checkpoints that the method loads."""
        encoder = settings.dinov2_checkpoint or settings.dinov2
        return tuple(dict.fromkeys((encoder, settings.sam, settings.sam2)))

    def own_weights(self) -> list[Loaded]:
        """The encoder and SAM."""
        return [self.loaded, self.sam.loaded]

    def sam2_prompt(self, supports: Sequence[Support], frame: Image) -> Prompt:
        """The mask at the frame's size, or points in its pixels, as the setting ``handover`` says."""
        found = self.find(supports, frame)
        points = self._best_points(found)
        if self.settings.handover == "mask" or not len(points):
            return Prompt(mask=self._mask(found, frame))
        scale = np.array([frame.shape[1], frame.shape[0]], dtype=np.float32) / self.side
        return Prompt(points=points.astype(np.float32) * scale, labels=np.ones(len(points), dtype=np.int64))

    def segment_image(self, supports: Sequence[Support], image: Image) -> Mask:
        """(H, W) bool, by nearest neighbour from SAM's square; empty where nothing is like the supports' object."""
        return self._mask(self.find(supports, image), image)

    def find(self, supports: Sequence[Support], image: Image) -> Found:
        """Where the target of the supports is in a picture. Raises `IcvosError` without a support."""
        if not supports:
            raise IcvosError("gf-sam needs a support; give an image with its mask")
        shown = [self._of_support(support) for support in supports]
        masks = torch.stack([mask for _, mask in shown])
        if not bool(masks.any()):
            middle = slice(self.side // 2 - STAND_IN, self.side // 2 + STAND_IN)
            masks[:, middle, middle] = 1
        picture = square(image, self.side)
        with torch.inference_mode():
            query = self.frames.get(image, "channels", lambda: self.features(picture))
            maps = likeness(torch.stack([features for features, _ in shown]), masks, query)
            points = points_of(prompt_map(maps))
            if not len(points):
                return Found(maps, points, None, None)
            found = self.masks_of(image, picture, points)
            return Found(maps, points, found, choose(found, points, maps, query))

    def masks_of(self, image: Image, picture: Image, points: Tensor) -> Masks:
        """SAM's single mask for each of (K, 2) points, given ``image`` as the square ``picture``."""
        embedded = self.frames.get(image, "square sam", lambda: self.sam.embed(picture))
        clicks = pixels_of(points, self.side)[:, None]
        parts = [
            Masks.of(self.sam.upscale(embedded, low) > 0, GRID)
            for low, _ in decoded(self.sam, embedded, [clicks], multimask=False)
        ]
        return Masks.joined(parts)

    def features(self, picture: Image) -> Tensor:
        """(1369, C) float32 of a (L, L, 3) uint8 square; each of DINOv2's channels has length 1."""
        image = standardise(picture)[None]
        small = functional.interpolate(image, size=(SIDE, SIDE), mode="bilinear", align_corners=False)
        with torch.inference_mode():
            found = by_channel(self.encoder(small.to(self.device))[0])
        return all_alike(found) if self.settings.dinov2 == LITE0 else found

    def _of_support(self, support: Support) -> tuple[Tensor, Tensor]:
        """A support's features and (L, L) mask; the last few supports are remembered."""

        def seen() -> tuple[Tensor, Tensor]:
            mask = squash_mask(support.mask(), self.side).to(self.device)
            return self.features(square(support.image(), self.side)), mask

        return self.supports.get(support, seen)

    def _mask(self, found: Found, image: Image) -> Mask:
        size = (image.shape[0], image.shape[1])
        if found.chosen is None:
            return np.zeros(size, bool)
        full = found.chosen.mask[None, None].float()
        return functional.interpolate(full, size=size, mode="nearest")[0, 0].cpu().numpy() > 0

    def _best_points(self, found: Found) -> np.ndarray:
        """(c, 2) pixels of the square: of each cluster with chosen points the one whose mask has most evidence."""
        if found.chosen is None or found.masks is None:
            return np.zeros((0, 2), np.int64)
        soft, labels, clusters = found.masks.soft, found.chosen.labels, found.chosen.clusters
        weight = (soft * found.maps.evidence).sum((1, 2)) / (soft.sum((1, 2)) + 1e-6)
        weight = weight.masked_fill(labels != 1, -torch.inf)
        best = [
            int(torch.where(clusters == one, weight, -torch.inf).argmax()) for one in clusters[labels == 1].unique()
        ]
        return pixels_of(found.points[best], self.side)


def pixels_of(points: Tensor, side: int) -> np.ndarray:
    """(K, 2) int64 pixels, x and y, of a square: the top left corners of (K, 2) patches, as published."""
    found: np.ndarray = (points * side // GRID).cpu().numpy()
    return found


def square(image: Image, side: int) -> Image:
    """(side, side, 3) uint8: the picture without its aspect ratio, by Pillow's bilinear rule."""
    return np.array(PillowImage.fromarray(image).resize((side, side), PillowImage.Resampling.BILINEAR))
