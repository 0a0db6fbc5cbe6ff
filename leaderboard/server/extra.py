"""What the server's commands import: the packages of the extra ``server`` may not be there."""

from typing import Any

from icvos.serving.extra import load_extra
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
    return load_extra(f"leaderboard.server.{module}", PACKAGES, "server", "the server")
