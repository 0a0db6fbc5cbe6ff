"""SAM 2 on single pictures, in the place of SAM 1."""

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from icvos.method import Image, Mask
from icvos.models.sam.propagation import pillow_bicubic
from icvos.models.sam.sam1 import PIXEL_MEAN, PIXEL_STD, SAM_MODELS, Embedded, SamOnImages, load_sam
from icvos.models.sam.sam2 import NAMES, decode, embed_image, holds_sam2, load_sam2
from icvos.models.weights.load import Loaded


class Sam2Images:
    """SAM 2 as an `icvos.models.sam.sam1.SamOnImages`: pictures become squares, their aspect ratio is not kept."""

    def __init__(self, network: Any, loaded: Loaded) -> None:
        self.network = network
        self.loaded = loaded
        self.device = next(network.parameters()).device
        self.side: int = network.image_size
        self.grid = self.side // 16

    def embed(self, image: Image) -> Embedded:
        """Embed a (H, W, 3) uint8 RGB picture."""
        with torch.inference_mode():
            found = embed_image(self.network, pillow_bicubic(image, self.side).to(self.device))
        return Embedded(found.features[0].clone(), (image.shape[0], image.shape[1]), found)

    def mask_cells(self, mask: Mask, value: int) -> Tensor:
        """(g, g) float32: the mask's cover of every cell less the share that makes a cell the target's with SAM 1."""
        share = torch.from_numpy(mask.astype(np.float32))[None, None].to(self.device)
        cells = functional.interpolate(share, size=(self.grid, self.grid), mode="bilinear", antialias=True)[0, 0]
        return (cells * value - PIXEL_MEAN[0]) / PIXEL_STD[0]

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
        """Logits and predicted IoUs; see `icvos.models.sam.sam1.SamOnImages.decode`."""
        height, width = image.size
        corners, marks = [], []
        if box is not None:
            corners.append(np.asarray(box, np.float32).reshape(-1, 2, 2))
            marks.append(np.tile([2, 3], (len(corners[0]), 1)))
        if points is not None and labels is not None:
            corners.append(np.asarray(points, np.float32))
            marks.append(np.asarray(labels))
        clicks = torch.from_numpy(np.concatenate(corners, axis=1) / [width, height] * self.side).float()
        with torch.inference_mode():
            return decode(
                self.network,
                image.inner,
                points=clicks.to(self.device),
                labels=torch.from_numpy(np.concatenate(marks, axis=1).astype(np.int32)).to(self.device),
                masks=mask,
                multimask=multimask,
            )

    def upscale(self, image: Embedded, low: Tensor) -> Tensor:
        """(M, H, W) logits at the picture's size, of (M, 4 g, 4 g)."""
        return functional.interpolate(low[:, None], size=image.size, mode="bilinear", align_corners=False)[:, 0]


def load_sam2_images(checkpoint: str, device: torch.device | str = "cpu") -> Sam2Images:
    """SAM 2 with its weights: a model's name or a path."""
    return Sam2Images(*load_sam2(checkpoint, device))


def load_sam_on_images(checkpoint: str, device: torch.device | str = "cpu") -> SamOnImages:
    """SAM 2 or SAM 1, by name or path; a file is of the one whose parameters it holds."""
    is_sam2 = checkpoint in NAMES or (checkpoint not in SAM_MODELS and holds_sam2(checkpoint))
    return load_sam2_images(checkpoint, device) if is_sam2 else load_sam(checkpoint, device)
