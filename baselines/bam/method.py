"""BAM: learning what not to segment (Lang et al., CVPR 2022), and its join with SAM 2."""

from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType

from torch import Tensor

from baselines.bam.network import BAMNetwork
from baselines.bam.training import BAMTrainable
from baselines.parts.ensemble_method import EnsembleMethod, EnsembleSettings
from baselines.parts.ensemble_training import BaseLearner
from icvos.method import Image, Mask
from icvos.models.backbones.build import FewShotBackbone
from icvos.models.backbones.stages import Staged
from icvos.models.device import Device
from icvos.models.maps import aligned
from icvos.models.sam.propagation import DType
from icvos.models.squares import fit_mask, fit_picture, fitted_back
from icvos.settings import Count, Side, check, renamed


@dataclass(frozen=True, slots=True)
class BAMSettings(EnsembleSettings):
    """What can be set of `bam`.

    Args:
        checkpoint: Path of a trained network; "" starts from the base learner, to train.
        base_checkpoint: Path of a trained base learner with its backbone, as `icvos train` or BAM writes it; a
            ``checkpoint`` holds its own.
        backbone: resnet50-v2, resnet101-v2, vgg16-bn or efficientnet-lite0.
        base_learner: ``leave-out``: a base learner of all 80 classes, without the class that it sees most inside the
            support masks; ``fold``: a fold's base learner, which does not know the target; ``none``: no base learner,
            the meta logits alone.
        base_classes: Classes of the base learner.
        base_width: Channels of the base learner's last map; 512 as published.
        width: Channels of reduced features; 256 as published.
        shots: Supports that the network was made for; a network for one takes any number, with equal trust.
        size: Side of the network's square input: 473 for PASCAL, 641 for COCO.
        sam2: SAM 2 for the video, by name or path; or ``affinity``, which carries the mask on as in ``lite``.
        short_side: Short side, in pixels, of the frames that affinity carries it through.
        device: Where the networks run: auto, cpu, cuda or mps.
        dtype: The precision of SAM 2: auto, float32 or bfloat16.
    """

    checkpoint: str = ""
    base_checkpoint: str = ""
    backbone: FewShotBackbone = "resnet50-v2"
    base_learner: BaseLearner = "leave-out"
    base_classes: Count = 80
    base_width: Count = 512
    width: Count = 256
    shots: Count = 1
    size: Side = 641
    sam2: str = renamed("sam2.1-hiera-l", "propagation")
    short_side: Side = 480
    device: Device = "auto"
    dtype: DType = "auto"

    def __post_init__(self) -> None:
        """Raise `IcvosError` for a value that is not of its range."""
        check(self)


class BAM(EnsembleMethod[BAMNetwork]):
    """The method ``bam``: the network's mask of the first frame, which SAM 2 carries on."""

    Settings = BAMSettings
    name = "bam"
    small = MappingProxyType({"checkpoint": "bam-nano", "sam2": "affinity"})
    base_bias = "learner_base.1.4.bias"

    def make(self, body: Staged) -> BAMNetwork:
        """The network on a backbone, its own layers fresh."""
        chosen = self.settings
        return BAMNetwork(body, chosen.base_classes, chosen.shots, chosen.width, chosen.base_width)

    def square(self, image: Image) -> Tensor:
        """(3, S, S) float32: the picture in the corner of a black square, its aspect ratio kept."""
        return fit_picture(image, self.settings.size)

    def square_mask(self, mask: Mask) -> Tensor:
        """(S, S) float32 of 0 and 1, placed as `square` places the picture."""
        return fit_mask(mask, self.settings.size)

    def full_size(self, channels: Tensor, height: int, width: int) -> Tensor:
        """(B, 2, height, width): enlarged to the square, then to that of the longer side, and cut to the picture."""
        return fitted_back(aligned(channels, self.settings.size), height, width)

    def trainable(self, classes: Sequence[int]) -> BAMTrainable:
        """The network, as it is trained on these classes; see `EnsembleMethod.base_class_of`."""
        return BAMTrainable(
            self.network, self.base_class_of(classes), self.settings.base_learner, self.starts_from(classes)
        )
