"""What Painter and SegGPT share as methods: their prompts, and who follows a video."""

import copy
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar

import torch
from torch import Tensor

from baselines.painter.network import PATCH, PainterNetwork
from baselines.painter.pictures import Example, squared, stitched
from icvos.errors import IcvosError
from icvos.method import Image, Mask, Support
from icvos.models.device import pick_device
from icvos.models.prompter import Prompter, PrompterSettings
from icvos.models.weights.load import Loaded
from icvos.settings import Checked, check, refusal
from icvos.sharing import FrameCache, Remembered

REMEMBERED_SUPPORTS = 64  # 1.2 MB each
HANDED_OVER = "mask"  # the value of `handover` by which something else follows a video


class PaintingSettings(PrompterSettings, Protocol):
    """What the settings of both name."""

    @property
    def checkpoint(self) -> str:
        """The network's weights, by name or path."""
        ...

    @property
    def handover(self) -> str:
        """``mask`` where SAM 2 or affinity follows a video, from the first frame on."""
        ...

    @property
    def side(self) -> int:
        """S, in pixels."""
        ...


class WholePatches(Checked):
    """Settings whose ``side`` is a multiple of a patch's."""

    __slots__ = ()
    side: int

    def __post_init__(self) -> None:
        """Raise `IcvosError` for a value that is not of its range, or leaves a part of a patch."""
        check(self)
        if self.side % PATCH:
            raise refusal("side", self.side, f"a multiple of {PATCH}, like 448")


S = TypeVar("S", bound=PaintingSettings)


class Painting(Prompter[S], Generic[S]):
    """A method whose network repaints the query's mask; it segments a video itself unless its ``handover`` is ``mask``.

    Args:
        Settings: The class of its settings.
        name: The method's name.
        network: What repaints.
    """

    Settings: ClassVar[Any]
    name: ClassVar[str]
    network: PainterNetwork

    def __new__(cls, settings: S | None = None) -> Self:
        """One of `alone` where it is set so: such a method has ``segment``, and the others must not have it."""
        chosen = settings or cls.Settings()
        return super().__new__(cls if chosen.handover == HANDED_OVER else cls.alone())

    def __getnewargs__(self) -> tuple[S]:
        """What a copy is made with."""
        return (self.settings,)

    def __init__(self, settings: S | None = None) -> None:
        self.settings = settings or self.Settings()
        self.device = pick_device(self.settings.device)
        self.network, self.loaded = self.load()
        self.supports: Remembered[Example] = Remembered(REMEMBERED_SUPPORTS)

    @classmethod
    @abstractmethod
    def alone(cls) -> type[Self]:
        """The class of those that segment videos themselves."""

    @abstractmethod
    def load(self) -> tuple[PainterNetwork, Loaded]:
        """Its network."""

    @abstractmethod
    def example(self, support: Support) -> Example:
        """A support as the network is shown it."""

    @staticmethod
    def needs(settings: S) -> tuple[str, ...]:
        """The checkpoints that the method loads."""
        return (settings.checkpoint, *((settings.sam2,) if settings.handover == HANDED_OVER else ()))

    def examples(self, supports: Sequence[Support]) -> list[Example]:
        """The supports as prompts, in their order; raises `IcvosError` without any."""
        if not supports:
            raise IcvosError(f"{self.name} needs a support; give an image with its mask")
        return [self.supports.get(one, partial(self.example, one)) for one in supports]

    def seen(self, image: Image) -> Image:
        """(S, S, 3) uint8: a picture as the network is shown it."""
        return self.frames.get(image, "square", lambda: squared(image, self.settings.side))

    def repaint(self, prompts: Sequence[Example], query: Image, *, together: bool) -> Tensor:
        """The query's mask in standardised colours, (K, 3, S, S), or (1, 3, S, S) of all prompts together.

        Args:
            prompts: K examples.
            query: (S, S, 3) uint8.
            together: As in `PainterNetwork.repaint`.
        """
        with torch.inference_mode():
            images = torch.stack([stitched(one.picture, query) for one in prompts]).to(self.device)
            targets = torch.stack([stitched(one.target, one.target) for one in prompts]).to(self.device)
            return self.network.repaint(images, targets, together=together)


class Alone(Painting[S]):
    """One that segments videos itself; it needs no SAM 2."""

    @property
    def by_affinity(self) -> bool:
        """Nothing carries a mask on."""
        return False

    def siblings(self, count: int) -> list[Self]:
        """As many over the same network; see `icvos.method.SharesFrames`."""
        found, frames = [copy.copy(self) for _ in range(count)], FrameCache()
        for one in found:
            one.frames = frames
        return found

    @abstractmethod
    def segment(self, supports: Sequence[Support], frames: Iterable[Image]) -> Iterator[Mask]:
        """One (H, W) bool mask for every frame, in order, each made before the next frame is taken."""
