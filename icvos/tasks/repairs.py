"""What a repair of predictions did."""

from dataclasses import dataclass

from icvos.errors import Fault, printable


@dataclass(frozen=True, slots=True)
class Repair:
    """One repair: the file or folder in the old predictions, what was done, and a word to group by."""

    where: str
    what: str
    kind: str = ""

    def __str__(self) -> str:
        return printable(f"{self.where}: {self.what}")

    def to_json(self) -> dict[str, str]:
        """The texts by name."""
        return {"kind": self.kind, "where": printable(self.where), "what": printable(self.what)}


@dataclass(frozen=True, slots=True)
class RepairReport:
    """What was repaired, and the faults that the new folder still has."""

    repairs: tuple[Repair, ...]
    left: tuple[Fault, ...]
