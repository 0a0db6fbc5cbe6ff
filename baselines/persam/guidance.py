"""SAM's mask decoder under target-guided attention and target-semantic prompting (PerSAM, section 3.3)."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional


def attention_bias(similar: Tensor, grid: int) -> Tensor:
    """(1, 1, 1, g g) float32 in (0, 1): the standardised similarity map on the feature grid, row by row.

    The published resizing ignores the padding of pictures that are not square, so there the bias and the features are
    shifted against each other; this follows it.
    """
    standard = (similar - similar.mean()) / similar.std()
    small = functional.interpolate(standard[None, None], size=(grid, grid), mode="bilinear", align_corners=False)
    return small.sigmoid().reshape(1, 1, 1, grid * grid)


def attend(attention: Any, query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None = None) -> Tensor:
    """SAM's attention from its own projections; with a bias, softmax twice: softmax(softmax(q k / sqrt(d)) + bias)."""
    heads = attention.num_heads

    def split(x: Tensor) -> Tensor:
        batch, tokens, width = x.shape
        return x.reshape(batch, tokens, heads, width // heads).transpose(1, 2)

    q, k, v = split(attention.q_proj(query)), split(attention.k_proj(key)), split(attention.v_proj(value))
    weight = (q @ k.transpose(2, 3) / q.shape[-1] ** 0.5).softmax(-1)
    if bias is not None:
        weight = (weight + bias).softmax(-1)
    mixed = (weight @ v).transpose(1, 2).flatten(2)
    joined: Tensor = attention.out_proj(mixed)
    return joined


def guided_masks(
    decoder: Any,
    features: Tensor,
    positions: Tensor,
    sparse: Tensor,
    dense: Tensor,
    bias: Tensor | None,
    target: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """All four masks of SAM's decoder under target-guided attention and target-semantic prompting (PerSAM, 3.3).

    Args:
        decoder: SAM's mask decoder.
        features: (1, 256, g, g) of the picture.
        positions: (1, 256, g, g), SAM's dense position encoding.
        sparse: (1, N, 256) embedded prompts.
        dense: (1, 256, g, g) embedded mask prompt.
        bias: (1, 1, 1, g g), goes into the tokens' attention to the image of both blocks; None: no second softmax.
        target: (1, 1, 256), is added to the tokens before every block and to their positions; None: nothing is.

    Returns:
        (1, 4, 4 g, 4 g) logits and (1, 4) predicted IoUs; the first is the single mask.
    """
    shift = torch.zeros_like(sparse[:, :1]) if target is None else target
    tokens = torch.cat([decoder.iou_token.weight, decoder.mask_tokens.weight])[None]
    place = torch.cat([tokens, sparse], 1) + shift
    image = (features + dense).flatten(2).permute(0, 2, 1)
    image_place = positions.flatten(2).permute(0, 2, 1)
    x = place
    for number, block in enumerate(decoder.transformer.layers):
        if number == 0:
            x = attend(block.self_attn, x, x, x)
        else:
            x = x + shift
            x = x + attend(block.self_attn, x + place, x + place, x)
        x = block.norm1(x)
        x = block.norm2(x + attend(block.cross_attn_token_to_image, x + place, image + image_place, image, bias))
        x = block.norm3(x + block.mlp(x))
        image = block.norm4(image + attend(block.cross_attn_image_to_token, image + image_place, x + place, x))
    final = decoder.transformer.final_attn_token_to_image
    x = decoder.transformer.norm_final_attn(x + attend(final, x + place + shift, image + image_place, image))
    grid = features.shape[-1]
    upscaled = decoder.output_upscaling(image.transpose(1, 2).reshape(1, -1, grid, grid))
    kernels = [mlp(x[:, 1 + index]) for index, mlp in enumerate(decoder.output_hypernetworks_mlps)]
    logits = torch.einsum("bmc,bchw->bmhw", torch.stack(kernels, 1), upscaled)
    return logits, decoder.iou_prediction_head(x[:, 0])
