"""The log, on standard error. It holds nothing that lets anybody in: no token, and of an address no query."""

import logging
import re
import sys
from urllib.parse import unquote

from icvos.errors import printable

LEVELS = {"icvos.server": logging.INFO, "uvicorn": logging.INFO, "alembic": logging.WARNING}
ACCESS = "uvicorn.access"  # whose records have the client, the method, the address, the version and the status
TOKEN = re.compile(r"icvos_[A-Za-z0-9_-]+")
SECRET = re.compile(r"[A-Za-z0-9_-]{24,}")  # in an address, where nothing of ours is as long
HIDDEN = "..."


class DiscreetFormatter(logging.Formatter):
    """Formats records, without what they should not have."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        if record.name == ACCESS and isinstance(record.args, tuple) and len(record.args) == 5:
            client, method, place, *rest = record.args
            record = logging.makeLogRecord(
                {**vars(record), "args": (client, method, without_secrets(str(place)), *rest)}
            )
        return TOKEN.sub(HIDDEN, super().format(record))


def without_secrets(place: str) -> str:
    """An address without its query and without what could be a token or an invitation.

    >>> without_secrets("/submissions/0123456789abcdef?token=icvos_1"), without_secrets("/register/" + "x" * 32)
    ('/submissions/0123456789abcdef', '/register/...')
    """
    return SECRET.sub(HIDDEN, printable(unquote(place.partition("?")[0])))


def show_log() -> None:
    """Let the log be seen."""
    for name, level in LEVELS.items():
        log = logging.getLogger(name)
        log.setLevel(level)
        log.propagate = False
        if not log.handlers:
            log.addHandler(logging.StreamHandler(sys.stderr))
            log.handlers[0].setFormatter(DiscreetFormatter("%(asctime)s %(message)s"))
