"""What HDMNet and AMNet compute around their transformers, which match a query with its supports.

A base learner (PSPNet on the training classes) says what is something else; the distance of query and support, told by
the Gram matrices of their low-level features, decides how far to trust it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from baselines.parts.base_network import BaseNetwork, PyramidPooling, vote
from baselines.parts.mix_transformer import nearest
from icvos.models.backbones.stages import Staged
from icvos.models.maps import aligned, in_float32, masked_average
from icvos.models.prior import EPSILON, contrast, prior

Taps = Callable[[Tensor], tuple[Tensor, ...]]


@dataclass(frozen=True, slots=True)
class Compared:
    """What is known before the transformer, f the side of the feature map, C the transformer's width.

    Args:
        taps: The query's layer2, layer3, layer4 and feature 5, all on f x f.
        support_feature: (B K, D, f, f), feature 5 of the supports.
        base: (B, N, f, f) logits of the base learner, channel 0 is background.
        similar: (B, 2, f, f) prior masks, of feature 5 and of layer4.
        distances: (B, K) Gram distances.
        trust: (B, K), their weights.
        distance: (B, 1), their weighted sum.
        reduced: (B, 4 C, f, f), reduced query features.
        prototype: (B, 4 C, 1, 1), the supports' mean feature.
        query: (B, C, f, f), merged query features.
        support: (B K, C, f, f), merged support features.
    """

    taps: tuple[Tensor, ...]
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


class Answer(Protocol):
    """What a network says of its queries, f the side of the feature map; channel 1 is foreground."""

    @property
    def final(self) -> Tensor:
        """(B, 2, f, f) probabilities, combined with what the base learner sees."""
        ...

    @property
    def meta(self) -> Tensor:
        """(B, 2, f, f) logits, without the base learner."""
        ...


class MatchingNetwork(Staged):
    """The network but for its transformer; published parameter names.

    Args:
        body: The backbone, whose stages become the network's own.
        transformer: Makes the transformer of a width.
        base_classes: Classes of the base learner, without background.
        shots: Supports of an episode; more than one add the weighting of shots.
        width: C, the transformer's width, a multiple of 8; 64 as published.
        base_width: D, the width of the base learner's last map, see `BaseNetwork`; 512 as published.
    """

    transformer: nn.Module

    def __init__(
        self,
        body: Staged,
        transformer: Callable[[int], nn.Module],
        base_classes: int,
        shots: int,
        width: int,
        base_width: int,
    ) -> None:
        super().__init__()
        self.take_stages(body)
        last = body.channels[4]
        self.ppm = PyramidPooling(last)
        self.cls = nn.Sequential(nn.Conv2d(2 * last, base_width, 3, padding=1, bias=False), nn.BatchNorm2d(base_width))
        self.base_learnear = nn.Sequential(nn.ReLU(), nn.Dropout2d(0.1), nn.Conv2d(base_width, base_classes + 1, 1))
        for part in (self.ppm, self.cls, self.base_learnear):
            part.requires_grad_(False)
        seen, reduced = body.channels[2] + body.channels[3], 4 * width
        self.down_supp = nn.Sequential(nn.Conv2d(seen, reduced, 1, bias=False), nn.ReLU(), nn.Dropout2d(0.5))
        self.down_query = nn.Sequential(nn.Conv2d(seen, reduced, 1, bias=False), nn.ReLU(), nn.Dropout2d(0.5))
        self.query_merge = nn.Sequential(nn.Conv2d(2 * reduced + 2, width, 1, bias=False), nn.ReLU())
        self.supp_merge = nn.Sequential(nn.Conv2d(2 * reduced, width, 1, bias=False), nn.ReLU())
        self.transformer = transformer(width)
        self.gram_merge = nn.Conv2d(2, 1, 1, bias=False)
        self.cls_merge = nn.Conv2d(2, 1, 1, bias=False)
        for merge in (self.gram_merge, self.cls_merge):
            merge.weight.data = torch.tensor([1.0, 0.0]).reshape(1, 2, 1, 1)
        if shots > 1:
            self.kshot_rw = nn.Sequential(nn.Conv2d(shots, 2, 1), nn.ReLU(), nn.Conv2d(2, shots, 1))
        self.shots = shots
        self.remembered: Taps | None = None

    def see(self, x: Tensor) -> tuple[Tensor, ...]:
        """What the frozen parts see of (B, 3, S, S) pictures: `taps`, or what is ``remembered`` of them."""
        return (self.remembered or self.taps)(x)

    def take(self, base: BaseNetwork) -> None:
        """Put a trained base learner on the same backbone in the place of the network's own."""
        self.ppm.load_state_dict(base.ppm.state_dict())
        self.cls.load_state_dict(base.cls[:2].state_dict())
        self.base_learnear[2].load_state_dict(base.cls[4].state_dict())

    def forward(self, query: Tensor, supports: Tensor, masks: Tensor, left_out: Tensor | None = None) -> Answer:
        """Segment (B, 3, S, S) queries by (B, K, 3, S, S) supports and their (B, K, S, S) float masks of 0 and 1.

        Args:
            query: Standardised pictures.
            supports: Standardised pictures.
            masks: Where the supports show the category.
            left_out: (B,) base class, from 0, that does not count as something else; -1 for none.
        """
        raise NotImplementedError

    def compare(self, query: Tensor, supports: Tensor, masks: Tensor) -> Compared:
        """All that comes before the transformer; arguments as of `forward`.

        A small backbone's layer4 is compared by `icvos.models.prior.contrast`, which sees the supports whole.
        """
        batch, shots = supports.shape[:2]
        mask = masks.flatten(0, 1)[:, None].float()
        with torch.no_grad():
            q2, q3, q4, q5 = taps = self.see(query)
            s2, s3, s4, s5 = self.see(supports.flatten(0, 1) * mask)
            base = self.base_learnear(q5)
            size = (q3.shape[2], q3.shape[3])
            by_episode = (batch, shots)
            small = nearest(mask, size).unflatten(0, by_episode)
            priors = [prior(q5, s5.unflatten(0, by_episode), small)]
            if self.contrasts:
                priors.append(contrast([q3, q4], self.see(supports.flatten(0, 1))[1:3], masks, size[0]))
            else:
                priors.append(prior(q4, s4.unflatten(0, by_episode), small))
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
            feature = self.see(supports.flatten(0, 1))[3]
            return vote(self.base_learnear(feature), masks)

    def taps(self, x: Tensor) -> tuple[Tensor, ...]:
        """layer2, layer3, layer4, and feature 5, the base learner's before its last ReLU, all on layer3's grid."""
        second, third, fourth = self.features(x, (2, 3, 4))
        size = (third.shape[2], third.shape[3])
        last = self.cls(self.ppm(fourth))
        return aligned(second, size), third, aligned(fourth, size), aligned(last, size)

    def _trust(self, distances: Tensor) -> Tensor:
        """(B, K) weights of (B, K) distances. As published, weights of the sorted distances stay in sorted order."""
        if self.shots == 1:
            return torch.full_like(distances, 1 / distances.shape[1])
        ordered = distances.sort(dim=1).values
        weighed: Tensor = self.kshot_rw(ordered[:, :, None, None])
        return weighed[:, :, 0, 0].softmax(1)


@in_float32
def gram(features: Tensor) -> Tensor:
    """(B, C, C): cosine of every pair of channels of (B, C, h, w), over positions."""
    flat = features.flatten(2)
    length = flat.norm(dim=2)
    return flat @ flat.transpose(1, 2) / (length[:, :, None] * length[:, None] + EPSILON)


def something_else(base: Tensor, left_out: Tensor | None) -> Tensor:
    """(B, 1, f, f): probability, by (B, N, f, f) base logits, of any base class but the one that is left out."""
    probability = base.softmax(1)
    total = probability[:, 1:].sum(1, keepdim=True)
    if left_out is None:
        return total
    index = (left_out + 1).clamp(min=0)
    own = probability[torch.arange(len(base), device=base.device), index][:, None]
    return total - own * (left_out >= 0)[:, None, None, None]
