"""The pages, over HTTP: who may see and do what, and that nothing a stranger writes becomes part of a page."""

import json
import re
import shutil
import socket
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="the server needs: pip install 'icvos[server]'")

from icvos.errors import IcvosError
from leaderboard.server import account_pages, accounts
from leaderboard.server.backup import back_up
from leaderboard.server.database import Database
from leaderboard.server.models import User
from leaderboard.server.rates import Rate
from leaderboard.server.run import Place
from leaderboard.server.submissions import find_own
from tests.icvos.tasks.image.test_score import write_run
from tests.icvos.tasks.image.tiny_episodes import write_images
from tests.leaderboard.server.served import (
    PASSWORD,
    Running,
    admin_of,
    code_of,
    predictions_zip,
    prepare,
    settings_for,
)
from tests.leaderboard.server.served import running as serving

EVIL = "<script>alert(1)</script><b onclick='x'>\"&"
PAGES = ("/", "/login", "/register", "/api", "/submissions", "/account", "/board/")


def test_from_a_file_to_the_board(running: Running, tmp_path: Path) -> None:
    anna = running.user("anna", team="Team Ä")
    code = code_of(anna.send(predictions_zip(tmp_path), "My method", training="none", licence="MIT"))
    page = anna.client.get(f"/submissions/{code}").text
    assert "waiting" in page
    assert "nothing before it" in page
    assert anna.client.get(f"/submissions/{code}/state").json()["before"] == 0
    assert running.work() == 1
    page = anna.client.get(f"/submissions/{code}").text
    assert '<strong class="state-scored">scored</strong>' in page
    assert "native@1" in page
    scores = anna.client.get(f"/submissions/{code}/scores/native@1.json").json()
    assert scores["overall"]["j"] == pytest.approx(18 / 22)  # 20 pixels wide, 2 beside: 18 of 22 columns are common
    nobody = running.browser().client
    assert "My method" not in nobody.get("/board/").text
    assert anna.post(f"/submissions/{code}/publish", f"/submissions/{code}", wanted="yes").status_code == 303
    board = nobody.get("/board/")
    assert "My method" in board.text
    (run,) = set(re.findall(r'href="(runs/[^"]+)"', board.text))
    page = nobody.get(f"/board/{run}")
    assert "Team: Team Ä" in page.text
    assert nobody.get("/board/results.json").json()["generator"] == "icvos"
    anna.post(f"/submissions/{code}/publish", f"/submissions/{code}", wanted="no")
    assert "My method" not in nobody.get("/board/").text
    assert nobody.get(f"/board/{run}").status_code == 404


def test_images_go_the_same_way(tmp_path: Path) -> None:
    benchmark = write_images(tmp_path / "images")
    run = write_run(benchmark, tmp_path / "run", method="shift")
    file = Path(shutil.make_archive(str(tmp_path / "run"), "zip", run.parent, run.name))
    with serving(prepare(tmp_path / "data", settings_for(benchmark.root))) as found:
        anna = found.user()
        code = code_of(anna.send(file, "shifted"))
        found.work()
        page = anna.client.get(f"/submissions/{code}").text
        assert "mIoU" in page
        anna.post(f"/submissions/{code}/publish", f"/submissions/{code}", wanted="yes")
        assert "shifted" in found.browser().client.get("/board/").text
        figures = found.api(anna.token()).get(f"submissions/{code}").json()["figures"]["native@1"]
        assert 0 < figures["miou"] < 1


def test_any_database_will_do(serve: Callable[..., Running], database: Database, tmp_path: Path) -> None:
    running = serve(database=database.url)
    anna = running.user()
    codes = [code_of(anna.send(predictions_zip(tmp_path, shift), "mine")) for shift in (2, 3)]
    assert running.work() == 2
    for code in codes:
        anna.post(f"/submissions/{code}/publish", f"/submissions/{code}", wanted="yes")
    (table, *_) = running.browser().client.get("/board/results.json").json()["tables"]
    assert sorted(row["revision"] for row in table["rows"] if row.get("revision")) == ["1", "2"]
    with pytest.raises(IcvosError, match="copy it with pg_dump first"):
        back_up(running.server.data, tmp_path / "backup")
    assert back_up(running.server.data, tmp_path / "backup", uploads_only=True) == 2
    assert sorted(path.name for path in (tmp_path / "backup" / "uploads").iterdir()) == sorted(codes)


def test_headers(running: Running) -> None:
    anna = running.user()
    for path in (*PAGES, "/healthz", "/static/style.css", "/api/openapi.json", "/no/such/page", "/board/results.json"):
        headers = anna.client.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy, path
        assert "frame-ancestors 'none'" in policy or "sandbox" in policy, path
        assert "'unsafe-inline'" not in policy.replace("style-src 'unsafe-inline'", ""), path
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert "server" not in headers
        if not path.startswith(("/board", "/static")):
            assert headers["cache-control"] == "no-store", path
            assert "style-src 'self'" in policy


def test_no_page_has_scripts_or_styles_in_it_or_from_elsewhere(running: Running) -> None:
    anna = admin_of(running)
    for path in ("/", "/login", "/register", "/api", "/submissions", "/account", "/admin"):
        text = anna.client.get(path).text
        assert not re.search(r"<script(?![^>]*\bsrc=\"/static/)|<style|\sstyle=|\son[a-z]+=", text), path
        assert not re.search(r"(src|href)=\"(https?:)?//", text), path


def test_the_cookie(serve: Callable[..., Running]) -> None:
    cookie = serve().browser().client.get("/login").headers["set-cookie"]
    assert cookie.startswith("icvos_session=")
    assert {"HttpOnly", "SameSite=lax", "Path=/"} <= set(cookie.split("; "))
    assert "Secure" not in cookie
    secure = serve(url="https://board.example.org")
    answer = secure.browser(headers={"Host": "board.example.org"}).client.get("/login")
    assert answer.headers["set-cookie"].startswith("__Host-icvos_session=")
    assert {"HttpOnly", "SameSite=lax", "Path=/", "Secure"} <= set(answer.headers["set-cookie"].split("; "))
    assert answer.headers["strict-transport-security"] == "max-age=31536000"
    assert secure.browser(headers={"Host": "evil.example.org"}).client.get("/login").status_code == 421


FORMS = (
    ("/login", {"name": "anna", "password": PASSWORD}),
    ("/logout", {}),
    ("/register", {"name": "eve", "team": "E", "password": PASSWORD, "again": PASSWORD}),
    ("/account/tokens", {"label": "a"}),
    ("/account/tokens/remove", {"token": "1"}),
    ("/account/password", {"old": PASSWORD, "password": PASSWORD * 2, "again": PASSWORD * 2}),
    ("/admin/invite", {"note": "a"}),
    ("/admin/withdraw", {"invitation": "0" * 64}),
    ("/admin/delete-user", {"name": "ben"}),
    ("/admin/withhold", {"code": "0" * 16}),
    ("/admin/allow", {"code": "0" * 16}),
    ("/admin/score-again", {"code": "0" * 16}),
    ("/submissions/0000000000000000/publish", {"wanted": "yes"}),
)


@pytest.mark.parametrize(("path", "fields"), FORMS, ids=[path for path, _ in FORMS])
def test_a_form_of_another_site_does_nothing(running: Running, path: str, fields: dict[str, str]) -> None:
    anna = admin_of(running, "anna")
    running.user("ben")
    other = running.browser().csrf()
    own = anna.csrf("/account")
    for csrf, headers in (
        ("", {}),
        ("0" * 64, {}),
        (other, {}),
        (own, {"Origin": "https://evil.example.org"}),
        (own, {"Origin": "null"}),
    ):
        answer = anna.client.post(path, data={**fields, "csrf": csrf}, headers=headers)
        assert answer.status_code == 403, (csrf, headers)
        assert "not from this page" in answer.text
    assert anna.client.get("/account").status_code == 200
    with running.server.database.read() as session:
        assert {user.name for user in session.query(User) if user.deleted is None} == {"anna", "ben"}


def test_an_upload_of_another_site_is_not_kept(running: Running, tmp_path: Path) -> None:
    anna = running.user()
    file = predictions_zip(tmp_path).read_bytes()
    for data in ({"name": "mine"}, {"name": "mine", "csrf": "0" * 64}):
        answer = anna.client.post("/submissions", data=data, files={"file": ("a.zip", file)})
        assert answer.status_code == 403
    long = file + b"0" * (1 << 20)
    late = [("file", ("a.zip", long)), ("csrf", (None, anna.csrf("/submissions")))]  # the signature comes too late
    assert anna.client.post("/submissions", files=late).status_code == 403
    assert list(running.server.uploads.iterdir()) == []


def test_what_is_not_ones_own_is_not_there(running: Running, tmp_path: Path) -> None:
    anna, eve = running.user("anna"), running.user("eve")
    code = code_of(anna.send(predictions_zip(tmp_path)))
    running.work()
    for place in ("", "/state", "/faults.json", "/scores/native@1.json"):
        assert anna.client.get(f"/submissions/{code}{place}").status_code == 200
        assert eve.client.get(f"/submissions/{code}{place}").status_code == 404
        assert running.browser().client.get(f"/submissions/{code}{place}").status_code == 303
    assert eve.post(f"/submissions/{code}/publish", "/account", wanted="yes").status_code == 404
    program = running.api(eve.token())
    for place in ("", "/scores/native@1"):
        assert program.get(f"submissions/{code}{place}").status_code == 404
    for action in ("publish", "withhold"):
        assert program.post(f"submissions/{code}/{action}").status_code == 404
    assert program.get("submissions").json() == []
    for path in ("/admin",):
        assert eve.client.get(path).status_code == 404
    for path in (
        "/admin/invite",
        "/admin/withdraw",
        "/admin/delete-user",
        "/admin/withhold",
        "/admin/allow",
        "/admin/score-again",
    ):
        assert eve.post(path, "/account", name="anna", code=code).status_code == 404


def test_a_cookie_that_was_set_beforehand_is_worth_nothing(running: Running) -> None:
    running.user("anna")
    fixed = "F" * 43
    victim = running.browser(cookies={"icvos_session": fixed})
    answer = victim.log_in("anna")
    assert answer.status_code == 303
    assert f"icvos_session={fixed}" not in answer.headers["set-cookie"]
    assert running.browser(cookies={"icvos_session": fixed}).client.get("/account").status_code == 303
    known = re.search(r"icvos_session=([^;]+)", answer.headers["set-cookie"])
    assert known
    assert running.browser(cookies={"icvos_session": known[1]}).client.get("/account").status_code == 200


def test_logging_out_ends_the_session_everywhere(running: Running) -> None:
    anna = running.user()
    stolen = anna.client.cookies["icvos_session"]
    assert anna.post("/logout", "/account").status_code == 303
    assert running.browser(cookies={"icvos_session": stolen}).client.get("/account").status_code == 303


def test_another_password_logs_all_others_out(running: Running) -> None:
    anna = running.user("anna")
    elsewhere = running.browser()
    elsewhere.log_in("anna")
    new = "another one that is long"
    fields = {"password": new, "again": new}
    assert anna.post("/account/password", "/account", old="wrong", **fields).status_code == 400
    assert anna.post("/account/password", "/account", old=PASSWORD, **fields).status_code == 303
    assert anna.client.get("/account").status_code == 200
    assert elsewhere.client.get("/account").status_code == 303
    assert elsewhere.log_in("anna").status_code == 403
    assert elsewhere.log_in("anna", new).status_code == 303


def test_guessing_passwords_ends(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account_pages, "LOGINS_OF_NAME", Rate(3, 300))
    monkeypatch.setattr(account_pages, "LOGINS_OF_ADDRESS", Rate(5, 300))
    for name in ("anna", "ben", "carl"):
        running.user(name)
    eve = running.browser()
    assert [eve.log_in("anna", "wrong password").status_code for _ in range(4)] == [403, 403, 403, 429]
    assert eve.log_in("anna").status_code == 429
    assert eve.log_in("ben").status_code == 303
    assert [eve.log_in("ben", "wrong password").status_code for _ in range(2)] == [403, 403]
    assert eve.log_in("carl").status_code == 429


def test_registering_ends(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account_pages, "REGISTRATIONS", Rate(2, 300))
    assert [running.browser().register(f"user{n}").status_code for n in range(3)] == [303, 303, 429]


@pytest.mark.parametrize("name", ["X-Forwarded-For", "Forwarded", "X-Real-IP"])
def test_no_header_says_who_is_asking(running: Running, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(account_pages, "REGISTRATIONS", Rate(1, 300))
    found = [running.browser(headers={name: f"203.0.113.{n}"}).register(f"user{n}").status_code for n in range(2)]
    assert found == [303, 429]


def test_the_proxy_that_was_named_is_believed(
    tmp_path: Path, small_benchmark: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(account_pages, "REGISTRATIONS", Rate(1, 300))
    server = prepare(tmp_path / "data", settings_for(small_benchmark))
    with serving(server, place=Place(proxy="127.0.0.1")) as found:
        visitors = [found.browser(headers={"X-Forwarded-For": f"203.0.113.{n}"}) for n in (1, 1, 2)]
        assert [one.register(f"user{n}").status_code for n, one in enumerate(visitors)] == [303, 429, 303]


def test_a_deleted_user_is_out(running: Running, tmp_path: Path) -> None:
    root, anna = admin_of(running), running.user("anna")
    program = running.api(anna.token())
    code = code_of(anna.send(predictions_zip(tmp_path), "Anna's"))
    running.work()
    assert program.post(f"submissions/{code}/publish").json()["published"]
    nobody = running.browser().client
    assert "Anna&#39;s" in nobody.get("/board/").text
    assert root.post("/admin/delete-user", "/admin", name="anna").status_code == 303
    assert program.get("submissions").status_code == 401
    assert anna.client.get("/account").status_code == 303
    assert running.browser().log_in("anna").status_code == 403
    assert "Anna&#39;s" not in nobody.get("/board/").text
    assert root.post("/admin/delete-user", "/admin", name="root").status_code == 404


def test_the_administrator_invites_withholds_and_has_scored_again(
    serve: Callable[..., Running], tmp_path: Path
) -> None:
    running = serve(registration="invited")
    with running.server.database.write() as session:
        first = accounts.invite(session, "", running.server.database.now(session), is_admin=True)
    assert running.browser().register("eve").status_code == 400
    root = running.browser()
    assert root.register("root", invitation=first).status_code == 303
    page = root.post("/admin/invite", "/admin", note=EVIL).text
    assert EVIL not in page
    link = re.search(r"/register#invitation=([A-Za-z0-9_-]+)", page)
    assert link
    anna = running.browser()
    assert anna.register("anna", invitation=link[1]).status_code == 303
    assert running.browser().register("ben", invitation=link[1]).status_code == 400
    code = code_of(anna.send(predictions_zip(tmp_path)))
    running.work()
    anna.post(f"/submissions/{code}/publish", f"/submissions/{code}", wanted="yes")
    assert "Withhold" in root.client.get("/admin").text
    root.post("/admin/withhold", "/admin", code=code)
    assert not anna.client.get(f"/submissions/{code}/state").json()["published"]
    with running.server.database.write() as session:
        user = session.query(User).filter_by(name="anna").one()
        find_own(session, user, code).state = "refused"
    assert root.post("/admin/score-again", "/admin", code=code).status_code == 303
    assert anna.client.get(f"/submissions/{code}/state").json()["state"] == "waiting"


def test_closed_registration(serve: Callable[..., Running]) -> None:
    running = serve(registration="closed")
    assert running.browser().register("anna").status_code == 400
    assert 'href="/register"' not in running.browser().client.get("/").text


def test_no_text_becomes_part_of_a_page(serve: Callable[..., Running], tmp_path: Path) -> None:
    """Team, method, notes, licence, file name, label, and names in the archive and its records."""
    running = serve(title=EVIL[:40])
    anna, root = running.browser(), admin_of(running)
    assert anna.register("anna", team=EVIL).status_code == 303
    assert anna.register(EVIL).status_code == 400
    assert anna.log_in(EVIL).status_code == 403
    evil = predictions_zip(tmp_path).rename(tmp_path / "<script>alert(1)<script>.zip")
    with zipfile.ZipFile(evil, "a") as archive:
        archive.writestr("<script>alert(2)<b>/17/00000.png", b"")
        archive.writestr("run.json", json.dumps({"method": EVIL, "device": EVIL, "settings": {EVIL: EVIL}}))
    code = code_of(anna.send(evil, EVIL, notes=EVIL, licence=EVIL[:40]))
    running.work()
    anna.post(f"/submissions/{code}/publish", f"/submissions/{code}", wanted="yes")
    pages = [
        anna.client.get(path).text for path in ("/", "/submissions", f"/submissions/{code}", "/board/", "/nowhere")
    ]
    pages.append(anna.post("/account/tokens", "/account", label=EVIL).text)
    pages += [root.client.get("/admin").text, anna.client.get("/account").text]
    pages.append(anna.post("/register", "/register", name=EVIL, team=EVIL, invitation=EVIL).text)
    pages += [
        running.browser().client.get(f"/board/{run}").text for run in re.findall(r'href="(runs/[^"]+)"', pages[3])
    ]
    assert sum("alert(1)" in page for page in pages) > 5
    for page in pages:
        own = re.sub(r"<script>\n?\"use strict\";.*?</script>", "", page, flags=re.DOTALL)
        assert "<script>alert" not in own
        assert "<b onclick" not in own
    answer = running.api(anna.token()).get(f"submissions/{code}")
    assert answer.headers["content-type"] == "application/json"


def test_hidden_characters_are_shown_as_such(running: Running, tmp_path: Path) -> None:
    anna = running.user()
    file = predictions_zip(tmp_path).rename(tmp_path / "dog\u202egod.zip")
    page = anna.client.get(f"/submissions/{code_of(anna.send(file))}").text
    assert "\u202e" not in page
    assert "dog?god.zip" in page


@pytest.mark.parametrize(
    "place",
    ["../server.json", "..%2fserver.json", "%2e%2e/secret", "..\\secret", "//etc/passwd", "%00", "runs", "." * 300],
)
def test_the_board_is_all_that_its_address_leads_to(running: Running, place: str) -> None:
    with socket.create_connection((running.host, running.port)) as connection:
        connection.sendall(f"GET /board/{place} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
    assert answer.split()[1] in ("404", "400"), answer[:200]
    assert "benchmark" not in answer.partition("\r\n\r\n")[2] or "no such page" in answer


def test_odd_requests_are_refused(running: Running) -> None:
    client = running.browser().client
    assert client.post("/login", content=b"a" * 300_000).status_code == 413
    assert client.post("/login", data={"csrf": "ä" * 10}).status_code == 403
    assert client.put("/login").status_code == 405
    assert client.get("/submissions/%00").status_code in (303, 404)
    assert client.get("/static/../secret").status_code == 404
    assert client.get("/docs").status_code == 404
    assert client.get("/redoc").status_code == 404
