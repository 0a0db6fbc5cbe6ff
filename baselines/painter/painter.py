"""Painter: a plain vision transformer that repaints a hole in a picture, as the prompt's mask is painted beside it.

A generalist: among what it learned from are masks of all classes of COCO, so its figures do not compare with those of
methods that hold the tested classes out. 370,721,155 parameters; 737 * 10^9 multiply-accumulates for each support and
picture of the published size. The published programs take one support; here the colours of several are averaged.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from baselines.painter.network import PainterNetwork, load_painter
from baselines.painter.painting import Alone, Painting, WholePatches
from baselines.painter.pictures import (
    BICUBIC,
    NEAREST,
    Example,
    bright,
    enlarged,
    enlarged_smoothly,
    example,
    to_colours,
)
from icvos.method import Image, Mask, Support
from icvos.models.device import Device
from icvos.models.sam.propagation import DType
from icvos.models.weights.load import Loaded
from icvos.settings import Range, Side, renamed


@dataclass(frozen=True, slots=True)
class PainterSettings(WholePatches):
    """What can be set of `painter`.

    Args:
        checkpoint: Painter's weights, by name or path; a file's sizes are told from its tensors.
        program: Which published program is followed: ``demo`` resizes the painted mask and the answer to the nearest
            pixel; ``semantic`` resizes them smoothly, as in semantic segmentation.
        threshold: A pixel is of the object where the mean of its painted colour is above this, of 255.
        side: Side, in pixels, of the square that pictures become, a multiple of 16; 448 as published.
        handover: Who follows a video: ``mask``, SAM 2 from the first frame's mask on; or ``each-frame``, nobody, and
            every frame is segmented like a picture.
        sam2: SAM 2 for the video, by name or path; or ``affinity``, which carries the mask on as in ``lite``.
        short_side: Short side, in pixels, of the frames that affinity carries it through.
        device: Where the networks run: auto, cpu, cuda or mps.
        dtype: The precision of SAM 2: auto, float32 or bfloat16.
    """

    checkpoint: str = "painter-vit-large"
    program: Literal["demo", "semantic"] = "demo"
    threshold: Annotated[float, Range(0, 255)] = 128
    side: Side = 448
    handover: Literal["mask", "each-frame"] = "mask"
    sam2: str = renamed("sam2.1-hiera-l", "propagation")
    short_side: Side = 480
    device: Device = "auto"
    dtype: DType = "auto"


class Painter(Painting[PainterSettings]):
    """The method ``painter``; see `PainterSettings`."""

    Settings = PainterSettings
    name = "painter"

    @classmethod
    def alone(cls) -> "type[PainterAlone]":
        """The class of those that segment videos frame by frame."""
        return PainterAlone

    def load(self) -> tuple[PainterNetwork, Loaded]:
        """Painter's network."""
        return load_painter(PainterNetwork, self.settings.checkpoint, self.device)

    def example(self, support: Support) -> Example:
        """A support, its mask white on black."""
        resample = NEAREST if self.settings.program == "demo" else BICUBIC
        return example(support.image(), support.mask(), self.settings.side, resample=resample)

    def segment_image(self, supports: Sequence[Support], image: Image) -> Mask:
        """(H, W) bool: where the colours at the picture's size are bright."""
        found = to_colours(self.repaint(self.examples(supports), self.seen(image), together=False)).mean(0)
        enlarge = enlarged if self.settings.program == "demo" else enlarged_smoothly
        return bright(enlarge(found, (image.shape[0], image.shape[1])), self.settings.threshold)


class PainterAlone(Alone[PainterSettings], Painter):
    """The method ``painter`` with ``handover=each-frame``."""

    def segment(self, supports: Sequence[Support], frames: Iterable[Image]) -> Iterator[Mask]:
        """One (H, W) bool mask for every frame, in order, each of that frame alone."""
        for frame in frames:
            yield self.segment_image(supports, frame)
