"""HDMNet's matching transformer: query and support on three scales, from coarse to fine, by dense correlation."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from icvos.models.prior import aligned, shown_cells

WIDTH = 64


def tokens_of(x: Tensor) -> Tensor:
    """(B, C, h, w) to (B, h w, C), row by row."""
    return x.flatten(2).transpose(1, 2)


def map_of(x: Tensor, size: tuple[int, int]) -> Tensor:
    """(B, h w, C) to (B, C, h, w)."""
    return x.transpose(1, 2).unflatten(2, size)


def nearest(mask: Tensor, size: tuple[int, int]) -> Tensor:
    """(B, 1, H, W) resized by nearest neighbour."""
    return functional.interpolate(mask, size=size, mode="nearest")


class Projections(nn.Module):
    """The four linear maps of an attention, without bias."""

    def __init__(self) -> None:
        super().__init__()
        self.linear_q, self.linear_k, self.linear_v, self.linear_o = (
            nn.Linear(WIDTH, WIDTH, bias=False) for _ in range(4)
        )


class Attention(nn.Module):
    """Self-attention of an encoder block; ``reduction`` shrinks the map that keys and values come from."""

    def __init__(self, heads: int, reduction: int = 1) -> None:
        super().__init__()
        self.heads = heads
        self.attn = Projections()
        if reduction > 1:
            self.sr = nn.Conv2d(WIDTH, WIDTH, reduction, reduction)
            self.norm = nn.LayerNorm(WIDTH, eps=1e-6)
        self.reduces = reduction > 1

    def split(self, x: Tensor) -> Tensor:
        """(B, N, 64) to (B, heads, N, 64 / heads)."""
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        """(B, h w, 64) to the same."""
        source = self.norm(tokens_of(self.sr(map_of(x, size)))) if self.reduces else x
        query, key = self.split(self.attn.linear_q(x)), self.split(self.attn.linear_k(source))
        value = self.split(self.attn.linear_v(source))
        scale = 1 / (query.shape[-1] ** 0.5 + 1e-9)
        mixed = functional.scaled_dot_product_attention(query, key, value, scale=scale)
        joined: Tensor = self.attn.linear_o(mixed.transpose(1, 2).flatten(2))
        return joined


class FeedForward(nn.Module):
    """1x1 up, depthwise 3x3, GELU, 1x1 down, on the map of the tokens."""

    def __init__(self) -> None:
        super().__init__()
        middle = 4 * WIDTH
        self.layers = nn.Sequential(
            nn.Conv2d(WIDTH, middle, 1),
            nn.Conv2d(middle, middle, 3, padding=1, groups=middle),
            nn.GELU(),
            nn.Dropout(0.1),
            nn.Conv2d(middle, WIDTH, 1),
            nn.Dropout(0.1),
        )

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        """(B, h w, 64) to the same."""
        return tokens_of(self.layers(map_of(x, size)))


class EncoderBlock(nn.Module):
    """Self-attention and feed-forward, each behind a norm and beside a shortcut."""

    def __init__(self, heads: int, reduction: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(WIDTH, eps=1e-6)
        self.attn = Attention(heads, reduction)
        self.norm2 = nn.LayerNorm(WIDTH, eps=1e-6)
        self.ffn = FeedForward()
        self.dropout = nn.Dropout(0.1)

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        """(B, h w, 64) to the same."""
        x = x + self.dropout(self.attn(self.norm1(x), size))
        return x + self.ffn(self.norm2(x), size)


class MatchBlock(nn.Module):
    """Cross-attention in which every key shares itself out over the queries; masked keys have no say afterwards."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(WIDTH, eps=1e-6)
        self.attn = Attention(heads=2)
        self.norm2 = nn.LayerNorm(WIDTH, eps=1e-6)
        self.ffn = FeedForward()
        self.dropout = nn.Dropout(0.1)

    def forward(self, x: Tensor, source: Tensor, mask: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """(B, h w, 64) queries, (B, N, 64) support tokens and their (B, N) mask to the queries and a (B, h w) map.

        Masked keys have no part in either, so they are left out from the start. The map is the mean score of a query
        under the mask; scores are linear in the keys, so that is its score with their mean.
        """
        shown = shown_cells(mask)
        seen = mask.gather(1, shown)[:, None, :, None]
        source = source.gather(1, shown[..., None].expand(-1, -1, WIDTH))
        queries, keys = self.norm1(x), self.norm1(source)
        parts = self.attn.attn
        query = functional.normalize(self.attn.split(parts.linear_q(queries)).float(), dim=-1)
        key = functional.normalize(self.attn.split(parts.linear_k(keys)).float(), dim=-1) / 0.1
        share = (key @ query.transpose(2, 3)).softmax(3)  # of every key, over the queries
        value = self.attn.split(parts.linear_v(keys)) * (seen != 0)
        mixed = (share.transpose(2, 3) @ value).transpose(1, 2).flatten(2)
        x = x + self.dropout(parts.linear_o(mixed))
        x = x + self.ffn(self.norm2(x), size)
        mean = (key * seen).sum(2, keepdim=True) / (seen.sum(2, keepdim=True) + 1e-9)
        weighted = query @ mean.transpose(2, 3)
        return x, weighted.mean(1)[..., 0]


class PatchEmbedding(nn.Module):
    """A convolution and a norm over channels."""

    def __init__(self, kernel: int, stride: int) -> None:
        super().__init__()
        self.projection = nn.Conv2d(WIDTH, WIDTH, kernel, stride, padding=kernel // 2)
        self.norm = nn.LayerNorm(WIDTH, eps=1e-6)

    def forward(self, x: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """(B, 64, h, w) to tokens and their map's size."""
        projected = self.projection(x)
        return self.norm(tokens_of(projected)), (projected.shape[2], projected.shape[3])


class ConvNorm(nn.Module):
    """A 3x3 convolution without bias, a batch norm, a ReLU."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(WIDTH + 2, WIDTH, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(WIDTH)
        nn.init.kaiming_normal_(self.conv.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """(B, 66, h, w) to (B, 64, h, w)."""
        return functional.relu(self.bn(self.conv(x)))


def widened(outputs: int) -> list[nn.Module]:
    """The published layers that read a map through four times its width, (B, 64, h, w) to (B, outputs, h, w)."""
    middle = 4 * WIDTH
    return [
        nn.Conv2d(WIDTH, middle, 1),
        nn.BatchNorm2d(middle),
        nn.Conv2d(middle, middle, 3, padding=1),
        nn.BatchNorm2d(middle),
        nn.Conv2d(middle, outputs, 1),
    ]


def parse_layers() -> nn.Sequential:
    """What follows a merge, (B, 64, h, w) to the same."""
    return nn.Sequential(*widened(WIDTH), nn.BatchNorm2d(WIDTH), nn.ReLU())


@dataclass(frozen=True, slots=True)
class Matched:
    """What the transformer computes.

    Args:
        logits: (B, 2, f, f).
        maps: Correlation maps from coarse to fine, (B, h, w) each.
        queries: The query's tokens of the three stages, (B, h w, 64).
        supports: The supports' tokens, all shots of an episode behind each other, (B, K h w, 64).
    """

    logits: Tensor
    maps: list[Tensor]
    queries: list[Tensor]
    supports: list[Tensor]


class MixTransformer(nn.Module):
    """Three stages of encoding, the same for query and support, and matching from coarse to fine."""

    def __init__(self) -> None:
        super().__init__()
        stages = ((1, 1, 2, 4), (3, 2, 4, 2), (3, 2, 8, 1))  # kernel, stride, heads, reduction
        self.down_sample_layers = nn.ModuleList(
            nn.ModuleList(
                [
                    PatchEmbedding(kernel, stride),
                    EncoderBlock(heads, reduction),
                    EncoderBlock(heads, reduction),
                    nn.LayerNorm(WIDTH, eps=1e-6),
                ]
            )
            for kernel, stride, heads, reduction in stages
        )
        self.match_layers = nn.ModuleList(nn.ModuleList([MatchBlock(), ConvNorm()]) for _ in stages)
        self.parse_layers = nn.ModuleList(parse_layers() for _ in stages)
        middle = 4 * WIDTH
        self.cls = nn.Sequential(
            nn.Conv2d(WIDTH, middle, 1),
            nn.BatchNorm2d(middle),
            nn.Conv2d(middle, middle, 3, padding=1),
            nn.BatchNorm2d(middle),
            nn.Conv2d(middle, 2, 1),
        )

    def encode(self, x: Tensor) -> list[tuple[Tensor, tuple[int, int]]]:
        """Tokens and map size of the three stages of (B, 64, f, f) features."""
        found = []
        for embed, first, second, norm in self.down_sample_layers:
            tokens, size = embed(x)
            tokens = norm(second(first(tokens, size), size))
            found.append((tokens, size))
            x = map_of(tokens, size)
        return found

    def forward(self, query: Tensor, support: Tensor, mask: Tensor, similar: Tensor) -> Matched:
        """Match (B, 64, f, f) queries with (B K, 64, f, f) supports.

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
            match, merge = self.match_layers[level]
            found, weighted = match(tokens, supports[level], shown, size)
            maps.append(weighted.unflatten(1, size))
            o = merge(torch.cat([map_of(found, size), aligned(similar, size)], 1))
            parse = self.parse_layers[level]
            if y is None:
                y = parse(o)
            else:
                y = functional.interpolate(y, size=size, mode="bilinear", align_corners=False)
                y = y + parse(o + y)
        return Matched(self.cls(y), maps, [tokens for tokens, _ in queries], supports)


class Transformer(nn.Module):
    """Holds the transformer under its published name."""

    def __init__(self) -> None:
        super().__init__()
        self.mix_transformer = MixTransformer()
