"""PerSAM and PerSAM-F: one picture of the target tells SAM where to look (Zhang et al., 2023).

Nothing is trained in PerSAM; PerSAM-F fits two numbers to the support, which weigh SAM's three masks. Here the first
frame's prompt goes to SAM 2, which carries it through the video.

With k supports the target vector is made from the target cells of all of them together, and PerSAM-F fits its two
numbers to the mean loss of the supports.
"""

import dataclasses
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from icvos.errors import IcvosError
from icvos.method import Image, Mask, Prompt, Support
from icvos.models.device import pick_device
from icvos.models.prompter import Prompter
from icvos.models.sam.propagation import DType
from icvos.models.sam.sam1 import Embedded, Sam1, SamOnImages
from icvos.models.sam.sam2_images import load_sam_on_images

REMEMBERED_SUPPORTS = 16


@dataclass(frozen=True, slots=True)
class PerSAMSettings:
    """What can be set of `persam`.

    Args:
        sam: SAM for the prompt: a SAM 1 by name or path, as published, or a SAM 2 by name.
        propagation: SAM 2 for the video, by name or path.
        handover: What SAM 2 is given: ``points`` (most and least similar pixel), ``points+box`` (and the box of the
            cascade's mask), or ``mask`` (the cascade's mask).
        mask_value: Grey value of a support's mask as a picture; a cell is the target's where the mask covers more than
            123.675 / mask_value of it. 128: 96.6 % (published images); 215: 57.5 % (published video); 255: 48.5 %.
        guided: Target-guided attention in the first decoding of the cascade; only SAM 1 has it.
        device: auto, cpu, cuda or mps.
        dtype: Of SAM 2: auto, float32 or bfloat16.
    """

    sam: str = "sam-vit-h"
    propagation: str = "sam2.1-hiera-l"
    handover: Literal["points", "points+box", "mask"] = "points"
    mask_value: int = 255
    guided: bool = True
    device: str = "auto"
    dtype: DType = "auto"


@dataclass(frozen=True, slots=True)
class PerSAMFSettings:
    """What can be set of `persam-f`.

    Args:
        sam: As in `PerSAMSettings`.
        propagation: As in `PerSAMSettings`.
        handover: ``point+box`` (the box of the weighted mask), ``point``, or ``mask`` (the refined mask).
        mask_value: As in `PerSAMSettings`.
        epochs: Steps of the fit.
        learning_rate: Of the fit.
        device: auto, cpu, cuda or mps.
        dtype: Of SAM 2: auto, float32 or bfloat16.
    """

    sam: str = "sam-vit-h"
    propagation: str = "sam2.1-hiera-l"
    handover: Literal["point+box", "point", "mask"] = "point+box"
    mask_value: int = 255
    epochs: int = 1000
    learning_rate: float = 1e-3
    device: str = "auto"
    dtype: DType = "auto"


@dataclass(frozen=True, slots=True)
class Decoding:
    """One decoding of the cascade: (M, 4 g, 4 g) logits, (M,) predicted IoUs, and the prompts beside the points."""

    logits: Tensor
    ious: Tensor
    mask: Tensor | None = None
    box: np.ndarray | None = None

    @property
    def best(self) -> int:
        """The mask of the highest predicted IoU."""
        return int(self.ious.argmax())


@dataclass(frozen=True, slots=True)
class Found:
    """What was found in a picture.

    Args:
        points: (N, 2) int64, (x, y) in pixels.
        labels: (N,) int64, 1 = foreground, 0 = background.
        steps: The decodings, in order.
        logits: (H, W) float32 of the final mask.
    """

    points: np.ndarray
    labels: np.ndarray
    steps: list[Decoding] = field(default_factory=list)
    logits: Tensor | None = None


def target_cells(values: Tensor) -> Tensor:
    """(g, g) bool: the target's cells of `SamOnImages.mask_cells`; where none is above 0, those of the largest value.

    The published programs fail, or go on with not-a-number, where no cell is left.
    """
    cells = values > 0
    return cells if bool(cells.any()) else values == values.max()


def target_vector(features: Tensor, *, with_maximum: bool) -> Tensor:
    """(C,) of (n, C) features of target cells: their mean (PerSAM), or half of it and half of their maximum."""
    mean = features.mean(0)
    return features.max(0).values / 2 + mean / 2 if with_maximum else mean


def similarity(sam: SamOnImages, image: Embedded, target: Tensor) -> Tensor:
    """(H, W) float32 cosine similarity of every pixel with the target vector, in [-1, 1]."""
    cosine = torch.einsum("c,chw->hw", target / target.norm(), image.features / image.features.norm(dim=0))
    grown = functional.interpolate(cosine[None, None], scale_factor=4, mode="bilinear", align_corners=False)
    return sam.upscale(image, grown[0])[0]


def extreme_points(similar: Tensor, positives: int = 1, negatives: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """((N, 2) int64 (x, y), (N,) int64 labels): the most similar pixels, then the least similar ones."""
    flat, width = similar.flatten(), similar.shape[1]
    chosen = [flat.topk(positives).indices, flat.topk(negatives, largest=False).indices]
    index = torch.cat(chosen).cpu().numpy()
    labels = np.array([1] * positives + [0] * negatives, dtype=np.int64)
    return np.stack([index % width, index // width], axis=1), labels


def tight_box(mask: np.ndarray) -> np.ndarray | None:
    """(4,) int64: the smallest and largest x and y of the set pixels, inclusive; None for an empty (H, W) bool mask."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return None
    return np.array([columns[0], rows[0], columns[-1], rows[-1]], dtype=np.int64)


def attention_bias(similar: Tensor, grid: int) -> Tensor:
    """(1, 1, 1, g g) float32 in (0, 1): the standardised similarity map on the feature grid, row by row.

    The published resizing ignores the padding of pictures that are not square, so there the bias and the features are
    shifted against each other; this follows it.
    """
    standard = (similar - similar.mean()) / similar.std()
    small = functional.interpolate(standard[None, None], size=(grid, grid), mode="bilinear", align_corners=False)
    return small.sigmoid().reshape(1, 1, 1, grid * grid)


def attend(attention: Any, query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None = None) -> Tensor:
    """SAM's attention from its own projections; with a bias, softmax twice: softmax(softmax(q k / sqrt(d)) + bias)."""
    heads = attention.num_heads

    def split(x: Tensor) -> Tensor:
        batch, tokens, width = x.shape
        return x.reshape(batch, tokens, heads, width // heads).transpose(1, 2)

    q, k, v = split(attention.q_proj(query)), split(attention.k_proj(key)), split(attention.v_proj(value))
    weight = (q @ k.transpose(2, 3) / q.shape[-1] ** 0.5).softmax(-1)
    if bias is not None:
        weight = (weight + bias).softmax(-1)
    mixed = (weight @ v).transpose(1, 2).flatten(2)
    joined: Tensor = attention.out_proj(mixed)
    return joined


def guided_masks(
    decoder: Any,
    features: Tensor,
    positions: Tensor,
    sparse: Tensor,
    dense: Tensor,
    bias: Tensor | None,
    target: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """All four masks of SAM's decoder under target-guided attention and target-semantic prompting (PerSAM, 3.3).

    Args:
        decoder: SAM's mask decoder.
        features: (1, 256, g, g) of the picture.
        positions: (1, 256, g, g), SAM's dense position encoding.
        sparse: (1, N, 256) embedded prompts.
        dense: (1, 256, g, g) embedded mask prompt.
        bias: (1, 1, 1, g g), goes into the tokens' attention to the image of both blocks; None: no second softmax.
        target: (1, 1, 256), is added to the tokens before every block and to their positions; None: nothing is.

    Returns:
        (1, 4, 4 g, 4 g) logits and (1, 4) predicted IoUs; the first is the single mask.
    """
    shift = torch.zeros_like(sparse[:, :1]) if target is None else target
    tokens = torch.cat([decoder.iou_token.weight, decoder.mask_tokens.weight])[None]
    place = torch.cat([tokens, sparse], 1) + shift
    image = (features + dense).flatten(2).permute(0, 2, 1)
    image_place = positions.flatten(2).permute(0, 2, 1)
    x = place
    for number, block in enumerate(decoder.transformer.layers):
        if number == 0:
            x = attend(block.self_attn, x, x, x)
        else:
            x = x + shift
            x = x + attend(block.self_attn, x + place, x + place, x)
        x = block.norm1(x)
        x = block.norm2(x + attend(block.cross_attn_token_to_image, x + place, image + image_place, image, bias))
        x = block.norm3(x + block.mlp(x))
        image = block.norm4(image + attend(block.cross_attn_image_to_token, image + image_place, x + place, x))
    final = decoder.transformer.final_attn_token_to_image
    x = decoder.transformer.norm_final_attn(x + attend(final, x + place + shift, image + image_place, image))
    grid = features.shape[-1]
    upscaled = decoder.output_upscaling(image.transpose(1, 2).reshape(1, -1, grid, grid))
    kernels = [mlp(x[:, 1 + index]) for index, mlp in enumerate(decoder.output_hypernetworks_mlps)]
    logits = torch.einsum("bmc,bchw->bmhw", torch.stack(kernels, 1), upscaled)
    return logits, decoder.iou_prediction_head(x[:, 0])


def dice_loss(logits: Tensor, mask: Tensor) -> Tensor:
    """1 - (2 sum(q m) + 1) / (sum(q) + sum(m) + 1) with q = sigmoid(logits); both (H W,)."""
    shown = logits.sigmoid()
    return 1 - (2 * (shown * mask).sum() + 1) / (shown.sum() + mask.sum() + 1)


def focal_loss(logits: Tensor, mask: Tensor) -> Tensor:
    """mean(a (1 - p)^2 BCE), p the probability of the truth, a = 0.25 on the object and 0.75 off it; both (H W,)."""
    shown = logits.sigmoid()
    entropy = functional.binary_cross_entropy_with_logits(logits, mask, reduction="none")
    truth = shown * mask + (1 - shown) * (1 - mask)
    balance = 0.25 * mask + 0.75 * (1 - mask)
    return (balance * (1 - truth) ** 2 * entropy).mean()


@dataclass(frozen=True, slots=True)
class Fit:
    """PerSAM-F's two numbers and how they came about: losses and (w1, w2) of every epoch, before its step."""

    weights: Tensor
    dice: list[float]
    focal: list[float]
    path: list[Tensor]


def fit_weights(shown: Sequence[tuple[Tensor, Tensor]], epochs: int, learning_rate: float) -> Fit:
    """Fit the weights of SAM's second and third mask; the first has 1 - w1 - w2.

    SAM's decoder does not change while they are fitted, so it has run once, and only the sum of its masks is computed
    again: the published program's numbers to rounding, without its decodings.

    Args:
        shown: Of every support (3, H, W) logits at its size and its (H, W) mask of 0 and 1.
        epochs: Steps.
        learning_rate: At the start; it falls to 0 as a cosine.
    """
    chosen = torch.full((2,), 1 / 3, device=shown[0][0].device, requires_grad=True)
    optimiser = torch.optim.AdamW([chosen], learning_rate, eps=1e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs)
    flat = [(logits.flatten(1), mask.flatten().float()) for logits, mask in shown]
    dices, focals, path = [], [], []
    for _ in range(epochs):
        path.append(chosen.detach().clone())
        dice = torch.stack([dice_loss(combine(logits, chosen), mask) for logits, mask in flat]).mean()
        focal = torch.stack([focal_loss(combine(logits, chosen), mask) for logits, mask in flat]).mean()
        optimiser.zero_grad()
        (dice + focal).backward()
        optimiser.step()
        schedule.step()
        dices.append(float(dice.detach()))
        focals.append(float(focal.detach()))
    return Fit(chosen.detach(), dices, focals, path)


def combine(masks: Tensor, weights: Tensor) -> Tensor:
    """(1 - w1 - w2) z1 + w1 z2 + w2 z3 of (3, ...) logits."""
    shares = torch.stack([1 - weights.sum(), weights[0], weights[1]])
    return (masks * shares.reshape(3, *[1] * (masks.dim() - 1))).sum(0)


class _Personal(Prompter):
    """What PerSAM and PerSAM-F share: the target of the supports, and the hand-over to SAM 2."""

    with_maximum = False

    def __init__(self, settings: Any) -> None:
        self.settings = settings
        self.device = pick_device(settings.device)
        self.sam = load_sam_on_images(settings.sam, self.device)
        self.loaded = self.sam.loaded
        self.supports: OrderedDict[Support, tuple[Embedded, Tensor]] = OrderedDict()
        self._remarks: dict[str, None] = {}

    @staticmethod
    def needs(settings: Any) -> tuple[str, ...]:
        """The checkpoints that the method loads."""
        return tuple(dict.fromkeys((settings.sam, settings.propagation)))

    def remarks(self) -> list[str]:
        """Where the usual way was not open since the last call; see `icvos.method.Remarks`."""
        said = list(self._remarks)
        self._remarks.clear()
        return said

    def segment_image(self, supports: Sequence[Support], image: Image) -> Mask:
        """(H, W) bool: the method's own final mask of one picture, without SAM 2's part."""
        found = self.find(supports, image)
        assert found.logits is not None
        return (found.logits > 0).cpu().numpy()

    def find(self, supports: Sequence[Support], image: Image, *, refine: bool = True) -> Found:
        """Where the target of the supports is in a picture; without ``refine`` no further than the hand-over needs."""
        raise NotImplementedError

    def target(self, supports: Sequence[Support]) -> Tensor:
        """(C,) float32: the target vector, not of unit length. Raises `IcvosError` without a support."""
        if not supports:
            raise IcvosError(f"{type(self).__name__} needs a support; give an image with its mask")
        cells = []
        for support in supports:
            embedded, values = self._embedded(support)
            if not bool((values > 0).any()):
                self._remarks[f"the mask of support {support.name} fills no cell; its fullest stood in"] = None
            cells.append(embedded.features[:, target_cells(values)].T)
        return target_vector(torch.cat(cells), with_maximum=self.with_maximum)

    def _embedded(self, support: Support) -> tuple[Embedded, Tensor]:
        """A support's embedding and mask cells; the last few supports are remembered."""
        if support not in self.supports:
            cells = self.sam.mask_cells(support.mask(), self.settings.mask_value)
            self.supports[support] = (self.sam.embed(support.image()), cells)
            if len(self.supports) > REMEMBERED_SUPPORTS:
                self.supports.popitem(last=False)
        self.supports.move_to_end(support)
        return self.supports[support]

    def _box(self, logits: Tensor) -> np.ndarray | None:
        """The box of (H, W) logits above 0; None, with a remark, where none is."""
        box = tight_box((logits > 0).cpu().numpy())
        if box is None:
            self._remarks["an intermediate mask was empty and gave no box"] = None
        return box

    def _refined(self, image: Embedded, found: Found, low: Tensor, box: np.ndarray | None) -> Decoding:
        """Decode the points, a box and a mask prompt, (4 g, 4 g) logits, together."""
        logits, ious = self.sam.decode(
            image,
            found.points[None],
            found.labels[None],
            None if box is None else box[None],
            low[None, None],
            multimask=True,
        )
        return Decoding(logits[0], ious[0], low, box)


class PerSAM(_Personal):
    """The method ``persam``; see `PerSAMSettings`."""

    Settings = PerSAMSettings

    def __init__(self, settings: PerSAMSettings | None = None) -> None:
        super().__init__(settings or PerSAMSettings())

    def prompt(self, supports: Sequence[Support], frame: Image) -> Prompt:
        """Points, points and a box, or a mask of the frame's size, as the setting ``handover`` says."""
        handover = self.settings.handover
        found = self.find(supports, frame, refine=handover != "points")
        if handover == "points":
            return Prompt(points=found.points.astype(np.float32), labels=found.labels)
        assert found.logits is not None
        mask = (found.logits > 0).cpu().numpy()
        if handover == "mask":
            return Prompt(mask=mask)
        box = self._box(found.logits)
        return Prompt(
            points=found.points.astype(np.float32),
            labels=found.labels,
            box=None if box is None else box.astype(np.float32),
        )

    def find(self, supports: Sequence[Support], image: Image, *, refine: bool = True) -> Found:
        """The location prior's points, and by the cascade of three decodings a mask."""
        with torch.inference_mode():
            target = self.target(supports)
            embedded = self.sam.embed(image)
            similar = similarity(self.sam, embedded, target)
            found = Found(*extreme_points(similar, 1, 1))
            if not refine:
                return found
            first = self._first(embedded, found, similar, target)
            logits, ious = self.sam.decode(
                embedded, found.points[None], found.labels[None], mask=first.logits[None], multimask=True
            )
            second = Decoding(logits[0], ious[0], first.logits[0])
            low = second.logits[second.best]
            box = self._box(self.sam.upscale(embedded, low[None])[0])
            third = self._refined(embedded, found, low, box)
            final = self.sam.upscale(embedded, third.logits[third.best][None])[0]
            return dataclasses.replace(found, steps=[first, second, third], logits=final)

    def _first(self, image: Embedded, found: Found, similar: Tensor, target: Tensor) -> Decoding:
        """The first decoding: one mask, guided by the target where SAM 1 decodes."""
        points, labels = found.points[None], found.labels[None]
        if not (self.settings.guided and isinstance(self.sam, Sam1)):
            logits, ious = self.sam.decode(image, points, labels, multimask=False)
            return Decoding(logits[0], ious[0])
        sparse, dense = self.sam.prompts(image, points, labels)
        network = self.sam.network
        logits, ious = guided_masks(
            network.mask_decoder,
            image.features[None],
            network.prompt_encoder.get_dense_pe(),
            sparse,
            dense,
            attention_bias(similar, self.sam.grid),
            target.reshape(1, 1, -1),
        )
        return Decoding(logits[0, :1], ious[0, :1])


class PerSAMF(_Personal):
    """The method ``persam-f``; see `PerSAMFSettings`."""

    Settings = PerSAMFSettings
    with_maximum = True

    def __init__(self, settings: PerSAMFSettings | None = None) -> None:
        super().__init__(settings or PerSAMFSettings())
        self.fits: OrderedDict[tuple[Support, ...], Fit] = OrderedDict()

    def prompt(self, supports: Sequence[Support], frame: Image) -> Prompt:
        """The point, with the box of the weighted mask or without, or the refined mask: the setting ``handover``."""
        handover = self.settings.handover
        found = self.find(supports, frame, refine=handover == "mask")
        if handover == "mask":
            assert found.logits is not None
            return Prompt(mask=(found.logits > 0).cpu().numpy())
        points = found.points.astype(np.float32)
        box = found.steps[0].box if handover == "point+box" else None
        return Prompt(points=points, labels=found.labels, box=None if box is None else box.astype(np.float32))

    def find(self, supports: Sequence[Support], image: Image, *, refine: bool = True) -> Found:
        """The most similar pixel and the weighted mask's box (in the first step), then two refinements."""
        chosen = self.fit(supports).weights
        with torch.inference_mode():
            embedded = self.sam.embed(image)
            found = Found(*extreme_points(similarity(self.sam, embedded, self.target(supports)), 1))
            logits, ious = self.sam.decode(embedded, found.points[None], found.labels[None], multimask=True)
            weighted = combine(self.sam.upscale(embedded, logits[0]), chosen)
            box = self._box(weighted)
            first = Decoding(logits[0], ious[0], box=box)
            if not refine:
                return dataclasses.replace(found, steps=[first], logits=weighted)
            second = self._refined(embedded, found, combine(logits[0], chosen), box)
            low = second.logits[second.best]
            tight = self._box(self.sam.upscale(embedded, low[None])[0])
            third = self._refined(embedded, found, low, tight)
            final = self.sam.upscale(embedded, third.logits[third.best][None])[0]
            return dataclasses.replace(found, steps=[first, second, third], logits=final)

    def fit(self, supports: Sequence[Support]) -> Fit:
        """The two weights, fitted to the supports; the last few fits are remembered."""
        key = tuple(supports)
        if key not in self.fits:
            target = self.target(supports)
            shown = [self.own_masks(target, support) for support in supports]
            with torch.inference_mode(False), torch.enable_grad():
                self.fits[key] = fit_weights(shown, self.settings.epochs, self.settings.learning_rate)
            if len(self.fits) > REMEMBERED_SUPPORTS:
                self.fits.popitem(last=False)
        return self.fits[key]

    def own_masks(self, target: Tensor, support: Support) -> tuple[Tensor, Tensor]:
        """(3, H, W) logits of a support at its own most similar pixel, and its (H, W) mask of 0 and 1."""
        with torch.no_grad():
            embedded, _ = self._embedded(support)
            points, labels = extreme_points(similarity(self.sam, embedded, target), 1)
            logits, _ = self.sam.decode(embedded, points[None], labels[None], multimask=True)
            full = self.sam.upscale(embedded, logits[0].clone())
        return full.clone(), torch.from_numpy(support.mask()).to(full.device)
