"""SAM 1 on images, by the unmodified `segment-anything` package: embed a picture once, decode prompts on it.

`SamOnImages` is what PerSAM and Matcher ask of either SAM: `Sam1`, or `icvos.models.sam.sam2_images.Sam2Images`.
"""

import functools
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from icvos.errors import IcvosError
from icvos.files.storage import sha256
from icvos.method import Image, Mask
from icvos.models.weights.load import Loaded, State, find_weights, fit_state, load_weights, read_state

PIXEL_MEAN = (123.675, 116.28, 103.53)
PIXEL_STD = (58.395, 57.12, 57.375)


@dataclass(frozen=True, slots=True)
class Encoder:
    """SAM's image encoder: width, depth, heads, blocks with global attention, and the input's side in pixels."""

    width: int
    depth: int
    heads: int
    global_blocks: tuple[int, ...]
    side: int = 1024


SAM_MODELS = {
    "sam-vit-b": Encoder(768, 12, 12, (2, 5, 8, 11)),
    "sam-vit-l": Encoder(1024, 24, 16, (5, 11, 17, 23)),
    "sam-vit-h": Encoder(1280, 32, 16, (7, 15, 23, 31)),
}


@dataclass(frozen=True, slots=True)
class Embedded:
    """One embedded picture.

    Args:
        features: (C, g, g) float32 on the model's grid.
        size: (H, W) of the picture.
        inner: What else the model's decoder needs.
    """

    features: Tensor
    size: tuple[int, int]
    inner: Any = None


class SamOnImages(Protocol):
    """A SAM on single pictures; g is the side of its feature grid, 4 g the side of its low-resolution masks.

    Args:
        side: Of the square that it makes of a picture, in pixels.
    """

    loaded: Loaded
    device: torch.device
    side: int

    def embed(self, image: Image) -> Embedded:
        """Embed a (H, W, 3) uint8 RGB picture."""
        ...

    def mask_cells(self, mask: Mask, value: int) -> Tensor:
        """(g, g) float32: a mask, painted with grey ``value`` and put through the picture's own path; see PerSAM."""
        ...

    def decode(
        self,
        image: Embedded,
        points: np.ndarray | None = None,
        labels: np.ndarray | None = None,
        box: np.ndarray | None = None,
        mask: Tensor | None = None,
        *,
        multimask: bool,
    ) -> tuple[Tensor, Tensor]:
        """(B, M, 4 g, 4 g) logits and (B, M) predicted IoUs of B prompts, M = 3 with ``multimask``, else 1.

        Args:
            image: The picture.
            points: (B, N, 2), (x, y) in pixels of the picture.
            labels: (B, N), 1 = foreground, 0 = background.
            box: (B, 4), x0, y0, x1, y1 in pixels of the picture.
            mask: (B, 1, 4 g, 4 g) logits of earlier masks.
            multimask: Ask for three masks.
        """
        ...

    def upscale(self, image: Embedded, low: Tensor) -> Tensor:
        """(M, H, W) logits at the picture's size, of (M, 4 g, 4 g)."""
        ...


def build_sam(encoder: Encoder) -> nn.Module:
    """A SAM without its weights, in evaluation mode."""
    try:
        from segment_anything.modeling import ImageEncoderViT, MaskDecoder, PromptEncoder, Sam, TwoWayTransformer
    except ModuleNotFoundError as error:
        raise IcvosError(f"SAM needs the package {error.name}; run: pip install 'icvos[models]'") from error
    grid = encoder.side // 16
    network = Sam(
        image_encoder=ImageEncoderViT(
            depth=encoder.depth,
            embed_dim=encoder.width,
            img_size=encoder.side,
            mlp_ratio=4,
            norm_layer=functools.partial(nn.LayerNorm, eps=1e-6),
            num_heads=encoder.heads,
            patch_size=16,
            qkv_bias=True,
            use_rel_pos=True,
            global_attn_indexes=encoder.global_blocks,
            window_size=14,
            out_chans=256,
        ),
        prompt_encoder=PromptEncoder(256, (grid, grid), (encoder.side, encoder.side), mask_in_chans=16),
        mask_decoder=MaskDecoder(
            num_multimask_outputs=3,
            transformer=TwoWayTransformer(depth=2, embedding_dim=256, mlp_dim=2048, num_heads=8),
            transformer_dim=256,
            iou_head_depth=3,
            iou_head_hidden_dim=256,
        ),
        pixel_mean=list(PIXEL_MEAN),
        pixel_std=list(PIXEL_STD),
    )
    return network.eval().requires_grad_(False)


def encoder_of(state: State, source: str) -> Encoder:
    """The image encoder whose names and shapes a state dictionary has.

    Raises `IcvosError` where it is none of SAM's. The number of heads is told from the width of the position tables.
    """
    try:
        return _encoder_of(state)
    except (LookupError, ArithmeticError) as error:
        raise IcvosError(f"{source}: is not a SAM checkpoint; give one of {', '.join(SAM_MODELS)}") from error


def _encoder_of(state: State) -> Encoder:
    position = state["image_encoder.pos_embed"]
    depth = len({name.split(".")[2] for name in state if name.startswith("image_encoder.blocks.")})
    side, width = 16 * position.shape[1], position.shape[3]
    tables = [state[f"image_encoder.blocks.{block}.attn.rel_pos_h"] for block in range(depth)]
    whole = tuple(block for block in range(depth) if tables[block].shape[0] == 2 * (side // 16) - 1)
    return Encoder(width, depth, width // tables[0].shape[1], whole, side)


def load_sam(checkpoint: str, device: torch.device | str = "cpu") -> "Sam1":
    """SAM with its weights: a name of `SAM_MODELS`, or a checkpoint's path, which tells the architecture."""
    if checkpoint in SAM_MODELS:
        network = build_sam(SAM_MODELS[checkpoint])
        return Sam1(network.to(device), load_weights(network, checkpoint))
    path = find_weights(checkpoint)
    if path is None:
        raise IcvosError(f"{checkpoint}: no such SAM; choose from {', '.join(SAM_MODELS)}, or give a path")
    state = read_state(path)
    network = build_sam(encoder_of(state, str(path)))
    fit_state(network, state, path)
    return Sam1(network.to(device), Loaded(path.name, sha256(path)))


class Sam1:
    """SAM 1 as a `SamOnImages`: pictures keep their aspect ratio and are padded to a square."""

    def __init__(self, network: Any, loaded: Loaded) -> None:
        from segment_anything.utils.transforms import ResizeLongestSide

        self.network = network
        self.loaded = loaded
        self.device: torch.device = network.device
        self.side: int = network.image_encoder.img_size
        self.grid = self.side // 16
        self.resize = ResizeLongestSide(self.side)

    def embed(self, image: Image) -> Embedded:
        """Embed a (H, W, 3) uint8 RGB picture."""
        with torch.inference_mode():
            features = self.network.image_encoder(self._square(image))[0]
        return Embedded(features.clone(), (image.shape[0], image.shape[1]))

    def mask_cells(self, mask: Mask, value: int) -> Tensor:
        """(g, g) float32: channel 0 of the mask as a picture, resized, standardised and padded as pictures are."""
        picture = np.zeros((*mask.shape, 3), dtype=np.uint8)
        picture[..., 0] = mask.astype(np.uint8) * value
        square = self._square(picture)
        return functional.interpolate(square, size=(self.grid, self.grid), mode="bilinear")[0, 0]

    def decode(
        self,
        image: Embedded,
        points: np.ndarray | None = None,
        labels: np.ndarray | None = None,
        box: np.ndarray | None = None,
        mask: Tensor | None = None,
        *,
        multimask: bool,
    ) -> tuple[Tensor, Tensor]:
        """Logits and predicted IoUs; see `SamOnImages.decode`."""
        with torch.inference_mode():
            sparse, dense = self.prompts(image, points, labels, box, mask)
            return self.decode_tokens(image, sparse, dense, multimask=multimask)

    def prompts(
        self,
        image: Embedded,
        points: np.ndarray | None = None,
        labels: np.ndarray | None = None,
        box: np.ndarray | None = None,
        mask: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """(B, N, 256) sparse and (B, 256, g, g) dense embeddings of prompts in pixels of the picture."""
        clicks = None
        if points is not None:
            moved = self.resize.apply_coords(np.asarray(points), image.size)
            marks = torch.as_tensor(np.asarray(labels), dtype=torch.int, device=self.device)
            clicks = (torch.as_tensor(moved, dtype=torch.float, device=self.device), marks)
        corners = None
        if box is not None:
            moved = self.resize.apply_boxes(np.asarray(box), image.size)
            corners = torch.as_tensor(moved, dtype=torch.float, device=self.device)
        sparse, dense = self.network.prompt_encoder(points=clicks, boxes=corners, masks=mask)
        return sparse, dense

    def decode_tokens(
        self, image: Embedded, sparse: Tensor, dense: Tensor, *, multimask: bool
    ) -> tuple[Tensor, Tensor]:
        """(B, M, 4 g, 4 g) logits and (B, M) predicted IoUs of embedded prompts; gradients pass where they are on."""
        low, ious = self.network.mask_decoder(
            image_embeddings=image.features[None],
            image_pe=self.network.prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=multimask,
        )
        return low, ious

    def upscale(self, image: Embedded, low: Tensor) -> Tensor:
        """(M, H, W) logits at the picture's size: to the square, without the padding, to the picture."""
        resized = self.resize.get_preprocess_shape(*image.size, self.side)
        full: Tensor = self.network.postprocess_masks(low[:, None], resized, image.size)
        return full[:, 0]

    def _square(self, image: Image) -> Tensor:
        """(1, 3, L, L) float32: the longer side resized to L (Pillow, bilinear), standardised, padded with zeros."""
        resized = torch.as_tensor(self.resize.apply_image(image), device=self.device)
        square: Tensor = self.network.preprocess(resized.permute(2, 0, 1)[None])
        return square
