"""What the server's commands import: the packages of the extra ``server`` may not be there."""

import logging
import sys
from typing import Any

from icvos.serving.extra import load_extra

PACKAGES = {
    "alembic": "alembic",
    "argon2": "argon2-cffi",
    "fastapi": "fastapi",
    "httpx": "httpx",
    "psycopg": "psycopg",
    "python_multipart": "python-multipart",
    "sqlalchemy": "sqlalchemy",
    "starlette": "fastapi",
    "uvicorn": "uvicorn",
}


def load(module: str) -> Any:
    """A module of `leaderboard.server`; `IcvosError` where what it needs is not installed. The log goes to stderr."""
    _show_log()
    return load_extra(f"leaderboard.server.{module}", PACKAGES, "server", "the server")


def _show_log() -> None:
    for name, level in (("icvos.server", logging.INFO), ("uvicorn", logging.INFO), ("alembic", logging.WARNING)):
        log = logging.getLogger(name)
        log.setLevel(level)
        log.propagate = False
        if not log.handlers:
            log.addHandler(logging.StreamHandler(sys.stderr))
            log.handlers[0].setFormatter(logging.Formatter("%(asctime)s %(message)s"))
