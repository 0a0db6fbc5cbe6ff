"""AMNet's network: a first guess by the supports' mean feature, then the query matched with itself, three times."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from baselines.amnet.adversary import Discriminator, PartMining
from baselines.parts.ensemble import something_else
from baselines.parts.matching_network import Compared, MatchingNetwork
from baselines.parts.mix_transformer import Encoder, Level, joined, parse_layers, widened
from icvos.models.backbones.stages import Staged
from icvos.models.maps import aligned, tokens_of


class MiningTransformer(Encoder):
    """The query's encoder, its matching with itself from coarse to fine, and two refinements.

    Index 0 of ``match_layers1`` and ``parse_layers`` is the coarsest level; in HDMNet's lists it is the finest.
    """

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.match_layers1 = nn.ModuleList(Level(width) for _ in range(3))
        self.parse_layers = nn.ModuleList(parse_layers(width) for _ in range(3))
        self.cls = nn.Sequential(*widened(width, 2))
        self.match_layers_r1 = nn.ModuleList([Level(width)])
        self.parse_layer_r1 = parse_layers(width)
        self.cls_r1 = nn.Sequential(*widened(width, 2))
        self.match_layers_r2 = nn.ModuleList([Level(width)])
        self.parse_layer_r2 = parse_layers(width)
        self.cls_r2 = nn.Sequential(*widened(width, 2))

    def first(self, query: Tensor, guess: Tensor, similar: Tensor) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        """The fused feature (B, C, f, f), correlation maps and query tokens, both from coarse to fine.

        Args:
            query: (B, C, f, f) merged query features.
            guess: (B, 1, f, f) soft mask.
            similar: (B, 2, f, f) prior masks.
        """
        stages = self.encode(query)[::-1]
        y: Tensor | None = None
        maps = []
        for (tokens, size), level, parse in zip(stages, self.match_layers1, self.parse_layers, strict=True):
            mask = aligned(guess, size).flatten(1)
            merged, found = level(tokens, tokens, mask, similar, size)
            maps.append(found)
            y = joined(merged, y, parse)
        assert y is not None
        return y, maps, [tokens for tokens, _ in stages]

    def refine(self, number: int, feature: Tensor, mask: Tensor, similar: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Refinement 1 or 2 under a hard (B, 1, f, f) mask: the new feature, its logits, and the correlation map."""
        level: Level = getattr(self, f"match_layers_r{number}")[0]
        size = (feature.shape[2], feature.shape[3])
        tokens = tokens_of(feature)
        merged, found = level(tokens, tokens, mask.flatten(1), similar, size)
        feature = getattr(self, f"parse_layer_r{number}")(merged)
        return feature, getattr(self, f"cls_r{number}")(feature), found


class Mining(nn.Module):
    """Holds the transformer under its published name."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mix_transformer = MiningTransformer(width)


@dataclass(frozen=True, slots=True)
class Mined:
    """What the network computes, f the side of its feature map.

    Args:
        final: (B, 2, f, f), combined probabilities; channel 1 is foreground.
        logits: (B, 2, f, f) each: the first prediction, and the two refinements.
        features: The fused features behind them, (B, C, f, f) each.
        guess: (B, 1, f, f), the first guess.
        maps: Correlation maps of the first prediction, from coarse to fine.
        tokens: Query tokens, from coarse to fine.
        masks: (B, 1, f, f) hard masks of the refinements, and their correlation maps in ``refined_maps``.
        base_map: (B, 1, f, f): how much the base learner sees something else.
        compared: What went into the transformer.
    """

    final: Tensor
    logits: list[Tensor]
    features: list[Tensor]
    guess: Tensor
    maps: list[Tensor]
    tokens: list[Tensor]
    masks: list[Tensor]
    refined_maps: list[Tensor]
    base_map: Tensor
    compared: Compared

    @property
    def meta(self) -> Tensor:
        """The last logits, without the base learner."""
        return self.logits[-1]


class AMNetwork(MatchingNetwork):
    """The network; published parameter names. Arguments as of `MatchingNetwork`, whose C is ``width``."""

    transformer: Mining

    def __init__(
        self, body: Staged, base_classes: int = 60, shots: int = 1, width: int = 64, base_width: int = 512
    ) -> None:
        super().__init__(body, Mining, base_classes, shots, width, base_width)
        self.part = nn.ModuleList(PartMining(width) for _ in range(3))
        self.binary_cls = nn.ModuleList(Discriminator(width) for _ in range(3))

    def forward(
        self,
        query: Tensor,
        supports: Tensor,
        masks: Tensor,
        left_out: Tensor | None = None,
        shown: tuple[Tensor, ...] | None = None,
    ) -> Mined:
        """Segment queries by supports; arguments as of `EnsembleNetwork.forward`."""
        compared = self.compare(query, supports, masks, shown)
        base_map = something_else(compared.base, left_out)
        guess = first_guess(compared.reduced, compared.prototype)
        transformer = self.transformer.mix_transformer
        feature, maps, tokens = transformer.first(compared.query, guess, compared.similar)
        features, logits, hard, refined_maps = [feature], [transformer.cls(feature)], [], []
        for number in (1, 2):
            combined = self.ensemble(logits[-1], compared.distance, base_map)
            mask = ((combined[:, 1:] > 0.5) & (combined[:, :1] <= combined[:, 1:])).float()
            feature, found, weighted = transformer.refine(number, features[-1], mask, compared.similar)
            features.append(feature)
            logits.append(found)
            hard.append(mask)
            refined_maps.append(weighted)
        final = self.ensemble(logits[-1], compared.distance, base_map)
        return Mined(final, logits, features, guess, maps, tokens, hard, refined_maps, base_map, compared)


def first_guess(reduced: Tensor, prototype: Tensor) -> Tensor:
    """(B, 1, f, f): cosine of every cell with the supports' mean feature, over 0.1; 0 below a cosine of 0.07."""
    score = functional.cosine_similarity(reduced, prototype, dim=1, eps=1e-12)[:, None] / 0.1
    return torch.where(score < 0.7, 0.0, score)
