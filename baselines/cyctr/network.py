"""CyCTR's network: PFENet's prior and prototype, then a transformer in the place of the pyramid."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from baselines.cyctr.keys import Permute, object_cells
from baselines.cyctr.transformer import Layer, Shown, Transformer
from baselines.parts.convolutions import classifier, merge, pair, reduction
from icvos.models.backbones.resnet import ResNet
from icvos.models.backbones.stages import Staged
from icvos.models.maps import aligned, masked_average, nearest, tokens_of
from icvos.models.prior import contrast, prior, stretched
from icvos.models.weights.load import State

BODY = "backbone.body."  # begins the published names of the backbone


@dataclass(frozen=True, slots=True)
class Cycled:
    """What the network computes, f the side of its feature map.

    Args:
        low: (B, 2, f, f) logits; channel 1 is foreground.
        query: (B, C, f, f), the reduced query features; ``supports`` (B K, C, f, f) those of the supports.
        prototype_each: (B, K, C, 1, 1), mean features of the shots; ``prototype`` (B, C, 1, 1) their mean.
        prior_each: (B, K, f, f) prior masks of the shots, in [0, 1]; ``prior`` (B, 1, f, f) their mean.
        merged: (B, C, f, f), what enters the transformer; ``merged_supports`` (B K, C, f, f) of the supports.
        padded: (B, f, f) bool: padded cells of the query.
        shown: The supports, as the transformer has them.
        layers: What its layers computed.
        transformed: (B, C, f, f), its outcome.
        fused: (B, C, f, f), what the logits are made of.
        taps: The query's layer2, layer3 and layer4; ``support_taps`` those of the supports.
    """

    low: Tensor
    query: Tensor
    supports: Tensor
    prototype_each: Tensor
    prototype: Tensor
    prior_each: Tensor
    prior: Tensor
    merged: Tensor
    merged_supports: Tensor
    padded: Tensor
    shown: Shown
    layers: list[Layer]
    transformed: Tensor
    fused: Tensor
    taps: tuple[Tensor, ...]
    support_taps: tuple[Tensor, ...]


class CyCTRNetwork(Staged):
    """The network; published parameter names but for the backbone's, see `own_names`.

    Args:
        body: The backbone, whose stages become the network's own.
        width: C, the channels of reduced features, a multiple of 8; 256 as published.
        own_flags: See `baselines.cyctr.keys.draw`.
    """

    def __init__(self, body: Staged, width: int = 256, own_flags: bool = False) -> None:
        super().__init__()
        self.take_stages(body)
        self.remembered: Callable[[Tensor], tuple[Tensor, ...]] | None = None
        taps = body.channels[2] + body.channels[3]
        self.adjust_feature_qry = reduction(taps, width)
        self.adjust_feature_supp = reduction(taps, width)
        self.qry_merge_feat = merge(2 * width + 1, width)
        self.supp_merge_feat = merge(2 * width, width)
        self.transformer = Transformer(width, own_flags)
        self.merge_multi_lvl_reduce = merge(width, width)
        self.merge_multi_lvl_sum = pair(width)
        self.cls = classifier(width)
        self.pred_supp_qry_proj = merge(width, width)
        self.supp_init_merge = merge(2 * width, width)
        self.supp_beta_conv = pair(width)
        self.supp_cls = classifier(width)
        # in every published checkpoint, and never used
        self.addtional_proj = nn.Sequential(
            nn.Conv2d(width, width, 1, bias=False), nn.ReLU(), nn.Conv2d(width, width, 1, bias=False)
        )

    def seen(self, x: Tensor) -> tuple[Tensor, ...]:
        """layer2, layer3 and layer4 of (B, 3, S, S) pictures."""
        return self.features(x, (2, 3, 4))

    def forward(
        self,
        query: Tensor,
        supports: Tensor,
        labels: Tensor,
        padding: Tensor | None = None,
        support_padding: Tensor | None = None,
        permute: Permute = torch.randperm,
    ) -> Cycled:
        """Segment (B, 3, S, S) queries by (B, K, 3, S, S) supports.

        Args:
            query: Standardised pictures.
            supports: Standardised pictures.
            labels: (B, K, S, S) of the supports: 1 = the category, anything else is not.
            padding: (B, S, S) bool: where the query's square holds no picture; None: nowhere.
            support_padding: (B, K, S, S) bool: the same of the supports.
            permute: Where the choice of keys comes from.
        """
        by_episode = supports.shape[:2]
        masks = (labels == 1).float()
        with torch.no_grad():
            see = self.remembered or self.seen
            q2, q3, q4 = taps = see(query)
            s2, s3, s4 = support_taps = see(supports.flatten(0, 1))
            f = q3.shape[-1]
            soft = aligned(masks.flatten(0, 1)[:, None], f)
            if self.contrasts:
                prior_each = contrast([q3, q4], [s3, s4], masks, f)
            else:
                prior_each = stretched(prior(q4, s4.unflatten(0, by_episode), soft.unflatten(0, by_episode)))
        mean_prior = prior_each.mean(1, keepdim=True)
        asked = self.adjust_feature_qry(torch.cat([aligned(q2, f), q3], 1))
        shown = self.adjust_feature_supp(torch.cat([aligned(s2, f), s3], 1))
        vectors = masked_average(shown, soft)
        prototype_each = vectors.unflatten(0, by_episode)
        prototype = prototype_each.mean(1)
        merged = self.qry_merge_feat(torch.cat([asked, prototype.expand_as(asked), mean_prior], 1))
        merged_supports = self.supp_merge_feat(torch.cat([shown, vectors.expand_as(shown)], 1))

        padded = cells_of(padding, query[:, 0], f)
        seen = Shown(
            tokens_of(merged_supports).unflatten(0, by_episode).flatten(1, 2),
            object_cells(labels, f).flatten(1),
            cells_of(support_padding, labels, f).flatten(1),
            supports.shape[1],
        )
        transformed, layers = self.transformer(merged, padded, seen, permute)
        fused = self.merge_multi_lvl_reduce(transformed)
        fused = self.merge_multi_lvl_sum(fused) + fused
        return Cycled(
            self.cls(fused),
            asked,
            shown,
            prototype_each,
            prototype,
            prior_each,
            mean_prior,
            merged,
            merged_supports,
            padded,
            seen,
            layers,
            transformed,
            fused,
            taps,
            support_taps,
        )

    def backwards(self, found: Cycled, label: Tensor) -> tuple[Tensor, Tensor]:
        """The supports segmented by their query, in training: its mean feature, and (B K, 2, f, f) logits.

        Args:
            found: What `forward` gave.
            label: (B, S, S), the query's: 1 = the category.
        """
        mask = aligned((label == 1).float()[:, None], found.fused.shape[-1])
        prototype = masked_average(self.pred_supp_qry_proj(found.fused) + found.query, mask)
        shots = len(found.supports) // len(prototype)
        spread = prototype.repeat_interleave(shots, 0).expand_as(found.supports)
        x = self.supp_init_merge(torch.cat([found.supports, spread], 1))
        logits: Tensor = self.supp_cls(self.supp_beta_conv(x) + x)
        return prototype, logits


def cells_of(flags: Tensor | None, like: Tensor, side: int) -> Tensor:
    """(..., f, f) bool of (..., S, S) flags; without flags none is set, and ``like`` has their shape."""
    if flags is None:
        return torch.zeros(*like.shape[:-2], side, side, dtype=torch.bool, device=like.device)
    flat = flags.reshape(-1, 1, *flags.shape[-2:]).float()
    return nearest(flat, (side, side)).reshape(*flags.shape[:-2], side, side) > 0


def own_names(state: State) -> State:
    """Published names as they are here."""
    return {
        f"{ResNet.own_name(name.removeprefix(BODY))}" if name.startswith(BODY) else name: value
        for name, value in state.items()
    }
