"""``handover=each-frame``, which every method takes: each frame of a video by itself, as if it were the first.

Nothing is carried from one frame to the next. Beside the method as it is, that says how much of a score is finding the
category, and how much is following it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from icvos.errors import IcvosError
from icvos.method import (
    AnyMethod,
    Described,
    Image,
    Mask,
    Remarks,
    SharesFrames,
    Support,
    method_class,
    sees_truth,
    segment,
    segment_image,
)
from icvos.settings import describe

HANDOVER, EACH_FRAME = "handover", "each-frame"


class EachFrame:
    """A `icvos.method.Segmenter`: a method that begins anew with every frame.

    Args:
        method: What segments.
    """

    def __init__(self, method: AnyMethod) -> None:
        self.method = method

    def segment(self, supports: Sequence[Support], frames: Iterable[Image]) -> Iterator[Mask]:
        """One (H, W) bool mask for every frame, in order: the first of a video that begins there."""
        for frame in frames:
            yield from segment(self.method, supports, [frame])

    def segment_image(self, supports: Sequence[Support], image: Image) -> Mask:
        """(H, W) bool: a single image has nothing to follow, so it is as ever."""
        return segment_image(self.method, supports, image)

    def describe(self) -> dict[str, Any]:
        """What the method says of itself, with this handover among its settings."""
        said = self.method.describe() if isinstance(self.method, Described) else {}
        return {**said, "settings": {**said.get("settings", {}), HANDOVER: EACH_FRAME}}

    def remarks(self) -> list[str]:
        """Those of the method."""
        return self.method.remarks() if isinstance(self.method, Remarks) else []


class SharingEachFrame(EachFrame):
    """`EachFrame` of a method that computes what it sees of a frame once for several clips."""

    method: Any

    def siblings(self, count: int) -> list[EachFrame]:
        """As many over the method's siblings; see `icvos.method.SharesFrames`."""
        return [EachFrame(one) for one in self.method.siblings(count)]


def by_itself(method: AnyMethod) -> EachFrame:
    """The method so that it begins anew with every frame."""
    return SharingEachFrame(method) if isinstance(method, SharesFrames) else EachFrame(method)


def is_asked(name: str, settings: Mapping[str, Any]) -> bool:
    """Whether settings ask for each frame by itself of a method that has no such handover of its own.

    Raises `IcvosError` for a method that is given the truth of one frame alone.
    """
    if settings.get(HANDOVER) != EACH_FRAME:
        return False
    factory = method_class(name)
    kind = getattr(factory, "Settings", None)
    if kind is not None and any(one.name == HANDOVER and EACH_FRAME in one.choices for one in describe(kind)):
        return False
    if sees_truth(factory):
        raise IcvosError(f"{HANDOVER}={EACH_FRAME}: method {name} is given the truth of one frame; leave it out")
    return True


def without(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that the method itself is built with."""
    return {name: value for name, value in settings.items() if name != HANDOVER}
