"""What PerSAM and PerSAM-F share: the target of the supports, and the hand-over to SAM 2."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Annotated, Protocol, Self, TypeVar

import numpy as np
import torch
from torch import Tensor

from baselines.persam.target import target_cells, target_vector, tight_box
from icvos.errors import IcvosError
from icvos.method import Image, Mask, Support
from icvos.models.device import pick_device
from icvos.models.prompter import Prompter, PrompterSettings
from icvos.models.sam.sam1 import Embedded
from icvos.models.sam.sam2_images import load_sam_on_images
from icvos.settings import Range
from icvos.sharing import Remembered

REMEMBERED_SUPPORTS = 16
Grey = Annotated[int, Range(1, 255)]


@dataclass(frozen=True, slots=True)
class Decoding:
    """One decoding of the cascade: (M, 4 g, 4 g) logits, (M,) predicted IoUs, and the prompts beside the points."""

    logits: Tensor
    ious: Tensor
    mask: Tensor | None = None
    box: np.ndarray | None = None

    @property
    def best(self) -> int:
        """The mask of the highest predicted IoU."""
        return int(self.ious.argmax())


@dataclass(frozen=True, slots=True)
class Found:
    """What was found in a picture.

    Args:
        points: (N, 2) int64, (x, y) in pixels.
        labels: (N,) int64, 1 = foreground, 0 = background.
        steps: The decodings, in order.
        logits: (H, W) float32 of the final mask.
    """

    points: np.ndarray
    labels: np.ndarray
    steps: list[Decoding] = field(default_factory=list)
    logits: Tensor | None = None


class PersonalSettings(PrompterSettings, Protocol):
    """What both methods are set by."""

    @property
    def sam(self) -> str:
        """SAM for the prompt."""
        ...

    @property
    def mask_value(self) -> int:
        """Grey value of a support's mask as a picture."""
        ...


S = TypeVar("S", bound=PersonalSettings)


class Personal(Prompter[S]):
    """The base of both methods."""

    with_maximum = False
    packages = ("sam2", "segment_anything")
    small = MappingProxyType({"sam": "sam2-nano", "sam2": "affinity"})

    def __init__(self, settings: S) -> None:
        self.settings = settings
        self.device = pick_device(settings.device)
        self.sam = load_sam_on_images(settings.sam, self.device)
        self.loaded = self.sam.loaded
        self.supports: Remembered[tuple[Embedded, Tensor]] = Remembered(REMEMBERED_SUPPORTS)
        self._remarks: dict[str, None] = {}

    @staticmethod
    def needs(settings: PersonalSettings) -> tuple[str, ...]:
        """The checkpoints that the method loads."""
        return tuple(dict.fromkeys((settings.sam, settings.sam2)))

    def siblings(self, count: int) -> list[Self]:
        """As of every prompter, each with its own remarks."""
        found = super().siblings(count)
        for one in found:
            one._remarks = {}
        return found

    def remarks(self) -> list[str]:
        """Where the usual way was not open since the last call; see `icvos.method.Remarks`."""
        said = list(self._remarks)
        self._remarks.clear()
        return said

    def segment_image(self, supports: Sequence[Support], image: Image) -> Mask:
        """(H, W) bool: the method's own final mask of one picture, without SAM 2's part."""
        found = self.find(supports, image)
        assert found.logits is not None
        return (found.logits > 0).cpu().numpy()

    @abstractmethod
    def find(self, supports: Sequence[Support], image: Image, *, refine: bool = True) -> Found:
        """Where the target of the supports is in a picture; without ``refine`` no further than the hand-over needs."""

    def target(self, supports: Sequence[Support]) -> Tensor:
        """(C,) float32: the target vector, not of unit length. Raises `IcvosError` without a support."""
        if not supports:
            raise IcvosError(f"{type(self).__name__} needs a support; give an image with its mask")
        cells = []
        for support in supports:
            embedded, values = self._embedded(support)
            if not bool((values > 0).any()):
                self._remarks[f"the mask of support {support.name} fills no cell; its fullest stood in"] = None
            cells.append(embedded.features[:, target_cells(values)].T)
        return target_vector(torch.cat(cells), with_maximum=self.with_maximum)

    def _seen(self, image: Image) -> Embedded:
        """A picture's embedding; that of a frame is shared by siblings."""
        return self.frames.get(image, "sam", lambda: self.sam.embed(image))

    def _embedded(self, support: Support) -> tuple[Embedded, Tensor]:
        """A support's embedding and mask cells; the last few supports are remembered."""

        def embedded() -> tuple[Embedded, Tensor]:
            cells = self.sam.mask_cells(support.mask(), self.settings.mask_value)
            return self.sam.embed(support.image()), cells

        return self.supports.get(support, embedded)

    def _box(self, logits: Tensor) -> np.ndarray | None:
        """The box of (H, W) logits above 0; None, with a remark, where none is."""
        box = tight_box((logits > 0).cpu().numpy())
        if box is None:
            self._remarks["an intermediate mask was empty and gave no box"] = None
        return box

    def _refined(self, image: Embedded, found: Found, low: Tensor, box: np.ndarray | None) -> Decoding:
        """Decode the points, a box and a mask prompt, (4 g, 4 g) logits, together."""
        logits, ious = self.sam.decode(
            image,
            found.points[None],
            found.labels[None],
            None if box is None else box[None],
            low[None, None],
            multimask=True,
        )
        return Decoding(logits[0], ious[0], low, box)
