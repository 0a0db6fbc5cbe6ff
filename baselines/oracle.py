"""The ceiling of a propagation: the method is given the video's own first true mask.

With ``sam2=sam2-hiera-l`` it is the upper bound of the paper's Table XIII, above which no first-frame prompt can
lift SAM 2. Results of ``oracle`` are flagged and never ranked.
"""

import copy
import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from baselines.promptable.training import PromptableTrainable, fit_trunk
from icvos.errors import IcvosError
from icvos.method import Image, Mask, Prompt, Propagator, Support
from icvos.models.affinity import Affinity, AffinityPropagator
from icvos.models.backbones.lite0 import common_lite0, lite0_loaded
from icvos.models.device import Device, pick_device
from icvos.models.sam.propagation import DType, Sam2Propagator, load_propagator
from icvos.models.sam.sam2 import UNTRAINED
from icvos.settings import Checked, Side, Whole, renamed
from icvos.sharing import FrameCache


@dataclass(frozen=True, slots=True)
class OracleSettings(Checked):
    """What can be set of `oracle`.

    Args:
        sam2: SAM 2 for the video, by name or path; or ``affinity``, the propagation of ``lite`` in its place.
        device: Where the networks run: auto, cpu, cuda or mps.
        dtype: The precision of SAM 2: auto, float32 or bfloat16.
        short_side: Short side, in pixels, of the frames in propagation by affinity.
        recent: Last frames that propagation by affinity remembers beside the first.
    """

    sam2: str = renamed("affinity", "propagation")
    device: Device = "auto"
    dtype: DType = "auto"
    short_side: Side = 480
    recent: Whole = 2


class Oracle:
    """The method ``oracle``: its one support is the first frame that shows the category, with its true mask."""

    Settings = OracleSettings
    sees_truth = True

    def __init__(self, settings: OracleSettings | None = None) -> None:
        self.settings = settings or OracleSettings()
        chosen = self.settings
        self.sam2: Sam2Propagator | None = None
        self.frames = FrameCache(on=False)
        self.device = pick_device(chosen.device)
        if chosen.sam2 == "affinity":
            self.network = common_lite0(self.device)
        else:
            self.sam2 = load_propagator(chosen.sam2, chosen.device, chosen.dtype)

    @staticmethod
    def needs(settings: OracleSettings) -> tuple[str, ...]:
        """The checkpoints that the method loads."""
        return ("efficientnet-lite0",) if settings.sam2 == "affinity" else (settings.sam2,)

    def prompt(self, supports: Sequence[Support], frame: Image) -> Prompt:
        """The first support's mask as it is. Raises `IcvosError` without a support or with a mask of another size."""
        if not supports:
            raise IcvosError("oracle needs the frame with its true mask as its support; give that")
        mask: Mask = supports[0].mask()
        if mask.shape != frame.shape[:2]:
            raise IcvosError(
                f"{supports[0].mask_path}: mask of {mask.shape[1]}x{mask.shape[0]} for a frame of "
                f"{frame.shape[1]}x{frame.shape[0]}; give the frame's own true mask"
            )
        return Prompt(mask=mask)

    def propagator(self) -> Propagator:
        """What carries the mask through a video."""
        if self.sam2 is not None:
            return self.sam2
        return AffinityPropagator(
            self.network, Affinity(short_side=self.settings.short_side, recent=self.settings.recent), self.frames
        )

    def siblings(self, count: int) -> list["Oracle"]:
        """As many over the same networks; see `icvos.method.SharesFrames`."""
        found, frames = [copy.copy(self) for _ in range(count)], FrameCache()
        for one in found:
            one.frames = frames
            one.sam2 = None if self.sam2 is None else self.sam2.sibling(frames)
        return found

    def trainable(self, classes: Sequence[int]) -> PromptableTrainable:
        """Its SAM 2, as it is trained to obey prompts, on whatever classes; a new one is fitted to pictures of them.

        Of one that is trained already, the memory alone learns, so that it does the same on pictures as before.
        """
        if self.sam2 is None:
            raise IcvosError(
                "setting sam2=affinity: nothing of it learns; set sam2 to a SAM 2, or to nano for a new one"
            )
        new = self.settings.sam2 == UNTRAINED
        if new:
            fit_trunk(self.sam2.network, classes)
        return PromptableTrainable(self.sam2.network, (self.sam2.loaded,), memory=not new)

    def describe(self) -> dict[str, Any]:
        """Settings and weights, for the record of a run."""
        settings = dataclasses.asdict(self.settings)
        if self.sam2 is not None:
            settings |= self.sam2.describe()
            return {
                "settings": settings,
                "weights": [self.sam2.loaded.to_json()],
                "device": str(self.sam2.device),
                "dtype": self.sam2.dtype,
            }
        return {"settings": settings, "weights": [lite0_loaded().to_json()], "device": str(self.device)}
