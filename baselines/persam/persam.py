"""PerSAM: points by likeness, and a mask by a cascade of three decodings (Zhang et al., 2023)."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from baselines.persam.guidance import attention_bias, guided_masks
from baselines.persam.personal import Decoding, Found, Grey, Personal
from baselines.persam.target import extreme_points, similarity
from icvos.method import Image, Prompt, Support
from icvos.models.device import Device
from icvos.models.sam.propagation import DType
from icvos.models.sam.sam1 import Embedded, Sam1
from icvos.settings import Checked, Side, renamed


@dataclass(frozen=True, slots=True)
class PerSAMSettings(Checked):
    """What can be set of `persam`.

    Args:
        sam: SAM for the prompt: a SAM 1 by name or path, as published, or a SAM 2 by name.
        sam2: SAM 2 for the video, by name or path; or ``affinity``, which carries the mask on as in ``lite``.
        short_side: Short side, in pixels, of the frames that affinity carries it through.
        handover: What SAM 2 is given: ``points`` (most and least similar pixel), ``points+box`` (and the box of the
            cascade's mask), or ``mask`` (the cascade's mask).
        mask_value: Grey value of a support's mask as a picture; a cell is the target's where the mask covers more than
            123.675 / mask_value of it. 128: 96.6 % (published images); 215: 57.5 % (published video); 255: 48.5 %.
        guided: Target-guided attention in the first decoding of the cascade; only SAM 1 has it.
        device: Where the networks run: auto, cpu, cuda or mps.
        dtype: The precision of SAM 2: auto, float32 or bfloat16.
    """

    sam: str = "sam-vit-h"
    sam2: str = renamed("sam2.1-hiera-l", "propagation")
    short_side: Side = 480
    handover: Literal["points", "points+box", "mask"] = "points"
    mask_value: Grey = 255
    guided: bool = True
    device: Device = "auto"
    dtype: DType = "auto"


class PerSAM(Personal[PerSAMSettings]):
    """The method ``persam``; see `PerSAMSettings`."""

    Settings = PerSAMSettings

    def __init__(self, settings: PerSAMSettings | None = None) -> None:
        super().__init__(settings or PerSAMSettings())

    def sam2_prompt(self, supports: Sequence[Support], frame: Image) -> Prompt:
        """Points, points and a box, or a mask of the frame's size, as the setting ``handover`` says."""
        handover = self.settings.handover
        found = self.find(supports, frame, refine=handover != "points")
        if handover == "points":
            return Prompt(points=found.points.astype(np.float32), labels=found.labels)
        assert found.logits is not None
        mask = (found.logits > 0).cpu().numpy()
        if handover == "mask":
            return Prompt(mask=mask)
        box = self._box(found.logits)
        return Prompt(
            points=found.points.astype(np.float32),
            labels=found.labels,
            box=None if box is None else box.astype(np.float32),
        )

    def find(self, supports: Sequence[Support], image: Image, *, refine: bool = True) -> Found:
        """The location prior's points, and by the cascade of three decodings a mask."""
        with torch.inference_mode():
            target = self.target(supports)
            embedded = self._seen(image)
            similar = similarity(self.sam, embedded, target)
            found = Found(*extreme_points(similar, 1, 1))
            if not refine:
                return found
            first = self._first(embedded, found, similar, target)
            logits, ious = self.sam.decode(
                embedded, found.points[None], found.labels[None], mask=first.logits[None], multimask=True
            )
            second = Decoding(logits[0], ious[0], first.logits[0])
            low = second.logits[second.best]
            box = self._box(self.sam.upscale(embedded, low[None])[0])
            third = self._refined(embedded, found, low, box)
            final = self.sam.upscale(embedded, third.logits[third.best][None])[0]
            return dataclasses.replace(found, steps=[first, second, third], logits=final)

    def _first(self, image: Embedded, found: Found, similar: Tensor, target: Tensor) -> Decoding:
        """The first decoding: one mask, guided by the target where SAM 1 decodes."""
        points, labels = found.points[None], found.labels[None]
        if not (self.settings.guided and isinstance(self.sam, Sam1)):
            logits, ious = self.sam.decode(image, points, labels, multimask=False)
            return Decoding(logits[0], ious[0])
        sparse, dense = self.sam.prompts(image, points, labels)
        network = self.sam.network
        logits, ious = guided_masks(
            network.mask_decoder,
            image.features[None],
            network.prompt_encoder.get_dense_pe(),
            sparse,
            dense,
            attention_bias(similar, self.sam.grid),
            target.reshape(1, 1, -1),
        )
        return Decoding(logits[0, :1], ious[0, :1])
