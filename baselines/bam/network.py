"""BAM's network: prior mask and prototype meet the query in an atrous pyramid; a base learner corrects the outcome."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from baselines.parts.base_network import BaseNetwork, PyramidPooling, base_classifier
from baselines.parts.convolutions import classifier, merge, pair, reduction
from baselines.parts.ensemble import EnsembleNetwork, gram_distances, something_else
from icvos.models.backbones.stages import Staged
from icvos.models.maps import aligned, masked_average
from icvos.models.prior import contrast, prior, stretched

RATES = (6, 12, 18)  # dilations


class AtrousPyramid(nn.Module):
    """ASPP: five views of a (B, C, f, f) map, of all of it, of single cells and at three dilations."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layer6_0, self.layer6_1 = (nn.Sequential(nn.Conv2d(width, width, 1), nn.ReLU()) for _ in range(2))
        self.layer6_2, self.layer6_3, self.layer6_4 = (
            nn.Sequential(nn.Conv2d(width, width, 3, padding=rate, dilation=rate), nn.ReLU()) for rate in RATES
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """(B, 5 C, f, f)."""
        whole = self.layer6_0(x.mean((2, 3), keepdim=True)).expand_as(x)
        return torch.cat([whole, self.layer6_1(x), self.layer6_2(x), self.layer6_3(x), self.layer6_4(x)], 1)


@dataclass(frozen=True, slots=True)
class Corrected:
    """What the network computes, f the side of its feature map.

    Args:
        final: (B, 2, f, f), combined probabilities; channel 1 is foreground.
        meta: (B, 2, f, f) logits of the meta learner.
        base: (B, N, f, f) logits of the base learner, channel 0 is background.
        base_map: (B, 1, f, f): how much the base learner sees something else.
        distances: (B, K) Gram distances.
        trust: (B, K), the weights of the shots.
        distance: (B, 1), the weighted sum of the distances.
        prototype: (B, C, 1, 1), the supports' weighted mean feature.
        prior: (B, 1, f, f), their weighted prior mask.
        reduced: (B, C, f, f), the reduced query features.
        merged: (B, C, f, f), what the meta learner decodes.
        pyramid: (B, 5 C, f, f), the branches of the atrous pyramid.
        decoded: (B, C, f, f), what the meta logits are made of.
        taps: The query's layer2, layer3 and layer4.
        support_last: (B K, D, f, f), layer4 of the masked supports.
        support_mask: (B K, 1, f, f), their masks.
    """

    final: Tensor
    meta: Tensor
    base: Tensor
    base_map: Tensor
    distances: Tensor
    trust: Tensor
    distance: Tensor
    prototype: Tensor
    prior: Tensor
    reduced: Tensor
    merged: Tensor
    pyramid: Tensor
    decoded: Tensor
    taps: tuple[Tensor, ...]
    support_last: Tensor
    support_mask: Tensor


class BAMNetwork(EnsembleNetwork):
    """The network; published parameter names.

    Args:
        body: The backbone, whose stages become the network's own.
        base_classes: Classes of the base learner, without background.
        shots: Supports of an episode; more than one add the weighting of shots.
        width: C, the channels of reduced features; 256 as published.
        base_width: The width of the base learner's last map; 512 as published.
    """

    def __init__(
        self, body: Staged, base_classes: int = 60, shots: int = 1, width: int = 256, base_width: int = 512
    ) -> None:
        super().__init__()
        self.take_stages(body)
        last = body.channels[4]
        self.learner_base = nn.Sequential(PyramidPooling(last), base_classifier(last, base_classes, base_width))
        self.learner_base.requires_grad_(False)
        seen = body.channels[2] + body.channels[3]
        self.down_query = reduction(seen, width)
        self.down_supp = reduction(seen, width)
        self.init_merge = merge(2 * width + 1, width)
        self.ASPP_meta = AtrousPyramid(width)
        self.res1_meta = merge(5 * width, width)
        self.res2_meta = pair(width)
        self.cls_meta = classifier(width)
        self.add_ensemble(shots)

    def take(self, base: BaseNetwork) -> None:
        """Put a trained base learner on the same backbone in the place of the network's own."""
        self.learner_base[0].load_state_dict(base.ppm.state_dict())
        self.learner_base[1].load_state_dict(base.cls.state_dict())

    def taps(self, x: Tensor) -> tuple[Tensor, ...]:
        """layer2, layer3 and layer4."""
        return self.features(x, (2, 3, 4))

    def base_logits(self, seen: tuple[Tensor, ...]) -> Tensor:
        """(B, N + 1, f, f), of layer4."""
        found: Tensor = self.learner_base(seen[2])
        return found

    def forward(
        self,
        query: Tensor,
        supports: Tensor,
        masks: Tensor,
        left_out: Tensor | None = None,
        shown: tuple[Tensor, ...] | None = None,
    ) -> Corrected:
        """Segment queries by supports; arguments as of `EnsembleNetwork.forward`.

        A small backbone's layer4 is compared by `icvos.models.prior.contrast`, which sees the supports whole.
        """
        by_episode = supports.shape[:2]
        with torch.no_grad():
            q2, q3, q4 = taps = self.see(query)
            f = q3.shape[-1]
            if shown is not None or self.contrasts:
                s2, s3, s4 = shown or self.see(supports.flatten(0, 1))
            else:
                s2, s3 = self.features(supports.flatten(0, 1), (2, 3))
            q2_small, s2 = aligned(q2, f), aligned(s2, f)
            soft = aligned(masks.flatten(0, 1)[:, None].float(), f)
            if self.contrasts:
                priors = contrast([q3, q4], [s3, s4], masks, f)
            else:
                s4 = self.layer4(s3 * soft)
                priors = stretched(prior(q4, s4.unflatten(0, by_episode), soft.unflatten(0, by_episode)))
            base = aligned(self.base_logits(taps), f)
            distances = gram_distances(q2_small, s2)
        trust = self._trust(distances)
        reduced = self.down_query(torch.cat([q3, q2_small], 1))
        vectors = masked_average(self.down_supp(torch.cat([s3, s2], 1)), soft).unflatten(0, by_episode)
        prototype = (trust[:, :, None, None, None] * vectors).sum(1)
        similar = (trust[:, :, None, None] * priors).sum(1, keepdim=True)
        merged = self.init_merge(torch.cat([reduced, prototype.expand_as(reduced), similar], 1))

        pyramid = self.ASPP_meta(merged)
        y = self.res1_meta(pyramid)
        decoded = self.res2_meta(y) + y
        meta = self.cls_meta(decoded)

        distance = (trust * distances).sum(1, keepdim=True)
        base_map = something_else(base, left_out)
        final = self.ensemble(meta, distance, base_map)
        return Corrected(
            final,
            meta,
            base,
            base_map,
            distances,
            trust,
            distance,
            prototype,
            similar,
            reduced,
            merged,
            pyramid,
            decoded,
            taps,
            s4,
            soft,
        )

    def _trust(self, distances: Tensor) -> Tensor:
        """(B, K) weights of (B, K) distances: each shot has that of its rank, unlike in HDMNet and AMNet."""
        scores, whose = self.ranked(distances)
        return torch.zeros_like(scores).scatter(1, whose, scores).softmax(1)
