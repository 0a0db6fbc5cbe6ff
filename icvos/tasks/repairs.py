"""What a repair of predictions did."""

from dataclasses import dataclass

from icvos.errors import Fault, printable


@dataclass(frozen=True, slots=True)
class Repair:
    """One repair: the file or folder in the old predictions, and what was done."""

    where: str
    what: str

    def __str__(self) -> str:
        return printable(f"{self.where}: {self.what}")

    def to_json(self) -> dict[str, str]:
        """Both texts by name."""
        return {"where": printable(self.where), "what": printable(self.what)}


@dataclass(frozen=True, slots=True)
class RepairReport:
    """What was repaired, and the faults that the new folder still has."""

    repairs: tuple[Repair, ...]
    left: tuple[Fault, ...]
