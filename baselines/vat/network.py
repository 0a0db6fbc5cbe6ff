"""VAT's network: correlations on three scales, embedded by 4D convolutions and aggregated by 4D Swin transformers.

Every tap is resized to the grid of its group, 64, 32 or 16 cells a side, whatever the size of the picture. The
correlations of an episode with one support are 74 million float32 (298 MB), 67 million of them on the finest grid. The
masks that keep rolled windows apart, 67 MB in every published checkpoint, are computed.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from baselines.parts.correlation_network import CorrelationNetwork
from baselines.parts.four_axes import Norm, over_query, over_support
from baselines.vat.windows import Blocks, initialise
from icvos.models.backbones.taps import Tapped
from icvos.models.maps import aligned

GRIDS = (128, 64, 32, 16)  # sides, of the groups at strides 4, 8, 16 and 32
WIDTH = 128  # of the tokens that are aggregated
WIDTHS = (WIDTH, 96, 48)  # that come into the decoder's stages
PROJECTED = (64, 32, 16)  # channels of what the decoder sees of the query, from coarse to fine
Layer4D = tuple[int, tuple[int, int]]  # channels, and strides along the query's and the support's axes


class Conv4D(nn.Module):
    """A 4D convolution of which two planes are kept, each behind a max-pool of the axes that the other one strides.

    Args:
        inputs: Channels that come in.
        outputs: Channels that go out.
        query: Stride along the query's axes.
        support: Stride along the support's axes.
    """

    def __init__(self, inputs: int, outputs: int, query: int, support: int) -> None:
        super().__init__()
        self.strides = (query, support)
        self.query_conv = nn.Conv2d(inputs, outputs, 3, query, padding=1)
        self.supp_conv = nn.Conv2d(inputs, outputs, 3, support, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, Qh, Qw, Ph, Pw) to (B, C', Qh / query, Qw / query, Ph / support, Pw / support)."""
        query, support = self.strides
        return over_support(self.supp_conv, pooled(x, query, 2)) + over_query(self.query_conv, pooled(x, support, 4))


def pooled(x: Tensor, stride: int, axis: int) -> Tensor:
    """The largest of ``stride`` x ``stride`` cells along an axis and the next one; all sides are multiples of it."""
    if stride == 1:
        return x
    for along in (axis, axis + 1):
        first, *others = x.unflatten(along, (-1, stride)).unbind(along + 1)
        x = functools.reduce(torch.maximum, others, first)
    return x


class Encoder(nn.Module):
    """4D layers, each with a norm of groups of 16 channels and a ReLU."""

    def __init__(self, inputs: int, layers: Sequence[Layer4D]) -> None:
        super().__init__()
        parts = []
        for width, (query, support) in layers:
            convolution = Conv4D(inputs, width, query, support)
            parts.append(nn.Sequential(convolution, Norm(width // 16, width), nn.ReLU(inplace=True)))
            inputs = width
        self.conv4d = nn.Sequential(*parts)

    def forward(self, x: Tensor) -> Tensor:
        """A map to a smaller one of 128 channels."""
        return self.conv4d(x)


class Swin4D(nn.Module):
    """A transformer on (B, Qh, Qw, Ph, Pw, 128). The norm that every published checkpoint has for it is not applied."""

    def __init__(self, depth: int) -> None:
        super().__init__()
        self.layer = Blocks(depth, WIDTH, axes=4, window=4)
        self.norm = nn.LayerNorm(WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        """(B, Qh, Qw, Ph, Pw, 128) to the same."""
        return self.layer(x)


class Swin2D(nn.Module):
    """A transformer on (B, h, w, C) with a closing norm."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(Blocks(2, width, axes=2, window=8))
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, h, w, C) to the same."""
        return self.norm(self.layers(x))


class Aggregation(nn.Module):
    """A 4D Swin transformer beside a shortcut: its blocks keep their input, and it is added once more."""

    def __init__(self, depth: int) -> None:
        super().__init__()
        self.transformer = Swin4D(depth)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 128, Qh, Qw, Ph, Pw) to the same."""
        return x + self.transformer(x.permute(0, 2, 3, 4, 5, 1)).permute(0, 5, 1, 2, 3, 4)


class Refinement(nn.Module):
    """A 2D Swin transformer beside a shortcut."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.transformer = Swin2D(width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) to the same."""
        return x + self.transformer(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


@dataclass(frozen=True, slots=True)
class Aggregated:
    """What is learned of the correlations with one support.

    Args:
        encoded: (B, 128, q, q, 8, 8) with q = 8, 16 and 32, each of its own scale alone.
        aggregated: The same, with all that is coarser.
        projected: What the decoder may see of the query: (B, 64, 32, 32), (B, 32, 64, 64) and (B, 16, 128, 128).
        decoded: What its three stages give, at these sizes.
        low: (B, 2, 128, 128) logits; channel 1 is foreground.
    """

    encoded: list[Tensor]
    aggregated: list[Tensor]
    projected: list[Tensor]
    decoded: list[Tensor]
    low: Tensor


class Learner(nn.Module):
    """All that learns.

    Args:
        taps: How many correlations there are at strides 8, 16 and 32.
        channels: Channels of the query's taps at strides 4, 8 and 16.
        guided: How many of the decoder's three stages see the query, from the last.
    """

    def __init__(self, taps: tuple[int, int, int], channels: Sequence[int], guided: int) -> None:
        super().__init__()
        self.guided = guided
        second, third, fourth = taps
        self.encoders = nn.ModuleList(
            [
                Encoder(fourth, [(64, (2, 1)), (128, (1, 2))]),
                Encoder(third, [(64, (2, 2)), (128, (1, 2))]),
                Encoder(second, [(32, (2, 2)), (64, (1, 2)), (128, (1, 2))]),
            ]
        )
        self.transformer = nn.ModuleList(Aggregation(depth) for depth in (4, 2, 2))
        self.proj_query_feat = nn.ModuleList(
            nn.Sequential(nn.Conv2d(seen, width, 1), nn.ReLU())
            for seen, width in zip(channels[::-1], PROJECTED, strict=True)
        )
        first, second, third = (
            width + (seen if self.sees(place) else 0)
            for place, (width, seen) in enumerate(zip(WIDTHS, PROJECTED, strict=True))
        )
        self.swin_decoder = nn.ModuleList(
            [
                nn.Sequential(Refinement(first), nn.Conv2d(first, 96, 1)),
                nn.Sequential(Refinement(second), nn.Conv2d(second, 48, 1)),
                nn.Sequential(Refinement(third)),
            ]
        )
        self.decoder = nn.Sequential(nn.Conv2d(third, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 2, 3, padding=1))
        initialise(self)

    def sees(self, stage: int) -> bool:
        """Whether a stage of the decoder, from 0, sees the query."""
        return stage >= 3 - self.guided

    def forward(self, asked: Sequence[Tensor], correlations: Sequence[Tensor]) -> Aggregated:
        """Aggregate the correlations at strides 8, 16 and 32.

        Args:
            asked: The query's taps at strides 4 to 32; the last of a group is projected.
            correlations: On grids of 64, 32 and 16.
        """
        encoded, aggregated = [], list[Tensor]()
        for encode, aggregate, correlation in zip(self.encoders, self.transformer, correlations[::-1], strict=True):
            x = encode(correlation)
            encoded.append(x)
            if aggregated:
                x = x + enlarged(aggregated[-1], x.shape[2])
            aggregated.append(aggregate(x))
        projected = [project(taps[:, -1]) for project, taps in zip(self.proj_query_feat, asked[2::-1], strict=True)]
        x = aggregated[-1].mean((4, 5))
        decoded = []
        for place, (decode, guide) in enumerate(zip(self.swin_decoder, projected, strict=True)):
            x = aligned(x, guide.shape[3])
            if self.sees(place):
                dropped = guide if place == 2 else functional.dropout2d(guide, 0.5, self.training)
                x = torch.cat([x, dropped], 1)
            x = decode(x)
            decoded.append(x)
        return Aggregated(encoded, aggregated, projected, decoded, self.decoder(x))


def enlarged(x: Tensor, side: int) -> Tensor:
    """A map with another side of its query."""
    return over_query(lambda planes: aligned(planes, side), x)


class Learners(nn.Module):
    """Holds what learns under its published name."""

    def __init__(self, ours: Learner) -> None:
        super().__init__()
        self.ours = ours


class VATNetwork(CorrelationNetwork):
    """The network; published parameter names. Arguments as of `CorrelationNetwork` and of `Learner`."""

    hpn_learner: Learners

    def __init__(self, body: Tapped, guided: int = 1, *, hybrid: bool = False) -> None:
        super().__init__(body, Learners(Learner(body.taps, body.tap_channels[:3], guided)), hybrid=hybrid)

    def on_grids(self, groups: Sequence[Tensor]) -> list[Tensor]:
        """Taps on the grids of their groups."""
        return [
            aligned(taps.flatten(0, 1), side).unflatten(0, taps.shape[:2])
            for taps, side in zip(groups, GRIDS, strict=True)
        ]

    def learned(self, asked: Sequence[Tensor], correlations: Sequence[Tensor]) -> Tensor:
        """(B, 2, 128, 128) low logits."""
        found: Aggregated = self.hpn_learner.ours(asked, correlations)
        return found.low
