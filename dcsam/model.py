"""DC-SAM, the reference model: prompt tokens for SAM 2, or SAM, by dual consistency (Qi et al., 2025).

A frozen backbone and a small trained prompt generator turn one picture with its mask into 25 positive and 25 negative
prompt tokens. SAM decodes them on a picture, SAM 2 on the first frame of a video before it propagates the mask.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from dcsam.attention import Fidelity
from dcsam.checkpoint import load_generator
from dcsam.explain import steps, watched
from dcsam.export import programs
from dcsam.fusion import Taps
from dcsam.prompt_generator import PromptGenerator, Variant
from dcsam.prompts import Prompts, prompts_from
from dcsam.training import DCTrainable, Tuned
from icvos.errors import IcvosError
from icvos.method import Image, Mask, Prompt, Step, Support
from icvos.models.backbones.build import build_backbone
from icvos.models.backbones.dinov2 import DINOV2_MODELS, DINOv2
from icvos.models.backbones.stages import Staged
from icvos.models.device import Device, pick_device
from icvos.models.export import Program
from icvos.models.maps import aligned
from icvos.models.needs import AFFINITY
from icvos.models.prompter import Prompter
from icvos.models.sam.prompted import Maps, PromptedSam, PromptedSam1, PromptedSam2
from icvos.models.sam.propagation import DType, Sam2Propagator
from icvos.models.sam.sam1 import load_sam
from icvos.models.sam.tuned import TunedSam2
from icvos.models.squares import squash, squash_mask
from icvos.models.weights.header import given_file, read_training
from icvos.models.weights.load import Loaded, fresh_layers, load_weights, without_body
from icvos.models.zoom import look_closer
from icvos.settings import Checked, Count, Side, Whole, renamed

SURROUND, PART = 2.5, 0.1  # of `look_closer`: chosen on drawn pictures that no figure is of
Backbone = Literal["resnet50-v2", "resnet101-v2", "vgg16-bn", "swin-b", "efficientnet-lite0", "dinov2-vitb14-reg"]


@dataclass(frozen=True, slots=True)
class DCSAMSettings(Checked):
    """What can be set of `dcsam`.

    Args:
        checkpoint: Path of a trained model; "" starts from the ImageNet backbone, to train.
        variant: ``full`` fuses the backbone's features with SAM's, ``prior`` takes SAM's alone.
        backbone: resnet50-v2, resnet101-v2, vgg16-bn, swin-b, efficientnet-lite0 or, with ``variant=prior``,
            dinov2-vitb14-reg.
        queries: Prompt tokens of each of the two branches.
        fidelity: ``published`` computes what the released code does, ``paper`` what the paper says.
        cyclic: Whether attention is filtered by cyclic consistency, as both have it.
        branches: both, or the positive one alone.
        fusion: Whether SAM's features are fused with the backbone's.
        width: Channels of SAM's features and of prompt tokens: 256, or 128 with the small SAM 2.
        mask_prompt: Whether SAM is given a rough mask too, made of prior and fused features; the paper has none.
        zooms: How often the part of a picture around what was found is looked at again, larger, and stray parts are
            dropped: 0 as published and in the paper. For masks, that is on pictures and with ``sam2=affinity``.
        mirrored: Whether picture and supports are seen mirrored too: logits of both pictures are averaged, and a
            mirrored support is one more shot, where ``fidelity`` takes several. For masks, as ``zooms``; not in the
            paper.
        encoder: Whose features are fused and which decodes masks: ``sam2``, for videos and images, or ``sam``, for
            images alone.
        size: Side of the square that pictures are stretched to; 512 as published.
        tuned: Which parts of SAM 2 are trained beside the prompt generator: none, masks (its mask decoder without the
            layers of its finer maps), decoder, memory (encoder and attention), both, or lora (low-rank adapters of
            decoder and memory attention alone). Without meaning elsewhere.
        sam: SAM 1, by name or path.
        sam2: SAM 2, by name or path; or ``affinity``, for a mask of the first frame that is carried on as in ``lite``,
            where the checkpoint has a SAM 2.
        short_side: Short side, in pixels, of the frames that affinity carries it through.
        device: Where the networks run: auto, cpu, cuda or mps.
        dtype: The precision of SAM 2: auto, float32 or bfloat16.
    """

    checkpoint: str = ""
    variant: Variant = "full"
    backbone: Backbone = "resnet50-v2"
    queries: Count = 25
    fidelity: Fidelity = "published"
    cyclic: bool = True
    branches: Literal["both", "positive"] = "both"
    fusion: bool = True
    width: Count = 256
    mask_prompt: bool = False
    zooms: Whole = 0
    mirrored: bool = False
    encoder: Literal["sam2", "sam"] = "sam2"
    size: Side = 512
    tuned: Tuned = "none"
    sam: str = "sam-vit-h"
    sam2: str = renamed("sam2-hiera-l", "propagation")
    short_side: Side = 480
    device: Device = "auto"
    dtype: DType = "auto"


@dataclass(frozen=True, slots=True)
class Shown:
    """Supports.

    Args:
        pictures: (1, K, 3, S, S), standardised.
        masks: (1, K, S, S) of 0 and 1.
        taps: What the backbone sees of them; of DINOv2, which has none, nothing.
        maps: SAM's features of them.
    """

    pictures: Tensor
    masks: Tensor
    taps: Taps
    maps: Maps


class DCSAM(Prompter[DCSAMSettings]):
    """The method ``dcsam``; see `DCSAMSettings`."""

    Settings = DCSAMSettings
    handover = "embeddings"
    resize = "512-bilinear"
    small = MappingProxyType({"checkpoint": "dcsam-nano", "sam2": "affinity"})

    def __init__(self, settings: DCSAMSettings | None = None) -> None:
        self.settings = settings or DCSAMSettings()
        chosen = self.settings
        self.device = pick_device(chosen.device)
        body = build_body(chosen.backbone)
        if without_body(chosen.checkpoint, chosen.backbone):
            self.loaded = load_body(body, chosen.backbone)
        with fresh_layers():
            self.network = PromptGenerator(
                body,
                chosen.variant,
                2 if chosen.encoder == "sam2" else 1,
                chosen.queries,
                chosen.fidelity,
                chosen.cyclic,
                chosen.branches == "both",
                chosen.fusion,
                chosen.width,
                chosen.mask_prompt,
            )
        self._tuned: TunedSam2 | None = None
        if chosen.checkpoint:
            self.loaded, self._tuned = load_generator(self.network, chosen.checkpoint, chosen)
        self.network.eval().to(self.device)
        self._sam: PromptedSam1 | PromptedSam2 | None = None

    @staticmethod
    def needs(settings: DCSAMSettings) -> tuple[str, ...]:
        """The checkpoints that the method loads; SAM 2 is in one that it was trained with."""
        path = given_file(settings.checkpoint)
        training = read_training(path) if path else None
        if training and training.settings.get("tuned", "none") != "none":
            return (settings.checkpoint,)
        return (settings.checkpoint or settings.backbone, settings.sam2 if settings.encoder == "sam2" else settings.sam)

    @classmethod
    def needed(cls, settings: DCSAMSettings, *, moving: bool) -> tuple[str, ...]:
        """The same on pictures, but for affinity; see `icvos.method.NeedsLess`.

        A file without a header may hold a SAM 2 of its own, which is known where it is loaded.
        """
        path = given_file(settings.checkpoint)
        if path and read_training(path) is None:
            return (settings.checkpoint,)
        return tuple(name for name in cls.needs(settings) if moving or name != AFFINITY)

    def sam2_prompt(self, supports: Sequence[Support], frame: Image) -> Prompt:
        """(2 N, C) prompt embeddings, the positive ones first, and a rough mask where there is one."""
        sam = self.video_sam()
        found = self.find(self.see(supports, sam), self._query(frame), sam)
        rough = None
        if found.rough is not None:
            shown = functional.interpolate(found.rough, frame.shape[:2], mode="bilinear", align_corners=False)
            rough = shown[0, 0].float().sigmoid().cpu().numpy()
        return Prompt(embeddings=found.tokens[0].float().cpu().numpy(), mask=rough)

    def segment_image(self, supports: Sequence[Support], image: Image) -> Mask:
        """(H, W) bool, decoded by the SAM whose features are fused."""
        chosen = self.settings
        shown = self.see(supports, self.sam(), mirrored=chosen.mirrored and chosen.fidelity == "paper")
        if not chosen.zooms:
            return self._segment(shown, image)
        return look_closer(lambda part: self._segment(shown, part), image, chosen.zooms, surround=SURROUND, part=PART)

    def _segment(self, shown: Shown, image: Image) -> Mask:
        logits = self._logits(shown, image)
        if self.settings.mirrored:
            logits = logits + self._logits(shown, np.ascontiguousarray(image[:, ::-1])).flip(-1)
        return (logits > 0).cpu().numpy()

    def _logits(self, shown: Shown, image: Image) -> Tensor:
        """(H, W) of an image."""
        sam = self.sam()
        found = self.find(shown, self._query(image), sam)
        with torch.inference_mode():
            low = sam.logits(found.query, found.tokens, found.rough)
            return aligned(low, (image.shape[0], image.shape[1]))[0, 0]

    def explain(self, supports: Sequence[Support], frame: Image, *, moving: bool) -> Sequence[Step]:
        """The two stages as pictures; see `dcsam.explain`."""
        sam = self.video_sam() if moving else self.sam()
        with watched(self.network) as looks:
            found = self.find(self.see(supports, sam), self._query(frame), sam)
        return steps(self.network, found, looks)

    def programs(self, shots: int, *, moving: bool) -> list[Program]:
        """SAM's encoder, the prompt generator and SAM's mask decoder; see `dcsam.export`."""
        sam = self.video_sam() if moving else self.sam()
        self._require_shots(shots)
        return programs(self.network, sam, self.settings.size, shots)

    def see(self, supports: Sequence[Support], sam: PromptedSam, *, mirrored: bool = False) -> Shown:
        """What both networks see of supports, ``mirrored`` ones behind them; raises `IcvosError` without a support."""
        if not supports:
            raise IcvosError("dcsam needs a support; give an image with its mask")
        self._require_shots(len(supports))
        side = self.settings.size
        pictures = torch.stack([squash(support.image(), side) for support in supports])[None].to(self.device)
        masks = torch.stack([squash_mask(support.mask(), side) for support in supports])[None].to(self.device)
        if mirrored:
            pictures, masks = (torch.cat([found, found.flip(-1)], 1) for found in (pictures, masks))
        flat = pictures.flatten(0, 1)
        with torch.inference_mode():
            taps = () if hasattr(self.network, "dinov2") else self.network.early(flat)
            return Shown(pictures, masks, taps, sam.maps(flat))

    def find(self, shown: Shown, query: Tensor, sam: PromptedSam) -> Prompts:
        """Both stages for a (3, S, S) query."""
        asked = query[None].to(self.device)

        def early(pictures: Tensor) -> Taps:
            if pictures is not asked:
                return shown.taps
            return self.frames.get(query, "backbone", lambda: self.network.early(asked))

        with torch.inference_mode():
            seen = self.network.backdrop(asked, shown.pictures, shown.masks, early)
            maps = self.frames.get(query, "sam", lambda: sam.maps(asked))
            return prompts_from(self.network, sam, seen, maps, shown.maps, self.settings.size)

    def _query(self, image: Image) -> Tensor:
        """(3, S, S) float32, one and the same for all siblings that are given the same frame."""
        return self.frames.get(image, "query", lambda: squash(image, self.settings.size))

    def _require_shots(self, shots: int) -> None:
        if shots > 1 and self.settings.fidelity == "published":
            raise IcvosError(
                f"dcsam as published has one shot, not {shots}; give --shots 1, or add --set fidelity=paper"
            )

    def sam(self) -> PromptedSam1 | PromptedSam2:
        """What decodes images, loaded when it is first needed."""
        if self._sam is None and self.settings.encoder == "sam2":
            self._sam = PromptedSam2(self.sam2().network)
        elif self._sam is None:
            self._sam = PromptedSam1(load_sam(self.settings.sam, self.device))
        return self._sam

    def video_sam(self) -> PromptedSam2:
        """What decodes the first frame of a video."""
        return PromptedSam2(self.sam2().network, moving=True, gated=self.settings.fidelity == "published")

    def sam2(self) -> Sam2Propagator:
        """SAM 2, with the weights of the checkpoint where it holds them."""
        if self.settings.encoder == "sam":
            raise IcvosError(
                "dcsam with encoder=sam segments images alone; for videos take encoder=sam2 and a checkpoint that was "
                "trained so (icvos train dcsam-ic-vos-image)"
            )
        if self._sam2 is None and self._tuned:
            network, loaded = self._tuned.build(self.settings.sam2)
            self._sam2 = Sam2Propagator(network.to(self.device), loaded, dtype=self.settings.dtype, resize=self.resize)
        found = super().sam2()
        width = found.network.hidden_dim
        if width != self.settings.width:
            raise IcvosError(f"{self.settings.sam2}: has tokens of {width} channels; add --set width={width}")
        return found

    def own_weights(self) -> list[Loaded]:
        """The prompt generator and its SAM, which is loaded for it: the record of a run is written before the run."""
        sam = self.sam()
        return [self.loaded, sam.sam.loaded if isinstance(sam, PromptedSam1) else self.sam2().loaded]

    def describe(self) -> dict[str, Any]:
        """As every `Prompter`, and which part of SAM 2 was trained together with the generator."""
        found = super().describe()
        found["settings"]["sam2_in_checkpoint"] = self._tuned.holds if self._tuned else "none"
        return found

    def trainable(self, classes: Sequence[int]) -> DCTrainable:  # noqa: ARG002
        """The prompt generator, and the parts of SAM 2 that are tuned, as they are trained on whatever classes."""
        chosen = self.settings
        if chosen.tuned == "none":
            sam = self.sam()
        elif chosen.encoder == "sam2":
            sam = self.video_sam()
        else:
            raise IcvosError(f"setting tuned={chosen.tuned}: SAM 1 stays frozen; add --set encoder=sam2")
        weights = tuple(dict.fromkeys(self.own_weights()))
        return DCTrainable(self.network, sam, chosen.tuned, chosen.fidelity, weights)


def build_body(name: str) -> Staged | DINOv2:
    """The backbone called ``name``, without its weights."""
    if name in DINOV2_MODELS:
        return DINOv2(DINOV2_MODELS[name]).requires_grad_(False)
    return build_backbone(name, "torchvision")


def load_body(body: Staged | DINOv2, name: str) -> Loaded:
    """Give a backbone its published weights."""
    return load_weights(body, name) if isinstance(body, DINOv2) else body.load_published(name)
