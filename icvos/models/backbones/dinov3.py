"""DINOv3: vision transformers with 16-pixel patches, registers and rotary positions (Simeoni et al., 2025)."""

from collections.abc import Sequence
from functools import partial
from math import pi

import torch
from torch import Tensor, nn
from torch.nn import functional

from icvos.models.backbones.dinov2 import Block, PatchEmbedding, Variant
from icvos.models.backbones.stages import outputs_of
from icvos.models.weights.load import Loaded, load_weights

PATCH = 16
REGISTERS = 4
EPS = 1e-5
LONGEST_PERIOD = 100.0

DINOV3_MODELS = {
    "dinov3-vits16": Variant(384, 12, 6, REGISTERS),
    "dinov3-vitb16": Variant(768, 12, 12, REGISTERS),
    "dinov3-vitl16": Variant(1024, 24, 16, REGISTERS),
}


class MaskedBias(nn.Linear):
    """A linear layer whose bias is multiplied by a stored mask, which silences that of the keys."""

    def __init__(self, width: int) -> None:
        super().__init__(width, 3 * width)
        self.bias_mask: Tensor
        self.register_buffer("bias_mask", torch.cat([torch.ones(width), torch.zeros(width), torch.ones(width)]))

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, C) to (B, N, 3 C): queries, keys and values."""
        return functional.linear(x, self.weight, self.bias * self.bias_mask)


class RotaryPositions(nn.Module):
    """The angles by which queries and keys are turned, from where their patches lie."""

    def __init__(self, head: int) -> None:
        super().__init__()
        self.periods: Tensor
        exponents = torch.arange(head // 4, dtype=torch.float32) / (head // 4)
        self.register_buffer("periods", LONGEST_PERIOD**exponents)

    def forward(self, grid: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """Sine and cosine, (h w, D) each, row by row: the first half of D turns with the second.

        Rows and columns go from -1 to 1 over the picture, whatever its shape.
        """
        rows, columns = ((torch.arange(side, device=self.periods.device) + 0.5) / side * 2 - 1 for side in grid)
        places = torch.stack(torch.meshgrid(rows, columns, indexing="ij"), -1).flatten(0, 1)
        angles = (2 * pi * places[:, :, None] / self.periods).flatten(1).tile(2)
        return angles.sin(), angles.cos()


def turned(x: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
    """(B, heads, N, D) with the tokens of patches turned, which are the last; others stay as they are."""
    sine, cosine = turn
    others, patches = x[:, :, : -len(sine)], x[:, :, -len(sine) :]
    first, second = patches.chunk(2, -1)
    return torch.cat([others, patches * cosine + torch.cat([-second, first], -1) * sine], 2)


class Attention(nn.Module):
    """Multi-head self-attention with rotary positions."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = MaskedBias(width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
        """(B, N, C) to the same; ``turn`` is what `RotaryPositions` gives."""
        batch, tokens, width = x.shape
        query, key, value = self.qkv(x).reshape(batch, tokens, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(turned(query, turn), turned(key, turn), value)
        joined: Tensor = self.proj(mixed.transpose(1, 2).reshape(batch, tokens, width))
        return joined


class DINOv3(nn.Module):
    """A DINOv3 backbone; as a `stages.Backbone` its levels are its blocks, all on the grid of patches.

    In evaluation mode alone: published in training mode, it would scale positions at random.
    """

    def __init__(self, variant: Variant) -> None:
        super().__init__()
        width = variant.width
        self.channels = (width,) * variant.depth
        self.strides = (PATCH,) * variant.depth
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.storage_tokens = nn.Parameter(torch.zeros(1, variant.registers, width))
        self.mask_token = nn.Parameter(torch.zeros(1, width))  # of its training; not used here
        self.patch_embed = PatchEmbedding(width, PATCH)
        self.rope_embed = RotaryPositions(width // variant.heads)
        self.blocks = nn.ModuleList(Block(width, Attention(width, variant.heads), EPS) for _ in range(variant.depth))
        self.norm = nn.LayerNorm(width, eps=EPS)

    def forward(self, x: Tensor) -> Tensor:
        """Patch tokens behind the final norm, (B, h w, C), row by row, of (B, 3, H, W) standardised pictures.

        What is left of a side that is no multiple of 16 is not looked at.
        """
        return self.tokens(x)[:, 1 + REGISTERS :]

    def tokens(self, x: Tensor) -> Tensor:
        """All tokens behind the final norm: the class, the registers, the patches."""
        (last,) = self._blocks(x, [len(self.blocks) - 1])
        normed: Tensor = self.norm(last)
        return normed

    def features(self, x: Tensor, levels: Sequence[int]) -> tuple[Tensor, ...]:
        """Patch tokens behind some blocks, before the final norm, as maps (B, C, h, w); see `Backbone.features`."""
        grid = x.shape[2] // PATCH, x.shape[3] // PATCH
        return tuple(
            tokens[:, 1 + REGISTERS :].transpose(1, 2).unflatten(2, grid) for tokens in self._blocks(x, levels)
        )

    def _blocks(self, x: Tensor, levels: Sequence[int]) -> tuple[Tensor, ...]:
        grid = x.shape[2] // PATCH, x.shape[3] // PATCH
        others = [token.expand(len(x), -1, -1) for token in (self.cls_token, self.storage_tokens)]
        turn = self.rope_embed(grid)
        blocks = (partial(block, turn=turn) for block in self.blocks)
        return outputs_of(blocks, torch.cat([*others, self.patch_embed(x)], 1), levels)


def load_dinov3(model: str, device: torch.device | str = "cpu", checkpoint: str | None = None) -> tuple[DINOv3, Loaded]:
    """A model of `DINOV3_MODELS` with its weights, frozen; ``checkpoint`` is a path in place of the registry's file."""
    network = DINOv3(DINOV3_MODELS[model])
    loaded = load_weights(network, checkpoint or model)
    return network.eval().requires_grad_(False).to(device), loaded
