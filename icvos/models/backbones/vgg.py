"""VGG-16 with batch norm in five stages: torchvision's ``vgg16_bn``, pools in ceil mode, without the last pool."""

from torch import nn

from icvos.models.backbones.stages import Staged

WIDTHS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
OFFSETS = (0, 7, 14, 24, 34)  # of each stage in torchvision's flat sequence ``features``


class VGG16(Staged):
    """The five stages at strides 2, 4, 8, 16 and 16, with 64, 128, 256, 512 and 512 channels; sizes round up."""

    channels = (64, 128, 256, 512, 512)
    strides = (2, 4, 8, 16, 16)

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

    @staticmethod
    def own_name(published: str) -> str | None:
        """The name here of a parameter of torchvision's ``vgg16_bn``; None for the classifier's."""
        head, _, rest = published.partition(".")
        index, _, leaf = rest.partition(".")
        if head != "features" or not index.isdecimal():
            return None if head == "classifier" else published
        stage = max(i for i, offset in enumerate(OFFSETS) if offset <= int(index))
        return f"layer{stage}.{int(index) - OFFSETS[stage]}.{leaf}"
