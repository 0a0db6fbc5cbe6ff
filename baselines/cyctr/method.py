"""CyCTR: the cycle-consistent transformer (Zhang et al., NeurIPS 2021), and its join with SAM 2."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from baselines.cyctr.keys import seeded
from baselines.cyctr.network import CyCTRNetwork, own_names
from baselines.cyctr.training import CyCTRTrainable
from icvos.errors import IcvosError
from icvos.method import Image, Mask, Support
from icvos.models.backbones.build import FewShotBackbone, build_backbone
from icvos.models.backbones.stages import Staged
from icvos.models.device import Device
from icvos.models.maps import aligned
from icvos.models.network_prompter import NetworkPrompter
from icvos.models.sam.propagation import DType
from icvos.models.squares import fit_mask, fit_picture, fit_size, fitted_back
from icvos.models.weights.load import State
from icvos.settings import Checked, Count, Side, Whole, check, refusal, renamed


@dataclass(frozen=True, slots=True)
class CyCTRSettings(Checked):
    """What can be set of `cyctr`.

    Args:
        checkpoint: Path of a trained network; "" starts from the ImageNet backbone, to train.
        backbone: resnet50-v2, resnet101-v2, vgg16-bn or efficientnet-lite0.
        size: Side of the network's square input, of the form 8 n + 1; 473 as published.
        width: Channels of reduced features and of the transformer, a multiple of 8; 256 as published.
        own_flags: Whether a sampled cell of a support counts as what it shows. As published, most count as what
            another cell shows, and trained networks are used to it.
        seed: Of the random choice of the supports' cells, together with the names of an episode's supports.
        sam2: SAM 2 for the video, by name or path; or ``affinity``, which carries the mask on as in ``lite``.
        short_side: Short side, in pixels, of the frames that affinity carries it through.
        device: Where the networks run: auto, cpu, cuda or mps.
        dtype: The precision of SAM 2: auto, float32 or bfloat16.
    """

    checkpoint: str = ""
    backbone: FewShotBackbone = "resnet50-v2"
    size: Side = 473
    width: Count = 256
    own_flags: bool = False
    seed: Whole = 0
    sam2: str = renamed("sam2.1-hiera-l", "propagation")
    short_side: Side = 480
    device: Device = "auto"
    dtype: DType = "auto"

    def __post_init__(self) -> None:
        """Raise `IcvosError` for a value that is not of its range."""
        check(self)
        if self.size % 8 != 1:
            raise refusal("size", self.size, "of the form 8 n + 1, like 473 or 641")
        if self.width % 8:
            raise refusal("width", self.width, "a multiple of 8, like 256")


class CyCTR(NetworkPrompter[CyCTRSettings, Staged, CyCTRNetwork]):
    """The method ``cyctr``: the network's mask of the first frame, which SAM 2 carries on."""

    Settings = CyCTRSettings
    name = "cyctr"
    shaping = ("backbone", "width", "own_flags")

    def body(self) -> Staged:
        """The backbone, without its weights."""
        return build_backbone(self.settings.backbone, "torchvision")

    def make(self, body: Staged) -> CyCTRNetwork:
        """The network on a backbone, its own layers fresh."""
        return CyCTRNetwork(body, self.settings.width, self.settings.own_flags)

    def own_state(self, state: State) -> State:
        """The state of a checkpoint by the names here; raises `IcvosError` where it is of another width."""
        width = len(state.get("adjust_feature_qry.0.weight", ()))
        if width not in (self.settings.width, 0):
            raise IcvosError(
                f"{self.settings.checkpoint}: has {width} channels, width is {self.settings.width}; "
                f"use --set width={width}"
            )
        return own_names(state)

    def segment_image(self, supports: Sequence[Support], image: Image) -> Mask:
        """(H, W) bool: arg-max of the logits, enlarged to the square of the longer side and cut to the picture."""
        if not supports:
            raise IcvosError("cyctr needs a support; give an image with its mask")
        side = self.settings.size
        images = [support.image() for support in supports]
        pictures = torch.stack([fit_picture(picture, side) for picture in images])[None]
        masks = torch.stack([fit_mask(support.mask(), side) for support in supports])[None]
        padding = torch.stack([outside(picture, side) for picture in images])[None]
        given = (fit_picture(image, side)[None], pictures, masks, outside(image, side)[None], padding)
        permute = seeded(self.settings.seed, [support.name for support in supports])
        height, width = image.shape[:2]
        with torch.inference_mode():
            found = self.network(*(tensor.to(self.device) for tensor in given), permute)
            full = fitted_back(aligned(found.low, side), height, width)[0]
        return (full[1] > full[0]).cpu().numpy()

    def trainable(self, classes: Sequence[int]) -> CyCTRTrainable:  # noqa: ARG002
        """The network, as it is trained on whatever classes."""
        return CyCTRTrainable(self.network, (self.loaded,))


def outside(image: Image, side: int) -> Tensor:
    """(side, side) bool: where the square that a picture is fitted into holds nothing of it."""
    height, width = fit_size(image.shape[0], image.shape[1], side)
    found = torch.ones(side, side, dtype=torch.bool)
    found[:height, :width] = False
    return found
