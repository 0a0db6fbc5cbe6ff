"""What a reader of a source data set passes over, and why: each item is read, refused by name, or counted here."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from icvos.errors import plural

SHOWN = 5  # names in a line


def some_of(names: Sequence[object]) -> str:
    """The first five of ``names`` in words."""
    return ", ".join(map(str, names[:SHOWN])) + (", ..." if len(names) > SHOWN else "")


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Things of one kind that are not read, for one reason.

    Args:
        what: The kind, in the plural: ``annotations``, ``images``.
        reason: What they are, as it follows the kind: ``of images that it does not list``.
        names: Their names or ids.
    """

    what: str
    reason: str
    names: tuple[object, ...]

    def __str__(self) -> str:
        """``3 annotations of images that it does not list: 5, 9, 12``."""
        one = "class" if self.what == "classes" else self.what.removesuffix("s")
        return f"{plural(len(self.names), one)} {self.reason}: {some_of(self.names)}"


@dataclass(slots=True)
class Findings:
    """What the reading of videos did not stop at.

    Args:
        warnings: One line each.
        left_out: The folders that are no video of the data set after all, by name, with the reason.
    """

    warnings: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)

    def leave_out(self, folder: Path, reason: str) -> None:
        """The video in ``folder`` is left out."""
        self.left_out[folder.name] = reason
        self.warnings.append(f"{folder}: left out: {reason}")
