"""What the prompt generator sees of a picture: backbone maps, priors, and how SAM's features join them."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from dcsam.attention import Fidelity
from icvos.models.backbones.dinov2 import DINOv2
from icvos.models.maps import aligned
from icvos.models.prior import contrast, prior
from icvos.models.sam.prompted import Sam2Maps

Taps = tuple[Tensor, ...]  # the maps of layer2 and layer3, and layer4 where pictures are compared by contrast
DINO_SIDE = 896  # of the pictures that DINOv2 sees: 64 x 64 patches, the grid of SAM's features


class ChannelNorm(nn.Module):
    """Layer norm over the channels of every cell of a (B, C, h, w) map."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) to the same."""
        mean = x.mean(1, keepdim=True)
        variance = (x - mean).square().mean(1, keepdim=True)
        return self.weight[:, None, None] * (x - mean) / (variance + 1e-6).sqrt() + self.bias[:, None, None]


class Sam2Folding(nn.Sequential):
    """The three maps of SAM 2 folded into one of SAM 1's kind; published inner names ``0``, ``1`` and ``3``."""

    def __init__(self, width: int = 256) -> None:
        fine, middle = width // 8, width // 4
        super().__init__(nn.Conv2d(fine, middle, 2, 2), ChannelNorm(middle), nn.GELU(), nn.Conv2d(middle, width, 2, 2))

    def forward(self, maps: Sam2Maps) -> Tensor:
        """(B, C, s, s) of (B, C / 8, 4 s, 4 s), (B, C / 4, 2 s, 2 s) and (B, C, s, s)."""
        fine, middle, coarse = maps
        x = functional.gelu(self[1](self[0](fine) + middle))
        return functional.gelu(self[3](x) + coarse)


@dataclass(frozen=True, slots=True)
class Backdrop:
    """What the frozen backbone gives for one batch of episodes; h = w is the side of its grid.

    Args:
        prior: (B, K, h, w), the greatest cosine similarity of the query's cells with those on the masks, or `contrast`.
        negative_prior: The same with those off the masks; 1 less the contrast.
        masks: (B, K, 1, h, w) of 0 and 1, by nearest neighbour.
        negative_masks: The same of the background.
        query: (B, C, h, w) taps; None where SAM's features alone are fused.
        supports: (B K, C, h, w), likewise.
    """

    prior: Tensor
    negative_prior: Tensor
    masks: Tensor
    negative_masks: Tensor
    query: Tensor | None = None
    supports: Tensor | None = None


def through_stages(
    early: Callable[[Tensor], Taps], last: nn.Module, query: Tensor, supports: Tensor, masks: Tensor, *, taps: bool
) -> Backdrop:
    """`Backdrop` of a staged backbone: the masks enter before its last stage; all on the grid of ``layer3``.

    Args:
        early: What gives the maps of ``layer2`` and ``layer3``, and of ``layer4`` where `contrast` compares.
        last: ``layer4``.
        query: (B, 3, S, S), standardised.
        supports: (B, K, 3, S, S).
        masks: (B, K, S, S) of 0 and 1.
        taps: Whether the maps of ``layer2`` and ``layer3`` are wanted too.
    """
    by_episode = supports.shape[:2]
    q2, q3, *q4 = early(query)
    s2, s3, *s4 = early(supports.flatten(0, 1))
    grid = s3.shape[-1]
    on, off = _both(masks, grid)
    if q4:
        likely = contrast([q3, *q4], [s3, *s4], masks, grid)
        found = [likely, 1 - likely]
    else:
        seen = aligned(last(q3), grid)
        found = [
            prior(seen, aligned(last(s3 * where.flatten(0, 1)), grid).unflatten(0, by_episode), where)
            for where in (on, off)
        ]
    if not taps:
        return Backdrop(found[0], found[1], on, off)
    tapped = [torch.cat([aligned(second, grid), third], 1) for second, third in ((q2, q3), (s2, s3))]
    return Backdrop(found[0], found[1], on, off, tapped[0], tapped[1])


def through_dinov2(body: DINOv2, query: Tensor, supports: Tensor, masks: Tensor) -> Backdrop:
    """`Backdrop` of DINOv2, without taps: a support's cells are masked before the final norm."""
    by_episode = supports.shape[:2]
    level = len(body.blocks) - 1
    seen, shown = (
        body.features(aligned(pictures, DINO_SIDE), [level])[0] for pictures in (query, supports.flatten(0, 1))
    )
    on, off = _both(masks, shown.shape[-1])
    found = [
        prior(_normed(body, seen), _normed(body, shown * where.flatten(0, 1)).unflatten(0, by_episode), where)
        for where in (on, off)
    ]
    return Backdrop(found[0], found[1], on, off)


def _normed(body: DINOv2, x: Tensor) -> Tensor:
    normal: Tensor = body.norm(x.movedim(1, -1))
    return normal.movedim(-1, 1)


def _both(masks: Tensor, grid: int) -> tuple[Tensor, Tensor]:
    """(B, K, 1, h, w) of the object and of the background, each resized by nearest neighbour."""
    on, off = (functional.interpolate(where, size=(grid, grid), mode="nearest") for where in (masks, 1 - masks))
    return on[:, :, None], off[:, :, None]


def on_grid(sam: Tensor, grid: int, fidelity: Fidelity) -> Tensor:
    """SAM's (B, C, s, s) features on the backbone's grid; as published no gradient goes through their resizing."""
    if sam.shape[-1] == grid:
        return sam
    return aligned(sam.detach() if fidelity == "published" else sam, grid)
