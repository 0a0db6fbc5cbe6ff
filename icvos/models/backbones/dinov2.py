"""DINOv2: vision transformers with 14-pixel patches (Oquab et al., 2023), with registers or without."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from icvos.models.backbones.stages import outputs_of
from icvos.models.weights.load import Loaded, load_weights

PATCH = 14
EPS = 1e-6
TRAINED_GRID = 37  # patches on a side of the learned position embedding


@dataclass(frozen=True, slots=True)
class Variant:
    """Width, blocks and heads of a published model, and how many register tokens it has."""

    width: int
    depth: int
    heads: int
    registers: int = 0


DINOV2_MODELS = {
    "dinov2-vits14": Variant(384, 12, 6),
    "dinov2-vitb14": Variant(768, 12, 12),
    "dinov2-vitl14": Variant(1024, 24, 16),
    "dinov2-vitb14-reg": Variant(768, 12, 12, registers=4),
}


class PatchEmbedding(nn.Module):
    """A convolution over patches."""

    def __init__(self, width: int, patch: int = PATCH) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, width, patch, patch)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) to (B, N, C), a token for each patch, row by row."""
        patches: Tensor = self.proj(x).flatten(2).transpose(1, 2)
        return patches


class Attention(nn.Module):
    """Multi-head self-attention."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, C) to the same."""
        batch, tokens, width = x.shape
        query, key, value = self.qkv(x).reshape(batch, tokens, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(query, key, value)
        joined: Tensor = self.proj(mixed.transpose(1, 2).reshape(batch, tokens, width))
        return joined


class Mlp(nn.Module):
    """Two linear layers with a GELU between them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, C) to the same."""
        mapped: Tensor = self.fc2(functional.gelu(self.fc1(x)))
        return mapped


class LayerScale(nn.Module):
    """A learned factor for every channel."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, C) to the same."""
        return x * self.gamma


class Block(nn.Module):
    """Attention and MLP, each behind a norm and scaled, beside a shortcut.

    Args:
        width: Channels.
        attention: The attention.
        eps: Of the norms.
    """

    def __init__(self, width: int, attention: nn.Module, eps: float = EPS) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=eps)
        self.attn = attention
        self.ls1 = LayerScale(width)
        self.norm2 = nn.LayerNorm(width, eps=eps)
        self.mlp = Mlp(width)
        self.ls2 = LayerScale(width)

    def forward(self, x: Tensor, **given: Any) -> Tensor:
        """(B, N, C) to the same; the attention is ``given`` more."""
        x = x + self.ls1(self.attn(self.norm1(x), **given))
        return x + self.ls2(self.mlp(self.norm2(x)))


class DINOv2(nn.Module):
    """A DINOv2 backbone; as a `stages.Backbone` its levels are its blocks, all on the grid of patches."""

    def __init__(self, variant: Variant) -> None:
        super().__init__()
        width = variant.width
        self.channels = (width,) * variant.depth
        self.strides = (PATCH,) * variant.depth
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + TRAINED_GRID**2, width))
        self.mask_token = nn.Parameter(torch.zeros(1, width))  # of its training; not used here
        self.register_tokens = nn.Parameter(torch.zeros(1, variant.registers, width)) if variant.registers else None
        self.patch_embed = PatchEmbedding(width)
        self.blocks = nn.ModuleList(Block(width, Attention(width, variant.heads)) for _ in range(variant.depth))
        self.norm = nn.LayerNorm(width, eps=EPS)

    def forward(self, x: Tensor) -> Tensor:
        """Patch tokens *before* the final norm, (B, h w, C), row by row, of (B, 3, 14 h, 14 w) standardised pictures.

        `norm` of them gives the final tokens.
        """
        (last,) = self.features(x, [len(self.blocks) - 1])
        return last.flatten(2).transpose(1, 2)

    def features(self, x: Tensor, levels: Sequence[int]) -> tuple[Tensor, ...]:
        """Patch tokens behind some blocks, before the final norm, as maps (B, C, h, w); see `Backbone.features`."""
        grid = x.shape[2] // PATCH, x.shape[3] // PATCH
        tokens = torch.cat([self.cls_token.expand(len(x), -1, -1), self.patch_embed(x)], 1) + self.positions(grid)
        others = 1
        if self.register_tokens is not None:
            registers = self.register_tokens.expand(len(x), -1, -1)
            tokens = torch.cat([tokens[:, :1], registers, tokens[:, 1:]], 1)
            others += registers.shape[1]
        found = outputs_of(self.blocks, tokens, levels)
        return tuple(tokens[:, others:].transpose(1, 2).unflatten(2, grid) for tokens in found)

    def positions(self, grid: tuple[int, int]) -> Tensor:
        """(1, 1 + h w, C): the learned position embedding on another grid, bicubic.

        The models without registers were published with a scale factor that is 0.1 patches too large and without
        antialiasing; those with registers are resized to the size itself, antialiased.
        """
        if grid == (TRAINED_GRID, TRAINED_GRID):
            return self.pos_embed
        learned = self.pos_embed[:, 1:].reshape(1, TRAINED_GRID, TRAINED_GRID, -1).permute(0, 3, 1, 2)
        if self.register_tokens is None:
            factor = tuple((side + 0.1) / TRAINED_GRID for side in grid)
            resized = functional.interpolate(learned, scale_factor=factor, mode="bicubic", antialias=False)
        else:
            resized = functional.interpolate(learned, size=grid, mode="bicubic", antialias=True)
        return torch.cat([self.pos_embed[:, :1], resized.permute(0, 2, 3, 1).flatten(1, 2)], 1)


def load_dinov2(model: str, device: torch.device | str = "cpu", checkpoint: str | None = None) -> tuple[DINOv2, Loaded]:
    """A model of `DINOV2_MODELS` with its weights, frozen; ``checkpoint`` is a path in place of the registry's file."""
    network = DINOv2(DINOV2_MODELS[model])
    loaded = load_weights(network, checkpoint or model)
    return network.eval().requires_grad_(False).to(device), loaded
