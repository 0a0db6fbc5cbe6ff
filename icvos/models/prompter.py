"""What methods share that find the object on the first frame by themselves and leave the rest of the video to SAM 2."""

import copy
import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar

import torch

from icvos.errors import IcvosError
from icvos.method import Image, Mask, Prompt, Propagator, Support
from icvos.models.affinity import Affinity, AffinityPropagator
from icvos.models.backbones.lite0 import EfficientNetLite0, common_lite0, lite0_loaded
from icvos.models.needs import AFFINITY, is_untrained
from icvos.models.sam.propagation import DType, Resize, Sam2Propagator, load_propagator
from icvos.models.weights.header import trained_settings
from icvos.models.weights.load import Loaded
from icvos.sharing import FrameCache


class PrompterSettings(Protocol):
    """What the settings of every such method name: a frozen dataclass with these fields."""

    __dataclass_fields__: "ClassVar[dict[str, dataclasses.Field[Any]]]"

    @property
    def sam2(self) -> str:
        """SAM 2 for the video, by name or path, or ``affinity``."""
        ...

    @property
    def short_side(self) -> int:
        """Short side, in pixels, of the frames that affinity carries a mask through."""
        ...

    @property
    def device(self) -> str:
        """As `icvos.models.device.pick_device` takes it."""
        ...

    @property
    def dtype(self) -> DType:
        """The precision of SAM 2."""
        ...


S = TypeVar("S", bound=PrompterSettings)


class Prompter(ABC, Generic[S]):
    """The half of a method that is not its network. SAM 2 is loaded for the first video: pictures do without it.

    Args:
        settings: What the method was made with.
        loaded: The weights of its network.
        device: Where its network is.
        handover: What SAM 2 is given, where that is no setting.
        resize: How frames become SAM 2's square.
        packages: What is imported when it runs, see `icvos.method.Needs`.
        small: Settings with which it runs on the small networks that come with icvos; none where there are none for it.
        frames: What siblings see of a frame.
    """

    settings: S
    loaded: Loaded
    device: torch.device
    handover: ClassVar[str] = "mask"
    resize: ClassVar[Resize] = "pillow-bicubic"
    packages: ClassVar[tuple[str, ...]] = ("sam2",)
    small: ClassVar[Mapping[str, str]] = MappingProxyType({})
    frames = FrameCache(on=False)
    _sam2: Sam2Propagator | None = None
    _affinity: AffinityPropagator | None = None

    @classmethod
    def trained(cls, name: str, settings: Mapping[str, Any]) -> Mapping[str, Any]:
        """What a ``checkpoint`` of `icvos train` says, see `icvos.method.KnowsTrained`."""
        kind: Any = getattr(cls, "Settings", None)
        return trained_settings(name, settings, [found.name for found in dataclasses.fields(kind)]) if kind else {}

    @staticmethod
    @abstractmethod
    def needs(settings: Any) -> tuple[str, ...]:
        """The checkpoints that the method loads."""

    @classmethod
    def needed(cls, settings: S, *, moving: bool) -> tuple[str, ...]:
        """On pictures all but SAM 2, which carries masks through videos; see `icvos.method.NeedsLess`."""
        if moving:
            return cls.needs(settings)
        return tuple(name for name in cls.needs(dataclasses.replace(settings, sam2=AFFINITY)) if name != AFFINITY)

    @abstractmethod
    def segment_image(self, supports: Sequence[Support], image: Image) -> Mask:
        """(H, W) bool, the method's own mask."""

    def own_weights(self) -> list[Loaded]:
        """All that the method has loaded, SAM 2's part in a video aside."""
        return [self.loaded]

    def prompt(self, supports: Sequence[Support], frame: Image) -> Prompt:
        """What the propagator is given with the first frame: for affinity the method's mask of it, (H, W) bool."""
        return (
            Prompt(mask=self.segment_image(supports, frame)) if self.by_affinity else self.sam2_prompt(supports, frame)
        )

    def sam2_prompt(self, supports: Sequence[Support], frame: Image) -> Prompt:
        """What SAM 2 is given with the first frame: the method's mask of it, (H, W) bool, unless it says otherwise."""
        return Prompt(mask=self.segment_image(supports, frame))

    @property
    def by_affinity(self) -> bool:
        """Whether a mask of the first frame is carried on by affinity of features, in the place of SAM 2."""
        return self.settings.sam2 == AFFINITY

    def sam2(self) -> Sam2Propagator:
        """SAM 2, loaded when it is first needed."""
        if self._sam2 is None:
            chosen = self.settings
            if self.by_affinity:
                raise IcvosError(
                    f"setting sam2={AFFINITY}: carries masks on, and SAM 2 is needed to make them; "
                    "set sam2 to a SAM 2, or give a checkpoint that holds one"
                )
            self._sam2 = load_propagator(chosen.sam2, chosen.device, chosen.dtype, resize=self.resize)
        return self._sam2

    def propagator(self) -> Propagator:
        """What carries the prompt through a video: SAM 2, or affinity of features, as in ``lite``."""
        if not self.by_affinity:
            return self.sam2()
        if self._affinity is None:
            self._affinity = self._affinity_over(common_lite0(self.device), self.frames)
        return self._affinity

    def _affinity_over(self, network: EfficientNetLite0, frames: FrameCache) -> AffinityPropagator:
        return AffinityPropagator(network, Affinity(short_side=self.settings.short_side), frames)

    def siblings(self, count: int) -> list[Self]:
        """As many over the same networks; see `icvos.method.SharesFrames`."""
        carries, frames = self.propagator(), FrameCache()
        found = [copy.copy(self) for _ in range(count)]
        for one in found:
            one.frames = frames
            if isinstance(carries, Sam2Propagator):
                one._sam2 = carries.sibling(frames)
            elif self._affinity is not None:
                one._affinity = self._affinity_over(self._affinity.network, frames)
        return found

    def describe(self) -> dict[str, Any]:
        """Settings and weights, for the record of a run; SAM 2's among them once it is loaded."""
        own = self.own_weights()  # which may load SAM 2
        carried = self._sam2
        weights = list(dict.fromkeys([*own, *([carried.loaded] if carried else [])]))
        if self._affinity:
            weights.append(lite0_loaded())
        settings = {"handover": self.handover} | dataclasses.asdict(self.settings)
        if self.by_affinity:
            settings["handover"] = "mask"
        if is_untrained(self, self.settings):
            weights.append(Loaded("never trained", None))
        if carried:
            # a path as it was given, with which the method can be built again; not what the checkpoint has in its place
            own_sam2 = carried.loaded == self.loaded and not self.by_affinity
            named = {} if own_sam2 else {"sam2": self.settings.sam2}
            settings |= carried.describe() | named
        return {
            "settings": settings,
            "weights": [loaded.to_json() for loaded in weights],
            "device": str(self.device),
            "dtype": carried.dtype if carried else "float32",
        }
