"""PerSAM-F: SAM's three masks, weighted by two numbers that are fitted to the supports (Zhang et al., 2023)."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from baselines.persam.fit import Fit, combine, fit_weights
from baselines.persam.personal import REMEMBERED_SUPPORTS, Decoding, Found, Grey, Personal
from baselines.persam.target import extreme_points, similarity
from icvos.method import Image, Prompt, Support
from icvos.models.device import Device
from icvos.models.sam.propagation import DType
from icvos.settings import Checked, Count, Positive, Side, renamed
from icvos.sharing import Remembered


@dataclass(frozen=True, slots=True)
class PerSAMFSettings(Checked):
    """What can be set of `persam-f`.

    Args:
        sam: SAM for the prompt: a SAM 1 by name or path, as published, or a SAM 2 by name.
        sam2: SAM 2 for the video, by name or path; or ``affinity``, which carries the mask on as in ``lite``.
        short_side: Short side, in pixels, of the frames that affinity carries it through.
        handover: What SAM 2 is given: ``point+box`` (most similar pixel and box of the weighted mask), ``point``, or
            ``mask`` (the refined mask).
        mask_value: Grey value of a support's mask as a picture; a cell is the target's where the mask covers more than
            123.675 / mask_value of it. 128: 96.6 % (published images); 215: 57.5 % (published video); 255: 48.5 %.
        epochs: Steps of the fit.
        learning_rate: Learning rate of the fit.
        device: Where the networks run: auto, cpu, cuda or mps.
        dtype: The precision of SAM 2: auto, float32 or bfloat16.
    """

    sam: str = "sam-vit-h"
    sam2: str = renamed("sam2.1-hiera-l", "propagation")
    short_side: Side = 480
    handover: Literal["point+box", "point", "mask"] = "point+box"
    mask_value: Grey = 255
    epochs: Count = 1000
    learning_rate: Positive = 1e-3
    device: Device = "auto"
    dtype: DType = "auto"


class PerSAMF(Personal[PerSAMFSettings]):
    """The method ``persam-f``; see `PerSAMFSettings`."""

    Settings = PerSAMFSettings
    with_maximum = True

    def __init__(self, settings: PerSAMFSettings | None = None) -> None:
        super().__init__(settings or PerSAMFSettings())
        self.fits: Remembered[Fit] = Remembered(REMEMBERED_SUPPORTS)

    def sam2_prompt(self, supports: Sequence[Support], frame: Image) -> Prompt:
        """The point, with the box of the weighted mask or without, or the refined mask: the setting ``handover``."""
        handover = self.settings.handover
        found = self.find(supports, frame, refine=handover == "mask")
        if handover == "mask":
            assert found.logits is not None
            return Prompt(mask=(found.logits > 0).cpu().numpy())
        points = found.points.astype(np.float32)
        box = found.steps[0].box if handover == "point+box" else None
        return Prompt(points=points, labels=found.labels, box=None if box is None else box.astype(np.float32))

    def find(self, supports: Sequence[Support], image: Image, *, refine: bool = True) -> Found:
        """The most similar pixel and the weighted mask's box (in the first step), then two refinements."""
        chosen = self.fit(supports).weights
        with torch.inference_mode():
            embedded = self._seen(image)
            found = Found(*extreme_points(similarity(self.sam, embedded, self.target(supports)), 1))
            logits, ious = self.sam.decode(embedded, found.points[None], found.labels[None], multimask=True)
            weighted = combine(self.sam.upscale(embedded, logits[0]), chosen)
            box = self._box(weighted)
            first = Decoding(logits[0], ious[0], box=box)
            if not refine:
                return dataclasses.replace(found, steps=[first], logits=weighted)
            second = self._refined(embedded, found, combine(logits[0], chosen), box)
            low = second.logits[second.best]
            tight = self._box(self.sam.upscale(embedded, low[None])[0])
            third = self._refined(embedded, found, low, tight)
            final = self.sam.upscale(embedded, third.logits[third.best][None])[0]
            return dataclasses.replace(found, steps=[first, second, third], logits=final)

    def fit(self, supports: Sequence[Support]) -> Fit:
        """The two weights, fitted to the supports; the last few fits are remembered."""

        def fitted() -> Fit:
            target = self.target(supports)
            shown = [self.own_masks(target, support) for support in supports]
            with torch.inference_mode(False), torch.enable_grad():
                return fit_weights(shown, self.settings.epochs, self.settings.learning_rate)

        return self.fits.get(tuple(supports), fitted)

    def own_masks(self, target: Tensor, support: Support) -> tuple[Tensor, Tensor]:
        """(3, H, W) logits of a support at its own most similar pixel, and its (H, W) mask of 0 and 1."""
        with torch.no_grad():
            embedded, _ = self._embedded(support)
            points, labels = extreme_points(similarity(self.sam, embedded, target), 1)
            logits, _ = self.sam.decode(embedded, points[None], labels[None], multimask=True)
            full = self.sam.upscale(embedded, logits[0].clone())
        return full.clone(), torch.from_numpy(support.mask()).to(full.device)
