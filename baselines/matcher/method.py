"""Matcher: features say where the target is, SAM proposes masks there, the best are merged (Liu et al., 2023)."""

import dataclasses
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from types import MappingProxyType
from typing import Any, Literal, Self

import numpy as np
import torch
from PIL import Image as PillowImage
from torch import Tensor
from torch.nn import functional

from baselines.matcher.matching import Match, match, square_mask, target_patches, unit_features
from baselines.matcher.merging import Merging, choose, measure
from baselines.matcher.proposals import Filter, Proposals, grid_points, joined, propose, suppress
from baselines.matcher.sampling import centres, prompts
from icvos.errors import IcvosError
from icvos.method import Image, Mask, Prompt, Support
from icvos.models.backbones.patches import SIDE, PatchEncoder, load_patch_encoder
from icvos.models.device import Device, pick_device
from icvos.models.prompter import Prompter
from icvos.models.sam.propagation import DType
from icvos.models.sam.sam2_images import load_sam_on_images
from icvos.models.squares import IMAGENET_MEAN, IMAGENET_STD
from icvos.models.weights.load import Loaded
from icvos.settings import Checked, Count, Side, Whole, renamed
from icvos.sharing import Remembered

REMEMBERED_SUPPORTS = 64


@dataclass(frozen=True, slots=True)
class Preset:
    """The published settings for one kind of benchmark.

    Args:
        centres: K-means centres that prompts consist of; 0: they consist of the matched points.
        sizes: Least and largest number of points of a prompt.
        iterations: Random prompts of every size.
        box: Put the box around the matched points beside every prompt.
        grid: Points on a side of a grid for which masks are proposed too; 0: no grid.
        grid_filter: What proposals of the grid must reach.
        multimask: Ask for three masks for every prompt; each is a proposal.
        filter: What the other proposals must reach.
        overlap: Box overlap above which the lesser of two proposals is dropped; 1: none is.
        merging: Scores and choice.
        most_of_many: `Merging.most` for several supports.
    """

    centres: int
    sizes: tuple[int, int]
    iterations: int
    box: bool
    grid: int
    grid_filter: Filter
    multimask: bool
    filter: Filter
    overlap: float
    merging: Merging
    most_of_many: int


_TOP = Merging(alpha=0.8, beta=0.2, exponent=1.0, purity_filter=0.0, score_filter=False, least_share=0.7, most=10)
_PART = dataclasses.replace(_TOP, alpha=0.5, beta=0.5, exponent=0.0, coverage_filter=0.3, most=5)
_GRID = Filter(0.88, 0.95)
PRESETS = {
    "coco": Preset(0, (1, 6), 64, False, 64, _GRID, True, Filter(0.85, 0.9), 0.65, Merging(), 5),
    "fss": Preset(8, (4, 6), 30, False, 0, _GRID, False, Filter(0, 0), 1.0, _TOP, 5),
    "part": Preset(0, (3, 6), 128, True, 0, _GRID, False, Filter(0, 0), 1.0, _PART, 5),
}


@dataclass(frozen=True, slots=True)
class MatcherSettings(Checked):
    """What can be set of `matcher`.

    Args:
        preset: Published settings for ``coco`` (whole objects), ``fss`` or ``part``.
        sam: SAM for the proposals: a SAM 1 by name or path, as published, or a SAM 2 by name.
        dinov2: DINOv2 for the features, by name; or efficientnet-lite0, small, in its place.
        dinov2_checkpoint: Path of DINOv2's file, in place of the registry's.
        sam2: SAM 2 for the video, by name or path; or ``affinity``, which carries the mask on as in ``lite``.
        short_side: Short side, in pixels, of the frames that affinity carries it through.
        handover: What SAM 2 is given: ``mask`` (the merged mask), ``centers`` (eight k-means centres of the matched
            points) or ``points`` (all of them).
        grid: Points on a side of the dense grid, in place of the preset's; 0: no grid.
        iterations: Random prompts of every size, in place of the preset's.
        seed: Seed of the sampling, with the pictures' contents.
        device: Where the networks run: auto, cpu, cuda or mps.
        dtype: The precision of SAM 2: auto, float32 or bfloat16.
    """

    preset: Literal["coco", "fss", "part"] = "coco"
    sam: str = "sam-vit-h"
    dinov2: str = "dinov2-vitl14"
    dinov2_checkpoint: str | None = None
    sam2: str = renamed("sam2.1-hiera-l", "propagation")
    short_side: Side = 480
    handover: Literal["mask", "centers", "points"] = "mask"
    grid: Whole | None = None
    iterations: Count | None = None
    seed: int = 0
    device: Device = "auto"
    dtype: DType = "auto"


class Matcher(Prompter[MatcherSettings]):
    """The method ``matcher``; see `MatcherSettings`. The patches of k supports compete in one assignment."""

    Settings = MatcherSettings
    packages = ("sam2", "segment_anything", "ot", "torchvision")
    small = MappingProxyType(
        {"sam": "sam2-nano", "dinov2": "efficientnet-lite0", "preset": "fss", "sam2": "affinity"}  # whose SAM is unsure
    )

    def __init__(self, settings: MatcherSettings | None = None) -> None:
        self.settings = settings or MatcherSettings()
        chosen = self.settings
        self.device = pick_device(chosen.device)
        self.sam = load_sam_on_images(chosen.sam, self.device)
        self.encoder: PatchEncoder
        self.encoder, self.loaded = load_patch_encoder(chosen.dinov2, self.device, chosen.dinov2_checkpoint)
        self.supports: Remembered[tuple[Tensor, Tensor]] = Remembered(REMEMBERED_SUPPORTS)
        self._remarks: dict[str, None] = {}
        self.preset = PRESETS[chosen.preset]
        if chosen.grid is not None:
            self.preset = dataclasses.replace(self.preset, grid=chosen.grid)
        if chosen.iterations is not None:
            self.preset = dataclasses.replace(self.preset, iterations=chosen.iterations)

    @staticmethod
    def needs(settings: MatcherSettings) -> tuple[str, ...]:
        """The checkpoints that the method loads."""
        encoder = settings.dinov2_checkpoint or settings.dinov2
        return tuple(dict.fromkeys((encoder, settings.sam, settings.sam2)))

    def own_weights(self) -> list[Loaded]:
        """The encoder and SAM."""
        return [self.loaded, self.sam.loaded]

    def describe(self) -> dict[str, Any]:
        """As of every prompter, and the preset's values."""
        found = super().describe()
        found["settings"]["values"] = dataclasses.asdict(self.preset)
        return found

    def siblings(self, count: int) -> list[Self]:
        """As of every prompter, each with its own remarks."""
        found = super().siblings(count)
        for one in found:
            one._remarks = {}
        return found

    def remarks(self) -> list[str]:
        """Where the usual way was not open since the last call; see `icvos.method.Remarks`."""
        said = list(self._remarks)
        self._remarks.clear()
        return said

    def sam2_prompt(self, supports: Sequence[Support], frame: Image) -> Prompt:
        """The merged mask at the frame's size, or points in its pixels, as the setting ``handover`` says."""
        if self.settings.handover == "mask":
            return Prompt(mask=self.segment_image(supports, frame))
        found = self.match(supports, frame).points
        if self.settings.handover == "centers":
            found = centres(found, 8, self._generators(supports, frame)[1])
        scale = np.array([frame.shape[1], frame.shape[0]], dtype=np.float32) / SIDE
        return Prompt(points=found.astype(np.float32) * scale, labels=np.ones(len(found), dtype=np.int64))

    def segment_image(self, supports: Sequence[Support], image: Image) -> Mask:
        """(H, W) bool: the union of the chosen proposals, by nearest neighbour from 518 x 518."""
        matched = self.match(supports, image)
        found = self.propose(matched, image, *self._generators(supports, image))
        masks = found.masks.cpu().numpy()
        merging = self.preset.merging
        if len(supports) > 1:
            merging = dataclasses.replace(merging, most=self.preset.most_of_many)
        chosen = choose(measure(masks, matched.points, matched.cost), merging)
        union = torch.from_numpy(masks[chosen].any(0))[None, None].float()
        size = (image.shape[0], image.shape[1])
        return functional.interpolate(union, size=size, mode="nearest")[0, 0].numpy() > 0

    def match(self, supports: Sequence[Support], image: Image) -> Match:
        """Where the target of the supports is in a picture. Raises `IcvosError` without a support."""
        if not supports:
            raise IcvosError("matcher needs a support; give an image with its mask")
        shown = [self._features_of(support) for support in supports]
        masks = torch.stack([mask for _, mask in shown])
        seen = self.frames.get(image, "patches", lambda: self.features(square(image)))
        found = match(torch.cat([part for part, _ in shown]), seen, target_patches(masks))
        if not bool(masks.any()):
            self._remarks["all support masks were empty; the middle of the pictures stood in"] = None
        if not found.retained.any():
            self._remarks["no pair of patches came back to the target; all were kept"] = None
        return found

    def propose(self, matched: Match, image: Image, random: Random, generator: torch.Generator) -> Proposals:
        """SAM's masks for the matched points; where none passes the filters, all of them without the filters."""
        preset = self.preset
        embedded = self.frames.get(image, "sam", lambda: self.sam.embed(square(image)))
        pool = centres(matched.points, preset.centres, generator) if preset.centres else matched.points
        groups = prompts(pool, preset.sizes, preset.iterations, random)
        box = matched.box if preset.box else None
        parts = []
        if preset.grid:
            grid = grid_points(preset.grid)
            parts.append(propose(self.sam, embedded, [grid], preset.grid_filter, multimask=False))
        parts.append(propose(self.sam, embedded, groups, preset.filter, multimask=preset.multimask, box=box))
        found = suppress(joined([part for part in parts if len(part.ious)], self.sam), preset.overlap)
        if len(found.ious):
            return found
        self._remarks["no proposal passed the filters; all were kept"] = None
        everything = propose(self.sam, embedded, groups, Filter(0, 0), multimask=preset.multimask, box=box)
        return suppress(everything, preset.overlap)

    def features(self, picture: Image) -> Tensor:
        """(1369, D) float32 unit features of a (518, 518, 3) uint8 picture."""
        image = torch.tensor(picture).permute(2, 0, 1)[None].float() / 255
        image = (image - torch.tensor(IMAGENET_MEAN)[:, None, None]) / torch.tensor(IMAGENET_STD)[:, None, None]
        with torch.inference_mode():
            return unit_features(self.encoder(image.to(self.sam.device))[0])

    def _features_of(self, support: Support) -> tuple[Tensor, Tensor]:
        """A support's features and (518, 518) mask; the last few supports are remembered."""
        return self.supports.get(support, lambda: (self.features(square(support.image())), square_mask(support.mask())))

    def _generators(self, supports: Sequence[Support], image: Image) -> tuple[Random, torch.Generator]:
        """Generators that follow from the setting and the pictures alone, whatever ran before."""
        names = [support.name for support in supports]
        content = hashlib.sha256(f"{self.settings.seed} {names}".encode())
        content.update(np.ascontiguousarray(image).tobytes())
        seed = int.from_bytes(content.digest()[:8], "little") >> 1
        return Random(seed), torch.Generator().manual_seed(seed)


def square(image: Image) -> Image:
    """(518, 518, 3) uint8: the picture without its aspect ratio, by Pillow's bilinear rule."""
    return np.array(PillowImage.fromarray(image).resize((SIDE, SIDE), PillowImage.Resampling.BILINEAR))
