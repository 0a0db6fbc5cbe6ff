"""The method that is checked, what it is run on, and what is required of its masks."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from icvos.inspection.trial import Trial, make_trial
from icvos.method import AnyMethod, Image, Mask, Support, sees_truth, segment

SIZE, ODD_SIZE = (96, 128), (97, 131)  # height, width
FRAMES = 6
SHOTS = 5
Build = Callable[[], AnyMethod]


class BrokenError(Exception):
    """A promise that is not kept; the message says how."""


class SkippedError(Exception):
    """A promise that this method does not make; the message says why."""


class Subject:
    """The method that is checked, what it is run on, and its first masks.

    Args:
        build: Makes the method, as fresh as a new run would.
        folder: Where pictures and masks of supports are written.
        frames: Length of the video on which memory is measured.
    """

    def __init__(self, build: Build, folder: Path, frames: int) -> None:
        self.build = build
        self.folder = folder
        self.frames = frames
        self.method: AnyMethod | None = None
        self.first = make_trial(folder, SIZE, FRAMES, SHOTS, index=0)
        self.second = make_trial(folder, ODD_SIZE, FRAMES, SHOTS, index=1)
        self.masks: list[Mask] | None = None

    def built(self) -> AnyMethod:
        """The method, built once."""
        if self.method is None:
            self.method = self.build()
        return self.method

    def supports(self, trial: Trial, shots: int = 1) -> tuple[Support, ...]:
        """The supports of a trial, or the truth for a method that sees it."""
        return (trial.truth,) if sees_truth(self.built()) else trial.supports[:shots]

    def run(self, trial: Trial, shots: int = 1, method: AnyMethod | None = None) -> list[Mask]:
        """Valid masks of a whole trial, its frames given as a list."""
        frames = list(trial.frames())
        masks = list(segment(method or self.built(), self.supports(trial, shots), frames))
        require_masks(masks, frames)
        return masks

    def first_masks(self) -> list[Mask]:
        """The masks of the first trial, that others are compared with."""
        if self.masks is None:
            self.masks = [mask.copy() for mask in self.run(self.first)]
        return self.masks


def require(condition: bool, message: str) -> None:
    """Raise `BrokenError` with ``message`` unless the condition holds."""
    if not condition:
        raise BrokenError(message)


def require_masks(masks: Sequence[object], frames: Sequence[Image]) -> None:
    """Raise `BrokenError` unless there is one (H, W) bool mask for every frame."""
    require(len(masks) == len(frames), f"{len(masks)} masks for {len(frames)} frames; give one for every frame")
    for index, (mask, frame) in enumerate(zip(masks, frames, strict=True)):
        if not isinstance(mask, np.ndarray):
            raise BrokenError(f"the mask of frame {index} is a {type(mask).__name__}, not a numpy array")
        size = frame.shape[:2]
        right = mask.dtype == np.bool_ and mask.shape == size
        require(
            right, f"the mask of frame {index} is {mask.shape} {mask.dtype}; it must be {size} bool, as the frame is"
        )


def require_equal(found: Sequence[Mask], expected: Sequence[Mask], what: str) -> None:
    """Raise `BrokenError` that begins with ``what`` unless two runs gave equal masks, frame by frame."""
    for index, (one, other) in enumerate(zip(found, expected, strict=True)):
        differ = int((one != other).sum())
        require(differ == 0, f"{what}: {differ} pixels of frame {index} differ")
