"""VRP-SAM: visual reference prompts (Sun et al., 2024): prompt tokens for a frozen SAM from a picture with its mask.

On images they go to SAM 1 as published. On videos they go to SAM 2 in the place of its sparse prompts on the first
frame. With k supports each gives its 50 tokens with the same query, and all are decoded together.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from baselines.parts.annotation import annotate
from baselines.parts.episodes import support_masks
from icvos.errors import IcvosError
from icvos.method import Image, Mask, Prompt, Support
from icvos.models.backbones.build import FewShotBackbone, build_backbone
from icvos.models.backbones.stages import Staged
from icvos.models.device import Device
from icvos.models.losses import dice
from icvos.models.maps import aligned, masked_average, sine_positions
from icvos.models.needs import AFFINITY
from icvos.models.network_prompter import NetworkPrompter
from icvos.models.prior import contrast, prior
from icvos.models.sam.prompted import Maps, PromptedSam, PromptedSam1, PromptedSam2, as_maps, as_tuple
from icvos.models.sam.propagation import DType, Sam2Propagator, load_propagator
from icvos.models.sam.sam1 import load_sam
from icvos.models.squares import squash, squash_mask
from icvos.models.weights.load import Loaded
from icvos.settings import Checked, Count, Side, renamed
from icvos.training.remembered import Remembered
from icvos.training.trainable import EpisodeBatch

HEADS = 4
Early = Callable[[Tensor], tuple[Tensor, ...]]


class CrossAttention(nn.Module):
    """LN(t + attention(t, features + positions, features)); published inner names."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.multihead_attn = nn.MultiheadAttention(width, HEADS, batch_first=True)
        self.norm = nn.LayerNorm(width)

    def forward(self, tokens: Tensor, features: Tensor, positions: Tensor) -> Tensor:
        """(B, N, C) tokens, (B, h w, C) features and positions to (B, N, C)."""
        found, _ = self.multihead_attn(tokens, features + positions, features, need_weights=False)
        normal: Tensor = self.norm(tokens + found)
        return normal


class SelfAttention(nn.Module):
    """LN(t + attention(t, t, t)); published inner names."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.self_attn = nn.MultiheadAttention(width, HEADS, batch_first=True)
        self.norm = nn.LayerNorm(width)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, N, C) to the same."""
        found, _ = self.self_attn(tokens, tokens, tokens, need_weights=False)
        normal: Tensor = self.norm(tokens + found)
        return normal


class PromptDecoder(nn.Module):
    """Learned tokens look at the support, at each other, at the query, and at each other again."""

    def __init__(self, queries: int, width: int) -> None:
        super().__init__()
        self.supp_q_feat = nn.Embedding(queries, width)
        self.transformer_cross_attention_layers_0 = nn.ModuleList([CrossAttention(width)])
        self.transformer_self_attention_layers_0 = nn.ModuleList([SelfAttention(width)])
        self.transformer_cross_attention_layers = nn.ModuleList([CrossAttention(width)])
        self.transformer_self_attention_layers = nn.ModuleList([SelfAttention(width)])
        for name, parameter in self.named_parameters():
            if "attn" in name and parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)

    def forward(self, support: Tensor, query: Tensor) -> Tensor:
        """(B, C, h, w) fused support and query features to (B, N, C) prompts."""
        positions = (
            sine_positions(support.shape[2], support.shape[3], support.shape[1]).to(support).flatten(2).transpose(1, 2)
        )
        shown, seen = support.flatten(2).transpose(1, 2), query.flatten(2).transpose(1, 2)
        tokens = self.supp_q_feat.weight[None].expand(len(support), -1, -1)
        tokens = self.transformer_cross_attention_layers_0[0](tokens, shown, positions)
        tokens = self.transformer_self_attention_layers_0[0](tokens)
        tokens = self.transformer_cross_attention_layers[0](tokens, seen, positions)
        prompts: Tensor = self.transformer_self_attention_layers[0](tokens)
        return prompts


@dataclass(frozen=True, slots=True)
class Encoded:
    """What the prompt encoder computes, h = w the side of its feature map, shots of an episode adjacent.

    Args:
        prompts: (B, K N, C), C = 256 as published.
        prior: (B K, 1, h, w), the greatest cosine similarity, in [0, 1], not stretched.
        prototype: (B K, C, 1, 1).
        support_reduced: (B K, C, h, w); so are ``support_fused`` and ``query_fused``.
        query_reduced: (B, C, h, w).
    """

    prompts: Tensor
    prior: Tensor
    prototype: Tensor
    support_reduced: Tensor
    query_reduced: Tensor
    support_fused: Tensor
    query_fused: Tensor


class PromptEncoder(Staged):
    """The visual reference prompt encoder; published parameter names."""

    def __init__(self, body: Staged, queries: int = 50, width: int = 256) -> None:
        super().__init__()
        self.take_stages(body)
        taps = body.channels[2] + body.channels[3]
        self.downsample_query = nn.Sequential(nn.Conv2d(taps, width, 1, bias=False), nn.ReLU(), nn.Dropout2d(0.5))
        self.merge_1 = nn.Sequential(nn.Conv2d(2 * width + 1, width, 1, bias=False), nn.ReLU())
        self.transformer_decoder = PromptDecoder(queries, width)

    def forward(self, query: Tensor, supports: Tensor, masks: Tensor, early: Early | None = None) -> Encoded:
        """Prompts for (B, 3, S, S) queries from (B, K, 3, S, S) supports and their (B, K, S, S) float masks.

        Every support is encoded on its own; the query's features are the same for all of an episode. ``early`` is what
        gives `early`'s maps where they are remembered.
        """
        by_episode, see = supports.shape[:2], early or self.early
        with torch.no_grad():
            q3, taps_q = see(query)
            s3, taps_s = see(supports.flatten(0, 1))
            small = functional.interpolate(masks.flatten(0, 1)[:, None].float(), size=s3.shape[2:], mode="nearest")
            if self.contrasts:
                asked, shown = ([x, self.layer4(x)] for x in (q3, s3))
                similar = contrast(asked, shown, masks, q3.shape[-1]).flatten(0, 1)[:, None]
            else:
                last = self.layer4(s3 * small).unflatten(0, by_episode)
                similar = prior(self.layer4(q3), last, small.unflatten(0, by_episode)).flatten(0, 1)[:, None]
        query_reduced, support_reduced = self.downsample_query(taps_q), self.downsample_query(taps_s)
        prototype = masked_average(support_reduced, small)
        support_fused = self._fuse(support_reduced, prototype, small)
        seen = query_reduced[:, None].expand(-1, by_episode[1], -1, -1, -1).flatten(0, 1)
        query_fused = self._fuse(seen, prototype, similar)
        prompts = self.transformer_decoder(support_fused, query_fused).unflatten(0, by_episode).flatten(1, 2)
        return Encoded(prompts, similar, prototype, support_reduced, query_reduced, support_fused, query_fused)

    def early(self, x: Tensor) -> tuple[Tensor, ...]:
        """layer3's map, and it behind layer2's on one grid."""
        second, third = self.features(x, (2, 3))
        return third, torch.cat([aligned(second, third.shape[-1]), third], 1)

    def _fuse(self, features: Tensor, prototype: Tensor, where: Tensor) -> Tensor:
        spread = prototype.expand(-1, -1, *features.shape[2:])
        fused: Tensor = self.merge_1(torch.cat([features, spread, 10 * where], 1))
        return fused


def annotated(masks: Tensor, condition: str, generator: np.random.Generator | None = None) -> Tensor:
    """(B, K, S, S) float masks of 0 and 1 as `annotation.annotate` shows them; a generator in training alone."""
    if condition == "mask":
        return masks
    given = masks.flatten(0, 1).cpu().numpy() > 0
    shown = np.stack([annotate(mask, condition, generator) for mask in given])
    return torch.from_numpy(shown).to(masks).reshape(masks.shape)


class VRPTrainable:
    """The prompt encoder as it is trained: through a frozen SAM 1 or 2, its backbone frozen in evaluation mode.

    Args:
        network: The prompt encoder.
        sam: What decodes its prompts.
        condition: How supports are annotated.
        loaded: The weights that it starts from.
    """

    def __init__(
        self, network: PromptEncoder, sam: PromptedSam, condition: str = "mask", loaded: tuple[Loaded, ...] = ()
    ) -> None:
        self.network = network
        self.sam = sam
        self.condition = condition
        self.loaded = loaded
        self.sam_maps: Callable[[Tensor], Maps] | None = None
        self.early: Early | None = None

    def remember(self, pictures: int) -> None:
        """Keep what frozen networks see of so many pictures, as `icvos.training.trainable.Remembers`."""
        by_sam = Remembered(lambda picture: as_tuple(self.sam.maps(picture)), pictures)
        self.sam_maps = lambda shown: as_maps(by_sam(shown))
        self.early = Remembered(self.network.early, pictures)

    def train(self) -> None:
        """Training mode for the learned parts: dropout in the reduction."""
        self.network.eval()
        for part in ("downsample_query", "merge_1", "transformer_decoder"):
            getattr(self.network, part).train()

    def parameter_groups(self, learning_rate: float) -> list[dict[str, Any]]:
        """The reduction, the fusion and the prompt decoder, at one rate."""
        parts = ("transformer_decoder", "downsample_query", "merge_1")
        learned = [parameter for part in parts for parameter in getattr(self.network, part).parameters()]
        return [{"params": learned, "lr": learning_rate}]

    def losses(self, batch: EpisodeBatch) -> dict[str, Tensor]:
        """``total`` = ``bce`` (mean over all pixels) + ``dice``; borders count as background.

        Annotations are drawn freely, from torch's own random numbers.
        """
        generator = np.random.default_rng(int(torch.randint(2**62, ())))
        logits = self._decode(batch, annotated(support_masks(batch), self.condition, generator))
        truth = (batch.query_label == 1).float()
        bce = functional.binary_cross_entropy_with_logits(logits, truth)
        overlap = dice(logits, truth)
        return {"total": bce + overlap, "bce": bce, "dice": overlap}

    def logits(self, batch: EpisodeBatch) -> Tensor:
        """(B, S, S) float32; an annotation follows from its mask alone."""
        return self._decode(batch, annotated(support_masks(batch), self.condition))

    def _decode(self, batch: EpisodeBatch, masks: Tensor) -> Tensor:
        prompts = self.network(batch.query, batch.supports, masks, self.early).prompts  # of all shots, decoded together
        low = self.sam.logits((self.sam_maps or self.sam.maps)(batch.query), prompts)
        return aligned(low, batch.query.shape[-1])[:, 0]


@dataclass(frozen=True, slots=True)
class VRPSettings(Checked):
    """What can be set of `vrp-sam`.

    Args:
        checkpoint: Path of a trained prompt encoder; "" starts from the ImageNet backbone, to train.
        backbone: resnet50-v2, resnet101-v2, vgg16-bn or efficientnet-lite0.
        queries: Prompt tokens of a support.
        condition: How a support is annotated: mask, box, point or scribble; drawn on its mask, in training too.
        size: Side of the square that pictures are stretched to, for the encoder and for SAM; 512 as published.
        width: Channels of prompt tokens: 256, or 128 with the small SAM 2.
        decoder: Which SAM decodes images and is trained through: sam, as published, or sam2.
        sam: SAM 1 for images and for training, by name or path; with ``decoder=sam2`` and ``sam2=affinity`` a SAM 2.
        sam2: SAM 2 for the video, by name or path; or ``affinity``, which carries the mask on as in ``lite``.
        short_side: Short side, in pixels, of the frames that affinity carries it through.
        device: Where the networks run: auto, cpu, cuda or mps.
        dtype: The precision of SAM 2: auto, float32 or bfloat16.
    """

    checkpoint: str = ""
    backbone: FewShotBackbone = "resnet50-v2"
    queries: Count = 50
    condition: Literal["mask", "box", "point", "scribble"] = "mask"
    size: Side = 512
    width: Count = 256
    decoder: Literal["sam", "sam2"] = "sam"
    sam: str = "sam-vit-h"
    sam2: str = renamed("sam2.1-hiera-l", "propagation")
    short_side: Side = 480
    device: Device = "auto"
    dtype: DType = "auto"


class VRPSAM(NetworkPrompter[VRPSettings, Staged, PromptEncoder]):
    """The method ``vrp-sam``; see `VRPSettings`."""

    Settings = VRPSettings
    name = "vrp-sam"
    shaping = ("backbone", "queries", "width")
    handover = "embeddings"
    packages = ("sam2", "segment_anything")
    resize = "512-bilinear"
    small = MappingProxyType({"checkpoint": "vrp-sam-nano", "sam": "sam2-nano", "sam2": "affinity"})
    _sam: PromptedSam | None = None
    _decoder: Sam2Propagator | None = None

    def body(self) -> Staged:
        """The backbone, without its weights."""
        return build_backbone(self.settings.backbone, "torchvision")

    def make(self, body: Staged) -> PromptEncoder:
        """The network on a backbone, its own layers fresh."""
        return PromptEncoder(body, self.settings.queries, self.settings.width)

    @staticmethod
    def shown(settings: VRPSettings) -> str:
        """What is shown of a support; see `icvos.own_supports.ShowsSupports`."""
        return settings.condition

    @classmethod
    def needs(cls, settings: VRPSettings) -> tuple[str, ...]:
        """The checkpoints that the method loads; SAM 1 on images and in training alone."""
        alone = settings.decoder == "sam2" and settings.sam2 != AFFINITY
        return super().needs(settings) if alone else (*super().needs(settings), settings.sam)

    @classmethod
    def needed(cls, settings: VRPSettings, *, moving: bool) -> tuple[str, ...]:
        """On videos no SAM but SAM 2, and on pictures the one that decodes them; see `icvos.method.NeedsLess`."""
        own = settings.checkpoint or settings.backbone
        if settings.sam2 == AFFINITY:
            return (own, settings.sam, AFFINITY) if moving else (own, settings.sam)
        return (own, settings.sam2 if moving or settings.decoder == "sam2" else settings.sam)

    def sam2_prompt(self, supports: Sequence[Support], frame: Image) -> Prompt:
        """(k N, C) prompt embeddings."""
        return Prompt(embeddings=self.tokens(supports, squash(frame, self.settings.size)).cpu().numpy())

    def tokens(self, supports: Sequence[Support], query: Tensor) -> Tensor:
        """(k N, C) float32 for a (3, S, S) query. Raises `IcvosError` without a support."""
        if not supports:
            raise IcvosError("vrp-sam needs a support; give an image with its mask")
        side = self.settings.size
        pictures = torch.stack([squash(support.image(), side) for support in supports])[None].to(self.device)
        masks = torch.stack([squash_mask(support.mask(), side) for support in supports])[None].to(self.device)
        with torch.inference_mode():
            shown = annotated(masks, self.settings.condition)
            prompts: Tensor = self.network(query[None].to(self.device), pictures, shown).prompts
            return prompts[0]

    def segment_image(self, supports: Sequence[Support], image: Image) -> Mask:
        """(H, W) bool by SAM 1, as published, or by SAM 2."""
        query, sam = squash(image, self.settings.size).to(self.device), self.sam()
        with torch.inference_mode():
            low = sam.logits(sam.maps(query[None]), self.tokens(supports, query)[None])
            full = aligned(low, (image.shape[0], image.shape[1]))[0, 0]
        return (full > 0).cpu().numpy()

    def sam(self) -> PromptedSam:
        """What decodes images and what is trained through, loaded when it is first needed."""
        if self._sam is None and self.settings.decoder == "sam2":
            self._decoder = self._sam2_decoder()
            self._sam = PromptedSam2(self._decoder.network)
        elif self._sam is None:
            self._sam = PromptedSam1(load_sam(self.settings.sam, self.device))
        return self._sam

    def _sam2_decoder(self) -> Sam2Propagator:
        chosen = self.settings
        if not self.by_affinity:
            return self.sam2()
        return load_propagator(chosen.sam, chosen.device, chosen.dtype, resize=self.resize)

    def own_weights(self) -> list[Loaded]:
        """The prompt encoder, and what decodes but where SAM 2 does and carries masks on as well."""
        return [self.loaded] if self._sam2 else [self.loaded, *self._decoders()]

    def trainable(self, classes: Sequence[int]) -> VRPTrainable:  # noqa: ARG002
        """The prompt encoder, as it is trained on whatever classes."""
        sam = self.sam()
        return VRPTrainable(self.network, sam, self.settings.condition, (self.loaded, *self._decoders()))

    def _decoders(self) -> list[Loaded]:
        sam = self.sam()
        if isinstance(sam, PromptedSam1):
            return [sam.sam.loaded]
        return [self._decoder.loaded] if self._decoder else []
