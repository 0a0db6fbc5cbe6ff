"""SAM and SAM 2 behind one door, as networks that make prompt tokens see them: features in, masks of tokens out."""

from typing import Any, Protocol

import torch
from torch import Tensor

from icvos.models.maps import aligned, resized
from icvos.models.sam.sam1 import Embedded, Sam1
from icvos.models.sam.sam2 import embed_image

Sam2Maps = tuple[Tensor, Tensor, Tensor]  # strides 4, 8 and 16: C / 8, C / 4 and C channels
Maps = Tensor | Sam2Maps


class PromptedSam(Protocol):
    """What turns tokens into masks.

    Args:
        labels: SAM's embeddings of a positive and of a negative point, (1, C) each, which tokens are marked with.
        in_place: Whether the released code marks the tokens of stage 1 in place, so that stage 2 starts from them so.
    """

    in_place: bool

    @property
    def labels(self) -> tuple[Tensor, Tensor]:
        """SAM's embeddings of a positive and of a negative point, (1, C) each."""
        ...

    def maps(self, pictures: Tensor) -> Maps:
        """Features of (B, 3, S, S) standardised pictures, without gradient."""
        ...

    def logits(self, maps: Maps, tokens: Tensor, rough: Tensor | None = None) -> Tensor:
        """(B, 1, 4 g, 4 g) logits of (B, 2 N, C) tokens, one prompt for each picture of ``maps``.

        Args:
            maps: Those of `maps`.
            tokens: The prompts.
            rough: (B, 1, h, w) logits of a rough mask, which is a prompt too.
        """
        ...


class PromptedSam1:
    """SAM 1, frozen."""

    in_place = True

    def __init__(self, sam: Sam1) -> None:
        self.sam = sam

    @property
    def labels(self) -> tuple[Tensor, Tensor]:
        """See `PromptedSam.labels`."""
        points = self.sam.network.prompt_encoder.point_embeddings
        return points[1].weight, points[0].weight

    def maps(self, pictures: Tensor) -> Tensor:
        """(B, 256, g, g); see `PromptedSam.maps`."""
        with torch.no_grad():
            features = [self.sam.network.image_encoder(aligned(one[None], self.sam.side)) for one in pictures]
        return torch.cat(features)

    def logits(self, maps: Maps, tokens: Tensor, rough: Tensor | None = None) -> Tensor:
        """See `PromptedSam.logits`."""
        encoder = self.sam.network.prompt_encoder
        drawn = None if rough is None else mask_prompt(rough, encoder.mask_input_size)
        _, dense = encoder(points=None, boxes=None, masks=drawn)
        side = (self.sam.side, self.sam.side)
        low = [
            self.sam.decode_tokens(Embedded(one, side), own[None], also[None], multimask=False)[0]
            for one, own, also in zip(maps, tokens, dense.expand(len(tokens), -1, -1, -1), strict=True)
        ]
        return torch.cat(low)


class PromptedSam2:
    """SAM 2.

    Args:
        network: A model of `icvos.models.sam.sam2.build_sam2`.
        moving: Whether masks are resized as on videos, without aligned corners.
        gated: Whether the mask is empty where SAM 2 sees no object, as on videos; its predictor of single images
            does not look. An empty mask is a constant, without gradient.
    """

    in_place = False

    def __init__(self, network: Any, *, moving: bool = False, gated: bool = False) -> None:
        self.network = network
        self.moving = moving
        self.gated = gated

    @property
    def labels(self) -> tuple[Tensor, Tensor]:
        """See `PromptedSam.labels`."""
        points = self.network.sam_prompt_encoder.point_embeddings
        return points[1].weight, points[0].weight

    def maps(self, pictures: Tensor) -> Sam2Maps:
        """(B, C / 8, 4 s, 4 s), (B, C / 4, 2 s, 2 s) and (B, C, s, s); see `PromptedSam.maps`."""
        with torch.no_grad():
            found = [embed_image(self.network, aligned(one[None], self.network.image_size)) for one in pictures]
        return (
            torch.cat([one.finer[0] for one in found]),
            torch.cat([one.finer[1] for one in found]),
            torch.cat([one.features for one in found]),
        )

    def logits(self, maps: Maps, tokens: Tensor, rough: Tensor | None = None) -> Tensor:
        """See `PromptedSam.logits`."""
        drawn = None if rough is None else mask_prompt(rough, self.network.sam_prompt_encoder.mask_input_size)
        fine, middle, coarse = maps
        labels = tokens.new_ones(tokens.shape[:2], dtype=torch.int32)
        low: Tensor
        if self.gated:
            points = {"point_coords": tokens, "point_labels": labels}
            heads = self.network._forward_sam_heads(coarse, points, drawn, [fine, middle], multimask_output=False)
            low = heads[3]
            return low
        sparse, dense = self.network.sam_prompt_encoder(points=(tokens, labels), boxes=None, masks=drawn)
        low, _, _, _ = self.network.sam_mask_decoder(
            image_embeddings=coarse,
            image_pe=self.network.sam_prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=False,
            repeat_image=False,
            high_res_features=[fine, middle],
        )
        return low.float()


def mask_prompt(rough: Tensor, size: tuple[int, int]) -> Tensor:
    """(B, 1, s, s) of ``size``, in [-10, 10], as SAM 2 scales masks that are given; of (B, 1, h, w) logits."""
    return resized(20 * rough.sigmoid() - 10, size[0])


def as_tuple(maps: Maps) -> tuple[Tensor, ...]:
    """SAM's one map, or SAM 2's three."""
    return (maps,) if isinstance(maps, Tensor) else maps


def as_maps(maps: tuple[Tensor, ...]) -> Maps:
    """The other way round."""
    return maps[0] if len(maps) == 1 else (maps[0], maps[1], maps[2])
