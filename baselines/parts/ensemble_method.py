"""BAM, HDMNet and AMNet as methods: the network's mask of the first frame, which SAM 2 carries on."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Generic

import torch
from torch import Tensor

from baselines.parts.base_network import BaseNetwork, known_classes, load_base
from baselines.parts.ensemble_training import BaseLearner, EnsembleTrainable, N
from icvos.errors import IcvosError
from icvos.method import Image, Mask, Support
from icvos.models.backbones.build import FewShotBackbone, build_backbone
from icvos.models.backbones.stages import Staged
from icvos.models.device import Device
from icvos.models.maps import aligned
from icvos.models.network_prompter import NetworkPrompter
from icvos.models.sam.propagation import DType
from icvos.models.squares import squash, squash_mask
from icvos.models.weights.load import Loaded, State
from icvos.models.weights.registry import random_weights
from icvos.settings import Checked, Count, Range, Side, check, refusal, renamed


@dataclass(frozen=True, slots=True)
class EnsembleSettings(Checked):
    """What can be set of `hdmnet` and `amnet`.

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
        width: Channels of the transformer, a multiple of 8; 64 as published.
        shots: Supports that the network was made for; a network for one takes any number, with equal trust.
        size: Side of the network's square input: 473 for PASCAL, 633 for COCO.
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
    width: Count = 64
    shots: Count = 1
    size: Annotated[int, Range(64, 4096)] = 633
    sam2: str = renamed("sam2.1-hiera-l", "propagation")
    short_side: Side = 480
    device: Device = "auto"
    dtype: DType = "auto"

    def __post_init__(self) -> None:
        """Raise `IcvosError` for a value that is not of its range."""
        check(self)
        if self.width % 8:
            raise refusal("width", self.width, "a multiple of 8, like 64")


class EnsembleMethod(NetworkPrompter[EnsembleSettings, Staged, N], Generic[N]):
    """A method around such a network."""

    Settings: ClassVar[type[EnsembleSettings]] = EnsembleSettings
    shaping = ("backbone", "base_classes", "base_width", "width", "shots")
    base_bias: ClassVar[str] = "base_learnear.2.bias"  # of the base learner's last layer, in published checkpoints

    def body(self) -> Staged:
        """The backbone, without its weights."""
        return build_backbone(self.settings.backbone)

    @classmethod
    def starting(cls, settings: EnsembleSettings) -> str:
        """The checkpoint that the method starts from: its own, or a base learner's; "" where it has none."""
        return settings.checkpoint or settings.base_checkpoint

    def load(self, body: Staged) -> None:
        """Take the weights of the checkpoint, or of a base learner; raises `IcvosError` where they do not fit."""
        super().load(body)
        chosen = self.settings
        if chosen.base_checkpoint and not chosen.checkpoint:
            base = BaseNetwork(body, chosen.base_classes, chosen.base_width)
            self.loaded = load_base(base, chosen.base_checkpoint, chosen, "settings.")
            self.network.take(base)

    def own_state(self, state: State) -> State:
        """The state of a checkpoint; raises `IcvosError` where its shapes say that it is of other settings."""
        chosen = self.settings
        known = len(state.get(self.base_bias, ())) - 1
        if known not in (chosen.base_classes, -1):
            raise IcvosError(
                f"{chosen.checkpoint}: its base learner knows {known} classes, base_classes is {chosen.base_classes}; "
                f"use --set base_classes={known}"
            )
        shots = len(state.get("kshot_rw.2.bias", (0,)))
        if shots != chosen.shots:
            raise IcvosError(
                f"{chosen.checkpoint}: is for {shots} supports, shots is {chosen.shots}; use --set shots={shots}"
            )
        return state

    @abstractmethod
    def trainable(self, classes: Sequence[int]) -> EnsembleTrainable[N]:
        """The network, as it is trained on these classes; see `base_class_of`."""

    def segment_image(self, supports: Sequence[Support], image: Image) -> Mask:
        """(H, W) bool: arg-max of the network's two channels at the picture's size."""
        if not supports:
            raise IcvosError(f"{type(self).__name__} needs a support; give an image with its mask")
        if self.settings.shots not in (1, len(supports)):
            raise IcvosError(
                f"this network is for {self.settings.shots} supports, not {len(supports)}; give as many (--shots "
                f"{self.settings.shots}), or a network for one, which takes any number"
            )
        pictures = torch.stack([self.square(support.image()) for support in supports])[None].to(self.device)
        masks = torch.stack([self.square_mask(support.mask()) for support in supports])[None].to(self.device)
        with torch.inference_mode():
            query, leave_out = self.square(image)[None].to(self.device), self.settings.base_learner == "leave-out"
            found = self.network.answer(query, pictures, masks, leave_out=leave_out)
            channels = found.meta if self.settings.base_learner == "none" else found.final
            full = self.full_size(channels, image.shape[0], image.shape[1])[0]
        return (full[1] > full[0]).cpu().numpy()

    def square(self, image: Image) -> Tensor:
        """(3, S, S) float32, as the network takes a picture: here stretched, its aspect ratio not kept."""
        return squash(image, self.settings.size)

    def square_mask(self, mask: Mask) -> Tensor:
        """(S, S) float32 of 0 and 1, placed as `square` places the picture."""
        return squash_mask(mask, self.settings.size)

    def full_size(self, channels: Tensor, height: int, width: int) -> Tensor:
        """(B, 2, height, width) of the network's (B, 2, f, f)."""
        return aligned(channels, (height, width))

    def starts_from(self, classes: Sequence[int]) -> tuple[Loaded, ...]:
        """What training starts from; raises `IcvosError` where no base learner was given, unless it may be random."""
        given = self.settings.checkpoint or self.settings.base_checkpoint
        if given or not classes:
            return (self.loaded,)
        if not random_weights():
            raise IcvosError(
                "this method learns on top of a base learner: run icvos train with the base-learner recipe of the same "
                "benchmark and fold, then use --set settings.base_checkpoint=RUN/best.safetensors"
            )
        return (self.loaded, Loaded("base learner", None))

    def base_class_of(self, classes: Sequence[int]) -> list[int]:
        """For every class of the data set, from 0, the base learner's class, from 0; -1 where it does not know it.

        A base learner that does not say what it knows was trained on ``classes``, in ascending order, as published.
        Raises `IcvosError` where that cannot be, or where it knows a class that is not to be seen in training.
        """
        chosen = self.settings
        if not classes:
            return []
        known = known_classes(chosen.base_checkpoint) if chosen.base_checkpoint and not chosen.checkpoint else ()
        known = known or tuple(classes)
        if len(known) != chosen.base_classes:
            raise IcvosError(
                f"base_classes={chosen.base_classes}, but there are {len(known)} classes to train on; "
                f"use --set settings.base_classes={len(known)}"
            )
        unseen = set(known) - set(classes)
        if unseen:
            raise IcvosError(
                f"{chosen.base_checkpoint}: was trained on class {min(unseen) + 1}, which is held out here; "
                "give the base learner of this fold"
            )
        places = {kind: place for place, kind in enumerate(known)}
        return [places.get(kind, -1) for kind in range(1 + max(classes))]
