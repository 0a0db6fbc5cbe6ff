from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="the server needs: pip install 'icvos[server]'")

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text
from sqlalchemy.orm import Session

from icvos.errors import IcvosError
from leaderboard.server import submissions
from leaderboard.server.database import Database, _config
from leaderboard.server.models import Base, Counter, Invitation


def test_the_steps_lead_to_the_models(database: Database) -> None:
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_a_database_that_is_there_is_kept(database: Database) -> None:
    with database.write() as session:
        submissions.board_changed(session)
    database.migrate()
    with database.read() as session:
        assert submissions.board_version(session) == 1


def test_a_database_of_the_first_layout_is_brought_to_this_one(tmp_path: Path) -> None:
    """With rows in it, which stay."""
    database = Database.of_folder(tmp_path)
    with database.write() as session:
        connection = session.connection()
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        for line in (
            "INSERT INTO users VALUES (1, 'anna', 'A team', 'hash', false, 0, NULL)",
            "INSERT INTO methods VALUES (1, 1, 'mine', 'mine')",
            "INSERT INTO invitations VALUES ('digest', 'ben', false, 0, 9, NULL)",
            "INSERT INTO submissions VALUES "
            "(1, 'c', 1, 1, 1, 'f', 's', 1, '', '{}', 'scored', '', 0, 0, '', '[]', 0, true, 0, 1)",
        ):
            session.execute(text(line))
    database.migrate()
    with database.read() as session:
        (submission,) = submissions.published(session)
        assert (submission.user.name, submission.is_barred) == ("anna", False)
        assert session.query(Invitation).one().invited_by is None
    database.close()


def test_a_newer_database_is_refused(database: Database) -> None:
    with database.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(IcvosError, match="was written by a newer icvos"):
        database.migrate()


def test_what_fails_in_the_middle_is_not_there(database: Database) -> None:
    def fail(session: Session) -> None:
        session.add(Counter(name="half", value=1))
        session.flush()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        database.change(fail)
    with database.read() as session:
        assert session.get(Counter, "half") is None


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("nonsense", "--database: .*; give postgresql://"),
        ("oracle9://a/b", "--database: .*; give postgresql://"),
        (
            "postgresql://nobody:secret@127.0.0.1:1/none",
            r"postgresql\+psycopg://nobody:\*\*\*@127.0.0.1:1/none: cannot",
        ),
        ("sqlite:////no/such/folder/server.db", "cannot be opened"),
    ],
)
def test_a_database_that_cannot_be_opened(url: str, message: str) -> None:
    with pytest.raises(IcvosError, match=message) as caught:
        Database(url).migrate()
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("content", [b"no database " * 100, bytes(range(256)) * 20], ids=["text", "noise"])
def test_a_file_that_is_no_database(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "server.db").write_bytes(content)
    with pytest.raises(IcvosError, match=r"server.db: cannot be opened \(file is not a database\); check --data"):
        Database.of_folder(tmp_path).migrate()
    assert (tmp_path / "server.db").read_bytes() == content


def test_a_database_that_cannot_be_written(tmp_path: Path) -> None:
    made = Database.of_folder(tmp_path)
    made.migrate()
    made.close()
    with pytest.raises(IcvosError, match=r"cannot be opened \(attempt to write a readonly database\); check --data"):
        Database(f"sqlite:///file:{tmp_path / 'server.db'}?mode=ro&uri=true").migrate()


def test_a_database_of_something_else(database: Database) -> None:
    with database.write() as session:
        session.execute(text("DROP TABLE alembic_version"))
    with pytest.raises(IcvosError, match=r"cannot be opened \(.*already exists.*\); check --data and --database"):
        database.migrate()


def test_sqlite_keeps_what_was_committed(tmp_path: Path) -> None:
    database = Database.of_folder(tmp_path)
    with database.engine.connect() as connection:
        found = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")]
    assert found == ["wal", 2]
