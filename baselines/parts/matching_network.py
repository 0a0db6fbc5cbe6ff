"""What HDMNet and AMNet compute before their transformers, which match a query with its supports."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from baselines.parts.base_network import BaseNetwork, PyramidPooling
from baselines.parts.convolutions import merge, reduction
from baselines.parts.ensemble import EnsembleNetwork, gram_distances
from icvos.models.backbones.stages import Staged
from icvos.models.maps import aligned, masked_average, nearest
from icvos.models.prior import contrast, prior


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


class MatchingNetwork(EnsembleNetwork):
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
        self.down_supp = reduction(seen, reduced)
        self.down_query = reduction(seen, reduced)
        self.query_merge = merge(2 * reduced + 2, width)
        self.supp_merge = merge(2 * reduced, width)
        self.transformer = transformer(width)
        self.add_ensemble(shots)

    def take(self, base: BaseNetwork) -> None:
        """Put a trained base learner on the same backbone in the place of the network's own."""
        self.ppm.load_state_dict(base.ppm.state_dict())
        self.cls.load_state_dict(base.cls[:2].state_dict())
        self.base_learnear[2].load_state_dict(base.cls[4].state_dict())

    def base_logits(self, seen: tuple[Tensor, ...]) -> Tensor:
        """(B, N + 1, f, f), of feature 5."""
        found: Tensor = self.base_learnear(seen[3])
        return found

    def compare(
        self, query: Tensor, supports: Tensor, masks: Tensor, shown: tuple[Tensor, ...] | None = None
    ) -> Compared:
        """All that comes before the transformer; arguments as of `forward`.

        A small backbone's layer4 is compared by `icvos.models.prior.contrast`, which sees the supports whole.
        """
        batch, shots = supports.shape[:2]
        mask = masks.flatten(0, 1)[:, None].float()
        with torch.no_grad():
            q2, q3, q4, q5 = taps = self.see(query)
            s2, s3, s4, s5 = self.see(supports.flatten(0, 1) * mask)
            base = self.base_logits(taps)
            size = (q3.shape[2], q3.shape[3])
            by_episode = (batch, shots)
            small = nearest(mask, size).unflatten(0, by_episode)
            priors = [prior(q5, s5.unflatten(0, by_episode), small)]
            if self.contrasts:
                whole = shown or self.see(supports.flatten(0, 1))
                priors.append(contrast([q3, q4], whole[1:3], masks, size[0]))
            else:
                priors.append(prior(q4, s4.unflatten(0, by_episode), small))
            similar = torch.stack([each.mean(1) for each in priors], 1)
            distances = gram_distances(q2, s2)
        trust = self.ranked(distances)[0].softmax(1)  # as published, in the order of the ranks and not of the shots
        reduced = self.down_query(torch.cat([q3, q2], 1))
        own = self.down_supp(torch.cat([s3, s2], 1))
        vectors = masked_average(own, aligned(mask, size))
        support = self.supp_merge(torch.cat([own, vectors.expand_as(own)], 1))
        prototype = vectors.unflatten(0, (batch, shots)).mean(1)
        merged = self.query_merge(torch.cat([reduced, prototype.expand_as(reduced), 10 * similar], 1))
        distance = (trust * distances).sum(1, keepdim=True)
        return Compared(taps, s5, base, similar, distances, trust, distance, reduced, prototype, merged, support)

    def taps(self, x: Tensor) -> tuple[Tensor, ...]:
        """layer2, layer3, layer4, and feature 5, the base learner's before its last ReLU, all on layer3's grid."""
        second, third, fourth = self.features(x, (2, 3, 4))
        size = (third.shape[2], third.shape[3])
        last = self.cls(self.ppm(fourth))
        return aligned(second, size), third, aligned(fourth, size), aligned(last, size)
