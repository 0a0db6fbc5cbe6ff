"""What the server's commands import: the packages of the extra ``server`` may not be there."""

import importlib
from typing import Any

from icvos.errors import IcvosError
from leaderboard.server.logs import show_log

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
    show_log()
    try:
        return importlib.import_module(f"leaderboard.server.{module}")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in PACKAGES:
            raise
        package = PACKAGES[(error.name or "").partition(".")[0]]
        raise IcvosError(f"the server needs the package {package}; run: pip install 'icvos[server]'") from error
