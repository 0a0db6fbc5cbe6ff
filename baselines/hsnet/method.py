"""HSNet (Min et al., ICCV 2021) and HSNet-HM (Moon et al., ECCV 2022), and their join with SAM 2.

Correlations of all cells of query and support on three scales are squeezed by 4D convolutions; each support votes. For
a picture with one support at 400 x 400, on ResNet-50, HSNet takes 59.5 G multiply-accumulates and HSNet-HM, whose
supports pass the backbone twice, 72.7 G; correlations take 114 MB, whatever the number of supports.
"""

from dataclasses import dataclass

from baselines.hsnet.network import HSNetwork
from baselines.parts.correlation_method import CorrelationMethod
from icvos.models.backbones.taps import Tapped, TappedBackbone
from icvos.models.device import Device
from icvos.models.sam.propagation import DType
from icvos.models.squares import squash, squash_mask
from icvos.settings import Checked, Count, Side, check, refusal, renamed


@dataclass(frozen=True, slots=True)
class HSNetSettings(Checked):
    """What can be set of `hsnet` and `hsnet-hm`.

    Args:
        checkpoint: Path of a trained network; "" starts from the ImageNet backbone, to train.
        backbone: resnet50, resnet101 or vgg16, torchvision's own; or efficientnet-lite0.
        width: Channels of what correlations are squeezed to, a multiple of 8; 128 as published.
        size: Side of the network's square input; 400 as published.
        sam2: SAM 2 for the video, by name or path; or ``affinity``, which carries the mask on as in ``lite``.
        short_side: Short side, in pixels, of the frames that affinity carries it through.
        device: Where the networks run: auto, cpu, cuda or mps.
        dtype: The precision of SAM 2: auto, float32 or bfloat16.
    """

    checkpoint: str = ""
    backbone: TappedBackbone = "resnet50"
    width: Count = 128
    size: Side = 400
    sam2: str = renamed("sam2.1-hiera-l", "propagation")
    short_side: Side = 480
    device: Device = "auto"
    dtype: DType = "auto"

    def __post_init__(self) -> None:
        """Raise `IcvosError` for a value that is not of its range, or a size whose scales do not fit together."""
        check(self)
        if self.width % 8:
            raise refusal("width", self.width, "a multiple of 8, like 128")
        if self.backbone == "efficientnet-lite0" and self.size % 32:
            raise refusal("size", self.size, "a multiple of 32 with backbone=efficientnet-lite0")
        if self.backbone == "vgg16" and len({extent for extent in squeezed_extents(self.size) if extent > 1}) > 1:
            raise refusal("size", self.size, "400 or a multiple of 32 with backbone=vgg16, whose sizes round down")


def squeezed_extents(size: int) -> tuple[int, ...]:
    """The sides of VGG-16's support maps at strides 8, 16 and 32 once they are squeezed."""
    return tuple(-(-(size // stride) // (256 // stride)) for stride in (8, 16, 32))


class HSNet(CorrelationMethod[HSNetSettings]):
    """The method ``hsnet``: the network's mask of the first frame, which SAM 2 carries on."""

    Settings = HSNetSettings
    name = "hsnet"
    shaping = ("backbone", "width")
    picture = staticmethod(squash)
    mask = staticmethod(squash_mask)

    def make(self, body: Tapped) -> HSNetwork:
        """The network on a backbone, its own layers fresh."""
        return HSNetwork(body, self.settings.width, hybrid=self.hybrid)


class HSNetHM(HSNet):
    """The method ``hsnet-hm``: HSNet with hybrid masking of the supports; the same network, its own checkpoints."""

    name = "hsnet-hm"
    hybrid = True
