"""SegGPT: a plain vision transformer repaints the mask of a picture, or of a video beside its last frames and masks.

A generalist: it learned from masks of all classes of COCO and PASCAL VOC, so its figures do not compare with those of
methods that hold the tested classes out. 370,723,203 parameters; 675 * 10^9 multiply-accumulates for each prompt of
a picture of the published size, and 62 for the picture. On a video the supports and the remembered frames are prompts.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Literal

import numpy as np

from baselines.painter.network import PainterNetwork, SegGPTNetwork, load_painter
from baselines.painter.painting import Alone, Painting, WholePatches
from baselines.painter.pictures import Example, bright, enlarged, example, painted, to_colours
from icvos.method import Image, Mask, Support
from icvos.models.device import Device
from icvos.models.sam.propagation import DType
from icvos.models.weights.load import Loaded
from icvos.settings import Range, Side, renamed


@dataclass(frozen=True, slots=True)
class SegGPTSettings(WholePatches):
    """What can be set of `seggpt`.

    Args:
        checkpoint: SegGPT's weights, by name or path; a file's sizes are told from its tensors.
        kind: What is asked for: ``instance``, the published program's default, or ``semantic``.
        threshold: A pixel is of the object where the mean of its painted colour is above this, of 255.
        side: Side, in pixels, of the square that pictures become, a multiple of 16; 448 as published.
        handover: Who follows a video: ``memory``, SegGPT itself, which is shown its last frames and masks beside the
            supports; ``mask``, SAM 2 from the first frame's mask on; or ``each-frame``, nobody, and every frame is
            segmented like a picture.
        recent: Last frames that are remembered with ``handover=memory``.
        sam2: SAM 2 for the video, by name or path; or ``affinity``, which carries the mask on as in ``lite``.
        short_side: Short side, in pixels, of the frames that affinity carries it through.
        device: Where the networks run: auto, cpu, cuda or mps.
        dtype: The precision of SAM 2: auto, float32 or bfloat16.
    """

    checkpoint: str = "seggpt-vit-large"
    kind: Literal["instance", "semantic"] = "instance"
    threshold: Annotated[float, Range(0, 255)] = 128
    side: Side = 448
    handover: Literal["memory", "mask", "each-frame"] = "memory"
    recent: Annotated[int, Range(0, 64)] = 4
    sam2: str = renamed("sam2.1-hiera-l", "propagation")
    short_side: Side = 480
    device: Device = "auto"
    dtype: DType = "auto"


class SegGPT(Painting[SegGPTSettings]):
    """The method ``seggpt``; see `SegGPTSettings`."""

    Settings = SegGPTSettings
    name = "seggpt"
    packages = ()  # sam2 with handover=mask alone, and is asked for there

    @classmethod
    def alone(cls) -> "type[SegGPTAlone]":
        """The class of those that segment videos themselves."""
        return SegGPTAlone

    def load(self) -> tuple[PainterNetwork, Loaded]:
        """SegGPT's network."""
        kind = partial(SegGPTNetwork, instance=self.settings.kind == "instance")
        return load_painter(kind, self.settings.checkpoint, self.device)

    def example(self, support: Support) -> Example:
        """A support, its mask white on black."""
        return example(support.image(), support.mask(), self.settings.side)

    def segment_image(self, supports: Sequence[Support], image: Image) -> Mask:
        """(H, W) bool: where the colours are bright, to the nearest pixel of the square."""
        found = self.square_mask(self.examples(supports), self.seen(image))
        return enlarged(found, (image.shape[0], image.shape[1]))

    def colours(self, prompts: Sequence[Example], query: Image) -> np.ndarray:
        """The (S, S, 3) float64 colours in [0, 255] that a (S, S, 3) picture's mask is painted in."""
        return to_colours(self.repaint(prompts, query, together=True))[0]

    def square_mask(self, prompts: Sequence[Example], query: Image) -> Mask:
        """(S, S) bool."""
        return bright(self.colours(prompts, query), self.settings.threshold)


class SegGPTAlone(Alone[SegGPTSettings], SegGPT):
    """The method ``seggpt`` with ``handover=memory`` or ``each-frame``."""

    def segment(self, supports: Sequence[Support], frames: Iterable[Image]) -> Iterator[Mask]:
        """One (H, W) bool mask for every frame, in order, each made before the next frame is taken.

        The supports come first among the prompts and are never dropped; then the last frames, the oldest first, each
        with the mask that it was given, an empty one as well.
        """
        shown = self.examples(supports)
        chosen = self.settings
        recent: deque[Example] = deque(maxlen=chosen.recent if chosen.handover == "memory" else 0)
        for frame in frames:
            query = self.seen(frame)
            found = self.square_mask([*shown, *recent], query)
            recent.append(Example(query, painted(found)))
            yield enlarged(found, (frame.shape[0], frame.shape[1]))
