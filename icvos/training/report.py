"""How a training run tells of its progress: what a `Report` hears, and the one that says nothing."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Protocol

Losses = Mapping[str, float]  # by the names that `icvos.training.trainable.Trainable.losses` gives them


@dataclass(frozen=True, slots=True)
class ValidationScores:
    """What one validation came to, as fractions.

    Args:
        miou: Mean over the classes of the intersection over union of each.
        fb_iou: Mean of foreground and background intersection over union, all classes as one.
    """

    miou: float
    fb_iou: float

    def to_json(self) -> dict[str, float]:
        """Both figures by name."""
        return asdict(self)


class Report(Protocol):
    """What is told how training goes. Only the main process of a run calls it."""

    def resumed(self, step: int, total: int) -> None:
        """The folder holds a run that came as far as ``step`` of ``total``: it goes on, or it is finished already."""
        ...

    def trained(self, step: int, total: int, losses: Losses) -> None:
        """``step`` of ``total`` steps are done; ``losses`` are those of the last one, averaged over all processes."""
        ...

    def validated(self, step: int, total: int, scores: ValidationScores) -> None:
        """The network as it is after ``step`` of ``total`` steps was validated."""
        ...


class Silent:
    """A `Report` that says nothing; override what you want to hear."""

    def resumed(self, step: int, total: int) -> None:
        """Nothing."""

    def trained(self, step: int, total: int, losses: Losses) -> None:
        """Nothing."""

    def validated(self, step: int, total: int, scores: ValidationScores) -> None:
        """Nothing."""
