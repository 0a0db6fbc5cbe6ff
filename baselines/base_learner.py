"""The base learner of BAM, HDMNet and AMNet as a method: a closed-set reference for methods that take any class.

It segments the class, of those that it was trained on, that it sees most inside the support masks.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Any

import torch
from torch import Tensor

from baselines.parts.base_network import BaseNetwork, load_base, vote
from icvos.errors import IcvosError
from icvos.method import Image, Mask, Support
from icvos.models.backbones.build import FewShotBackbone, build_backbone
from icvos.models.backbones.stages import STAGES, Staged
from icvos.models.device import Device
from icvos.models.losses import cross_entropy
from icvos.models.maps import aligned
from icvos.models.network_prompter import NetworkPrompter
from icvos.models.sam.propagation import DType
from icvos.models.squares import fit_mask, fit_picture, fitted_back
from icvos.models.weights.load import Loaded
from icvos.settings import Checked, Count, Range, Side, renamed
from icvos.training.remembered import Remembered
from icvos.training.trainable import EpisodeBatch


def margin(logits: Tensor, own: Tensor) -> Tensor:
    """(B, H, W): the score of the (B,) classes ``own``, from 0, less the best other one, of (B, N + 1, H, W) logits."""
    channel = (own + 1)[:, None, None, None].expand(-1, 1, *logits.shape[2:])
    others = logits.scatter(1, channel, -torch.inf).amax(1)
    return logits.gather(1, channel)[:, 0] - others


class BaseTrainable:
    """The base learner as it is trained: all of it, in training mode, by cross entropy over background and classes.

    A backbone without a rate of its own is frozen, its batch norms too.

    Args:
        network: The network.
        loaded: What it starts from.
        classes: The classes to train on, from 0, ascending: the network's, in this order.
        backbone_rate: Share of the learning rate that the backbone has; 0: it stays as it is.
    """

    labels = "classes"

    def __init__(
        self, network: BaseNetwork, loaded: tuple[Loaded, ...], classes: Sequence[int], backbone_rate: float = 1.0
    ) -> None:
        self.network = network
        self.loaded = loaded
        self.classes = tuple(classes)
        self.backbone_rate = backbone_rate
        self.last: Callable[[Tensor], tuple[Tensor, ...]] | None = None

    def remember(self, pictures: int) -> None:
        """Keep what a frozen backbone sees of so many pictures, as `icvos.training.trainable.Remembers`."""
        if not self.backbone_rate:
            self.last = Remembered(lambda picture: self.network.features(picture, (4,)), pictures)

    def train(self) -> None:
        """Training mode for all, batch norms included; a frozen backbone stays in evaluation mode."""
        self.network.train()
        if not self.backbone_rate:
            for stage in STAGES:
                getattr(self.network, stage).eval()

    def parameter_groups(self, learning_rate: float) -> list[dict[str, Any]]:
        """The backbone at its share of the rate; pyramid pooling and classifier."""
        head = [*self.network.ppm.parameters(), *self.network.cls.parameters()]
        if not self.backbone_rate:
            return [{"params": head, "lr": learning_rate}]
        body = [parameter for stage in STAGES for parameter in getattr(self.network, stage).parameters()]
        return [{"params": body, "lr": self.backbone_rate * learning_rate}, {"params": head, "lr": learning_rate}]

    def losses(self, batch: EpisodeBatch) -> dict[str, Tensor]:
        """``total``: cross entropy of the logits, enlarged; labels are numbers of training classes, from 1."""
        return {"total": cross_entropy(self._run(batch.query), batch.query_label)}

    def logits(self, batch: EpisodeBatch) -> Tensor:
        """(B, S, S): the score of the episode's class less the best other one; supports are not looked at."""
        own = torch.tensor([self.classes.index(kind) for kind in batch.classes.tolist()], device=batch.query.device)
        return margin(aligned(self._run(batch.query), batch.query.shape[-1]), own)

    def _run(self, pictures: Tensor) -> Tensor:
        found: Tensor = self.network(pictures, self.last(pictures)[0] if self.last else None)
        return found


@dataclass(frozen=True, slots=True)
class BaseLearnerSettings(Checked):
    """What can be set of `base-learner`.

    Args:
        checkpoint: Path of a trained base learner; "" starts from the ImageNet backbone, to train.
        backbone: resnet50-v2, resnet101-v2, vgg16-bn or efficientnet-lite0.
        base_classes: Number of classes that it knows: 80, 60 in a fold of COCO-20i, or 15 in one of PASCAL-5i.
        base_width: Channels of its last map; 512 as published.
        size: Side of the square that a picture is fitted into.
        backbone_rate: In training, the backbone's share of the learning rate; 0: it is frozen.
        sam2: SAM 2 for the video, by name or path; or ``affinity``, which carries the mask on as in ``lite``.
        short_side: Short side, in pixels, of the frames that affinity carries it through.
        device: Where the networks run: auto, cpu, cuda or mps.
        dtype: The precision of SAM 2: auto, float32 or bfloat16.
    """

    checkpoint: str = ""
    backbone: FewShotBackbone = "resnet50-v2"
    base_classes: Count = 80
    base_width: Count = 512
    size: Side = 417
    backbone_rate: Annotated[float, Range(0)] = 1.0
    sam2: str = renamed("sam2.1-hiera-l", "propagation")
    short_side: Side = 480
    device: Device = "auto"
    dtype: DType = "auto"


class BaseLearner(NetworkPrompter[BaseLearnerSettings, Staged, BaseNetwork]):
    """The method ``base-learner``: it segments that class of its own which it sees most inside the support masks."""

    Settings = BaseLearnerSettings
    small = MappingProxyType({"checkpoint": "base-learner-nano", "sam2": "affinity"})

    def body(self) -> Staged:
        """The backbone, without its weights."""
        return build_backbone(self.settings.backbone)

    def make(self, body: Staged) -> BaseNetwork:
        """The network on a backbone, its own layers fresh."""
        return BaseNetwork(body, self.settings.base_classes, self.settings.base_width)

    def load(self, body: Staged) -> None:  # noqa: ARG002
        """Take the weights of the checkpoint, if there is one; raises `IcvosError` where it is of another network."""
        if self.settings.checkpoint:
            self.loaded = load_base(self.network, self.settings.checkpoint, self.settings)

    def segment_image(self, supports: Sequence[Support], image: Image) -> Mask:
        """(H, W) bool: where the class that the supports show scores best, at the picture's size."""
        if not supports:
            raise IcvosError("base-learner needs a support; give an image with its mask")
        side = self.settings.size
        pictures = torch.stack([fit_picture(support.image(), side) for support in supports]).to(self.device)
        masks = torch.stack([fit_mask(support.mask(), side) for support in supports])[None].to(self.device)
        height, width = image.shape[:2]
        with torch.inference_mode():
            own = vote(self.network(pictures), masks)
            found = self.network(fit_picture(image, side)[None].to(self.device))
            return (margin(fitted_back(found, height, width), own)[0] > 0).cpu().numpy()

    def trainable(self, classes: Sequence[int]) -> BaseTrainable:
        """The network, as it is trained; raises `IcvosError` for another number of classes than it has."""
        if classes and len(classes) != self.settings.base_classes:
            raise IcvosError(
                f"base_classes={self.settings.base_classes}, but there are {len(classes)} classes to train on; "
                f"add --set settings.base_classes={len(classes)}"
            )
        return BaseTrainable(self.network, (self.loaded,), classes, self.settings.backbone_rate)
