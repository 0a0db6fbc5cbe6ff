"""What lets somebody in: there is no more of it than needed, and it is in no log."""

import logging
import re
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="the server needs: pip install 'icvos[server]'")

from leaderboard.server import accounts, run
from leaderboard.server.accounts import AccountError, Wish
from leaderboard.server.database import Database
from leaderboard.server.logs import ACCESS, DiscreetFormatter, without_secrets
from leaderboard.server.models import Invitation
from tests.leaderboard.server.served import PASSWORD, Running, admin_of

CODE = re.compile(r"/register#invitation=([A-Za-z0-9_-]{32})$")


def become(database: Database, name: str, code: str) -> bool:
    """Whether somebody becomes an administrator by an invitation."""
    wish = Wish(name, "A team", PASSWORD, code)
    with database.write() as session:
        try:
            return accounts.register(session, wish, "hash", "closed", database.now(session)).is_admin
        except AccountError:
            return False


def test_there_is_one_invitation_for_the_first_administrator(serve: Callable[..., Running]) -> None:
    server, told = serve(registration="invited").server, []
    for _ in range(3):
        run._tell_first_admin(server, "http://a", told.append)
    codes = [found[1] for line in told if (found := CODE.search(line))]
    assert len(codes) == 3
    with server.database.read() as session:
        assert session.query(Invitation).count() == 1
    assert [become(server.database, f"root{n}", code) for n, code in enumerate(codes)] == [False, False, True]
    run._tell_first_admin(server, "http://a", told.append)
    assert len(told) == 3


def test_whoever_has_the_folder_needs_no_invitation_any_more(database: Database) -> None:
    with database.write() as session:
        first = accounts.invite_first(session, database.now(session))
        other = accounts.invite(session, "another", database.now(session), is_admin=True)
        accounts.make_admin(session, "root", "hash", database.now(session))
    assert not become(database, "eve", first)
    assert become(database, "anna", other)


def test_invitations_end_with_the_administrator_who_made_them(running: Running) -> None:
    root = admin_of(running)
    eve = admin_of(running, "eve")
    codes = {}
    for name, browser in (("root", root), ("eve", eve)):
        for is_admin in ("yes", "no"):
            page = browser.post("/admin/invite", "/admin", note=name, is_admin=is_admin).text
            found = re.search(r"#invitation=([A-Za-z0-9_-]+)", page)
            assert found
            codes[name, is_admin] = found[1]
    assert root.post("/admin/delete-user", "/admin", name="eve").status_code == 303
    for number, ((name, _), code) in enumerate(codes.items()):
        expected = 303 if name == "root" else 400
        assert running.browser().register(f"user{number}", invitation=code).status_code == expected


def test_an_invitation_is_taken_back(running: Running) -> None:
    root = admin_of(running)
    page = root.post("/admin/invite", "/admin", note="Ben").text
    code = re.search(r"#invitation=([A-Za-z0-9_-]+)", page)
    known_by = re.search(r'name="invitation" value="([0-9a-f]{64})"', page)
    assert code
    assert known_by
    assert root.post("/admin/withdraw", "/admin", invitation=known_by[1]).status_code == 303
    assert running.browser().register("ben", invitation=code[1]).status_code == 400
    assert "Ben" not in root.client.get("/admin").text


TOKEN = "icvos_" + "a" * 43


@pytest.mark.parametrize(
    "place",
    [
        f"/register?invitation={'b' * 32}",
        f"/register/{'b' * 32}",
        f"/api/v1/submissions/{TOKEN}",
        f"/api/v1/submissions?token={TOKEN}",
        f"/%69cvos_{'a' * 43}",
        "/%0a%1b[2J",
    ],
)
def test_no_secret_of_an_address_is_in_the_log(place: str) -> None:
    args = ("203.0.113.7:1", "GET", place, "1.1", 200)
    record = logging.LogRecord(ACCESS, logging.INFO, "", 1, '%s - "%s %s HTTP/%s" %d', args, None)
    line = DiscreetFormatter("%(message)s").format(record)
    assert line.startswith('203.0.113.7:1 - "GET /')
    assert line.endswith(' HTTP/1.1" 200')
    assert line.isprintable()
    assert "aaa" not in line
    assert "bbb" not in line


def test_what_is_no_secret_is_in_the_log() -> None:
    for place in ("/submissions/0123456789abcdef/state", "/board/runs/one-pixel-off.html", "/api/v1/server"):
        assert without_secrets(place) == place
    record = logging.LogRecord("icvos.server", logging.INFO, "", 1, f"{TOKEN} was sent, {'c' * 40} too", (), None)
    assert DiscreetFormatter("%(message)s").format(record) == f"... was sent, {'c' * 40} too"


def test_an_error_of_the_database_shows_no_values(tmp_path: Path) -> None:
    from sqlalchemy import text
    from sqlalchemy.exc import OperationalError

    database = Database.of_folder(tmp_path)
    with database.read() as session, pytest.raises(OperationalError) as caught:
        session.execute(text("SELECT a FROM none WHERE b = :secret"), {"secret": TOKEN})
    assert TOKEN not in str(caught.value)
    database.close()
