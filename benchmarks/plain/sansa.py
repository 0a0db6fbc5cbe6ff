"""SANSA in plain words, for `benchmarks.networks`: the supports are seen anew for every frame, picture by picture."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.plain.pictures import Drawn
from icvos.method import Image
from icvos.models.squares import squash, squash_mask


@dataclass(frozen=True, slots=True)
class Seen:
    """What is remembered of a picture: (N, 1, 64) memory and its positions, and a (1, 256) pointer."""

    memory: Tensor
    place: Tensor
    pointer: Tensor


def plain_sansa(method: Any, supports: Sequence[Drawn], frames: Sequence[Image]) -> list[Tensor]:
    """(1, 1, 256, 256) logits of every frame, which sees the supports, and the frames before it as memory."""
    logits, past = [], []
    for frame in frames:
        shown = [support_of(method, support) for support in supports]
        low, seen = target_of(method, frame, [*shown, *past])
        logits.append(low)
        past.append(seen)
    return logits


def bilinear(x: Tensor, side: int, smooth: bool = False) -> Tensor:
    """(B, C, side, side)."""
    return functional.interpolate(x, size=(side, side), mode="bilinear", align_corners=False, antialias=smooth)


def encoded(method: Any, image: Image) -> tuple[Tensor, Tensor, list[Tensor]]:
    """Of a picture the (1, 256, 64, 64) feature, its positions, and the finer maps for the decoder."""
    network, size = method.network, method.settings.size
    found = network.image_encoder(bilinear(squash(image, size)[None], network.image_size, smooth=True))
    fine, finer, feature = found["backbone_fpn"]
    decoder = network.sam_mask_decoder
    return feature, found["vision_pos_enc"][2], [decoder.conv_s0(fine), decoder.conv_s1(finer)]


def decode(network: Any, feature: Tensor, finer: list[Tensor], mask: Tensor | None, several: bool) -> Any:
    """Logits, predicted IoUs and tokens, without any point."""
    none = torch.zeros(1, 1, 2), -torch.ones(1, 1, dtype=torch.int32)
    sparse, dense = network.sam_prompt_encoder(points=none, boxes=None, masks=mask)
    return network.sam_mask_decoder(
        image_embeddings=feature,
        image_pe=network.sam_prompt_encoder.get_dense_pe(),
        sparse_prompt_embeddings=sparse,
        dense_prompt_embeddings=dense,
        multimask_output=several,
        repeat_image=False,
        high_res_features=finer,
    )[:3]


def remembered(network: Any, feature: Tensor, low: Tensor, token: Tensor) -> Seen:
    """A picture with its low-resolution logits and the decoder's token of them."""
    high = bilinear(low, network.image_size)
    found = network.memory_encoder(feature, 20 * high.sigmoid() - 10, skip_mask_sigmoid=True)
    memory, place = found["vision_features"], found["vision_pos_enc"][0]
    return Seen(flat(memory), flat(place), network.obj_ptr_proj(token))


def flat(x: Tensor) -> Tensor:
    """(N, 1, C) of (1, C, h, w)."""
    return x.flatten(2).permute(2, 0, 1)


def support_of(method: Any, support: Drawn) -> Seen:
    """A support, by its mask."""
    network = method.network
    given = squash_mask(support.mask(), method.settings.size)[None, None]
    mask = (bilinear(given, network.image_size, smooth=True) > 0).float()
    feature, _, finer = encoded(method, support.image())
    low = bilinear(20 * mask - 10, network.image_size // 4, smooth=True)
    _, _, tokens = decode(network, feature, finer, network.mask_downsample(mask), several=False)
    return remembered(network, feature, low, tokens[:, 0])


def target_of(method: Any, image: Image, bank: Sequence[Seen]) -> tuple[Tensor, Seen]:
    """Logits of the picture behind those of a bank, and what is remembered of it."""
    network, t = method.network, len(bank)
    feature, places, finer = encoded(method, image)
    near = [(distance, t - distance) for distance in range(6, 0, -1) if t - distance >= 1]
    spatial = [(bank[0], 6)] + [(bank[number], distance - 1) for distance, number in near]
    pointers = [bank[0], *(bank[t - distance] for distance in range(1, 16) if t - distance >= 1)]
    tokens = [seen.pointer.reshape(4, 1, 64) for seen in pointers]
    memory = torch.cat([*(seen.memory for seen, _ in spatial), *tokens])
    where = [seen.place + network.maskmem_tpos_enc[age] for seen, age in spatial]
    conditioned = network.memory_attention(
        curr=[flat(feature)],
        curr_pos=[flat(places)],
        memory=memory,
        memory_pos=torch.cat([*where, *(torch.zeros_like(token) for token in tokens)]),
        num_obj_ptr_tokens=4 * len(tokens),
    )
    asked = conditioned.permute(1, 2, 0).reshape(feature.shape)
    masks, ious, found = decode(network, asked, finer, None, several=True)
    best = int(ious[0].argmax())
    low = masks[:, best : best + 1]
    return low, remembered(network, feature, low, found[:, best])
