"""`oracle`: the true first mask, carried by the propagator of `lite`: the ceiling of what a better prompt can give."""

from collections.abc import Sequence

from baselines.lite import Lite
from icvos.errors import IcvosError
from icvos.method import Image, Prompt, Support


class Oracle(Lite):
    """The method ``oracle``: its one support is the video's own first frame with its true mask."""

    sees_truth = True

    def prompt(self, supports: Sequence[Support], frame: Image) -> Prompt:
        """The first support's mask as it is. Raises `IcvosError` without a support or with a mask of another size."""
        if not supports:
            raise IcvosError("oracle needs the frame with its true mask as its support; give that")
        mask = supports[0].mask()
        if mask.shape != frame.shape[:2]:
            raise IcvosError(
                f"{supports[0].mask_path}: mask of {mask.shape[1]}x{mask.shape[0]} for a frame of "
                f"{frame.shape[1]}x{frame.shape[0]}; give the frame's own true mask"
            )
        return Prompt(mask=mask)
