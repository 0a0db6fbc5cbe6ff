"""Swin's attention within windows, over any number of axes: VAT has four for its aggregation, and two to decode."""

from itertools import product

import torch
from torch import Tensor, nn
from torch.nn import functional

APART = -100.0  # added to the score of two tokens that a roll has brought together


class WindowAttention(nn.Module):
    """Self-attention within windows, with a learned bias for every relative position.

    Args:
        width: Channels; each of four heads has a quarter.
        axes: How many axes a map has.
        window: Side of a window.
        shifted: Whether windows are moved by half their side; the map is rolled for it, and what that brings together
            stays apart.
    """

    index: Tensor
    halves: Tensor

    def __init__(self, width: int, axes: int, window: int, *, shifted: bool) -> None:
        super().__init__()
        self.axes, self.window, self.shifted = axes, window, shifted
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        span = 2 * window - 1
        self.relative_position_bias_table = nn.Parameter(torch.zeros(span**axes, 4))
        places = torch.cartesian_prod(*[torch.arange(window)] * axes)  # of the tokens, row by row
        steps = span ** torch.arange(axes - 1, -1, -1)
        index = ((places[:, None] - places[None] + window - 1) * steps).sum(2)
        late = places >= window // 2
        self.register_buffer("index", index, persistent=False)
        self.register_buffer("halves", late[:, None] != late[None], persistent=False)  # tokens, tokens, axes

    def forward(self, x: Tensor) -> Tensor:
        """(B, n_1, ..., n_axes, C) to the same; every n is a multiple of the window."""
        sizes, half = x.shape[1:-1], self.window // 2
        over = tuple(range(1, 1 + self.axes))
        if self.shifted:
            x = x.roll((-half,) * self.axes, over)
        counts = [size // self.window for size in sizes]
        q, k, v = self._windows(self.qkv(x), counts).chunk(3, -1)
        bias = self.relative_position_bias_table[self.index].permute(2, 0, 1)
        if not self.shifted:
            found = self._attend(q, k, v, bias)
        else:
            # only what is last along an axis was brought together there: 2 to the number of axes kinds of windows
            found = torch.empty_like(q)
            for last in product((False, True), repeat=self.axes):
                which = (slice(None), *(slice(-1, None) if one else slice(None, -1) for one in last))
                if q[which].numel():
                    apart = self.halves[..., [axis for axis, one in enumerate(last) if one]].any(2)
                    found[which] = self._attend(q[which], k[which], v[which], bias + APART * apart)
        x = self._joined(found, counts)
        if self.shifted:
            x = x.roll((half,) * self.axes, over)
        return self.proj(x)

    def _windows(self, x: Tensor, counts: list[int]) -> Tensor:
        """(B, n_1, ..., C) to (B, m_1, ..., N, C): m windows along each axis, of N tokens."""
        for axis, count in enumerate(counts):
            x = x.unflatten(1 + 2 * axis, (count, self.window))
        order = [0, *(1 + 2 * axis for axis in range(self.axes)), *(2 + 2 * axis for axis in range(self.axes)), -1]
        return x.permute(order).flatten(1 + self.axes, -2)

    def _joined(self, x: Tensor, counts: list[int]) -> Tensor:
        """`_windows` back again."""
        x = x.unflatten(-2, (self.window,) * self.axes)
        order = [0, *(1 + part * self.axes + axis for axis in range(self.axes) for part in (0, 1)), -1]
        x = x.permute(order)
        return x.reshape(len(x), *(count * self.window for count in counts), x.shape[-1])

    def _attend(self, q: Tensor, k: Tensor, v: Tensor, bias: Tensor) -> Tensor:
        """Attention of (B, m_1, ..., N, C) with a (4, N, N) bias."""
        query, key, value = (x.flatten(0, -3).unflatten(-1, (4, -1)).transpose(1, 2) for x in (q, k, v))
        found = functional.scaled_dot_product_attention(query, key, value, attn_mask=bias[None])
        return found.transpose(1, 2).flatten(2).reshape(q.shape)


class FeedForward(nn.Module):
    """Four times the width, and back."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(..., C) to the same."""
        return self.fc2(functional.gelu(self.fc1(x)))


class Block(nn.Module):
    """Attention and feed-forward, each behind a norm and beside a shortcut; arguments as of `WindowAttention`."""

    def __init__(self, width: int, axes: int, window: int, *, shifted: bool) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attn = WindowAttention(width, axes, window, shifted=shifted)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = FeedForward(width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, n_1, ..., C) to the same."""
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class Blocks(nn.Module):
    """As many blocks, every second one shifted; arguments as of `WindowAttention`."""

    def __init__(self, depth: int, width: int, axes: int, window: int) -> None:
        super().__init__()
        made = (Block(width, axes, window, shifted=place % 2 == 1) for place in range(depth))
        self.blocks = nn.Sequential(*made)

    def forward(self, x: Tensor) -> Tensor:
        """(B, n_1, ..., C) to the same."""
        return self.blocks(x)


def initialise(module: nn.Module) -> None:
    """As published: linear layers and biases of relative positions from a normal of deviation 0.02, cut off."""
    for part in module.modules():
        if isinstance(part, nn.Linear):
            nn.init.trunc_normal_(part.weight, std=0.02)
            nn.init.zeros_(part.bias)
        elif isinstance(part, WindowAttention):
            nn.init.trunc_normal_(part.relative_position_bias_table, std=0.02)
