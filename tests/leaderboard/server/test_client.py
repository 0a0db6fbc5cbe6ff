"""`icvos submit --server`, against a server that listens."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="the server needs: pip install 'icvos[server]'")

from icvos.errors import IcvosError
from icvos.tasks.task import SILENT
from leaderboard.server import client
from leaderboard.server.client import Remote, packed
from tests.conftest import icvos
from tests.leaderboard.server.served import Running, predictions_zip, write_predictions


@pytest.fixture
def working(running: Running) -> Iterator[Running]:
    """A server with a worker."""
    with running.worked():
        yield running


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "SHORTEST_SECONDS", 0.05)
    monkeypatch.delenv("ICVOS_TOKEN", raising=False)


def test_a_file_is_sent_scored_and_published(working: Running, tmp_path: Path) -> None:
    token = working.user().token()
    there = ("--server", working.address, "--token", token)
    done = icvos("submit", predictions_zip(tmp_path), "--name", "a", *there, "--training", "none", "--no-text")
    assert "native@1: J 81.82" in done.stdout
    assert "not published; --publish does that" in done.stdout
    (sent,) = working.api(token).get("submissions").json()
    assert f"{working.address}/submissions/{sent['code']}" in done.stdout
    icvos("submit", predictions_zip(tmp_path / "more", 3), "--name", "a", *there, "--publish")
    board = working.browser().client.get("/board/results.json").json()
    found = [row for row in board["tables"][0]["rows"] if row.get("revision")]
    assert [row["revision"] for row in found] == ["2"]


def test_what_is_said_of_a_method_arrives(working: Running, tmp_path: Path) -> None:
    token = working.user().token()
    said = ("--training", "trained", "--classes-seen", "--text", "--licence", "MIT", "--parameters", 7)
    icvos(
        "submit", predictions_zip(tmp_path), "--name", "a", "--server", working.address, "--token", token, "--publish",
        *said,
    )  # fmt: skip
    (entry,) = working.server.board.build().glob("entries/*.json")
    text = entry.read_text(encoding="utf-8")
    for words in ('"training": "trained"', '"classes_seen": true', '"uses_text": true', '"licence": "MIT"'):
        assert words in text


def test_a_folder_is_packed_first(working: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    masks = write_predictions(tmp_path / "masks")
    (masks / ".DS_Store").write_bytes(b"x")
    monkeypatch.setenv("ICVOS_TOKEN", working.user().token())
    done = icvos("submit", masks, "--name", "a", "--server", working.address)
    assert "native@1: J 81.82" in done.stdout


def test_faults_are_listed_and_the_status_is_that_of_a_fault(working: Running, tmp_path: Path) -> None:
    masks = write_predictions(tmp_path / "masks")
    (masks / "dog" / "17" / "00002.png").unlink()
    there = ("--server", working.address, "--token", working.user().token())
    done = icvos("submit", masks, "--name", "a", *there, status=2)
    assert "error: masks.zip/dog/17/00002.png" in done.stderr
    assert "1 fault, nothing was scored" in done.stderr
    assert done.stdout == ""


def test_refusals_are_a_line(working: Running, tmp_path: Path) -> None:
    file = predictions_zip(tmp_path)
    anna = working.user("anna").token()
    icvos("submit", file, "--name", "mine", "--server", working.address, "--token", anna)
    ben = ("--server", working.address, "--token", working.user("ben").token())
    assert "is another team's" in icvos("submit", file, "--name", "mine", *ben, status=2).stderr
    wrong = ("--server", working.address, "--token", "icvos_wrong")
    assert "this token is none of this server's" in icvos("submit", file, "--name", "mine", *wrong, status=2).stderr
    assert "no such file or folder" in icvos("submit", tmp_path / "none", "--name", "a", *ben, status=2).stderr
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "dog").symlink_to(tmp_path)
    assert "links are not followed" in icvos("submit", tmp_path / "linked", "--name", "a", *ben, status=2).stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "missing option '--benchmark'"),
        (("--benchmark", "b"), "missing option '--board'"),
        (("--benchmark", "b", "--board", "c", "--publish"), "--publish: it goes with --server"),
        (("--benchmark", "b", "--board", "c", "--token", "t"), "--token: it goes with --server"),
        (("--server", "http://a"), "missing option '--token': make one on the page of your account, or"),
        (("--server", "http://a", "--token", "t", "--board", "b"), "--board: the server decides it"),
        (("--server", "http://a", "--token", "t", "--revision", "2"), "--revision: the server decides it"),
        (("--server", "http://a", "--token", "t", "--workers", "2"), "--workers: the server decides it"),
        (("--server", "ftp://a", "--token", "t"), "--server ftp://a: give scheme and host alone"),
        (("--server", "http://a/b", "--token", "t"), "--server http://a/b: give scheme and host alone"),
        (("--server", "http://a", "--token", "ä"), "--token: make one"),
    ],
)
def test_options_that_do_not_go_together(arguments: tuple[str, ...], message: str) -> None:
    done = icvos("submit", "masks", "--name", "a", *arguments, status=2)
    assert message in done.stderr


def test_a_server_that_is_away_is_asked_again(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    token, paused = running.user().token(), []
    monkeypatch.setattr(client.time, "sleep", paused.append)
    message = r"http://127.0.0.1:9: cannot be reached .*; is icvos serve running there, and is --server its address\?"
    with Remote("http://127.0.0.1:9", token, waits=(1.0, 2.0)) as remote:
        with pytest.raises(IcvosError, match=message):
            remote.about()
        assert paused == []
        with pytest.raises(IcvosError, match=message):
            remote.wait("0" * 16, SILENT)
    assert paused == [1.0, 2.0]


class Odd(BaseHTTPRequestHandler):
    """Something that is no server of ours."""

    status, body = 200, b""
    seen: tuple[str, ...] = ()

    def do_GET(self) -> None:
        Odd.seen = (*Odd.seen, self.path)
        self.send_response(self.status)
        if self.status == 302:
            self.send_header("Location", "http://127.0.0.1:9/elsewhere")
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (200, b"<html>", "answers with something that this icvos does not know"),
        (200, b'{"title": 3}', "answers with something that this icvos does not know"),
        (404, b"<html>", "answers with status 404, so it may be no server of icvos"),
        (302, b"", "answers with status 302"),
        (503, b"", "answers with status 503; try again later"),
        (403, b'{"detail": "no\\u001b[2J"}', r"no\?\[2J"),
    ],
)
def test_what_is_no_server_of_icvos(monkeypatch: pytest.MonkeyPatch, status: int, body: bytes, message: str) -> None:
    monkeypatch.setattr(Odd, "status", status)
    monkeypatch.setattr(Odd, "body", body)
    monkeypatch.setattr(Odd, "seen", ())
    with HTTPServer(("127.0.0.1", 0), Odd) as odd:
        thread = threading.Thread(target=odd.serve_forever, daemon=True)
        thread.start()
        with pytest.raises(IcvosError, match=message):
            Remote(f"http://127.0.0.1:{odd.server_port}", "token").about()
        odd.shutdown()
    assert len(Odd.seen) == 1


def test_a_file_is_sent_as_it_is(tmp_path: Path) -> None:
    file = predictions_zip(tmp_path)
    with packed(file) as found:
        assert found == file
    with packed(tmp_path / "masks2") as found:
        assert found.name == "masks2.zip"
        made = found
    assert not made.exists()
