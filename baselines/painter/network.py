"""The network of Painter (Wang et al., CVPR 2023) and of SegGPT (Wang et al., ICCV 2023), published parameter names.

It is shown two tall pictures, each of two squares of side S: the prompt's picture above the query's, and the prompt's
painted mask above a hole. It repaints the hole. A patch is 16 pixels wide: the grid has H = S / 8 rows and W = S / 16
columns. SegGPT has two type tokens more, and an average over several prompts of one query.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from icvos.models.backbones.dinov2 import Mlp, PatchEmbedding
from icvos.models.weights import registry
from icvos.models.weights.load import Loaded, State, find_weights, load_weights, read_state

PATCH = 16
DEPTH = 24
JOINED = 2  # the block behind which picture and target become one
TAPS = (5, 11, 17, 23)
EPS = 1e-6
LEARNED_GRID = 14  # patches on a side of the learned position embedding
P = TypeVar("P", bound="PainterNetwork")


@dataclass(frozen=True, slots=True)
class Sizes:
    """What a checkpoint's tensors say of its network; the defaults are the published ViT-L.

    Args:
        width: Channels of a token.
        heads: Heads of the attention.
        decoder_width: Channels of the pixels that are decoded.
        grid: H and W of the tables of relative positions, which are resampled for another grid.
    """

    width: int = 1024
    heads: int = 16
    decoder_width: int = 64
    grid: tuple[int, int] = (56, 28)

    @classmethod
    def of(cls, state: State) -> Self:
        """As the shapes of a state dictionary tell them; the published ones where it is of no such network."""
        names = ("mask_token", "blocks.0.attn.rel_pos_h", "blocks.0.attn.rel_pos_w", "decoder_pred.0.weight")
        shapes = [tuple(state[name].shape) for name in names if name in state]
        if [len(shape) for shape in shapes] != [4, 2, 2, 4] or not all(map(all, shapes)):
            return cls()
        (*_, width), (rows, head), (columns, _), (decoder_width, *_) = shapes
        return cls(width, max(1, width // head), decoder_width, ((rows + 1) // 2, (columns + 1) // 2))


def relative(table: Tensor, side: int) -> Tensor:
    """(side, side, D) of a (2 n - 1, D) table: what lies between two places of an axis, the asking one first."""
    if len(table) != 2 * side - 1:
        table = functional.interpolate(table.T[None], size=2 * side - 1, mode="linear", align_corners=False)[0].T
    places = torch.arange(side, device=table.device)
    return table[places[:, None] - places + side - 1]


class Attention(nn.Module):
    """Self-attention over the whole grid, with relative positions of rows and of columns added to its logits."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.heads = sizes.heads
        head = sizes.width // sizes.heads
        self.qkv = nn.Linear(sizes.width, 3 * sizes.width)
        self.proj = nn.Linear(sizes.width, sizes.width)
        self.rel_pos_h = nn.Parameter(torch.zeros(2 * sizes.grid[0] - 1, head))
        self.rel_pos_w = nn.Parameter(torch.zeros(2 * sizes.grid[1] - 1, head))

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, C) to the same."""
        grid = rows, columns = x.shape[1], x.shape[2]
        query, key, value = self.qkv(x).flatten(1, 2).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        asking = query.unflatten(2, grid)
        of_rows = torch.einsum("bnyxd,yrd->bnyxr", asking, relative(self.rel_pos_h, rows))
        of_columns = torch.einsum("bnyxd,xcd->bnyxc", asking, relative(self.rel_pos_w, columns))
        mixed = []
        # the positions of a head are N x N numbers for each of B: on a processor one head at a time is also faster
        for part in self._parts(x.device):
            position = of_rows[:, part, ..., None] + of_columns[:, part, ..., None, :]
            bias = position.flatten(4, 5).flatten(2, 3)
            mixed.append(
                functional.scaled_dot_product_attention(query[:, part], key[:, part], value[:, part], attn_mask=bias)
            )
        joined: Tensor = self.proj(torch.cat(mixed, 1).transpose(1, 2).flatten(2))
        return joined.unflatten(1, grid)

    def _parts(self, device: torch.device) -> list[slice]:
        step = 1 if device.type == "cpu" else self.heads
        return [slice(first, first + step) for first in range(0, self.heads, step)]


def averaged(attended: Tensor, prompts: int) -> Tensor:
    """The feature ensemble: the query's half, which is the lower one, becomes its mean over the prompts.

    Args:
        attended: (G K, H, W, C): K prompts of one query, in G groups, the pictures and the targets.
        prompts: K.
    """
    upper, lower = attended.chunk(2, 1)
    mean = lower.unflatten(0, (-1, prompts)).mean(1, keepdim=True)
    return torch.cat([upper, mean.expand(-1, prompts, -1, -1, -1).flatten(0, 1)], 1)


class Block(nn.Module):
    """Attention and MLP, each behind a norm and beside a shortcut."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(sizes.width, eps=EPS)
        self.attn = Attention(sizes)
        self.norm2 = nn.LayerNorm(sizes.width, eps=EPS)
        self.mlp = Mlp(sizes.width)

    def forward(self, x: Tensor, prompts: int = 1) -> Tensor:
        """(B, H, W, C) to the same; with several prompts the attention is `averaged` over them."""
        attended = self.attn(self.norm1(x))
        x = x + (averaged(attended, prompts) if prompts > 1 else attended)
        mapped: Tensor = x + self.mlp(self.norm2(x))
        return mapped


class ChannelNorm(nn.LayerNorm):
    """A layer norm over the channels of every pixel."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to the same."""
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class PainterNetwork(nn.Module):
    """Painter; the names of its parameters are the published ones.

    In evaluation mode alone: its blocks are never dropped.
    """

    def __init__(self, sizes: Sizes | None = None) -> None:
        super().__init__()
        sizes = sizes or Sizes()
        width, inner = sizes.width, sizes.decoder_width
        self.patch_embed = PatchEmbedding(width, PATCH)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, 1, width))
        self.segment_token_x = nn.Parameter(torch.zeros(1, 1, 1, width))
        self.segment_token_y = nn.Parameter(torch.zeros(1, 1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, LEARNED_GRID**2 + 1, width))
        self.blocks = nn.ModuleList(Block(sizes) for _ in range(DEPTH))
        self.norm = nn.LayerNorm(width, eps=EPS)
        self.decoder_embed = nn.Linear(len(TAPS) * width, PATCH**2 * inner)
        self.decoder_pred = nn.Sequential(
            nn.Conv2d(inner, inner, 3, padding=1), ChannelNorm(inner, eps=EPS), nn.GELU(), nn.Conv2d(inner, 3, 1)
        )

    def forward(
        self, images: Tensor, targets: Tensor, hidden: Tensor | None = None, ensemble: int | None = None
    ) -> Tensor:
        """The repainted targets, both squares of each, (K, 3, 2 S, S) standardised colours.

        Args:
            images: (K, 3, 2 S, S) standardised: the prompts' pictures, each above the query's.
            targets: (K, 3, 2 S, S) standardised: the prompts' painted masks, each above anything of its size.
            hidden: (K or 1, N) bool, row by row: patches of the targets that are not shown; None: the lower square.
            ensemble: The block from which on the prompts are averaged, as all are of one query; None: none.
        """
        return self.decode(self.taps(self.tokens(images, targets, hidden), ensemble))

    def repaint(self, images: Tensor, targets: Tensor, *, together: bool) -> Tensor:
        """The query's square alone, (K, 3, S, S) standardised colours; at half the decoder's cost.

        Args:
            images: (K, 3, 2 S, S), as in `forward`.
            targets: (K, 3, 2 S, S), as in `forward`.
            together: Whether the prompts are averaged in all blocks. Only the first is decoded then, (1, 3, S, S): the
                others differ from it in the topmost row of pixels alone.
        """
        taps = self.taps(self.tokens(images, targets), 0 if together else None)
        chosen = [tap[:1] for tap in taps] if together else taps
        # the row of patches above the query's, since the decoder's convolution sees its last row of pixels
        return self.decode(chosen, taps[0].shape[1] // 2 - 1)[:, :, PATCH:]

    def tokens(self, images: Tensor, targets: Tensor, hidden: Tensor | None = None) -> Tensor:
        """What enters the first block, (2 K, H, W, C): all images, then all targets."""
        grid = rows, columns = images.shape[2] // PATCH, images.shape[3] // PATCH
        if hidden is None:
            hidden = torch.arange(rows * columns, device=images.device)[None] >= rows // 2 * columns
        x = self.patch_embed(images).unflatten(1, grid) + self.segment_token_x
        y = self.patch_embed(targets).unflatten(1, grid)
        y = torch.where(hidden.unflatten(1, grid)[..., None], self.mask_token, y) + self.segment_token_y
        return torch.cat([x, y]) + self.positions(grid)

    def positions(self, grid: tuple[int, int]) -> Tensor:
        """(1, H, W, C): the learned map of a square, stretched over the tall grid, bicubic."""
        learned = self.pos_embed[:, 1:].unflatten(1, (LEARNED_GRID, LEARNED_GRID)).permute(0, 3, 1, 2)
        return functional.interpolate(learned, size=grid, mode="bicubic", align_corners=False).permute(0, 2, 3, 1)

    def taps(self, x: Tensor, ensemble: int | None = None) -> list[Tensor]:
        """The normalised tokens behind the blocks `TAPS`, (K, H, W, C) each; see `forward`."""
        prompts = len(x) // 2
        found = []
        for number, block in enumerate(self.blocks):
            x = block(x, prompts if ensemble is not None and number >= ensemble else 1)
            if number == JOINED:
                x = (x[:prompts] + x[prompts:]) / 2
            if number in TAPS:
                found.append(self.norm(x))
        return found

    def decode(self, taps: Sequence[Tensor], first: int = 0) -> Tensor:
        """(K, 3, 16 (H - first), 16 W) standardised colours of the rows of patches from ``first`` on."""
        embedded = self.decoder_embed(torch.cat([tap[:, first:] for tap in taps], -1))
        pixels = embedded.unflatten(-1, (PATCH, PATCH, -1)).permute(0, 5, 1, 3, 2, 4).flatten(4, 5).flatten(2, 3)
        colours: Tensor = self.decoder_pred(pixels)
        return colours


class SegGPTNetwork(PainterNetwork):
    """SegGPT: Painter with a token more for what kind of target is asked for.

    Args:
        sizes: As a checkpoint tells them.
        instance: Whether an instance is asked for, which is type 1; else a class, which is type 0.
    """

    def __init__(self, sizes: Sizes | None = None, *, instance: bool = True) -> None:
        sizes = sizes or Sizes()
        super().__init__(sizes)
        self.instance = instance
        self.type_token_cls = nn.Parameter(torch.zeros(1, 1, 1, sizes.width))
        self.type_token_ins = nn.Parameter(torch.zeros(1, 1, 1, sizes.width))

    def tokens(self, images: Tensor, targets: Tensor, hidden: Tensor | None = None) -> Tensor:
        """As Painter's, the type added to all of them."""
        return super().tokens(images, targets, hidden) + (self.type_token_ins if self.instance else self.type_token_cls)


def load_painter(kind: Callable[[Sizes], P], checkpoint: str, device: torch.device | str = "cpu") -> tuple[P, Loaded]:
    """A network with its weights, frozen, of the sizes that the checkpoint's tensors have.

    Args:
        kind: `PainterNetwork`, `SegGPTNetwork`, or what else makes one of its sizes.
        checkpoint: A name of the registry, whose files are of the published sizes, or a path.
        device: Where it goes.

    Raises `IcvosError` for a file that is not of this network.
    """
    path = None if checkpoint in registry.checkpoints() else find_weights(checkpoint)
    network = kind(Sizes.of(read_state(path)) if path else Sizes())
    loaded = load_weights(network, checkpoint)
    return network.eval().requires_grad_(False).to(device), loaded
