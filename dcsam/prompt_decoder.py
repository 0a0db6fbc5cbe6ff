"""The prompt decoder of one branch: tokens look at the support, then at the query through its coarse mask."""

from torch import Tensor, nn

from dcsam.attention import CyclicAttention, Fidelity
from icvos.models.maps import sine_positions

HEADS = 4


class SelfAttention(nn.Module):
    """LN(t + attention(t + e, t + e, t)); published inner names."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.self_attn = nn.MultiheadAttention(width, HEADS, batch_first=True)
        self.norm = nn.LayerNorm(width)

    def forward(self, tokens: Tensor, places: Tensor) -> Tensor:
        """(B, N, C) to the same; ``places`` are the tokens' learned positions."""
        placed = tokens + places
        found, _ = self.self_attn(placed, placed, tokens, need_weights=False)
        normal: Tensor = self.norm(tokens + found)
        return normal


class PromptDecoder(nn.Module):
    """One branch, positive or negative; published parameter names. There is no feed-forward part.

    Args:
        queries: N, the tokens of the branch.
        fidelity: How heads and masks are paired; see `dcsam.attention.masks_of_heads`.
        cyclic: Whether attention is filtered at all.
        width: C, the channels of tokens and features; 256 as published.
    """

    def __init__(self, queries: int, fidelity: Fidelity, cyclic: bool = True, width: int = 256) -> None:
        super().__init__()
        self.transformer_self_attention_layers = nn.ModuleList([SelfAttention(width)])
        self.transformer_cross_attention_layers = nn.ModuleList([CyclicAttention(width, HEADS, fidelity, cyclic)])
        self.transformer_cross_attention_layers_0 = nn.ModuleList([CyclicAttention(width, HEADS, fidelity, cyclic)])
        self.supp_q_feat = nn.Embedding(queries, width)
        self.q_embed = nn.Embedding(queries, width)
        for name, parameter in self.named_parameters():
            if "attn" in name and parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)

    def look(self, support: Tensor, mask: Tensor) -> Tensor:
        """Stage 1, equations (9) and (10): the learned tokens after a look at the support, (B, N, C).

        Args:
            support: (B, K, C, h, w) fused support features; all cells of the K shots are looked at together.
            mask: (B, K, h, w) of 0 and 1, where the branch's kind is.
        """
        tokens = self.supp_q_feat.weight[None].expand(len(support), -1, -1)
        cells = support.flatten(3).transpose(2, 3).flatten(1, 2)
        positions = _positions(support).repeat(1, support.shape[1], 1)
        looked: Tensor = self.transformer_cross_attention_layers_0[0](
            tokens, self.q_embed.weight, cells, positions, mask.flatten(1)
        )
        return looked

    def refine(self, tokens: Tensor, features: Tensor, mask: Tensor) -> Tensor:
        """Stage 2, equations (12) and (13): the prompts, (B, N, C).

        Args:
            tokens: (B, N, C) of stage 1.
            features: (B, C, h, w) fused features.
            mask: (B, h, w) of 0 and 1, the query's coarse mask.
        """
        places, cells = self.q_embed.weight, features.flatten(2).transpose(1, 2)
        seen = self.transformer_cross_attention_layers[0](tokens, places, cells, _positions(features), mask.flatten(1))
        prompts: Tensor = self.transformer_self_attention_layers[0](seen, places)
        return prompts


def _positions(features: Tensor) -> Tensor:
    """(1, h w, C) sine positions of (..., C, h, w) features."""
    return (
        sine_positions(features.shape[-2], features.shape[-1], features.shape[-3])
        .to(features)
        .flatten(2)
        .transpose(1, 2)
    )
