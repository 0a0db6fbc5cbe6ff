"""The layers of HDMNet's and AMNet's transformers: encoding on three scales, matching by dense correlation.

C, the width of all of them, is 64 as published; any multiple of 8, the most heads of an attention, is possible.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from icvos.models.maps import aligned, map_of, tokens_of
from icvos.models.prior import shown_cells


class Projections(nn.Module):
    """The four linear maps of an attention, without bias."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear_q, self.linear_k, self.linear_v, self.linear_o = (
            nn.Linear(width, width, bias=False) for _ in range(4)
        )


class Attention(nn.Module):
    """Self-attention of an encoder block; ``reduction`` shrinks the map that keys and values come from."""

    def __init__(self, width: int, heads: int, reduction: int = 1) -> None:
        super().__init__()
        self.heads = heads
        self.attn = Projections(width)
        if reduction > 1:
            self.sr = nn.Conv2d(width, width, reduction, reduction)
            self.norm = nn.LayerNorm(width, eps=1e-6)
        self.reduces = reduction > 1

    def split(self, x: Tensor) -> Tensor:
        """(B, N, C) to (B, heads, N, C / heads)."""
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        """(B, h w, C) to the same."""
        source = self.norm(tokens_of(self.sr(map_of(x, size)))) if self.reduces else x
        query, key = self.split(self.attn.linear_q(x)), self.split(self.attn.linear_k(source))
        value = self.split(self.attn.linear_v(source))
        scale = 1 / (query.shape[-1] ** 0.5 + 1e-9)
        mixed = functional.scaled_dot_product_attention(query, key, value, scale=scale)
        joined: Tensor = self.attn.linear_o(mixed.transpose(1, 2).flatten(2))
        return joined


class FeedForward(nn.Module):
    """1x1 up, depthwise 3x3, GELU, 1x1 down, on the map of the tokens."""

    def __init__(self, width: int) -> None:
        super().__init__()
        middle = 4 * width
        self.layers = nn.Sequential(
            nn.Conv2d(width, middle, 1),
            nn.Conv2d(middle, middle, 3, padding=1, groups=middle),
            nn.GELU(),
            nn.Dropout(0.1),
            nn.Conv2d(middle, width, 1),
            nn.Dropout(0.1),
        )

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        """(B, h w, C) to the same."""
        return tokens_of(self.layers(map_of(x, size)))


class EncoderBlock(nn.Module):
    """Self-attention and feed-forward, each behind a norm and beside a shortcut."""

    def __init__(self, width: int, heads: int, reduction: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attn = Attention(width, heads, reduction)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.ffn = FeedForward(width)
        self.dropout = nn.Dropout(0.1)

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        """(B, h w, C) to the same."""
        x = x + self.dropout(self.attn(self.norm1(x), size))
        return x + self.ffn(self.norm2(x), size)


class MatchBlock(nn.Module):
    """Cross-attention in which every key shares itself out over the queries; masked keys have no say afterwards."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attn = Attention(width, heads=2)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.ffn = FeedForward(width)
        self.dropout = nn.Dropout(0.1)

    def forward(self, x: Tensor, source: Tensor, mask: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """(B, h w, C) queries, (B, N, C) support tokens and their (B, N) mask to the queries and a (B, h w) map.

        Masked keys have no part in either, so they are left out from the start. The map is the mean score of a query
        under the mask; scores are linear in the keys, so that is its score with their mean.
        """
        shown = shown_cells(mask)
        seen = mask.gather(1, shown)[:, None, :, None]
        source = source.gather(1, shown[..., None].expand(-1, -1, source.shape[2]))
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

    def __init__(self, width: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.projection = nn.Conv2d(width, width, kernel, stride, padding=kernel // 2)
        self.norm = nn.LayerNorm(width, eps=1e-6)

    def forward(self, x: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """(B, C, h, w) to tokens and their map's size."""
        projected = self.projection(x)
        return self.norm(tokens_of(projected)), (projected.shape[2], projected.shape[3])


class ConvNorm(nn.Module):
    """A 3x3 convolution without bias, a batch norm, a ReLU."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width + 2, width, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(width)
        nn.init.kaiming_normal_(self.conv.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """(B, C + 2, h, w) to (B, C, h, w)."""
        return functional.relu(self.bn(self.conv(x)))


def widened(width: int, outputs: int) -> list[nn.Module]:
    """The published layers that read a map through four times its width, (B, C, h, w) to (B, outputs, h, w)."""
    middle = 4 * width
    return [
        nn.Conv2d(width, middle, 1),
        nn.BatchNorm2d(middle),
        nn.Conv2d(middle, middle, 3, padding=1),
        nn.BatchNorm2d(middle),
        nn.Conv2d(middle, outputs, 1),
    ]


def parse_layers(width: int) -> nn.Sequential:
    """What follows a merge, (B, C, h, w) to the same."""
    return nn.Sequential(*widened(width, width), nn.BatchNorm2d(width), nn.ReLU())


class Level(nn.ModuleList):
    """The matching on one scale, and what merges its result with the prior masks; published under their numbers."""

    def __init__(self, width: int) -> None:
        super().__init__([MatchBlock(width), ConvNorm(width)])

    def forward(
        self, tokens: Tensor, source: Tensor, mask: Tensor, similar: Tensor, size: tuple[int, int]
    ) -> tuple[Tensor, Tensor]:
        """The merged (B, C, h, w) feature and the (B, h, w) correlation map.

        Args:
            tokens: (B, h w, C) of the query.
            source: (B, N, C) that they are matched with.
            mask: (B, N) of these.
            similar: (B, 2, f, f) prior masks.
            size: (h, w).
        """
        match, merge = self
        found, weighted = match(tokens, source, mask, size)
        merged: Tensor = merge(torch.cat([map_of(found, size), aligned(similar, size)], 1))
        return merged, weighted.unflatten(1, size)


class Stage(nn.ModuleList):
    """The encoding on one scale: embedding, two blocks and a norm; published under their numbers."""

    def __init__(self, width: int, kernel: int, stride: int, heads: int, reduction: int) -> None:
        super().__init__(
            [
                PatchEmbedding(width, kernel, stride),
                EncoderBlock(width, heads, reduction),
                EncoderBlock(width, heads, reduction),
                nn.LayerNorm(width, eps=1e-6),
            ]
        )

    def forward(self, x: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """(B, C, h, w) to tokens and their map's size."""
        embed, first, second, norm = self
        tokens, size = embed(x)
        return norm(second(first(tokens, size), size)), size


class Encoder(nn.Module):
    """Three stages of encoding, each on the map of the one before."""

    def __init__(self, width: int) -> None:
        super().__init__()
        shapes = ((1, 1, 2, 4), (3, 2, 4, 2), (3, 2, 8, 1))  # kernel, stride, heads, reduction
        self.down_sample_layers = nn.ModuleList(Stage(width, *shape) for shape in shapes)

    def encode(self, x: Tensor) -> list[tuple[Tensor, tuple[int, int]]]:
        """Tokens and map size of the three stages of (B, C, f, f) features."""
        found = []
        for stage in self.down_sample_layers:
            tokens, size = stage(x)
            found.append((tokens, size))
            x = map_of(tokens, size)
        return found


def joined(finer: Tensor, coarser: Tensor | None, parse: nn.Module) -> Tensor:
    """(B, C, h, w): a level's merged feature, with what all coarser levels gave, through its parse layers."""
    if coarser is None:
        alone: Tensor = parse(finer)
        return alone
    size = (finer.shape[2], finer.shape[3])
    y = functional.interpolate(coarser, size=size, mode="bilinear", align_corners=False)
    return y + parse(finer + y)
