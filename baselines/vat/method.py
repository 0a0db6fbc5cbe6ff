"""VAT (Hong et al., ECCV 2022) and VAT-HM (Moon et al., ECCV 2022), and their join with SAM 2.

Correlations of all cells of query and support on three scales are aggregated by 4D Swin transformers; each support
votes. For a picture with one support at 417 x 417, on ResNet-50, VAT takes 147.7 G multiply-accumulates and VAT-HM,
whose supports pass the backbone twice, 162.8 G; correlations take 298 MB, whatever the number of supports.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from baselines.parts.correlation_method import CorrelationMethod
from baselines.vat.network import PROJECTED, WIDTHS, VATNetwork
from icvos.errors import IcvosError
from icvos.models.backbones.taps import Tapped
from icvos.models.device import Device
from icvos.models.sam.propagation import DType
from icvos.models.squares import stretch, stretch_mask
from icvos.models.weights.load import State
from icvos.settings import Checked, Range, Side, renamed


@dataclass(frozen=True, slots=True)
class VATSettings(Checked):
    """What can be set of `vat` and `vat-hm`.

    Args:
        checkpoint: Path of a trained network; "" starts from the ImageNet backbone, to train.
        backbone: resnet50 or resnet101, torchvision's own.
        guided: How many of the decoder's three stages see the query's features, from the finest: 1 on COCO, 2 on
            PASCAL, 3 on FSS-1000.
        size: Side of the network's square input: 417 on COCO, 473 on PASCAL.
        sam2: SAM 2 for the video, by name or path; or ``affinity``, which carries the mask on as in ``lite``.
        short_side: Short side, in pixels, of the frames that affinity carries it through.
        device: Where the networks run: auto, cpu, cuda or mps.
        dtype: The precision of SAM 2: auto, float32 or bfloat16.
    """

    checkpoint: str = ""
    backbone: Literal["resnet50", "resnet101"] = "resnet50"
    guided: Annotated[int, Range(1, 3)] = 1
    size: Side = 417
    sam2: str = renamed("sam2.1-hiera-l", "propagation")
    short_side: Side = 480
    device: Device = "auto"
    dtype: DType = "auto"


class VAT(CorrelationMethod[VATSettings]):
    """The method ``vat``: the network's mask of the first frame, which SAM 2 carries on."""

    Settings = VATSettings
    name = "vat"
    shaping = ("backbone", "guided")
    leaves_unused = True
    picture = staticmethod(stretch)
    mask = staticmethod(stretch_mask)

    def make(self, body: Tapped) -> VATNetwork:
        """The network on a backbone, its own layers fresh."""
        return VATNetwork(body, self.settings.guided, hybrid=self.hybrid)

    def own_state(self, state: State) -> State:
        """The state of a published checkpoint; raises `IcvosError` where its shapes are of other settings."""
        chosen = self.settings
        seen = [
            len(state.get(f"hpn_learner.ours.swin_decoder.{stage}.0.transformer.norm.bias", ())) == width + projected
            for stage, (width, projected) in enumerate(zip(WIDTHS, PROJECTED, strict=True))
        ]
        guided = sum(seen)
        if guided not in (0, chosen.guided):
            raise IcvosError(
                f"{chosen.checkpoint}: {guided} of its decoder's stages see the query, guided is {chosen.guided}; "
                f"use --set guided={guided}"
            )
        return super().own_state(state)


class VATHM(VAT):
    """The method ``vat-hm``: VAT with hybrid masking of the supports; the same network, its own checkpoints."""

    name = "vat-hm"
    hybrid = True
