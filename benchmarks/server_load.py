"""A hundred clients at once on icvos serve: requests a second, how long they take, and memory.

    python benchmarks/server_load.py [--clients 100] [--seconds 10] [--results 20] [--database URL]

The server runs as a process of its own without workers; it and the clients, one process, share this machine.
The board has as many results as are asked for, made by real submissions to a small drawn benchmark. Every client keeps
a connection and asks again as soon as it has an answer.
"""

import argparse
import asyncio
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from icvos.files.masks import write_binary
from leaderboard.server import accounts
from leaderboard.server.app import open_server
from leaderboard.server.database import Database
from leaderboard.server.models import Submission, User
from leaderboard.server.run import prepared
from leaderboard.server.settings import FORMAT, ServerSettings, require_folder, write_settings

VIDEOS, FRAMES, SIZE = 8, 6, (48, 64)
PASSWORD = "a password for all"
BOUNDARY = "----icvos"
UPLOAD_BYTES = 1 << 20
UPLOADS = 500  # in all, five of each of a hundred users


@dataclass(frozen=True)
class Asked:
    """One kind of request: what every client sends, by its number and how often it has asked."""

    name: str
    head: str
    body: bytes = b""
    limit: int | None = None  # requests of all clients together; None: as many as there is time for


def write_masks(folder: Path, shift: int) -> None:
    """A square that moves."""
    for number in range(FRAMES):
        mask = np.zeros(SIZE, bool)
        mask[8:32, 4 + number + shift : 30 + number + shift] = True
        write_binary(folder / f"{number:05d}.png", mask)


def write_benchmark(root: Path) -> None:
    """Videos in the published layout; frames are links to a picture."""
    from PIL import Image

    picture = root / "picture.jpg"
    Image.new("RGB", SIZE[::-1]).save(picture)
    for video in range(VIDEOS):
        folder = root / "benchmark" / f"video{video}"
        write_masks(folder / "Annotations" / "17", 0)
        (folder / "JPEGImages").mkdir()
        for number in range(FRAMES):
            (folder / "JPEGImages" / f"{number:05d}.jpg").write_bytes(picture.read_bytes())


def write_submission(path: Path, shift: int) -> None:
    """A zip file of predictions."""
    with tempfile.TemporaryDirectory() as temporary:
        masks = Path(temporary) / "17"
        write_masks(masks, shift)
        with zipfile.ZipFile(path, "w") as archive:
            for video in range(VIDEOS):
                for file in sorted(masks.iterdir()):
                    archive.write(file, f"video{video}/17/{file.name}")


def form(name: str, content: bytes) -> bytes:
    """The body of an upload."""
    start = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="name"\r\n\r\n{name}\r\n--{BOUNDARY}\r\n'
    start += 'Content-Disposition: form-data; name="file"; filename="masks.zip"\r\n\r\n'
    return start.encode() + content + f"\r\n--{BOUNDARY}--\r\n".encode()


async def answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """The status and body of one answer."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    length = re.search(r"(?i)content-length: (\d+)", head)
    body = await reader.readexactly(int(length[1])) if length else b""
    return int(head.split()[1]), body


async def client(
    port: int, asked: Asked, number: int, token: str, end: float, took: list[float], left: list[int]
) -> None:
    """Ask until the time or the number of requests is used up; a 429 is asked again, and counts into the time."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    count = 0
    while time.perf_counter() < end and left[0] > 0:
        left[0] -= 1
        count += 1
        body = asked.body.replace(b"NUMBER", f"{number:03d}{count:03d}".encode())
        head = asked.head.replace("TOKEN", token)
        began = time.perf_counter()
        while True:
            writer.write(f"{head}Host: localhost\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
            status, text = await answer(reader)
            if status != 429:
                break
            writer.close()
            await asyncio.sleep(0.05)
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        if status not in (200, 201):
            raise SystemExit(f"{asked.name}: {status} {text[:300]!r}")
        took.append(time.perf_counter() - began)
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


async def load(port: int, asked: Asked, tokens: Sequence[str], seconds: float) -> tuple[float, list[float]]:
    """Requests a second, and how long each took, in seconds."""
    took: list[float] = []
    left = [asked.limit or 10**9]
    began = time.perf_counter()
    end = began + seconds
    await asyncio.gather(*(client(port, asked, one, token, end, took, left) for one, token in enumerate(tokens)))
    return len(took) / (time.perf_counter() - began), took


def memory_mib(process: int, key: str = "VmHWM") -> float:
    """Memory of a process: the most it had, or another figure of its status."""
    found = re.search(rf"{key}:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


def prepare(root: Path, results: int, clients: int, database: str) -> tuple[list[str], str, str, str]:
    """A data folder with results on the board: tokens of the clients, and a code, a cookie and a run's page."""
    write_benchmark(root)
    data = root / "data"
    settings = ServerSettings(
        format=FORMAT, benchmark=str(root / "benchmark"), protocols=("paper@1",), quota=0, database=database
    )
    require_folder(data)
    write_settings(data, prepared(settings))
    server = open_server(data)
    hashed = accounts.hash_password(PASSWORD)
    tokens = []
    with server.database.write() as session:
        for number in range(clients):
            wish = accounts.Wish(f"user{number:03d}", "A team", PASSWORD)
            user = accounts.register(session, wish, hashed, "open", time.time())
            tokens.append(accounts.new_token(session, user, "", time.time()))
        cookie = accounts.open_session(session, session.get_one(User, 1), time.time())
    code = submit_all(server.database, data, results)
    runs = sorted((server.board.build() / "runs").glob("*.html"))
    server.database.close()
    return tokens, code, cookie, runs[0].name


def submit_all(database: Database, data: Path, results: int) -> str:
    """Real submissions, scored here and published; the code of the last."""
    from leaderboard.entry import MethodFacts
    from leaderboard.server import submissions
    from leaderboard.server.settings import read_settings
    from leaderboard.server.worker import Worker

    code = ""
    for number in range(results):
        code = submissions.new_code()
        path = data / "uploads" / code
        write_submission(path, 1 + number % 9)
        with database.write() as session:
            received = submissions.Received(code, "masks.zip", f"{number:064x}", path.stat().st_size)
            said = submissions.Described(f"method {number}", "", MethodFacts())
            submissions.add(session, session.get_one(User, 1), received, said, 0, time.time())
    worker = Worker.open(database, data, read_settings(data))
    while worker.run_one():
        pass
    with database.write() as session:
        for submission in session.query(Submission):
            submissions.set_published(session, submission.user, submission.code, True)
    return code


def kinds(code: str, cookie: str, run: str, token: str, results: int) -> list[Asked]:
    """What is asked for; in the place of TOKEN comes that of the client."""
    bearer, browser = f"Authorization: Bearer {token}\r\n", f"Cookie: icvos_session={cookie}\r\n"
    sender = f"Authorization: Bearer TOKEN\r\nContent-Type: multipart/form-data; boundary={BOUNDARY}\r\n"
    upload = form("method of NUMBER", b"NUMBER" + bytes(UPLOAD_BYTES))
    return [
        Asked(f"the board, {results} results", "GET /board/ HTTP/1.1\r\n"),
        Asked("the page of a run", f"GET /board/runs/{run} HTTP/1.1\r\n"),
        Asked("a state, by a page that waits", f"GET /submissions/{code}/state HTTP/1.1\r\n{browser}"),
        Asked("a submission with figures, by API", f"GET /api/v1/submissions/{code} HTTP/1.1\r\n{bearer}"),
        Asked("the page of a submission", f"GET /submissions/{code} HTTP/1.1\r\n{browser}"),
        Asked("an upload of 1 MiB", f"POST /api/v1/submissions HTTP/1.1\r\n{sender}", upload, UPLOADS),
    ]


def started(data: Path, benchmark: Path, database: str) -> tuple["subprocess.Popen[bytes]", int]:
    """A server that answers, and its port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    given = ("--benchmark", benchmark, "--data", data, "--port", port, "--quota", 0, "--workers", 0)
    command = [sys.executable, "-m", "icvos", "serve", *map(str, given), "--database", database]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    while process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return process, port
        time.sleep(0.1)
    raise SystemExit("the server did not start")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--results", type=int, default=20)
    parser.add_argument("--database", default="", help="a PostgreSQL database; without it, SQLite")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        tokens, code, cookie, run = prepare(root, arguments.results, arguments.clients, arguments.database)
        process, port = started(root / "data", root / "benchmark", arguments.database)
        try:
            resting = memory_mib(process.pid, "VmRSS")
            print("| what is asked for | requests a second | median, ms | 99 %, ms | slowest, ms | peak, MiB |")
            print("| --- | ---: | ---: | ---: | ---: | ---: |")
            for asked in kinds(code, cookie, run, tokens[0], arguments.results):
                rate, took = asyncio.run(load(port, asked, tokens, arguments.seconds))
                median, last = statistics.median(took), statistics.quantiles(took, n=100)[98]
                figures = (f"{rate:,.0f}", *(f"{1000 * one:,.0f}" for one in (median, last, max(took))))
                print(f"| {asked.name} | {' | '.join(figures)} | {memory_mib(process.pid):,.0f} |", flush=True)
            print(f"\n{arguments.clients} clients at once; the server has {resting:,.0f} MiB once it has started")
        finally:
            process.terminate()
            process.wait()


if __name__ == "__main__":
    main()
