"""SIGKILL of server and worker at random moments: no submission is lost, none scored twice, the board is the same."""

import os
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

pytest.importorskip("fastapi", reason="the server needs: pip install 'icvos[server]'")

from sqlalchemy import func, select

from leaderboard.server import accounts
from leaderboard.server.models import Job, Score, Submission, User
from tests import ROOT
from tests.leaderboard.server.served import PASSWORD, predictions_zip, prepare, running, settings_for

pytestmark = pytest.mark.skipif(os.name != "posix", reason="no SIGKILL here")
PROTOCOLS = ("native@1", "paper@1")


@dataclass
class Processes:
    """A server and a worker as processes of their own."""

    data: Path
    benchmark: Path
    port: int
    there: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self, name: str, workers: int = 0) -> None:
        serve = [
            *("serve", "--benchmark", self.benchmark, "--data", self.data, "--port", self.port, "--quota", 0),
            *("--workers", workers, "--attempts", 1000, *(part for one in PROTOCOLS for part in ("--protocol", one))),
        ]
        arguments = serve if name == "server" else ["worker", "--data", self.data]
        command = [sys.executable, "-m", "icvos", *map(str, arguments)]
        with (self.data.parent / f"{name}.log").open("ab") as log:
            self.there[name] = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)

    def kill(self, name: str) -> None:
        self.there[name].kill()
        self.there[name].wait()

    def end(self) -> None:
        for process in self.there.values():
            process.terminate()
        for process in self.there.values():
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


@pytest.fixture
def processes(tmp_path: Path, small_benchmark: Path) -> Iterator[Processes]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    found = Processes(tmp_path / "data", small_benchmark, port)
    yield found
    found.end()


def make_user(data: Path, benchmark: Path) -> str:
    """A user of a server that was not started yet; the token."""
    server = prepare(data, settings_for(benchmark, protocols=PROTOCOLS, quota=0))
    with server.database.write() as session:
        wish = accounts.Wish("anna", "A", PASSWORD)
        user = accounts.register(session, wish, accounts.hash_password(PASSWORD), "open", 0)
        token = accounts.new_token(session, user, "", 0)
    server.database.close()
    return token


def patient(call: Callable[[], httpx.Response], seconds: float = 120) -> Any:
    """The JSON of an answer, asked for until there is one."""
    end = time.monotonic() + seconds
    while True:
        try:
            answer = call()
            assert answer.is_success, answer.text
            return answer.json()
        except httpx.TransportError:
            assert time.monotonic() < end, "no server"
            time.sleep(0.05)


def send(client: httpx.Client, file: Path) -> str:
    def call() -> httpx.Response:
        with file.open("rb") as opened:
            return client.post("submissions", data={"name": file.stem}, files={"file": (file.name, opened)})

    code: str = patient(call)["code"]
    return code


def publish_all(client: httpx.Client, codes: list[str]) -> str:
    """Publish all; what the board then says, without its times."""
    for code in codes:
        patient(lambda code=code: client.post(f"submissions/{code}/publish"))  # type: ignore[misc]
    board = client.get(str(client.base_url).replace("/api/v1/", "/board/results.json"))
    return re.sub(r"\d{4}-\d\d-\d\dT[0-9:+]+", "", board.text)


def board_of_a_quiet_server(data: Path, benchmark: Path, files: list[Path]) -> str:
    token = make_user(data, benchmark)
    server = prepare(data, settings_for(benchmark, protocols=PROTOCOLS, quota=0))
    with running(server) as quiet:
        codes = [send(quiet.api(token), file) for file in files]
        quiet.work()
        return publish_all(quiet.api(token), codes)


@pytest.mark.parametrize("kills", [3, pytest.param(10, marks=pytest.mark.slow)])
def test_killed_at_random_moments(processes: Processes, small_benchmark: Path, tmp_path: Path, kills: int) -> None:
    chance = random.Random(kills)
    files = [predictions_zip(tmp_path, shift) for shift in range(1, 7)]
    token = make_user(processes.data, small_benchmark)
    for name in ("server", "worker"):
        processes.start(name)
    headers = {"Authorization": f"Bearer {token}"}
    codes: list[str] = []
    with httpx.Client(base_url=f"{processes.address}/api/v1/", headers=headers, timeout=10) as client:

        def send_all() -> None:
            for file in files:
                codes.append(send(client, file))
                time.sleep(0.1 * kills / len(files))

        sending = threading.Thread(target=send_all)
        sending.start()
        for number in range(kills):
            time.sleep(chance.uniform(0, 2))
            victim = ("worker", "server")[number % 2]
            processes.kill(victim)
            processes.start(victim)
        sending.join(120)
        assert len(codes) == len(files), (tmp_path / "server.log").read_text()
        end = time.monotonic() + 120
        while {one["state"] for one in patient(lambda: client.get("submissions"))} != {"scored"}:
            assert time.monotonic() < end, (tmp_path / "worker.log").read_text()
            time.sleep(0.2)
        found = publish_all(client, codes)
    processes.end()
    _check_each_once(processes.data, small_benchmark, len(files))
    assert found == board_of_a_quiet_server(tmp_path / "quiet", small_benchmark, files)


def _check_each_once(data: Path, benchmark: Path, count: int) -> None:
    server = prepare(data, settings_for(benchmark, protocols=PROTOCOLS))
    with server.database.read() as session:
        submissions, scores, finished = (
            session.scalar(select(func.count()).select_from(table)) for table in (Submission, Score, Job)
        )
        assert session.scalar(select(func.count()).select_from(Job).where(Job.finished.is_(None))) == 0
        codes = set(session.scalars(select(Submission.code)))
        assert session.scalars(select(User.name)).all() == ["anna"]
    assert (submissions, scores, finished) == (count, count * len(PROTOCOLS), count)
    whole = {path.name for path in server.uploads.iterdir() if not path.name.startswith(".")}
    assert codes <= whole  # an upload of which the database never heard may be left, and is removed a day later
    server.database.close()


def children(pid: int) -> list[int]:
    """The processes that any thread of a process started."""
    found = []
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with suppress(FileNotFoundError):  # of a thread that has ended meanwhile
            found += [int(number) for number in (thread / "children").read_text().split()]
    return found


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="no /proc to find processes in")
def test_workers_are_started_again_and_end_with_their_server(processes: Processes, small_benchmark: Path) -> None:
    make_user(processes.data, small_benchmark)
    processes.start("server", workers=1)
    server = processes.there["server"].pid

    def wait_for(condition: Callable[[], bool]) -> None:
        end = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < end
            time.sleep(0.05)

    wait_for(lambda: len(children(server)) == 1)
    (first,) = children(server)
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: children(server) not in ([], [first]))
    (second,) = children(server)
    wait_for(lambda: any((processes.data / "scratch").iterdir()))  # it works, so that it hears of its server's end
    processes.kill("server")
    wait_for(lambda: not Path(f"/proc/{second}").exists() or "Z" in Path(f"/proc/{second}/stat").read_text().split()[2])
