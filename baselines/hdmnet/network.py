"""HDMNet's network: query and support are matched on three scales, from coarse to fine, by dense correlation."""

from dataclasses import dataclass

from torch import Tensor, nn

from baselines.parts.ensemble import something_else
from baselines.parts.matching_network import Compared, MatchingNetwork
from baselines.parts.mix_transformer import Encoder, Level, joined, parse_layers, widened
from icvos.models.backbones.stages import Staged
from icvos.models.maps import nearest


@dataclass(frozen=True, slots=True)
class Matched:
    """What the transformer computes.

    Args:
        logits: (B, 2, f, f).
        maps: Correlation maps from coarse to fine, (B, h, w) each.
        queries: The query's tokens of the three stages, (B, h w, C).
        supports: The supports' tokens, all shots of an episode behind each other, (B, K h w, C).
    """

    logits: Tensor
    maps: list[Tensor]
    queries: list[Tensor]
    supports: list[Tensor]


class MixTransformer(Encoder):
    """Three stages of encoding, the same for query and support, and matching from coarse to fine."""

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.match_layers = nn.ModuleList(Level(width) for _ in range(3))
        self.parse_layers = nn.ModuleList(parse_layers(width) for _ in range(3))
        self.cls = nn.Sequential(*widened(width, 2))

    def forward(self, query: Tensor, support: Tensor, mask: Tensor, similar: Tensor) -> Matched:
        """Match (B, C, f, f) queries with (B K, C, f, f) supports.

        Args:
            query: Merged query features.
            support: Merged support features, shots of an episode adjacent.
            mask: (B K, 1, S, S) support masks.
            similar: (B, 2, f, f) prior masks.
        """
        batch = len(query)
        queries = self.encode(query)
        supports = [tokens.unflatten(0, (batch, -1)).flatten(1, 2) for tokens, _ in self.encode(support)]
        y: Tensor | None = None
        maps = []
        for level in (2, 1, 0):
            tokens, size = queries[level]
            shown = nearest(mask, size).flatten(1).unflatten(0, (batch, -1)).flatten(1, 2)
            merged, found = self.match_layers[level](tokens, supports[level], shown, similar, size)
            maps.append(found)
            y = joined(merged, y, self.parse_layers[level])
        return Matched(self.cls(y), maps, [tokens for tokens, _ in queries], supports)


class Transformer(nn.Module):
    """Holds the transformer under its published name."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mix_transformer = MixTransformer(width)


@dataclass(frozen=True, slots=True)
class Ensembled:
    """What the network computes.

    Args:
        final: (B, 2, f, f), combined probabilities; channel 1 is foreground.
        meta: (B, 2, f, f) logits of the meta learner.
        base_map: (B, 1, f, f): how much the base learner sees something else.
        matched: What the transformer gave.
        compared: What went into it.
    """

    final: Tensor
    meta: Tensor
    base_map: Tensor
    matched: Matched
    compared: Compared


class HDMNetwork(MatchingNetwork):
    """The network; published parameter names. Arguments as of `MatchingNetwork`, whose C is ``width``."""

    transformer: Transformer

    def __init__(
        self, body: Staged, base_classes: int = 60, shots: int = 1, width: int = 64, base_width: int = 512
    ) -> None:
        super().__init__(body, Transformer, base_classes, shots, width, base_width)

    def forward(
        self,
        query: Tensor,
        supports: Tensor,
        masks: Tensor,
        left_out: Tensor | None = None,
        shown: tuple[Tensor, ...] | None = None,
    ) -> Ensembled:
        """Segment queries by supports; arguments as of `EnsembleNetwork.forward`."""
        compared = self.compare(query, supports, masks, shown)
        mask = masks.flatten(0, 1)[:, None].float()
        matched: Matched = self.transformer.mix_transformer(compared.query, compared.support, mask, compared.similar)
        base_map = something_else(compared.base, left_out)
        return Ensembled(
            self.ensemble(matched.logits, compared.distance, base_map), matched.logits, base_map, matched, compared
        )
