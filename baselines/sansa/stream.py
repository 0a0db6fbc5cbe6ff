"""SAM 2 with adapters over supports and what comes after them, one picture at a time, in memory that does not grow.

How it differs from SAM 2's own predictor: pictures come by way of a smaller square; every pixel of SAM 2's square that
a mask touches at all is of the object; supports are seen each on its own, and as published only the first is kept for
good; a click gives one mask and not the best of three; nothing is said of whether the object is there.
"""

from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from baselines.sansa.prompts import Kind, prompt_of
from icvos.method import Image, Mask, Prompt, Support
from icvos.models.sam.memory import Memory
from icvos.models.sam.propagation import DType, Features, Sam2Propagator
from icvos.models.squares import squash, squash_mask, standardise
from icvos.models.weights.load import Loaded
from icvos.sharing import FrameCache, Remembered

REMEMBERED_SUPPORTS = 64
Kept = Literal["first", "all"]


class SansaStream(Sam2Propagator):
    """A `Sam2Propagator` that is shown supports before the first frame, and goes on without any prompt.

    Args:
        network: SAM 2 with adapters attached, of `icvos.models.sam.sam2.build_sam2` without scores.
        loaded: The weights of SAM 2.
        size: Side of the square by way of which pictures become SAM 2's; None: straight from their own size.
        kind: What is shown of a support.
        kept: Which supports are never forgotten.
        dtype: The precision.
        frames: Where features are kept for others that follow something in the same video.
        supports: What is remembered of supports that were shown lately.
    """

    seen_as = "sansa features"
    memory_dtype = torch.float32

    def __init__(
        self,
        network: Any,
        loaded: Loaded,
        *,
        size: int | None,
        kind: Kind = "mask",
        kept: Kept = "all",
        dtype: DType = "float32",
        frames: FrameCache | None = None,
        supports: Remembered[dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(network, loaded, dtype=dtype, frames=frames)
        network.multimask_max_pt_num = 0  # none of the best of three for a click; three for a picture without one
        self.size = size
        self.kind = kind
        self.kept = kept
        self.supports: Remembered[dict[str, Any]] = supports or Remembered(REMEMBERED_SUPPORTS)

    def sibling(self, frames: FrameCache) -> "SansaStream":
        """One more over the same network, with a memory of its own; features are kept in ``frames``."""
        return SansaStream(
            self.network,
            self.loaded,
            size=self.size,
            kind=self.kind,
            kept=self.kept,
            dtype=self.dtype,
            frames=frames,
            supports=self.supports,
        )

    def show(self, support: Support) -> None:
        """Remember one more support, which is encoded unless it was lately: what is seen of it depends on nothing else.

        Raises `IcvosError` for files that are no picture with its mask.
        """

        def seen() -> dict[str, Any]:
            alone = self.sibling(FrameCache(on=False))
            alone.condition(support.image(), self.prompt_of(support.mask()))
            return alone.memory.prompted[0]

        found = self.supports.get(support, seen)
        self.position = self.position or found["maskmem_pos_enc"]
        self._keep(dict(found), prompted=True)

    def prompt_of(self, mask: Mask) -> Prompt:
        """What is shown of a (H, W) mask, in its pixels; points and boxes are found on the smaller square."""
        if self.kind == "mask" or self.size is None:
            return prompt_of(mask, self.kind)
        found = prompt_of(squash_mask(mask, self.size).numpy() > 0, self.kind)
        scale = np.array([mask.shape[1], mask.shape[0]], np.float32) / self.size
        if found.box is not None:
            return Prompt(box=found.box * np.tile(scale, 2))
        assert found.points is not None
        return Prompt(points=found.points * scale, labels=found.labels)

    def noted(self) -> Memory:
        """What is remembered now, to go back to by `back_to`."""
        return self.memory.copy()

    def back_to(self, memory: Memory) -> None:
        """Remember again what was noted then, and nothing since."""
        self.memory, self.frame_size = memory.copy(), None

    def describe(self) -> dict[str, Any]:
        """How frames are carried on, for the record of a run."""
        by = "straight" if self.size is None else f"{self.size}-bilinear"
        return super().describe() | {"resize": by}

    def _square_mask(self, mask: Mask) -> Tensor:
        given = torch.from_numpy(mask).float() if self.size is None else squash_mask(mask, self.size)
        return square_masks(given[None, None].to(self.device), self.network.image_size)

    def _features_of(self, frame: Image) -> Features:
        picture = standardise(frame) if self.size is None else squash(frame, self.size)
        square = square_pictures(picture[None].to(self.device), self.network.image_size)
        _, features, positions, sizes = self.network._prepare_backbone_features(self.network.forward_image(square))
        return features, positions, sizes

    def _keep(self, remembered: dict[str, Any], *, prompted: bool) -> None:
        """As published, but the first support all pictures are alike: what is older than six more is forgotten."""
        for_good = prompted and (self.kept == "all" or not self.memory.prompted)
        super()._keep(remembered, prompted=for_good)


def square_pictures(pictures: Tensor, side: int) -> Tensor:
    """(B, 3, side, side) of (B, 3, H, W), bilinear."""
    return functional.interpolate(pictures, size=(side, side), mode="bilinear", align_corners=False, antialias=True)


def square_masks(masks: Tensor, side: int) -> Tensor:
    """(B, 1, side, side) float32 of 0 and 1, of (B, 1, H, W): every pixel that a mask touches at all."""
    return (square_pictures(masks, side) > 0).float()
