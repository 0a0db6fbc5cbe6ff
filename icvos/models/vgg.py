"""VGG-16 with batch norm in five stages: torchvision's ``vgg16_bn``, pools in ceil mode, without the last pool."""

from torch import Tensor, nn

WIDTHS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
OFFSETS = (0, 7, 14, 24, 34)  # of each stage in torchvision's flat sequence ``features``


class VGG16(nn.Module):
    """The five stages at strides 2, 4, 8, 16 and 16, with 64, 128, 256, 512 and 512 channels; sizes round up."""

    channels = (64, 128, 256, 512, 512)

    def __init__(self) -> None:
        super().__init__()
        inputs = 3
        stages = []
        for index, widths in enumerate(WIDTHS):
            parts: list[nn.Module] = []
            for width in widths:
                parts += [nn.Conv2d(inputs, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
                inputs = width
            if index < 4:
                parts.append(nn.MaxPool2d(2, 2, ceil_mode=True))
            stages.append(nn.Sequential(*parts))
        self.layer0, self.layer1, self.layer2, self.layer3, self.layer4 = stages

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, 3, S, S) to ``layer2`` (B, 256, S/8, S/8), ``layer3`` and ``layer4`` (B, 512, S/16, S/16)."""
        second = self.layer2(self.layer1(self.layer0(x)))
        third = self.layer3(second)
        return second, third, self.layer4(third)


def from_torchvision(name: str) -> str | None:
    """The name here of a parameter of torchvision's ``vgg16_bn``; None for the classifier."""
    head, _, rest = name.partition(".")
    if head != "features":
        return None
    index, _, leaf = rest.partition(".")
    stage = max(i for i, offset in enumerate(OFFSETS) if offset <= int(index))
    return f"layer{stage}.{int(index) - OFFSETS[stage]}.{leaf}"
