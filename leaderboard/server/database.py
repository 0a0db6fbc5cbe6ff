"""The server's database: SQLite in the data folder, or PostgreSQL by its address.

A transaction says beforehand whether it writes: SQLite has one writer at a time, and a reader that wants to become one
may find that another was faster.
"""

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, event, make_url, text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import ArgumentError, DatabaseError, IntegrityError, NoSuchModuleError
from sqlalchemy.orm import Session

from icvos.errors import IcvosError, printable

FILE = "server.db"
BUSY_SECONDS = 30.0  # to wait for another writer
CONNECTIONS = 20  # kept; half as many more where all are in use
MIGRATIONS = Path(__file__).parent / "migrations"
MIGRATION_LOCK = 0x1C705  # of PostgreSQL, for one server at a time
C = TypeVar("C")
WRITABLE = "UPDATE counters SET value = value"  # changes nothing, and fails now where it would fail later
NEWER = "was written by a newer icvos; install that one"


class Database:
    """An open database; the tables are those of `leaderboard.server.models` once `migrate` was called."""

    def __init__(self, url: str) -> None:
        """``url`` as SQLAlchemy has it; `IcvosError` for one that it does not know."""
        self.url = url
        try:
            address = make_url(url)
            if address.get_backend_name() == "postgresql" and "+" not in address.drivername:
                address = address.set(drivername="postgresql+psycopg")
            self.is_sqlite = address.get_backend_name() == "sqlite"
            given: dict[str, Any] = {"connect_args": {"timeout": BUSY_SECONDS}} if self.is_sqlite else {}
            self.engine = create_engine(
                address,
                hide_parameters=True,
                pool_size=CONNECTIONS,
                max_overflow=CONNECTIONS // 2,
                pool_pre_ping=not self.is_sqlite,
                **given,
            )
        except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
            what = str(error).splitlines()[0]
            raise IcvosError(f"--database: {what}; give postgresql://USER:PASSWORD@HOST/NAME") from None
        if self.is_sqlite:
            _prepare_sqlite(self.engine)
        self._writer = self.engine.execution_options(writes=True)

    @classmethod
    def of_folder(cls, data: Path, url: str = "") -> "Database":
        """The database of a data folder, or that at ``url``."""
        return cls(url or f"sqlite:///{data / FILE}")

    @contextlib.contextmanager
    def read(self) -> Iterator[Session]:
        """A session that sees one state of the database, and changes nothing."""
        with Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextlib.contextmanager
    def write(self) -> Iterator[Session]:
        """A session whose changes are there together when the block ends well, and not at all otherwise."""
        with Session(self._writer, expire_on_commit=False) as session, session.begin():
            yield session

    def change(self, make: Callable[[Session], C]) -> C:
        """What ``make`` gives in a session of `write`; called once more where another was first with a unique value."""
        try:
            with self.write() as session:
                return make(session)
        except IntegrityError:
            with self.write() as session:
                return make(session)

    def now(self, session: Session) -> float:
        """Seconds since 1970, by one clock for all machines that use the database."""
        if self.is_sqlite:
            return time.time()
        return float(session.execute(text("SELECT extract(epoch FROM clock_timestamp())")).scalar_one())

    def migrate(self) -> None:
        """Bring the tables to what this icvos reads; `IcvosError` where the database cannot be reached or is newer."""
        config = _config()
        try:
            with self._writer.begin() as connection:
                if not self.is_sqlite:
                    connection.execute(text(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})"))
                _refuse_newer(connection, config, self.shown)
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
                connection.execute(text(WRITABLE))
        except DatabaseError as error:  # also of a file that is no database, and of one that is another's
            what = printable(str(error.orig).strip().splitlines()[0])
            raise IcvosError(f"{self.shown}: cannot be opened ({what}); check --data and --database") from None

    @property
    def shown(self) -> str:
        """The address without the password."""
        return self.engine.url.render_as_string(hide_password=True)

    def close(self) -> None:
        """Let all connections go."""
        self.engine.dispose()


def _prepare_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # BEGIN is ours, below
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config


def _refuse_newer(connection: Connection, config: Config, where: str) -> None:
    """Raise `IcvosError` for a database at a step that is not known here."""
    known = {step.revision for step in ScriptDirectory.from_config(config).walk_revisions()}
    found = MigrationContext.configure(connection).get_current_revision()
    if found is not None and found not in known:
        raise IcvosError(f"{where}: {NEWER}")
