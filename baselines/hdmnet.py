"""HDMNet: hierarchical dense correlation distillation (Peng et al., CVPR 2023), and its join with SAM 2.

A base learner (PSPNet on the training classes) says what is something else; a meta learner matches query and support on
three scales, from coarse to fine; the distance of their low-level features' Gram matrices decides how far to trust it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from baselines.base_learner import BaseNetwork, PyramidPooling, known_classes, load_base, vote
from baselines.parts.mix_transformer import WIDTH, Matched, Transformer, nearest
from icvos.errors import IcvosError
from icvos.method import Image, Mask, Support
from icvos.models.backbones.build import build_backbone
from icvos.models.backbones.stages import STAGES, Staged
from icvos.models.device import pick_device
from icvos.models.prior import EPSILON, aligned, fresh_layers, in_float32, masked_average, prior
from icvos.models.prompter import Prompter, require_size
from icvos.models.sam.propagation import DType
from icvos.models.squares import squash, squash_mask
from icvos.models.weights.load import Loaded, load_weights
from icvos.models.weights.registry import random_weights
from icvos.training.trainable import EpisodeBatch

IGNORE = 255
BaseLearner = Literal["leave-out", "fold", "none"]


@in_float32
def gram(features: Tensor) -> Tensor:
    """(B, C, C): cosine of every pair of channels of (B, C, h, w), over positions."""
    flat = features.flatten(2)
    length = flat.norm(dim=2)
    return flat @ flat.transpose(1, 2) / (length[:, :, None] * length[:, None] + EPSILON)


@dataclass(frozen=True, slots=True)
class Compared:
    """What is known before the transformer, f the side of the feature map.

    Args:
        taps: The query's layer2 (on f x f), layer3, layer4 and feature 5.
        support_feature: (B K, 512, f, f), feature 5 of the supports.
        base: (B, N, f, f) logits of the base learner, channel 0 is background.
        similar: (B, 2, f, f) prior masks, of feature 5 and of layer4.
        distances: (B, K) Gram distances.
        trust: (B, K), their weights.
        distance: (B, 1), their weighted sum.
        reduced: (B, 256, f, f), reduced query features.
        prototype: (B, 256, 1, 1), the supports' mean feature.
        query: (B, 64, f, f), merged query features.
        support: (B K, 64, f, f), merged support features.
    """

    taps: tuple[Tensor, Tensor, Tensor, Tensor]
    support_feature: Tensor
    base: Tensor
    similar: Tensor
    distances: Tensor
    trust: Tensor
    distance: Tensor
    reduced: Tensor
    prototype: Tensor
    query: Tensor
    support: Tensor


@dataclass(frozen=True, slots=True)
class Ensembled:
    """What the network computes.

    Args:
        final: (B, 2, f, f), combined probabilities; channel 1 is foreground.
        meta: (B, 2, f, f) logits of the meta learner.
        base_map: (B, 1, f, f): how much the base learner sees something else.
        matched: Of the transformer.
        compared: What went into it.
    """

    final: Tensor
    meta: Tensor
    base_map: Tensor
    matched: Matched
    compared: Compared


class HDMNetwork(Staged):
    """The network; published parameter names.

    Args:
        body: The backbone, whose stages become the network's own.
        base_classes: Classes of the base learner, without background.
        shots: Supports of an episode; more than one add the weighting of shots.
    """

    def __init__(self, body: Staged, base_classes: int = 60, shots: int = 1) -> None:
        super().__init__()
        self.take_stages(body)
        last = body.channels[4]
        self.ppm = PyramidPooling(last)
        self.cls = nn.Sequential(nn.Conv2d(2 * last, 512, 3, padding=1, bias=False), nn.BatchNorm2d(512))
        self.base_learnear = nn.Sequential(nn.ReLU(), nn.Dropout2d(0.1), nn.Conv2d(512, base_classes + 1, 1))
        for part in (self.ppm, self.cls, self.base_learnear):
            part.requires_grad_(False)
        width = body.channels[2] + body.channels[3]
        self.down_supp = nn.Sequential(nn.Conv2d(width, 256, 1, bias=False), nn.ReLU(), nn.Dropout2d(0.5))
        self.down_query = nn.Sequential(nn.Conv2d(width, 256, 1, bias=False), nn.ReLU(), nn.Dropout2d(0.5))
        self.query_merge = nn.Sequential(nn.Conv2d(514, WIDTH, 1, bias=False), nn.ReLU())
        self.supp_merge = nn.Sequential(nn.Conv2d(512, WIDTH, 1, bias=False), nn.ReLU())
        self.transformer = Transformer()
        self.gram_merge = nn.Conv2d(2, 1, 1, bias=False)
        self.cls_merge = nn.Conv2d(2, 1, 1, bias=False)
        for merge in (self.gram_merge, self.cls_merge):
            merge.weight.data = torch.tensor([1.0, 0.0]).reshape(1, 2, 1, 1)
        if shots > 1:
            self.kshot_rw = nn.Sequential(nn.Conv2d(shots, 2, 1), nn.ReLU(), nn.Conv2d(2, shots, 1))
        self.shots = shots

    def take(self, base: BaseNetwork) -> None:
        """Put a trained base learner, its backbone included, in the place of the network's own."""
        for part in (*STAGES, "ppm"):
            getattr(self, part).load_state_dict(getattr(base, part).state_dict())
        self.cls.load_state_dict(base.cls[:2].state_dict())
        self.base_learnear[2].load_state_dict(base.cls[4].state_dict())

    def forward(self, query: Tensor, supports: Tensor, masks: Tensor, left_out: Tensor | None = None) -> Ensembled:
        """Segment (B, 3, S, S) queries by (B, K, 3, S, S) supports and their (B, K, S, S) float masks of 0 and 1.

        Args:
            query: Standardised pictures.
            supports: Standardised pictures.
            masks: Of the supports.
            left_out: (B,) base class, from 0, that does not count as something else; -1 for none.
        """
        compared = self.compare(query, supports, masks)
        mask = masks.flatten(0, 1)[:, None].float()
        transformer = self.transformer.mix_transformer
        matched: Matched = transformer(compared.query, compared.support, mask, compared.similar)
        base_map = something_else(compared.base, left_out)
        return Ensembled(self.ensemble(matched.logits, compared, base_map), matched.logits, base_map, matched, compared)

    def compare(self, query: Tensor, supports: Tensor, masks: Tensor) -> Compared:
        """All that comes before the transformer; arguments as of `forward`."""
        batch, shots = supports.shape[:2]
        mask = masks.flatten(0, 1)[:, None].float()
        with torch.no_grad():
            q2, q3, q4, q5 = taps = self._taps(query)
            s2, s3, s4, s5 = self._taps(supports.flatten(0, 1) * mask)
            base = self.base_learnear(q5)
            size = (q3.shape[2], q3.shape[3])
            by_episode = (batch, shots)
            small = nearest(mask, size).unflatten(0, by_episode)
            priors = [prior(tap, support.unflatten(0, by_episode), small) for tap, support in ((q5, s5), (q4, s4))]
            similar = torch.stack([each.mean(1) for each in priors], 1)
            apart = gram(q2)[:, None] - gram(s2).unflatten(0, by_episode)
            distances = apart.flatten(2).norm(dim=2) / apart.shape[2]
        trust = self._trust(distances)
        reduced = self.down_query(torch.cat([q3, q2], 1))
        shown = self.down_supp(torch.cat([s3, s2], 1))
        vectors = masked_average(shown, aligned(mask, size))
        support = self.supp_merge(torch.cat([shown, vectors.expand_as(shown)], 1))
        prototype = vectors.unflatten(0, (batch, shots)).mean(1)
        merged = self.query_merge(torch.cat([reduced, prototype.expand_as(reduced), 10 * similar], 1))
        distance = (trust * distances).sum(1, keepdim=True)
        return Compared(taps, s5, base, similar, distances, trust, distance, reduced, prototype, merged, support)

    def ensemble(self, logits: Tensor, compared: Compared, base_map: Tensor) -> Tensor:
        """(B, 2, f, f) combined probabilities of (B, 2, f, f) meta logits and what the base learner sees."""
        probability = logits.softmax(1)
        spread = compared.distance[:, :, None, None].expand_as(base_map)
        foreground = self.gram_merge(torch.cat([probability[:, 1:], spread], 1))
        background = self.gram_merge(torch.cat([probability[:, :1], spread], 1))
        background = self.cls_merge(torch.cat([background, base_map], 1))
        return torch.cat([background, foreground], 1)

    def voted(self, supports: Tensor, masks: Tensor) -> Tensor:
        """(B,) int64: the base class, from 0, that the base learner sees most inside (B, K, S, S) support masks."""
        with torch.no_grad():
            feature = self._taps(supports.flatten(0, 1))[3]
            return vote(self.base_learnear(feature), masks)

    def _taps(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """layer2 on layer3's grid, layer3, layer4, and feature 5, the base learner's before its last ReLU."""
        second, third, fourth = self.features(x, (2, 3, 4))
        return aligned(second, (third.shape[2], third.shape[3])), third, fourth, self.cls(self.ppm(fourth))

    def _trust(self, distances: Tensor) -> Tensor:
        """(B, K) weights of (B, K) distances. As published, weights of the sorted distances stay in sorted order."""
        if self.shots == 1:
            return torch.full_like(distances, 1 / distances.shape[1])
        ordered = distances.sort(dim=1).values
        return self.kshot_rw(ordered[:, :, None, None])[:, :, 0, 0].softmax(1)


def something_else(base: Tensor, left_out: Tensor | None) -> Tensor:
    """(B, 1, f, f): probability, by (B, N, f, f) base logits, of any base class but the one that is left out."""
    probability = base.softmax(1)
    total = probability[:, 1:].sum(1, keepdim=True)
    if left_out is None:
        return total
    index = (left_out + 1).clamp(min=0)
    own = probability[torch.arange(len(base), device=base.device), index][:, None]
    return total - own * (left_out >= 0)[:, None, None, None]


def distillation(maps: Sequence[Tensor], label: Tensor) -> Tensor:
    """The coarsest correlation map learns from the label, (B, S, S), every other from the map before it."""
    teacher = torch.where(label == 1, 1.0, -1e9)[:, None]
    losses = []
    for found in maps:
        student = found[:, None]
        if teacher.shape[2:] != student.shape[2:]:
            teacher = functional.interpolate(teacher, size=student.shape[2:], mode="bilinear", align_corners=False)
        wanted, given = teacher.flatten(1).softmax(1), student.flatten(1).softmax(1)
        losses.append((wanted * ((wanted + 1e-12).log() - (given + 1e-12).log())).sum(1).mean())
        teacher = student.detach()
    return torch.stack(losses).mean()


def hdmnet_losses(found: Ensembled, label: Tensor) -> dict[str, Tensor]:
    """``total`` = ``main`` (cross entropy of final and meta) + ``distil``; (B, S, S) labels, 255 ignored."""
    side = label.shape[-1]
    main = functional.cross_entropy(aligned(found.final, side), label, ignore_index=IGNORE)
    main = main + functional.cross_entropy(aligned(found.meta, side), label, ignore_index=IGNORE)
    distil = distillation(found.matched.maps, label)
    return {"total": main + distil, "main": main, "distil": distil}


class HDMNetTrainable:
    """HDMNet as it is trained: all batch norms in evaluation mode, the transformer's too, as published.

    Args:
        network: The network.
        base_class: The base learner's class, from 0, of a data set's class; -1 for one that it does not know.
        base_learner: Its part in validation, where the episode's class is not told; see `HDMNetSettings`.
        loaded: What it starts from.
    """

    def __init__(
        self,
        network: HDMNetwork,
        base_class: Sequence[int],
        base_learner: BaseLearner = "leave-out",
        loaded: tuple[Loaded, ...] = (),
    ) -> None:
        self.network: nn.Module = network
        self.base_class = torch.tensor(base_class)
        self.base_learner = base_learner
        self.loaded = loaded

    def train(self) -> None:
        """Training mode for the dropout of the learned parts alone."""
        self.network.eval()
        for part in ("down_supp", "down_query", "supp_merge", "query_merge", "transformer"):
            getattr(self.network, part).train()
        for module in self.network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()

    def parameter_groups(self, learning_rate: float) -> list[dict[str, Any]]:
        """The transformer at the rate, the reductions and merges at ten times it; ``kshot_rw`` is not learned."""
        groups = [{"params": list(self.network.transformer.parameters()), "lr": learning_rate}]
        for part in ("down_supp", "down_query", "supp_merge", "query_merge", "gram_merge", "cls_merge"):
            groups.append({"params": list(getattr(self.network, part).parameters()), "lr": 10 * learning_rate})
        return groups

    def losses(self, batch: EpisodeBatch) -> dict[str, Tensor]:
        """``total``, ``main`` and ``distil``; the episode's own class is not something else."""
        left_out = self.base_class.to(batch.classes.device)[batch.classes]
        return hdmnet_losses(self._run(batch, left_out), batch.query_label)

    def logits(self, batch: EpisodeBatch) -> Tensor:
        """(B, S, S) foreground less background."""
        masks = (batch.support_labels == 1).float()
        left_out = self.network.voted(batch.supports, masks) if self.base_learner == "leave-out" else None
        found = self._run(batch, left_out)
        channels = aligned(found.meta if self.base_learner == "none" else found.final, batch.query.shape[-1])
        return channels[:, 1] - channels[:, 0]

    def _run(self, batch: EpisodeBatch, left_out: Tensor | None) -> Ensembled:
        masks = (batch.support_labels == 1).float()
        found: Ensembled = self.network(batch.query, batch.supports, masks, left_out)
        return found


@dataclass(frozen=True, slots=True)
class HDMNetSettings:
    """What can be set of `hdmnet`.

    Args:
        checkpoint: Path of a trained network; "" starts from the base learner, to train.
        base_checkpoint: Path of a trained base learner with its backbone, as `icvos train` or BAM writes it; a
            ``checkpoint`` holds its own.
        backbone: resnet50-v2, resnet101-v2 or vgg16-bn.
        base_learner: ``leave-out``: a base learner of all 80 classes, without the class that it sees most inside the
            support masks; ``fold``: a fold's base learner, which does not know the target; ``none``: no base learner,
            the meta logits alone.
        base_classes: Classes of the base learner.
        shots: Supports that the network was made for; a network for one takes any number, with equal trust.
        size: Side of the network's square input: 473 for PASCAL, 633 for COCO.
        propagation: SAM 2 for the video, by name or path.
        device: auto, cpu, cuda or mps.
        dtype: Of SAM 2: auto, float32 or bfloat16.
    """

    checkpoint: str = ""
    base_checkpoint: str = ""
    backbone: str = "resnet50-v2"
    base_learner: BaseLearner = "leave-out"
    base_classes: int = 80
    shots: int = 1
    size: int = 633
    propagation: str = "sam2.1-hiera-l"
    device: str = "auto"
    dtype: DType = "auto"


class HDMNet(Prompter):
    """The method ``hdmnet``: the network's mask of the first frame, which SAM 2 carries on."""

    Settings = HDMNetSettings
    make: type[HDMNetwork] = HDMNetwork

    def __init__(self, settings: HDMNetSettings | None = None) -> None:
        self.settings = settings or self.Settings()
        chosen = self.settings
        require_size(chosen.size, 64)
        self.device = pick_device(chosen.device)
        body = build_backbone(chosen.backbone, "whole")
        if not chosen.checkpoint and not chosen.base_checkpoint:
            self.loaded = body.load_published(chosen.backbone)
        with fresh_layers():
            self.network = self.make(body, chosen.base_classes, chosen.shots)
        if chosen.checkpoint:
            self.loaded = load_weights(self.network, chosen.checkpoint)
        elif chosen.base_checkpoint:
            base = BaseNetwork(build_backbone(chosen.backbone, "whole"), chosen.base_classes)
            self.loaded = load_base(base, chosen.base_checkpoint)
            self.network.take(base)
        self.network.eval().to(self.device)

    @staticmethod
    def needs(settings: HDMNetSettings) -> tuple[str, ...]:
        """The checkpoints that the method loads."""
        return (settings.checkpoint or settings.base_checkpoint or settings.backbone, settings.propagation)

    def segment_image(self, supports: Sequence[Support], image: Image) -> Mask:
        """(H, W) bool: arg-max of the network's two channels at the picture's size."""
        if not supports:
            raise IcvosError(f"{type(self).__name__} needs a support; give an image with its mask")
        if self.settings.shots not in (1, len(supports)):
            raise IcvosError(f"this network is for {self.settings.shots} supports, got {len(supports)}; set shots")
        side = self.settings.size
        pictures = torch.stack([squash(support.image(), side) for support in supports])[None].to(self.device)
        masks = torch.stack([squash_mask(support.mask(), side) for support in supports])[None].to(self.device)
        with torch.inference_mode():
            left_out = self.network.voted(pictures, masks) if self.settings.base_learner == "leave-out" else None
            found = self.network(squash(image, side)[None].to(self.device), pictures, masks, left_out)
            channels = found.meta if self.settings.base_learner == "none" else found.final
            full = aligned(channels, (image.shape[0], image.shape[1]))[0]
        return (full[1] > full[0]).cpu().numpy()

    def trainable(self, classes: Sequence[int]) -> HDMNetTrainable:
        """The network, as it is trained on these classes; see `base_class_of`."""
        return HDMNetTrainable(
            self.network, self.base_class_of(classes), self.settings.base_learner, self.starts_from(classes)
        )

    def starts_from(self, classes: Sequence[int]) -> tuple[Loaded, ...]:
        """What training starts from; raises `IcvosError` where no base learner was given, unless it may be random."""
        given = self.settings.checkpoint or self.settings.base_checkpoint
        if given or not classes:
            return (self.loaded,)
        if not random_weights():
            raise IcvosError(
                "this method learns on top of a base learner: run icvos train with the base-learner recipe of the same "
                "benchmark and fold, then add --set settings.base_checkpoint=RUN/best.safetensors"
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
                f"add --set settings.base_classes={len(known)}"
            )
        unseen = set(known) - set(classes)
        if unseen:
            raise IcvosError(
                f"{chosen.base_checkpoint}: was trained on class {min(unseen) + 1}, which is held out here; "
                "give the base learner of this fold"
            )
        places = {kind: place for place, kind in enumerate(known)}
        return [places.get(kind, -1) for kind in range(1 + max(classes))]
