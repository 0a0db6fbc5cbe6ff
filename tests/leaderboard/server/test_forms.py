"""What comes as a form: its encoding, its length, and what it may cost."""

from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="the server needs: pip install 'icvos[server]'")

from argon2 import PasswordHasher

from leaderboard.server import accounts
from leaderboard.server.models import User
from tests.leaderboard.server.served import PASSWORD, Running, predictions_zip

KIND = "application/x-www-form-urlencoded"


class Counted(PasswordHasher):
    """Counts what it is asked for."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.count = 0

    def hash(self, password: str | bytes, *, salt: bytes | None = None) -> str:
        self.count += 1
        return super().hash(password, salt=salt)

    def verify(self, hash: str | bytes, password: str | bytes) -> bool:
        self.count += 1
        return super().verify(hash, password)


@pytest.fixture
def hasher(monkeypatch: pytest.MonkeyPatch) -> Counted:
    found = Counted()
    monkeypatch.setattr(accounts, "HASHER", found)
    return found


@pytest.mark.parametrize(
    ("kind", "status", "message"),
    [
        (KIND, 303, ""),
        (f"{KIND}; charset=UTF-8", 303, ""),
        (f'{KIND}; charset="utf8"', 303, ""),
        (f"{KIND}; charset=utf-16", 400, "this form says to be utf-16; send it as UTF-8"),
        (f"{KIND}; charset=unicode_escape", 400, "this form says to be unicode_escape"),
        (f"{KIND}; charset=zip", 400, "this form says to be zip"),
        (f"{KIND}; charset=no-such", 400, "this form says to be no-such"),
        (f"{KIND}; charset=", 400, "send it as UTF-8"),
        ("multipart/form-data; boundary=x", 415, f"send this form as {KIND}"),
        ("multipart/form-data; boundary=x; charset=utf-16", 415, f"send this form as {KIND}"),
        ("application/json", 415, f"send this form as {KIND}"),
        ("", 415, f"send this form as {KIND}"),
    ],
)
def test_a_form_is_utf8_whatever_it_says(running: Running, kind: str, status: int, message: str) -> None:
    browser = running.browser()
    body = (
        f"csrf={browser.csrf()}&name=anna&team=%C3%84&password=longer+than+ten&again=longer+than+ten&_charset_=utf-16"
    )
    answer = browser.client.post("/register", content=body, headers={"Content-Type": kind})
    assert (answer.status_code, message in answer.text) == (status, True)
    with running.server.database.read() as session:
        assert [user.team for user in session.query(User)] == (["Ä"] if status == 303 else [])


@pytest.mark.parametrize(
    ("more", "status", "message"),
    [
        ("name=%FF", 400, "this form is not UTF-8"),
        ("name=%ED%A0%80", 400, "this form is not UTF-8"),  # half of a pair
        ("name=" + "a" * 1001, 413, "the field name is longer than 1000 characters"),
        ("&".join(f"f{n}=1" for n in range(41)), 413, "more than 40 fields"),
        ("a" * 1001 + "=1", 413, "is longer than 1000 characters"),
    ],
)
def test_forms_that_cannot_be(running: Running, hasher: Counted, more: str, status: int, message: str) -> None:
    for path in ("/login", "/register", "/logout"):
        browser = running.browser()
        body = f"csrf={browser.csrf()}&password=longer+than+ten&again=longer+than+ten&{more}"
        answer = browser.client.post(path, content=body, headers={"Content-Type": KIND})
        assert (answer.status_code, message in answer.text) == (status, True)
    assert hasher.count == 0


def test_raw_bytes_that_are_not_utf8(running: Running) -> None:
    browser = running.browser()
    body = f"csrf={browser.csrf()}&name=".encode() + b"\xff\xfe"
    assert browser.client.post("/login", content=body, headers={"Content-Type": KIND}).status_code == 400


LONG = "a" * 201


def test_what_can_be_no_account_costs_no_hash(running: Running, hasher: Counted) -> None:
    browser = running.browser()
    for fields in (
        {"name": "a/b"},
        {"team": ""},
        {"team": LONG},
        {"password": LONG, "again": LONG},
        {"again": "another one that is long"},
        {"invitation": "guessed"},
        {"invitation": LONG},
    ):
        assert browser.register(**{"name": "anna", **fields}).status_code == 400
    assert browser.log_in("anna", LONG).status_code == 403
    assert hasher.count == 0
    assert browser.log_in("nobody").status_code == 403
    assert hasher.count == 1  # as slow as for somebody
    assert browser.register("anna").status_code == 303
    assert running.browser().register("anna").status_code == 400
    assert hasher.count == 2
    new = {"password": LONG, "again": LONG}
    assert browser.post("/account/password", "/account", old=PASSWORD, **new).status_code == 400
    new = {"password": "short", "again": "short"}
    assert browser.post("/account/password", "/account", old=PASSWORD, **new).status_code == 400
    new = {"password": PASSWORD * 2, "again": PASSWORD * 2}
    assert browser.post("/account/password", "/account", old=LONG, **new).status_code == 400
    assert hasher.count == 2


def test_a_password_is_compared_to_its_end(running: Running) -> None:
    longest = "a" * 200
    assert running.browser().register("anna", password=longest, again=longest).status_code == 303
    assert running.browser().log_in("anna", longest).status_code == 303
    assert running.browser().log_in("anna", longest + "b").status_code == 403


@pytest.mark.parametrize("charset", ["utf-16", "zip", "no-such", ""])
def test_an_upload_is_utf8_too(running: Running, charset: str) -> None:
    program = running.api(running.user().token())
    kind = {"Content-Type": f"multipart/form-data; boundary=x; charset={charset}"}
    answer = program.post("submissions", content=b"--x--", headers=kind)
    assert (answer.status_code, "send it as UTF-8" in answer.json()["detail"]) == (400, True)


def test_a_field_of_an_upload_that_is_not_utf8(running: Running, tmp_path: Path) -> None:
    program = running.api(running.user().token())
    files = [("name", (None, b"\xff\xfe")), ("file", ("a.zip", predictions_zip(tmp_path).read_bytes()))]
    answer = program.post("submissions", files=files)
    assert (answer.status_code, answer.json()["detail"]) == (400, "the field name is not UTF-8")


def test_what_is_said_is_judged_before_the_file_is_kept(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    from leaderboard.server import uploads

    monkeypatch.setattr(uploads, "_write", None)  # is not reached
    program = running.api(running.user().token())
    for fields, message in (({"name": "a" * 81}, "the method's name"), ({"name": "a", "licence": LONG}, "licence")):
        answer = program.post("submissions", data=fields, files={"file": ("a.zip", bytes(3 << 20))})
        assert (answer.status_code, message in answer.json()["detail"]) == (400, True)
