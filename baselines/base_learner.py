"""The base learner of HDMNet and AMNet: a PSPNet on the training classes, as BAM trains it (Lang et al., CVPR 2022).

It knows its classes and nothing else. As a method of its own it segments the class that it sees most inside the
support masks: a closed-set reference for methods that take any class.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from icvos.errors import IcvosError
from icvos.method import Image, Mask, Support
from icvos.models.backbones.build import build_backbone
from icvos.models.backbones.stages import STAGES, Staged
from icvos.models.device import pick_device
from icvos.models.prior import aligned, fresh_layers
from icvos.models.prompter import Prompter, require_size
from icvos.models.sam.propagation import DType
from icvos.models.squares import fit_mask, fit_picture
from icvos.models.weights.load import Loaded, State, find_weights, load_weights, read_header
from icvos.training.trainable import EpisodeBatch

IGNORE = 255


class PyramidPooling(nn.Module):
    """PSPNet's pyramid pooling: bins 1, 2, 3 and 6 beside the features."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.features = nn.ModuleList(
            nn.Sequential(
                nn.AdaptiveAvgPool2d(size),
                nn.Conv2d(width, width // 4, 1, bias=False),
                nn.BatchNorm2d(width // 4),
                nn.ReLU(),
            )
            for size in (1, 2, 3, 6)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, D, h, w) to (B, 2 D, h, w)."""
        size = (x.shape[2], x.shape[3])
        return torch.cat([x, *(aligned(part(x), size) for part in self.features)], 1)


class BaseNetwork(Staged):
    """The network; published parameter names.

    Args:
        body: The backbone, whose stages become the network's own.
        base_classes: Classes that it knows, without background.
    """

    def __init__(self, body: Staged, base_classes: int) -> None:
        super().__init__()
        self.take_stages(body)
        last = body.channels[4]
        self.ppm = PyramidPooling(last)
        self.cls = nn.Sequential(
            nn.Conv2d(2 * last, 512, 3, padding=1, bias=False),
            nn.BatchNorm2d(512),
            nn.ReLU(),
            nn.Dropout2d(0.1),
            nn.Conv2d(512, base_classes + 1, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, S, S) pictures to (B, N + 1, f, f) logits; channel 0 is background."""
        (last,) = self.features(x, (4,))
        found: Tensor = self.cls(self.ppm(last))
        return found


def load_base(network: BaseNetwork, checkpoint: str) -> Loaded:
    """Load a base learner, trained here or published, by path.

    Raises `IcvosError` where it knows another number of classes, or does not fit otherwise.
    """
    known = network.cls[4].out_channels - 1

    def convert(state: State) -> State:
        state = {name: tensor for name, tensor in state.items() if not name.startswith("encoder.")}  # layer0 to 4 again
        found = len(state.get("cls.4.bias", ())) - 1
        if found not in (known, -1):
            raise IcvosError(
                f"{checkpoint}: this base learner knows {found} classes, base_classes is {known}; "
                f"set base_classes={found}, or give another one"
            )
        return state

    return load_weights(network, checkpoint, convert)


def known_classes(checkpoint: str) -> tuple[int, ...]:
    """The classes of a base learner that `icvos train` made, from 0, ascending; () where its file does not say."""
    path = find_weights(checkpoint)
    text = read_header(path).get("classes", "") if path else ""
    try:
        return tuple(int(kind) for kind in json.loads(text)) if text else ()
    except (ValueError, TypeError) as error:
        raise IcvosError(f"{checkpoint}: its header's classes are not a list of numbers; train it again") from error


def vote(logits: Tensor, masks: Tensor) -> Tensor:
    """(B,) int64: the class, from 0, that (B K, N + 1, f, f) base logits see most inside (B, K, S, S) support masks."""
    seen = logits.softmax(1)[:, 1:]
    mask = aligned(masks.flatten(0, 1)[:, None].float(), (logits.shape[2], logits.shape[3]))
    inside = (seen * mask).sum((2, 3)).unflatten(0, masks.shape[:2]).sum(1)
    return inside.argmax(1)


def margin(logits: Tensor, own: Tensor) -> Tensor:
    """(B, H, W): the score of the (B,) classes ``own``, from 0, less the best other one, of (B, N + 1, H, W) logits."""
    channel = (own + 1)[:, None, None, None].expand(-1, 1, *logits.shape[2:])
    others = logits.scatter(1, channel, -torch.inf).amax(1)
    return logits.gather(1, channel)[:, 0] - others


class BaseTrainable:
    """The base learner as it is trained: all of it, in training mode, by cross entropy over background and classes.

    Args:
        network: The network.
        loaded: What it starts from.
        classes: The classes to train on, from 0, ascending: the network's, in this order.
        backbone_rate: Of the learning rate, the share for the backbone.
    """

    def __init__(
        self, network: BaseNetwork, loaded: tuple[Loaded, ...], classes: Sequence[int], backbone_rate: float = 1.0
    ) -> None:
        self.network: nn.Module = network
        self.loaded = loaded
        self.classes = tuple(classes)
        self.backbone_rate = backbone_rate

    def train(self) -> None:
        """Training mode for all, batch norms included."""
        self.network.train()

    def parameter_groups(self, learning_rate: float) -> list[dict[str, Any]]:
        """The backbone at its share of the rate; pyramid pooling and classifier."""
        body = [parameter for stage in STAGES for parameter in getattr(self.network, stage).parameters()]
        head = [*self.network.ppm.parameters(), *self.network.cls.parameters()]
        return [{"params": body, "lr": self.backbone_rate * learning_rate}, {"params": head, "lr": learning_rate}]

    def losses(self, batch: EpisodeBatch) -> dict[str, Tensor]:
        """``total``: cross entropy of the logits, enlarged; labels are numbers of training classes, from 1."""
        logits = aligned(self.network(batch.query), batch.query.shape[-1])
        return {"total": functional.cross_entropy(logits, batch.query_label, ignore_index=IGNORE)}

    def logits(self, batch: EpisodeBatch) -> Tensor:
        """(B, S, S): the score of the episode's class less the best other one; supports are not looked at."""
        own = torch.tensor([self.classes.index(kind) for kind in batch.classes.tolist()], device=batch.query.device)
        return margin(aligned(self.network(batch.query), batch.query.shape[-1]), own)


@dataclass(frozen=True, slots=True)
class BaseLearnerSettings:
    """What can be set of `base-learner`.

    Args:
        checkpoint: Path of a trained base learner; "" starts from the ImageNet backbone, to train.
        backbone: resnet50-v2, resnet101-v2 or vgg16-bn.
        base_classes: Classes that it knows: 80, 60 of a fold of COCO-20i, or 15 of one of PASCAL-5i.
        size: Side of the square that a picture is fitted into.
        backbone_rate: In training, the backbone's share of the learning rate.
        propagation: SAM 2 for the video, by name or path.
        device: auto, cpu, cuda or mps.
        dtype: Of SAM 2: auto, float32 or bfloat16.
    """

    checkpoint: str = ""
    backbone: str = "resnet50-v2"
    base_classes: int = 80
    size: int = 417
    backbone_rate: float = 1.0
    propagation: str = "sam2.1-hiera-l"
    device: str = "auto"
    dtype: DType = "auto"


class BaseLearner(Prompter):
    """The method ``base-learner``: it segments that class of its own which it sees most inside the support masks."""

    Settings = BaseLearnerSettings

    def __init__(self, settings: BaseLearnerSettings | None = None) -> None:
        self.settings = settings or BaseLearnerSettings()
        chosen = self.settings
        require_size(chosen.size)
        self.device = pick_device(chosen.device)
        body = build_backbone(chosen.backbone, "whole")
        if not chosen.checkpoint:
            self.loaded = body.load_published(chosen.backbone)
        with fresh_layers():
            self.network = BaseNetwork(body, chosen.base_classes)
        if chosen.checkpoint:
            self.loaded = load_base(self.network, chosen.checkpoint)
        self.network.eval().to(self.device)

    @staticmethod
    def needs(settings: BaseLearnerSettings) -> tuple[str, ...]:
        """The checkpoints that the method loads."""
        return (settings.checkpoint or settings.backbone, settings.propagation)

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
            square = aligned(found, max(height, width))[:, :, :height, :width]
            return (margin(square, own)[0] > 0).cpu().numpy()

    def trainable(self, classes: Sequence[int]) -> BaseTrainable:
        """The network, as it is trained; raises `IcvosError` for another number of classes than it has."""
        if classes and len(classes) != self.settings.base_classes:
            raise IcvosError(
                f"base_classes={self.settings.base_classes}, but there are {len(classes)} classes to train on; "
                f"add --set settings.base_classes={len(classes)}"
            )
        return BaseTrainable(self.network, (self.loaded,), classes, self.settings.backbone_rate)
