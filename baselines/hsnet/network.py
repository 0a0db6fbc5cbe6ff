"""HSNet's network: correlations on three scales, whose support axes are squeezed by centre-pivot 4D convolutions.

At 400 x 400 the correlations of an episode with one support are 28 million float32 (114 MB), those of stride 8 alone
25 million; nothing behind them is larger than 27 MB.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor, nn

from baselines.parts.correlation_network import CorrelationNetwork
from baselines.parts.four_axes import Norm, over_query, over_support
from icvos.models.backbones.taps import Tapped
from icvos.models.maps import aligned

GROUPS = 4  # of every norm
Shape = tuple[int, int]  # of a 4D layer: its kernel, and its stride along the support's axes


class CentrePivotConv(nn.Module):
    """A 4D convolution of which two planes are kept: over the query's axes, and over the support's.

    Args:
        inputs: Channels that come in.
        outputs: Channels that go out.
        kernel: Its side, odd, along all axes.
        stride: Along the support's axes; of the query's plane, support positions are left out, not averaged.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.conv1 = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)
        self.conv2 = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, Qh, Qw, Ph, Pw) to (B, C', Qh, Qw, ceil(Ph / stride), ceil(Pw / stride))."""
        return over_support(self.conv2, x) + over_query(self.conv1, x[..., :: self.stride, :: self.stride])


def squeezing(inputs: int, shapes: Sequence[Shape], widths: Sequence[int]) -> nn.Sequential:
    """4D layers, each with a norm of four groups and a ReLU."""
    layers: list[nn.Module] = []
    for (kernel, stride), width in zip(shapes, widths, strict=True):
        layers += [CentrePivotConv(inputs, width, kernel, stride), Norm(GROUPS, width), nn.ReLU(inplace=True)]
        inputs = width
    return nn.Sequential(*layers)


def mixing(width: int) -> nn.Sequential:
    """4D layers that keep size and width."""
    return squeezing(width, [(3, 1)] * 3, (width,) * 3)


def decoder(*widths: int) -> nn.Sequential:
    """Two 3x3 convolutions with a ReLU between them."""
    first, second = (nn.Conv2d(a, b, 3, padding=1) for a, b in pairwise(widths))
    return nn.Sequential(first, nn.ReLU(), second)


@dataclass(frozen=True, slots=True)
class Squeezed:
    """What is learned of the correlations with one support, C the learner's width.

    Args:
        squeezed: (B, C, h, w, p, p) at strides 32, 16 and 8, p = ceil(S / 256).
        mixed: The same at strides 16 and 8, with all that is coarser.
        encoded: (B, C, S / 8, S / 8), the last of them, averaged over the support.
        low: (B, 2, S / 4, S / 4) logits; channel 1 is foreground.
    """

    squeezed: list[Tensor]
    mixed: list[Tensor]
    encoded: Tensor
    low: Tensor


class Learner(nn.Module):
    """All that learns.

    Args:
        taps: How many correlations there are at strides 8, 16 and 32.
        width: Channels of what they become, a multiple of 8; layers before have a half and an eighth.
    """

    def __init__(self, taps: tuple[int, int, int], width: int = 128) -> None:
        super().__init__()
        second, third, fourth = taps
        half = width // 2
        widths = (GROUPS * -(-width // (8 * GROUPS)), half, width)
        self.encoder_layer4 = squeezing(fourth, [(3, 2), (3, 2), (3, 2)], widths)
        self.encoder_layer3 = squeezing(third, [(5, 4), (3, 2), (3, 2)], widths)
        self.encoder_layer2 = squeezing(second, [(5, 4), (5, 4), (3, 2)], widths)
        self.encoder_layer4to3 = mixing(width)
        self.encoder_layer3to2 = mixing(width)
        self.decoder1 = nn.Sequential(*decoder(width, width, half), nn.ReLU())
        self.decoder2 = decoder(half, half, 2)

    def forward(self, correlations: Sequence[Tensor]) -> Squeezed:
        """Squeeze the correlations at strides 8, 16 and 32."""
        second, third, fourth = correlations
        s4, s3, s2 = self.encoder_layer4(fourth), self.encoder_layer3(third), self.encoder_layer2(second)
        m3 = self.encoder_layer4to3(enlarged(s4, s3) + s3)
        m2 = self.encoder_layer3to2(enlarged(m3, s2) + s2)
        encoded = m2.mean((4, 5))
        d = aligned(self.decoder1(encoded), 2 * encoded.shape[3])
        return Squeezed([s4, s3, s2], [m3, m2], encoded, self.decoder2(d))


def enlarged(x: Tensor, like: Tensor) -> Tensor:
    """A map at the query's size of another."""
    return over_query(lambda planes: aligned(planes, (like.shape[2], like.shape[3])), x)


class HSNetwork(CorrelationNetwork):
    """The network; published parameter names. Arguments as of `CorrelationNetwork` and `Learner`."""

    hpn_learner: Learner

    def __init__(self, body: Tapped, width: int = 128, *, hybrid: bool = False) -> None:
        super().__init__(body, Learner(body.taps, width), hybrid=hybrid)

    def learned(self, asked: Sequence[Tensor], correlations: Sequence[Tensor]) -> Tensor:  # noqa: ARG002
        """(B, 2, S / 4, S / 4) low logits."""
        found: Squeezed = self.hpn_learner(correlations)
        return found.low
