"""ResNet-50, 101 and 152 with the deep stem (64-64-128) and dilated last stages, as PSPNet's code family has it.

This is neither torchvision's ResNet, whose stem is one 7x7 convolution, nor the "v1c/d" kind, whose stem is 32-32-64.
Published names: ``layer0`` is a numbered sequence (conv, norm, ReLU three times, pooling), the others have
torchvision's inner names.
"""

from typing import Literal

from torch import Tensor, nn
from torch.nn import functional

from icvos.models.backbones.stages import Staged

Dilations = Literal["whole", "torchvision"]
STEM = {  # names of the ImageNet files, and here
    "conv1": "layer0.0",
    "bn1": "layer0.1",
    "conv2": "layer0.3",
    "bn2": "layer0.4",
    "conv3": "layer0.6",
    "bn3": "layer0.7",
}
BLOCKS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions with batch norms beside a shortcut; the stride sits on the 3x3.

    Attributes:
        rectified: Whether there is a last ReLU.
    """

    def __init__(self, inputs: int, width: int, stride: int = 1, dilation: int = 1) -> None:
        super().__init__()
        outputs = 4 * width
        self.rectified = True
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, padding=dilation, dilation=dilation, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.downsample: nn.Module | None = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, 4 * width, H / stride, W / stride)."""
        y = self.signed(x)
        return functional.relu(y, inplace=True) if self.rectified else y

    def signed(self, x: Tensor) -> Tensor:
        """What `forward` gives, without the last ReLU."""
        y = functional.relu(self.bn1(self.conv1(x)), inplace=True)
        y = functional.relu(self.bn2(self.conv2(y)), inplace=True)
        y = self.bn3(self.conv3(y))
        return y + (x if self.downsample is None else self.downsample(x))


class ResNet(Staged):
    """The five stages of a deep-stem ResNet at strides 4, 4, 8, 8, 8, with 128, 256, 512, 1024 and 2048 channels.

    Args:
        depth: 50, 101 or 152.
        dilations: ``whole``: every 3x3 of ``layer3`` is dilated by 2 and of ``layer4`` by 4 (PFENet, BAM, HDMNet,
            AMNet).
            ``torchvision``: the first block of a stage keeps the dilation of the stage before (VRP-SAM, DC-SAM, CyCTR,
            SSP).
    """

    channels = (128, 256, 512, 1024, 2048)
    strides = (4, 4, 8, 8, 8)

    def __init__(self, depth: int = 50, dilations: Dilations = "whole") -> None:
        super().__init__()
        first, second, third, fourth = BLOCKS[depth]
        before = {"whole": (2, 4), "torchvision": (1, 2)}[dilations]
        self.layer0 = nn.Sequential(
            *_stem(3, 64, 2), *_stem(64, 64, 1), *_stem(64, 128, 1), nn.MaxPool2d(3, stride=2, padding=1)
        )
        self.layer1 = stage(128, 64, first, 1)
        self.layer2 = stage(256, 128, second, 2)
        self.layer3 = stage(512, 256, third, 1, before[0], 2)
        self.layer4 = stage(1024, 512, fourth, 1, before[1], 4)

    @staticmethod
    def own_name(published: str) -> str | None:
        """The name here of a parameter in ``resnet50_v2.pth`` and ``resnet101_v2.pth``; None for the classifier's."""
        head, _, rest = published.partition(".")
        if head == "fc":
            return None
        return f"{STEM[head]}.{rest}" if head in STEM else published


def _stem(inputs: int, outputs: int, stride: int) -> list[nn.Module]:
    convolution = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
    return [convolution, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]


def stage(
    inputs: int, width: int, blocks: int, stride: int, first_dilation: int = 1, dilation: int = 1
) -> nn.Sequential:
    """Some `Bottleneck` in a row, from ``inputs`` channels to 4 * ``width``; the first has the stride."""
    first = Bottleneck(inputs, width, stride, first_dilation)
    return nn.Sequential(first, *(Bottleneck(4 * width, width, 1, dilation) for _ in range(blocks - 1)))
