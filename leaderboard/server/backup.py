"""A copy of all that a server has, made while it runs. The copy is a data folder: serve it, and it goes on from there.

The database is copied first, as of one moment. Uploads never change and are there before the database hears of them,
so that every one that the copy names is found afterwards.
"""

import contextlib
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import select

from icvos.errors import IcvosError
from icvos.files.listing import is_empty
from icvos.files.storage import atomic_folder, link_or_copy, sync
from leaderboard.server.database import FILE, Database
from leaderboard.server.models import Submission
from leaderboard.server.settings import FILE as SETTINGS
from leaderboard.server.settings import MOVIES, UPLOADS, read_settings
from leaderboard.server.web import SECRET

ELSEWHERE = "the database is not in the data folder; copy it with pg_dump first, then the uploads with --uploads-only"


def back_up(data: Path, out: Path, *, uploads_only: bool = False) -> int:
    """Copy a server's data into the new folder ``out``; how many submissions there are.

    Args:
        data: The data folder of the server, which may be running.
        out: Must not be there, or be empty.
        uploads_only: The database is elsewhere and was copied there, before this.

    Raises:
        IcvosError: There is no server, the folder is not empty, or an upload is missing.
    """
    settings = read_settings(data)
    if settings.database and not uploads_only:
        raise IcvosError(f"{data}: {ELSEWHERE}")
    if out.exists() and not is_empty(out):
        raise IcvosError(f"{out}: is not empty; a backup needs a folder of its own")
    with atomic_folder(out, out.absolute().parent, lasting=True) as folder:
        (folder / UPLOADS).mkdir()
        if not settings.database:
            _copy_database(data / FILE, folder / FILE)
        for name in (SETTINGS, SECRET):
            if (data / name).is_file():
                shutil.copyfile(data / name, folder / name)
                (folder / name).chmod(0o600)
        codes = _codes(Database.of_folder(data if settings.database else folder, settings.database))
        for code in codes:
            if not (data / UPLOADS / code).is_file():
                raise IcvosError(f"{data / UPLOADS / code}: is missing, so the backup would not be whole; look for it")
            link_or_copy(data / UPLOADS / code, folder / UPLOADS / code)
            sync(folder / UPLOADS / code)
            _copy_movies(data / MOVIES / code, folder / MOVIES / code)
        for name in (f"{FILE}-wal", f"{FILE}-shm"):
            (folder / name).unlink(missing_ok=True)
    out.chmod(0o700)
    return len(codes)


def _copy_database(source: Path, target: Path) -> None:
    try:
        with closing(sqlite3.connect(source)) as own, closing(sqlite3.connect(target)) as copy:
            own.backup(copy)
    except sqlite3.DatabaseError as error:
        raise IcvosError(f"{source}: cannot be copied ({error}); check --data") from error
    target.chmod(0o600)


def _copy_movies(source: Path, target: Path) -> None:
    """Copy the clips to watch of one submission, if there are any; a worker may be drawing them anew."""
    with contextlib.suppress(FileNotFoundError):
        for path in sorted(source.iterdir()):
            target.mkdir(parents=True, exist_ok=True)
            link_or_copy(path, target / path.name)


def _codes(database: Database) -> list[str]:
    with database.read() as session:
        found = list(session.scalars(select(Submission.code)))
    database.close()
    return found
