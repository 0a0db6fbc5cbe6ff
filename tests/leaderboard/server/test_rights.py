"""Who may do what, over HTTP, as of the moment when it is done."""

import socket
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="the server needs: pip install 'icvos[server]'")

from tests.leaderboard.server.served import PASSWORD, Running, admin_of, code_of, predictions_zip


def test_an_administrator_withholds_and_never_publishes(running: Running, tmp_path: Path) -> None:
    anna, root = running.user("anna"), admin_of(running)
    code = code_of(anna.send(predictions_zip(tmp_path)))
    running.work()
    page = f"/submissions/{code}"
    assert "Publish on the board" in anna.client.get(page).text
    assert "Publish on the board" not in root.client.get(page).text
    assert "Only who submitted it can publish it" in root.client.get(page).text
    assert root.post(f"{page}/publish", "/admin", wanted="yes").status_code == 403
    program = running.api(root.token())
    assert program.post(f"submissions/{code}/publish").status_code == 403
    assert not anna.client.get(f"{page}/state").json()["published"]
    assert anna.post(f"{page}/publish", page, wanted="yes").status_code == 303
    assert "Withhold it" in root.client.get(page).text
    assert not program.post(f"submissions/{code}/withhold").json()["published"]
    assert "It is not on the board" in root.client.get(page).text


def test_what_an_administrator_took_off_stays_off_until_one_allows_it(running: Running, tmp_path: Path) -> None:
    anna, root = running.user("anna"), admin_of(running)
    code = code_of(anna.send(predictions_zip(tmp_path)))
    running.work()
    page = f"/submissions/{code}"
    anna.post(f"{page}/publish", page, wanted="yes")
    assert root.post("/admin/withhold", "/admin", code=code).status_code == 303
    assert "An administrator has taken it off the board" in anna.client.get(page).text
    assert "taken off" in anna.client.get("/submissions").text
    assert anna.post(f"{page}/publish", "/account", wanted="yes").status_code == 403
    program = running.api(anna.token())
    assert program.post(f"submissions/{code}/publish").status_code == 403
    assert program.post(f"submissions/{code}/withhold").status_code == 200  # which it is
    assert "Allow" in root.client.get("/admin").text
    assert root.post("/admin/allow", "/admin", code=code).status_code == 303
    assert not anna.client.get(f"{page}/state").json()["published"]
    assert anna.post(f"{page}/publish", page, wanted="yes").status_code == 303
    assert anna.post(f"{page}/publish", page, wanted="no").status_code == 303
    assert anna.post(f"{page}/publish", page, wanted="yes").status_code == 303  # one's own hand bars nothing


def test_another_password_ends_tokens(running: Running) -> None:
    anna, new = running.user(), "another one that is long"
    program = running.api(anna.token())
    assert program.get("submissions").status_code == 200
    answer = anna.post("/account/password", "/account", old=PASSWORD, password=new, again=new)
    assert answer.status_code == 303
    assert program.get("submissions").status_code == 401
    assert running.api(anna.token()).get("submissions").status_code == 200


def test_what_a_deleted_user_sent_is_not_published_when_it_is_scored(running: Running, tmp_path: Path) -> None:
    """As icvos submit --publish asks for it: once it is scored."""
    root, anna = admin_of(running), running.user("anna")
    program = running.api(anna.token())
    code = code_of(anna.send(predictions_zip(tmp_path), "Anna's"))
    assert program.post(f"submissions/{code}/publish").status_code == 409  # waits
    assert root.post("/admin/delete-user", "/admin", name="anna").status_code == 303
    assert running.work() == 1
    assert program.post(f"submissions/{code}/publish").status_code == 401
    assert root.post(f"/submissions/{code}/publish", "/admin", wanted="yes").status_code == 403
    assert "scored" in root.client.get(f"/submissions/{code}").text
    assert "Anna" not in running.browser().client.get("/board/").text


def test_a_form_is_of_one_browser_and_one_user(running: Running) -> None:
    anna, eve = running.user("anna"), running.user("eve")
    before = running.browser()
    unnamed = before.csrf()
    assert before.log_in("anna").status_code == 303
    for browser, csrf in ((anna, eve.csrf("/account")), (before, unnamed), (before, anna.csrf("/account"))):
        answer = browser.client.post("/account/tokens", data={"csrf": csrf, "label": "a"})
        assert (answer.status_code, "icvos_" in answer.text) == (403, False)
    shared = anna.csrf("/account")
    assert anna.post("/logout", "/account").status_code == 303
    assert anna.log_in("eve").status_code == 303  # in the same browser
    assert anna.client.post("/account/tokens", data={"csrf": shared, "label": "a"}).status_code == 403


def test_no_page_of_a_user_is_kept_by_a_browser_or_a_proxy(running: Running, tmp_path: Path) -> None:
    anna = running.user()
    code = code_of(anna.send(predictions_zip(tmp_path)))
    running.work()
    places = (
        "",
        f"/{code}",
        f"/{code}/state",
        f"/{code}/faults.json",
        f"/{code}/scores/native@1.json",
        f"/{code}/none",
    )
    program = running.api(anna.token())
    answers = [anna.client.get(f"/submissions{place}") for place in places]
    answers += [anna.client.get("/account"), anna.post("/account/tokens", "/account", label="a")]
    answers += [
        program.get("submissions"),
        program.get(f"submissions/{code}"),
        running.browser().client.get("/account"),
    ]
    for answer in answers:
        assert answer.headers["cache-control"] == "no-store", answer.url


def test_other_methods(running: Running) -> None:
    nobody = running.browser().client
    for path in ("/", "/login", "/board/", "/static/style.css", "/healthz", "/api/openapi.json"):
        head, whole = nobody.head(path), nobody.get(path)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-length"] == str(len(whole.content))
        assert head.headers["content-security-policy"] == whole.headers["content-security-policy"]
        for method in ("OPTIONS", "PUT", "DELETE", "TRACE", "PATCH", "NONSENSE"):
            answer = nobody.request(method, path)
            assert answer.status_code == 405, (method, path)
            assert "access-control-allow-origin" not in answer.headers
    assert nobody.head("/account").status_code == 303
    assert nobody.head("/nowhere").status_code == 404
    assert "there is no such page" in nobody.get("/nowhere").text


@pytest.mark.parametrize(
    ("head", "body", "status"),
    [
        ("Transfer-Encoding: chunked", b"5\r\nname=\r\n0\r\n\r\n", b" 403 "),
        ("Transfer-Encoding: chunked", b"%x\r\n" % (1 << 19) + b"a" * (1 << 19) + b"\r\n0\r\n\r\n", b" 413 "),
        ("Transfer-Encoding: chunked", b"nonsense\r\n", b" 400 "),
        ("Content-Length: 5\r\nContent-Length: 6", b"name=a", b" 400 "),
        ("Content-Length: -1", b"", b" 400 "),
        ("Content-Length: 99999999999999999999999999", b"a" * 300_000, b" 4"),
        ("Content-Length: 5\r\nHost: y", b"name=", b" 400 "),
        ("Content-Length: 1_0", b"name=aaaaa", b" 400 "),
    ],
)
def test_lengths_that_are_not_or_lie(running: Running, head: str, body: bytes, status: bytes) -> None:
    with socket.create_connection((running.host, running.port)) as connection:
        connection.settimeout(20)
        kind = "Content-Type: application/x-www-form-urlencoded"
        connection.sendall(f"POST /login HTTP/1.1\r\nHost: x\r\n{kind}\r\n{head}\r\n\r\n".encode())
        connection.sendall(body)
        assert status in connection.recv(4096).partition(b"\r\n")[0]
    assert running.browser().client.get("/healthz").status_code == 200
