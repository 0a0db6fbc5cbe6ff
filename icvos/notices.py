"""What a user should know and what stops nothing: one line each, on the logger ``icvos``, once for each place.

The command line shows them on standard error, as the processes that it starts do (`icvos.workers`).
"""

import logging
import sys
from collections.abc import Collection

from icvos.errors import printable

LOGGER = logging.getLogger("icvos")
MOST_REMEMBERED = 1 << 14
_told: set[tuple[str, str]] = set()  # place and kind of what this process has logged


def notice(place: str, kind: str, text: str) -> None:
    """Log ``text`` as a warning, unless this process has logged one of the same ``kind`` for the same ``place``."""
    if (place, kind) in _told:
        return
    if len(_told) == MOST_REMEMBERED:  # better told twice than memory without end
        _told.clear()
    _told.add((place, kind))
    LOGGER.warning("%s", text)


class _OnStandardError(logging.Handler):
    """Writes to what is standard error at the moment, as ``warning: ...``."""

    def emit(self, record: logging.LogRecord) -> None:
        sys.stderr.write(f"warning: {printable(record.getMessage())}\n")


class Kept(logging.Handler):
    """Keeps what is logged, until it is told to another process."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())

    def told(self) -> tuple[str, ...]:
        """What was kept since the last call."""
        lines, self.lines = tuple(self.lines), []
        return lines


def retell(lines: Collection[str]) -> None:
    """Log what another process has kept."""
    for line in lines:
        notice("workers", line, line)


def show_notices() -> None:
    """Write notices to standard error from now on."""
    if not is_shown():
        LOGGER.addHandler(_OnStandardError())


def is_shown() -> bool:
    """Whether `show_notices` has been called in this process."""
    return any(isinstance(handler, _OnStandardError) for handler in LOGGER.handlers)
