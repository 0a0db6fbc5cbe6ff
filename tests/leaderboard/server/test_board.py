import re
import socket
import threading
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="the server needs: pip install 'icvos[server]'")

from icvos.tasks.task import parse_result
from leaderboard.entry import Entry
from leaderboard.server.board import KEPT, find_page, policy_of
from leaderboard.site.build import build_site
from tests.leaderboard.conftest import Make
from tests.leaderboard.server.served import Browser, Running, predictions_zip


def published(running: Running, browser: Browser, file: Path, name: str) -> str:
    """A submission that is scored and on the board; its code."""
    code = browser.send(file, name).headers["location"].removeprefix("/submissions/")
    running.work()
    browser.post(f"/submissions/{code}/publish", f"/submissions/{code}", wanted="yes")
    return code


def test_pages_are_made_when_something_was_published_and_only_then(running: Running, tmp_path: Path) -> None:
    board, anna = running.server.board, running.user()
    first = board.build()
    assert 'Nothing is published. <a href="/">' in (first / "index.html").read_text(encoding="utf-8")
    assert board.build() == first
    published(running, anna, predictions_zip(tmp_path, 2), "first")
    second = board.build()
    assert second != first
    assert "first" in (second / "index.html").read_text(encoding="utf-8")
    assert board.build() == second
    published(running, anna, predictions_zip(tmp_path, 3), "first")
    text = board.build().joinpath("results.json").read_text(encoding="utf-8")
    assert text.count('"revision"') == 2
    for shift in (4, 5):
        published(running, anna, predictions_zip(tmp_path, shift), "first")
        board.build()
    assert len([path for path in second.parent.iterdir() if not path.name.startswith(".")]) == KEPT + 1


def test_one_of_many_who_ask_makes_the_pages(running: Running, tmp_path: Path) -> None:
    published(running, running.user(), predictions_zip(tmp_path), "mine")
    found: list[Path] = []
    threads = [threading.Thread(target=lambda: found.append(running.server.board.build())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    times = {path.stat().st_mtime_ns for path in found}
    assert len(times) == 1


def test_a_hundred_clients_at_once(running: Running, tmp_path: Path) -> None:
    """All are answered, each with its own; what they ask for changes meanwhile. How fast: docs/performance.md."""
    anna = running.user()
    published(running, anna, predictions_zip(tmp_path), "mine")
    places = ("/board/", "/board/results.json", "/", "/login", "/healthz")
    start, found = threading.Barrier(100), []

    def ask(number: int) -> None:
        place = places[number % len(places)]
        with socket.create_connection((running.host, running.port)) as connection:
            connection.settimeout(60)
            start.wait(60)
            connection.sendall(f"GET {place} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            head, _, body = b"".join(iter(lambda: connection.recv(65536), b"")).partition(b"\r\n\r\n")
        length = re.search(rb"content-length: ([0-9]+)", head)
        assert length
        found.append((place, head.split()[1], len(body) == int(length[1])))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(100)]
    for thread in threads:
        thread.start()
    published(running, anna, predictions_zip(tmp_path, 3), "mine")
    for thread in threads:
        thread.join()
    assert sorted(found) == sorted((place, b"200", True) for place in places for _ in range(20))


def test_pages_have_the_policy_of_their_script(scores: Make, tmp_path: Path) -> None:
    build_site([Entry("a", "1", parse_result(scores(), "a"), Path("a"))], tmp_path / "site")
    page = tmp_path / "site" / "index.html"
    policy = policy_of(page)
    assert "script-src 'sha256-" in policy
    assert policy.endswith("frame-ancestors 'none'")
    assert policy_of(tmp_path / "site" / "results.json") == "default-src 'none'; sandbox"
    (tmp_path / "odd.html").write_text("<script>alert(1)</script>")
    assert policy_of(tmp_path / "odd.html") == "default-src 'none'; sandbox"


def test_what_a_browser_has_is_not_sent_again(running: Running, tmp_path: Path) -> None:
    anna, nobody = running.user(), running.browser().client
    published(running, anna, predictions_zip(tmp_path), "first")
    answer = nobody.get("/board/")
    again = nobody.get("/board/", headers={"If-None-Match": f'"other", {answer.headers["etag"]}'})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == answer.headers["etag"]
    assert again.headers["content-security-policy"] == answer.headers["content-security-policy"]
    published(running, anna, predictions_zip(tmp_path, 3), "second")
    assert nobody.get("/board/", headers={"If-None-Match": answer.headers["etag"]}).status_code == 200


def test_a_piece_of_a_page_and_never_many(running: Running) -> None:
    nobody = running.browser().client
    whole = nobody.get("/board/").content
    piece = nobody.get("/board/", headers={"Range": "bytes=2-5"})
    assert (piece.status_code, piece.content) == (206, whole[2:6])
    many = nobody.get("/board/", headers={"Range": "bytes=" + ",".join(f"{n}-{n + 1}" for n in range(0, 400, 3))})
    assert (many.status_code, many.content) == (200, whole)
    assert nobody.get("/board/", headers={"Range": f"bytes={len(whole)}-"}).status_code == 416
    assert nobody.get("/board/", headers={"Range": "nonsense"}).status_code == 400


def test_no_link_leads_out_of_the_board(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "site" / "link").symlink_to(tmp_path / "secret")
    assert find_page(tmp_path / "site", "link") is None
    assert find_page(tmp_path / "site", "../secret") is None
    assert find_page(tmp_path / "site", str(tmp_path / "secret")) is None
