"""torchvision's own ResNet-50 and 101 and VGG-16, and EfficientNet-Lite0, read behind every block, before its ReLU.

Networks that correlate pictures densely (HSNet, VAT) stand on them. Published names are torchvision's. These are not
the deep-stem, dilated ResNets of `icvos.models.backbones.resnet`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from icvos.models.backbones.lite0_stages import Lite0Stages
from icvos.models.backbones.resnet import BLOCKS, Bottleneck, stage
from icvos.models.weights.load import Loaded, State, load_weights

TappedBackbone = Literal["resnet50", "resnet101", "vgg16", "efficientnet-lite0"]


class Tapped(nn.Module, ABC):
    """A backbone of which every block is looked at.

    Args:
        taps: How many blocks there are in the groups at strides 8, 16 and 32.
        tap_channels: Channels of the taps of every group, the one at stride 4, if there is one, first.
    """

    taps: tuple[int, int, int]
    tap_channels: tuple[int, ...]

    @abstractmethod
    def forward(self, x: Tensor) -> list[Tensor]:
        """What blocks give, before their closing ReLU, so that it is signed.

        Args:
            x: (B, 3, H, W) float32 pictures, standardised with ImageNet's mean and deviation.

        Returns:
            (B, L, C, h, w) for every group from fine to coarse, with its L blocks in order: at strides 4 (the last
            block alone; VGG-16 has no such group), 8, 16 and 32.
        """

    def load_published(self, checkpoint: str) -> Loaded:
        """Load the ImageNet file of the backbone, a path or a name of the registry, by `load_weights`."""
        return load_weights(self, checkpoint, without_classifier)


def without_classifier(state: State) -> State:
    """A state dictionary of torchvision without the layers that name ImageNet's classes."""
    return {name: tensor for name, tensor in state.items() if not name.startswith(("fc.", "classifier."))}


class ResNetTaps(Tapped):
    """torchvision's ResNet with a 7x7 stem, at strides 4, 8, 16 and 32; sizes round up.

    Args:
        depth: 50, 101 or 152.
    """

    tap_channels = (256, 512, 1024, 2048)

    def __init__(self, depth: int = 50) -> None:
        super().__init__()
        first, *others = BLOCKS[depth]
        self.taps = (others[0], others[1], others[2])
        self.conv1 = nn.Conv2d(3, 64, 7, 2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.layer1 = stage(64, 64, first, 1)
        self.layer2 = stage(256, 128, others[0], 2)
        self.layer3 = stage(512, 256, others[1], 2)
        self.layer4 = stage(1024, 512, others[2], 2)

    def forward(self, x: Tensor) -> list[Tensor]:
        """See `Tapped.forward`."""
        x = functional.relu(self.bn1(self.conv1(x)), inplace=True)
        x = functional.max_pool2d(x, 3, stride=2, padding=1)
        found = []
        for blocks in (self.layer1, self.layer2, self.layer3, self.layer4):
            seen = []
            for block in blocks:
                assert isinstance(block, Bottleneck)
                seen.append(block.signed(x))
                x = functional.relu(seen[-1])
            found.append(torch.stack(seen[-1:] if blocks is self.layer1 else seen, 1))
        return found


class VGGTaps(Tapped):
    """torchvision's VGG-16 without batch norms, at strides 8, 16 and 32; sizes round down.

    Its taps are convolutions, not yet rectified, and for the last group the last pool, which has no negative values.
    """

    taps = (3, 3, 1)
    tap_channels = (512, 512, 512)

    def __init__(self) -> None:
        super().__init__()
        inputs, layers = 3, list[nn.Module]()
        for width, count in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
            for _ in range(count):
                layers += [nn.Conv2d(inputs, width, 3, padding=1), nn.ReLU()]
                inputs = width
            layers.append(nn.MaxPool2d(2, 2))
        self.features = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> list[Tensor]:
        """See `Tapped.forward`."""
        seen = {}
        for place, layer in enumerate(self.features):
            seen[place] = x = layer(x)
        return [torch.stack([seen[place] for place in places], 1) for places in ((17, 19, 21), (24, 26, 28), (30,))]


class Lite0Taps(Tapped):
    """EfficientNet-Lite0, whose blocks end without a ReLU, at strides 4, 8, 16 and 32; sides are multiples of 32.

    Of a group only the blocks that are as wide as its last one are looked at.
    """

    taps = (2, 3, 4)
    tap_channels = (24, 40, 112, 192)

    def __init__(self) -> None:
        super().__init__()
        self.stages = Lite0Stages(standardised=())

    def forward(self, x: Tensor) -> list[Tensor]:
        """See `Tapped.forward`."""
        body, found = self.stages, []
        x = body.layer0(x)
        for blocks, count in zip((body.layer1, body.layer2, body.layer3, body.layer4), (1, *self.taps), strict=True):
            assert isinstance(blocks, nn.Sequential)
            found.append(torch.stack(_each(blocks, x)[-count:], 1))
            x = found[-1][:, -1]
        return found

    def load_published(self, checkpoint: str) -> Loaded:
        """Load the ImageNet file, by its path or from its package."""
        return self.stages.load_published(checkpoint)


def _each(layers: Iterable[nn.Module], x: Tensor) -> list[Tensor]:
    """What each of some layers gives when ``x`` goes through all in turn."""
    found = []
    for layer in layers:
        x = layer(x)
        found.append(x)
    return found


TAPPED: Mapping[str, Callable[[], Tapped]] = {
    "resnet50": partial(ResNetTaps, 50),
    "resnet101": partial(ResNetTaps, 101),
    "vgg16": VGGTaps,
    "efficientnet-lite0": Lite0Taps,
}


def build_tapped(name: TappedBackbone) -> Tapped:
    """A backbone of `TAPPED` without its weights, frozen."""
    return TAPPED[name]().requires_grad_(False)
