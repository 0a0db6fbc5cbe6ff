"""The one exception that a user is meant to see."""

from dataclasses import dataclass
from typing import Literal


class IcvosError(Exception):
    """What is wrong, in which file, and what to do about it, in one line.

    The command line prints the message without a traceback and exits with status 2.
    """


MAX_TEXT = 1000  # characters of a message
Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with a prediction folder.

    Args:
        kind: A word to group by: missing, extra or misnamed followed by -video, -class or -frame; size, mode, palette,
            values, unreadable, ambiguous, truth, digest, record, extra-file; of archives: path, link, duplicate,
            encrypted, nested, limit.
        where: The file or folder.
        what: What is wrong and the remedy, in one line.
        severity: An ``error`` keeps the folder from being scored, a ``warning`` does not.
    """

    kind: str
    where: str
    what: str
    severity: Severity = "error"

    def __str__(self) -> str:
        return printable(f"{self.where}: {self.what}")

    def to_json(self) -> dict[str, str]:
        """The four texts by name."""
        return {
            "severity": self.severity,
            "kind": self.kind,
            "where": printable(self.where),
            "what": printable(self.what),
        }


def printable(text: str) -> str:
    """``text`` with ``?`` for what could steer a terminal or cannot be written as UTF-8, and cut where it is long."""
    if len(text) > MAX_TEXT:
        text = f"{text[: MAX_TEXT // 2]}...{text[-MAX_TEXT // 2 :]}"
    return "".join(character if character.isprintable() else "?" for character in text)


class PredictionError(IcvosError):
    """A predicted mask that cannot be used; its one argument is the `Fault`."""

    @property
    def fault(self) -> Fault:
        """What is wrong, as `check` reports it."""
        found: Fault = self.args[0]
        return found
