"""Files on their way in: hostile ones, too large, too slow, broken off, several at once."""

import contextlib
import hashlib
import os
import resource
import socket
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="the server needs: pip install 'icvos[server]'")

from leaderboard.server import guards
from leaderboard.server.patience import PatientProtocol
from tests.leaderboard.server.hostile import FILES
from tests.leaderboard.server.served import Running, predictions_zip, prepare, running, settings_for

BOUNDARY = "xxxxxxxx"


def part(name: str, content: str, more: str = "") -> bytes:
    disposition = f'Content-Disposition: form-data; name="{name}"{more}'
    return f"--{BOUNDARY}\r\n{disposition}\r\n\r\n{content}\r\n".encode()


FILE = part("file", "content", '; filename="a.zip"')
END = f"--{BOUNDARY}--\r\n".encode()


def kept(found: Running) -> list[str]:
    return [path.name for path in found.server.uploads.iterdir()]


@pytest.mark.parametrize("name", FILES)
def test_hostile_files(running: Running, tmp_path: Path, name: str) -> None:
    make, kind = FILES[name]
    program = running.api(running.user().token())
    content = make(tmp_path)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    code = program.post("submissions", data={"name": "mine"}, files={"file": ("a.zip", content)}).json()["code"]
    assert running.work() == 1
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 256 << 10  # KiB
    found = program.get(f"submissions/{code}").json()
    assert found["state"] == ("faults" if kind else "scored")
    errors = {fault["kind"] for fault in found["faults"] if fault["severity"] == "error"}
    assert kind in errors or not (kind or errors)
    assert bool(found["figures"]) == (not kind)
    assert not Path("/tmp/evil.png").exists()
    text = program.get(f"submissions/{code}").text
    for place in (str(running.server.data), running.server.settings.benchmark, str(tmp_path)):
        assert place not in text
    assert "root:" not in text
    assert program.post(f"submissions/{code}/publish").status_code == (409 if kind else 200)


def test_a_file_that_says_to_be_too_large(serve: Callable[..., Running]) -> None:
    found = serve(max_upload_bytes=1000)
    program = found.api(found.user().token())
    answer = program.post("submissions", data={"name": "a"}, files={"file": ("a.zip", bytes(600_000))})
    assert (answer.status_code, kept(found)) == (413, [])
    assert answer.json()["detail"] == "the file is larger than 1,000 bytes, which is the most here"


def test_a_file_that_turns_out_to_be_too_large(serve: Callable[..., Running]) -> None:
    found = serve(max_upload_bytes=100_000)
    token = found.user().token()

    def body() -> Iterator[bytes]:
        yield part("name", "a") + FILE[:-2]
        for _ in range(100):
            yield bytes(20_000)

    kind = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    answer = found.api(token).post("submissions", content=body(), headers=kind)
    assert (answer.status_code, kept(found)) == (413, [])


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (part("name", "a") + END, 400, "the form has no file"),
        (FILE + END, 400, "the method's name is empty"),
        (part("name", "a") + FILE, 400, "the form ended in its middle"),
        (part("name", "a") + FILE + FILE + END, 400, "the form has two files"),
        (part("name", "a" * 20_000) + FILE + END, 413, "too long"),
        (b"".join(part(f"f{n}", "a") for n in range(40)) + FILE + END, 413, "too many fields"),
        (part("name", "a") + part("parameters", "many") + FILE + END, 400, "write a number"),
        (part("name", "a") + part("parameters", "9" * 5000) + FILE + END, 400, "write a number"),
        (part("name", "a\0b") + FILE + END, 400, "not printable"),
        (part("name", "a") + part("notes", "\0") + FILE + END, 400, "not printable"),
        (part("name", "a") + part("training", "some") + FILE + END, 400, "training"),
        (part("name", "a") + part("uses_text", "perhaps") + FILE + END, 400, "uses_text"),
        (part("name", "a") + part("licence", "x\u202e") + FILE + END, 400, "licence"),
        (b"nonsense", 400, "not a form"),
        (b"", 400, "the form has no file"),
        (f"--{BOUNDARY}\r\n{'a' * 3000}: b\r\n".encode(), 413, "too long"),
    ],
)
def test_forms_that_are_none(running: Running, body: bytes, status: int, message: str) -> None:
    program = running.api(running.user().token())
    kind = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    answer = program.post("submissions", content=body, headers=kind)
    assert message in answer.json()["detail"]
    assert (answer.status_code, kept(running)) == (status, [])


def test_what_is_no_form(running: Running) -> None:
    program = running.api(running.user().token())
    assert program.post("submissions", json={"name": "a"}).status_code == 415
    assert program.post("submissions", content=b"a", headers={"Content-Type": "multipart/form-data"}).status_code == 415


def test_the_same_file_again_is_kept_once(running: Running, tmp_path: Path) -> None:
    program, file = running.api(running.user().token()), predictions_zip(tmp_path).read_bytes()
    answers = [program.post("submissions", data={"name": "a"}, files={"file": ("a.zip", file)}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 200]
    assert kept(running) == [answers[0].json()["code"]] == [answers[1].json()["code"]]


def test_uploads_at_once_do_not_meet(running: Running) -> None:
    programs = [running.api(running.user(name).token()) for name in ("anna", "ben", "carl")]
    contents = [os.urandom(3_000_000) for _ in programs]
    answers: dict[int, dict[str, str]] = {}

    def send(number: int) -> None:
        files = {"file": ("a.zip", contents[number])}
        answers[number] = programs[number].post("submissions", data={"name": f"m{number}"}, files=files).json()

    threads = [threading.Thread(target=send, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, content in enumerate(contents):
        assert answers[number]["sha256"] == hashlib.sha256(content).hexdigest()
        assert (running.server.uploads / answers[number]["code"]).read_bytes() == content


def opened(found: Running, token: str, length: int = 1_000_000) -> socket.socket:
    """A connection on which an upload has begun and does not go on."""
    connection = socket.create_connection((found.host, found.port))
    head = (
        f"POST /api/v1/submissions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\nContent-Length: {length}\r\n\r\n"
    )
    connection.sendall(head.encode() + part("name", "a") + FILE[:-2])
    return connection


def wait_for(condition: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_one_user_sends_few_at_once(running: Running) -> None:
    token = running.user().token()
    connections = [opened(running, token) for _ in range(3)]
    wait_for(lambda: running.server.uploading != {} and max(running.server.uploading.values()) == 3)
    answer = running.api(token).post("submissions", data={"name": "a"}, files={"file": ("a.zip", b"a")})
    assert answer.status_code == 429
    for connection in connections:
        connection.close()
    wait_for(lambda: running.server.uploading == {})
    assert kept(running) == []


def test_a_slow_upload_is_ended(serve: Callable[..., Running]) -> None:
    found = serve(idle_seconds=0.3)
    with opened(found, found.user().token()) as connection:
        connection.settimeout(20)
        assert b" 408 " in connection.recv(4096)
    wait_for(lambda: kept(found) == [])


def test_an_upload_that_trickles_is_ended(serve: Callable[..., Running]) -> None:
    found = serve(idle_seconds=5, upload_seconds=1)
    with opened(found, found.user().token()) as connection:
        connection.settimeout(0.1)
        answer, end = b"", time.monotonic() + 15
        while not answer and time.monotonic() < end:
            connection.send(b"a")
            try:
                answer = connection.recv(4096)
            except TimeoutError:
                continue
    assert b" 408 " in answer


def test_a_form_that_trickles_is_ended(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guards, "BODY_SECONDS", 0.3)
    with socket.create_connection((running.host, running.port)) as connection:
        connection.settimeout(20)
        connection.sendall(b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\na")
        assert b" 408 " in connection.recv(4096)


class Impatient(PatientProtocol):
    head_seconds = 0.3


@pytest.mark.parametrize("said", [b"", b"GET / HTTP/1.1\r\nHost: x\r\n"])
def test_a_request_that_never_comes_is_not_waited_for(tmp_path: Path, small_benchmark: Path, said: bytes) -> None:
    with running(prepare(tmp_path / "data", settings_for(small_benchmark)), Impatient) as found:
        whole = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
        with socket.create_connection((found.host, found.port)) as connection:
            connection.settimeout(20)
            if said:  # after a request that came whole
                connection.sendall(whole)
                answer = b""
                while not answer.endswith(b"}"):  # which comes in one piece or in several
                    answer += connection.recv(4096)
                assert b" 200 " in answer
            connection.sendall(said)
            assert connection.recv(4096) == b""
        assert found.browser().client.get("/healthz").status_code == 200


def test_an_answer_that_is_not_read_is_not_kept(tmp_path: Path, small_benchmark: Path) -> None:
    class Unread(PatientProtocol):
        read_seconds = 0.3

    with running(prepare(tmp_path / "data", settings_for(small_benchmark)), Unread) as found:
        size = 32 << 20
        (found.server.board.build() / "large.json").write_bytes(bytes(size))
        with socket.socket() as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.settimeout(20)
            connection.connect((found.host, found.port))
            connection.sendall(b"GET /board/large.json HTTP/1.1\r\nHost: x\r\n\r\n")
            time.sleep(1)
            read = 0
            with contextlib.suppress(ConnectionResetError):
                while some := connection.recv(1 << 20):
                    read += len(some)
        assert read < size
        assert len(found.browser().client.get("/board/large.json").content) == size


def test_an_upload_that_breaks_off_leaves_nothing(running: Running) -> None:
    with opened(running, running.user().token()):
        wait_for(lambda: len(kept(running)) == 1)
    wait_for(lambda: kept(running) == [])


def test_a_full_disk_is_said_beforehand(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    from leaderboard.server import intake

    monkeypatch.setattr(intake, "RESERVE_BYTES", 1 << 60)
    answer = running.api(running.user().token()).post("submissions", files={"file": ("a.zip", b"a")})
    assert (answer.status_code, kept(running)) == (507, [])


def test_a_tar_file_is_taken_too(running: Running, tmp_path: Path) -> None:
    import tarfile

    predictions_zip(tmp_path)
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "masks2", "masks")
    program = running.api(running.user().token())
    content = (tmp_path / "a.tar.gz").read_bytes()
    code = program.post("submissions", data={"name": "a"}, files={"file": ("a.tar.gz", content)}).json()["code"]
    running.work()
    assert program.get(f"submissions/{code}").json()["state"] == "scored"


def test_every_fault_is_told(running: Running, tmp_path: Path) -> None:
    with zipfile.ZipFile(predictions_zip(tmp_path)) as archive:
        names = archive.namelist()
        with zipfile.ZipFile(tmp_path / "part.zip", "w") as fewer:
            for name in names[::2]:
                fewer.writestr(name, archive.read(name))
    anna = running.user()
    code = anna.send(tmp_path / "part.zip").headers["location"].removeprefix("/submissions/")
    running.work()
    found = running.api(anna.token()).get(f"submissions/{code}").json()
    assert {fault["where"] for fault in found["faults"]} == {f"part.zip/{name}" for name in names[1::2]}
    assert found["reason"] == "part.zip: 4 faults, nothing was scored; fix what is listed and submit again"
    page = anna.client.get(f"/submissions/{code}").text
    for name in names[1::2]:
        assert f"part.zip/{name}" in page
    assert anna.client.get(f"/submissions/{code}/faults.json").json() == found["faults"]
