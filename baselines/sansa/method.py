"""SANSA (Cuttano et al., 2025): SAM 2.0 with small adapters in its image encoder; supports are its first frames.

The adapters are all that learns: 9.9 million numbers, or 26.3 of the generalist, beside the 224.3 of SAM 2 Hiera-L,
which stay as they were published. A picture takes 943 or 996 G multiply-accumulates in the encoder, and 93 in the
memory attention with one support, 302 with a full memory. The adapters that were published come without a licence, as
does their code, and icvos hands none out. Those of COCO's folds saw no tested class, the generalist's saw them all.
"""

import copy
import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Any, Literal

from baselines.sansa.adapters import Adapters, load_adapters, stages_of
from baselines.sansa.prompts import Kind
from baselines.sansa.stream import Kept, SansaStream
from baselines.sansa.training import SansaTrainable
from icvos.errors import IcvosError
from icvos.method import Image, Mask, Prompt, Support
from icvos.models.device import Device, pick_device
from icvos.models.sam.lite0_trunk import Lite0Trunk
from icvos.models.sam.propagation import DType, Sam2Propagator, load_propagator
from icvos.models.sam.sam2 import SAM2_MODELS, load_sam2
from icvos.models.weights.header import trained_settings
from icvos.models.weights.load import Loaded
from icvos.settings import Checked, Count, Range, Side, renamed
from icvos.sharing import FrameCache


@dataclass(frozen=True, slots=True)
class SANSASettings(Checked):
    """What can be set of `sansa`.

    Args:
        checkpoint: Path of trained adapters, as published or as `icvos train` writes them, from which their stages and
            bottlenecks are told; "" starts new ones, to train.
        sam2: The SAM 2 that they were trained on, by name or path: of version 2.0, or sam2-nano.
        handover: What follows a video's first frame: ``memory``, as published: SANSA all along; ``mask``: plain SAM 2,
            given the first frame's mask; ``each-frame``: every frame alone, as if it were the first.
        prompt: What is shown of a support: its mask, or a box, points or a scribble that are made from it.
        keep: Which supports are never forgotten: the ``first``, as published, so that others are after six frames, or
            ``all``, whose order is then of no matter; ``auto``: the first on single pictures, all on videos.
        size: Side of the square by way of which pictures become SAM 2's: 640 or 518 as published; none: straight.
        stages: Stages of the image encoder, from 0, that get new adapters.
        bottleneck: Hidden units of a new adapter, as a share of its block's input channels; 0.8 for the generalist.
        targets: Pictures of a training episode to be found one after the other: the query, and before it as many of
            the supports as are too many; 1 as in the published code, 3 as in its paper.
        device: Where the networks run: auto, cpu, cuda or mps.
        dtype: The precision: float32 as published; bfloat16; auto takes that on CUDA.
    """

    checkpoint: str = ""
    sam2: str = renamed("sam2-hiera-l", "propagation")
    handover: Literal["memory", "mask", "each-frame"] = "memory"
    prompt: Kind = "mask"
    keep: Literal["auto", "first", "all"] = "auto"
    size: Side | None = 640
    stages: tuple[Annotated[int, Range(0, 3)], ...] = (2, 3)
    bottleneck: Annotated[float, Range(above=0, most=4)] = 0.3
    targets: Count = 1
    device: Device = "auto"
    dtype: DType = "float32"


class SANSA:
    """The method ``sansa``; see `SANSASettings`."""

    Settings = SANSASettings
    packages = ("sam2",)
    small = MappingProxyType({"checkpoint": "sansa-nano", "sam2": "sam2-nano"})

    def __init__(self, settings: SANSASettings | None = None) -> None:
        self.settings = settings or SANSASettings()
        chosen = self.settings
        if chosen.sam2 in SAM2_MODELS and SAM2_MODELS[chosen.sam2].points_in_time:
            raise _of_another_version(chosen.sam2)
        self.device = pick_device(chosen.device)
        self.network: Any
        self.network, sam2 = load_sam2(chosen.sam2, self.device, postprocess=False, scores=False)
        trunk = self.network.image_encoder.trunk
        if self.network.no_obj_embed_spatial is not None and not isinstance(trunk, Lite0Trunk):
            raise _of_another_version(chosen.sam2)
        self.loaded: Loaded | None = None
        if chosen.checkpoint:
            self.adapters, self.loaded = load_adapters(chosen.checkpoint, trunk, sam2.name, chosen)
        else:
            self.adapters = Adapters.fresh(trunk, chosen.stages, chosen.bottleneck)
        self.adapters.eval().requires_grad_(False).to(self.device)
        self.adapters.attach(self.network.image_encoder)
        self.stream = SansaStream(self.network, sam2, size=chosen.size, kind=chosen.prompt, dtype=chosen.dtype)
        self._plain: Sam2Propagator | None = None

    @staticmethod
    def needs(settings: SANSASettings) -> tuple[str, ...]:
        """The checkpoints that the method loads."""
        return tuple(filter(None, (settings.checkpoint, settings.sam2)))

    @staticmethod
    def shown(settings: SANSASettings) -> str:
        """What is shown of a support; see `icvos.own_supports.ShowsSupports`."""
        return settings.prompt

    @classmethod
    def trained(cls, name: str, settings: Mapping[str, Any]) -> Mapping[str, Any]:
        """What a ``checkpoint`` of `icvos train` says, see `icvos.method.KnowsTrained`."""
        return trained_settings(name, settings, [field.name for field in dataclasses.fields(SANSASettings)])

    def segment(self, supports: Sequence[Support], frames: Iterable[Image]) -> Iterator[Mask]:
        """One (H, W) bool mask for every frame, in order, each made before the next frame is taken.

        Raises `IcvosError` without a support.
        """
        handover = self.settings.handover
        self._show(supports, "first" if handover == "each-frame" else "all")
        shown = self.stream.noted()
        stream = iter(frames)
        for number, frame in enumerate(stream):
            if handover == "each-frame":
                self.stream.back_to(shown)
            elif handover == "mask" and number:
                yield self.plain().step(frame)
                continue
            mask = self.stream.step(frame)
            yield self.plain().start(frame, Prompt(mask=mask)) if handover == "mask" else mask

    def segment_image(self, supports: Sequence[Support], image: Image) -> Mask:
        """(H, W) bool: SANSA's own, of the picture behind its supports."""
        self._show(supports, "first")
        return self.stream.step(image)

    def plain(self) -> Sam2Propagator:
        """SAM 2 as it was published, without adapters, loaded when it is first needed."""
        if self._plain is None:
            chosen = self.settings
            self._plain = load_propagator(chosen.sam2, chosen.device, chosen.dtype)
        return self._plain

    def siblings(self, count: int) -> list["SANSA"]:
        """As many over the same networks; see `icvos.method.SharesFrames`."""
        found, frames = [copy.copy(self) for _ in range(count)], FrameCache()
        plain = self.plain() if self.settings.handover == "mask" else None
        for one in found:
            one.stream = self.stream.sibling(frames)
            one._plain = plain and plain.sibling(frames)
        return found

    def trainable(self, classes: Sequence[int]) -> SansaTrainable:  # noqa: ARG002
        """The adapters, as they are trained on whatever classes."""
        chosen, weights = self.settings, tuple(filter(None, (self.loaded, self.stream.loaded)))
        return SansaTrainable(self.adapters, self.network, chosen.prompt, chosen.targets, weights)

    def describe(self) -> dict[str, Any]:
        """Settings and weights, for the record of a run."""
        weights = [self.loaded or Loaded("never trained", None), self.stream.loaded]
        told = {
            "stages": stages_of(self.adapters, self.network.image_encoder.trunk),
            "adapted": sum(parameter.numel() for parameter in self.adapters.parameters()),
        }
        return {
            "settings": self.stream.describe() | dataclasses.asdict(self.settings) | told,
            "weights": [loaded.to_json() for loaded in weights],
            "device": str(self.device),
            "dtype": self.stream.dtype,
        }

    def _show(self, supports: Sequence[Support], by_itself: Kept) -> None:
        """Begin anew with these supports; ``by_itself`` is which are kept unless it is set."""
        if not supports:
            raise IcvosError("sansa needs a support; give an image with its mask")
        self.stream.reset()
        self.stream.kept = by_itself if self.settings.keep == "auto" else self.settings.keep
        for support in supports:
            self.stream.show(support)


def _of_another_version(sam2: str) -> IcvosError:
    return IcvosError(f"{sam2}: is a SAM 2.1, and SANSA's adapters are for SAM 2.0; use --set sam2=sam2-hiera-l")
