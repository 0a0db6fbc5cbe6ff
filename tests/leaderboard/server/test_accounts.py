import threading
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="the server needs: pip install 'icvos[server]'")

from sqlalchemy import func, select

from leaderboard.server import accounts, submissions
from leaderboard.server.accounts import INVITATION_SECONDS, SESSION_SECONDS, AccountError, Wish
from leaderboard.server.database import Database
from leaderboard.server.models import Base, User
from leaderboard.server.refusals import RefusedError
from leaderboard.server.settings import Registration

WISH = Wish("Anna", "The A team", "longer than ten")


def register(database: Database, wish: Wish = WISH, registration: Registration = "open", now: float = 0) -> User:
    hashed = accounts.hash_password(wish.password)
    return database.change(lambda session: accounts.register(session, wish, hashed, registration, now))


def everything(database: Database) -> str:
    """The text of all rows of all tables."""
    with database.read() as session:
        return "\n".join(str(row) for table in Base.metadata.sorted_tables for row in session.execute(select(table)))


def test_nothing_that_lets_in_is_in_the_database(database: Database) -> None:
    user = register(database)
    with database.write() as session:
        secrets = [
            accounts.new_token(session, user, "laptop", 0),
            accounts.open_session(session, user, 0),
            accounts.invite(session, "for ben", 0),
            WISH.password,
        ]
    rows = everything(database)
    assert "The A team" in rows
    assert "$argon2id$" in rows
    for secret in secrets:
        assert secret not in rows


def test_a_name_is_taken_in_any_case(database: Database) -> None:
    assert register(database).name == "anna"
    with pytest.raises(AccountError, match="the name anna is taken"):
        register(database, replace(WISH, name="ANNA"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "a"}, "a user name has"),
        ({"name": "a/b"}, "a user name has"),
        ({"name": "-a"}, "a user name has"),
        ({"name": "ａｎｎａ"}, "a user name has"),
        ({"name": "a" * 41}, "a user name has"),
        ({"team": ""}, "the team is empty"),
        ({"team": "a\x1b[2J"}, "the team is longer than 80 characters or not printable"),
        ({"password": "too short"}, "a password has 10 to 200"),
        ({"password": "a" * 201}, "a password has 10 to 200"),
        ({"invitation": "guessed"}, "this invitation is not known"),
    ],
)
def test_accounts_that_cannot_be(tmp_path: Path, change: dict[str, str], message: str) -> None:
    database = Database.of_folder(tmp_path)
    database.migrate()
    with pytest.raises(AccountError, match=message):
        register(database, replace(WISH, **change))


@pytest.mark.parametrize("registration", ["invited", "closed"])
def test_an_invitation_makes_one_account(database: Database, registration: Registration) -> None:
    with pytest.raises(AccountError, match="registration"):
        register(database, WISH, registration)
    with database.write() as session:
        code = accounts.invite(session, "for anna", 0, is_admin=True)
    with pytest.raises(AccountError, match="too old"):
        register(database, replace(WISH, invitation=code), registration, INVITATION_SECONDS + 1)
    assert register(database, replace(WISH, invitation=code), registration).is_admin
    with pytest.raises(AccountError, match="was used"):
        register(database, replace(WISH, name="ben", invitation=code), registration)


def test_two_who_register_at_once(database: Database) -> None:
    """By the same invitation, or under the same name: it is one account."""
    with database.write() as session:
        code = accounts.invite(session, "one", 0)
    wishes = [replace(WISH, name=f"user{number}", invitation=code) for number in range(3)] + [WISH] * 3
    start, refused = threading.Barrier(len(wishes)), []

    def run(wish: Wish) -> None:
        start.wait()
        try:
            register(database, wish)
        except AccountError as error:
            refused.append(str(error))

    threads = [threading.Thread(target=run, args=(wish,)) for wish in wishes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum("invitation" in text for text in refused) == 2
    assert sum("the name anna is taken" in text for text in refused) == 2
    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(User)) == 2


def test_passwords(database: Database) -> None:
    user = register(database)
    assert accounts.verified(user, WISH.password)
    assert not accounts.verified(user, WISH.password + "x")
    assert not accounts.verified(None, "nobody")
    user.password = ""  # as of a deleted user
    assert not accounts.verified(user, "")


def test_sessions_end(database: Database) -> None:
    user = register(database)
    with database.write() as session:
        cookies = [accounts.open_session(session, user, 0) for _ in range(3)]
        accounts.close_session(session, cookies[0])
    with database.read() as session:
        found = [accounts.session_user(session, cookie, 1) for cookie in (*cookies, "", "guessed")]
        assert [one and one.name for one in found] == [None, "anna", "anna", None, None]
        assert accounts.session_user(session, cookies[1], SESSION_SECONDS + 1) is None
    with database.write() as session:
        token = accounts.new_token(session, user, "", 0)
        accounts.set_password(session, session.get_one(User, user.id), "new")
        assert accounts.token_user(session, token) is None
        assert accounts.session_user(session, cookies[1], 1) is None


def test_tokens_end_with_their_user(database: Database) -> None:
    user = register(database)
    with database.write() as session:
        token = accounts.new_token(session, user, "", 0)
        kept = accounts.token_user(session, token)
        assert kept is not None
        assert [one.label for one in accounts.tokens_of(session, user)] == ["token"]
        accounts.delete_user(session, session.get_one(User, user.id), 1)
        assert accounts.token_user(session, token) is None
    with pytest.raises(AccountError, match="is taken"):
        register(database)


def test_a_user_removes_own_tokens_alone(database: Database) -> None:
    anna, ben = register(database), register(database, replace(WISH, name="ben"))
    with database.write() as session:
        token = accounts.new_token(session, anna, "a", 0)
        (row,) = accounts.tokens_of(session, anna)
        accounts.remove_token(session, ben, row.id)
        assert accounts.token_user(session, token) is not None
        accounts.remove_token(session, anna, row.id)
        assert accounts.token_user(session, token) is None
        for _ in range(accounts.MOST_TOKENS):
            accounts.new_token(session, anna, "a", 0)
        with pytest.raises(AccountError, match="remove one first"):
            accounts.new_token(session, anna, "a", 0)


def test_no_text_of_a_visitor_is_too_much_for_the_database(database: Database) -> None:
    register(database)
    with database.write() as session:
        for text in ("a\0b", "\udc80", "a" * 10_000, "'; DROP TABLE users; --"):
            assert accounts.find_user(session, text) is None
            assert accounts.session_user(session, text, 0) is None
            assert accounts.token_user(session, text) is None
            accounts.invite(session, text, 0)
            with pytest.raises(RefusedError):
                submissions.find_own(session, User(id=1, is_admin=True), text)
    with database.read() as session:
        assert accounts.find_user(session, "anna") is not None


def test_whoever_has_the_folder_makes_administrators(database: Database) -> None:
    user = register(database)
    with database.write() as session:
        assert not accounts.has_admin(session)
        cookie = accounts.open_session(session, user, 0)
        accounts.make_admin(session, "anna", accounts.hash_password("another password"), 1)
        assert accounts.has_admin(session)
        assert accounts.session_user(session, cookie, 1) is None
        assert accounts.verified(accounts.find_user(session, "anna"), "another password")
