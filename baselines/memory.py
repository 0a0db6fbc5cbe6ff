"""What people try first: show SAM 2 the support as the frames before the video, with its mask, and let it track.

SAM 2 was trained to follow one object through one video, so this is an honest floor, not a competitor.
"""

import copy
import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from icvos.errors import IcvosError
from icvos.method import Image, Mask, Prompt, Support
from icvos.models.device import Device
from icvos.models.sam.propagation import DType, Resize, load_propagator
from icvos.settings import Checked, Whole, renamed
from icvos.sharing import FrameCache


@dataclass(frozen=True, slots=True)
class MemorySettings(Checked):
    """What can be set of `memory`.

    Args:
        sam2: SAM 2, by name or path.
        device: Where the networks run: auto, cpu, cuda or mps.
        dtype: The precision of SAM 2: auto, float32 or bfloat16.
        resize: How frames and supports become SAM 2's square: by Pillow's bicubic rule, as SAM 2 itself does, or by way
            of 512 x 512, as DC-SAM does.
        hole_area: Holes of at most this many low-resolution pixels are filled.
    """

    sam2: str = renamed("sam2.1-hiera-l", "checkpoint", "propagation")
    device: Device = "auto"
    dtype: DType = "auto"
    resize: Resize = "pillow-bicubic"
    hole_area: Whole = 0


class Memory:
    """The method ``memory``: k supports are k prompted frames before the video; no frame of the video is prompted."""

    Settings = MemorySettings
    packages = ("sam2",)
    small = MappingProxyType({"sam2": "sam2-nano"})

    def __init__(self, settings: MemorySettings | None = None) -> None:
        self.settings = settings or MemorySettings()
        chosen = self.settings
        self.propagator = load_propagator(
            chosen.sam2, chosen.device, chosen.dtype, resize=chosen.resize, hole_area=chosen.hole_area
        )

    @staticmethod
    def needs(settings: MemorySettings) -> tuple[str, ...]:
        """The checkpoints that the method loads."""
        return (settings.sam2,)

    def segment(self, supports: Sequence[Support], frames: Iterable[Image]) -> Iterator[Mask]:
        """One (H, W) bool mask for every frame, in order, each made before the next frame is taken.

        Raises `IcvosError` without a support.
        """
        if not supports:
            raise IcvosError("memory needs a support; give an image with its mask")
        self.propagator.reset()
        for support in supports:
            self.propagator.condition(support.image(), Prompt(mask=support.mask()))
        for frame in frames:
            yield self.propagator.step(frame)

    def siblings(self, count: int) -> list["Memory"]:
        """As many over the same network; see `icvos.method.SharesFrames`."""
        found, frames = [copy.copy(self) for _ in range(count)], FrameCache()
        for one in found:
            one.propagator = self.propagator.sibling(frames)
        return found

    def segment_image(self, supports: Sequence[Support], image: Image) -> Mask:
        """(H, W) bool: the image as the only frame of a video."""
        return next(self.segment(supports, iter([image])))

    def describe(self) -> dict[str, Any]:
        """Settings and weights, for the record of a run."""
        return {
            "settings": dataclasses.asdict(self.settings) | self.propagator.describe(),
            "weights": [self.propagator.loaded.to_json()],
            "device": str(self.propagator.device),
            "dtype": self.propagator.dtype,
        }
