"""What the server's commands import: the packages of the extra ``server`` may not be there."""

import importlib
import logging
import sys
from typing import Any

from icvos.errors import IcvosError

PACKAGES = {
    "alembic": "alembic",
    "argon2": "argon2-cffi",
    "fastapi": "fastapi",
    "httpx": "httpx",
    "idna": "httpx",
    "psycopg": "psycopg",
    "python_multipart": "python-multipart",
    "sqlalchemy": "sqlalchemy",
    "starlette": "fastapi",
    "uvicorn": "uvicorn",
}


def load(module: str) -> Any:
    """A module of `leaderboard.server`; `IcvosError` where what it needs is not installed. The log goes to stderr."""
    _show_log()
    try:
        return importlib.import_module(f"leaderboard.server.{module}")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in PACKAGES:
            raise
        package = PACKAGES[(error.name or "").partition(".")[0]]
        raise IcvosError(f"the server needs the package {package}; run: pip install 'icvos[server]'") from error


def _show_log() -> None:
    for name, level in (("icvos.server", logging.INFO), ("uvicorn", logging.INFO), ("alembic", logging.WARNING)):
        log = logging.getLogger(name)
        log.setLevel(level)
        log.propagate = False
        if not log.handlers:
            log.addHandler(logging.StreamHandler(sys.stderr))
            log.handlers[0].setFormatter(logging.Formatter("%(asctime)s %(message)s"))
