"""CyCTR's transformer: the query's tokens look at each other, then at the supports', twice."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from baselines.cyctr.attention import DROPOUT, CycleAttention, DeformableAttention, FeedForward
from baselines.cyctr.keys import EACH, Keys, Permute, draw
from icvos.models.maps import map_of, shown_positions, tokens_of

LAYERS = 2
MORE, MORE_OF_SEVERAL = (0.6, 4.0), (0.6, 1.4)  # factor of the number of keys in training, for one support and more


@dataclass(frozen=True, slots=True)
class Layer:
    """What a layer computed.

    Args:
        looked: (B, N, C), the outcome of the deformable attention.
        kept: (B, heads, n) bool, the cycle-consistent keys.
        crossed: (B, N, C), the outcome of the attention to them.
        tokens: (B, N, C), the query's tokens in the end.
        keys: Those that were drawn for it.
    """

    looked: Tensor
    kept: Tensor
    crossed: Tensor
    tokens: Tensor
    keys: Keys


@dataclass(frozen=True, slots=True)
class Shown:
    """What the supports of B episodes show, M = K f f the number of their cells.

    Args:
        tokens: (B, M, C), shot by shot, row by row.
        shows: (B, M) bool: object.
        padded: (B, M) bool: padding.
        shots: K.
    """

    tokens: Tensor
    shows: Tensor
    padded: Tensor
    shots: int


class Transformer(nn.Module):
    """The transformer; published parameter names.

    Args:
        width: C, a multiple of 8.
        own_flags: See `baselines.cyctr.keys.draw`.
    """

    def __init__(self, width: int, own_flags: bool = False) -> None:
        super().__init__()
        heads = 12 if width % 12 == 0 else 8
        self.own_flags = own_flags
        self.level_embed = nn.Parameter(torch.empty(1, width))
        self.qry_self_layers = nn.ModuleList(DeformableAttention(width, heads) for _ in range(LAYERS))
        self.cross_layers = nn.ModuleList(CycleAttention(width, heads) for _ in range(LAYERS))
        self.ffns = nn.ModuleList(FeedForward(width) for _ in range(2 * LAYERS))
        self.layer_norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(4 * LAYERS))
        self.dropout = nn.Dropout(DROPOUT)
        nn.init.xavier_uniform_(self.level_embed)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        for module in self.modules():
            if isinstance(module, DeformableAttention):
                module.begin()

    def forward(self, query: Tensor, padded: Tensor, shown: Shown, permute: Permute) -> tuple[Tensor, list[Layer]]:
        """The query's (B, C, h, w) map after all layers, and what each of them computed.

        Args:
            query: (B, C, h, w) merged features.
            padded: (B, h, w) bool: cells that are padding.
            shown: The supports.
            permute: Where the choice of keys comes from: of one for all layers, in training of one for each.
        """
        size = (query.shape[2], query.shape[3])
        positions = tokens_of(shown_positions(~padded, query.shape[1])) + self.level_embed[0]
        q, off = tokens_of(query), padded.flatten(1)
        keys = None if self.training else self._draw(shown, permute)
        layers = []
        for layer in range(LAYERS):
            norms, ffns = self.layer_norms[4 * layer :], self.ffns[2 * layer :]
            looked = self.qry_self_layers[layer](q, positions, off, size)
            q = norms[1](ffns[0](norms[0](q + self.dropout(looked))))
            own = keys or self._draw(shown, permute)
            crossed, kept = self.cross_layers[layer](q, own.of(shown.tokens), own.shows, own.padded)
            q = norms[3](ffns[1](norms[2](q + crossed)))
            layers.append(Layer(looked, kept, crossed, q, own))
        return map_of(q, size), layers

    def _draw(self, shown: Shown, permute: Permute) -> Keys:
        each = EACH * shown.shots
        if self.training:
            least, most = MORE if shown.shots == 1 else MORE_OF_SEVERAL
            each = int(each * (least + (most - least) * float(torch.rand(()))))
        return draw(shown.shows, shown.padded, each, permute, self.own_flags)
