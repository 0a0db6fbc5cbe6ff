"""A server for tests: a small benchmark, predictions, and the server on a free port of this process."""

import contextlib
import re
import threading
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import httpx
import numpy as np
import uvicorn
from PIL import Image

from leaderboard.server import accounts
from leaderboard.server.app import open_server
from leaderboard.server.models import Base
from leaderboard.server.patience import PatientProtocol
from leaderboard.server.run import Place, configured, listen, prepared
from leaderboard.server.settings import FORMAT, ServerSettings, require_folder, write_settings
from leaderboard.server.web import Server
from leaderboard.server.worker import Worker

VIDEOS = {"dog": 17, "cows": 20}
FRAMES, SIZE = 4, (32, 48)
PASSWORD = "correct horse battery"


def write_masks(folder: Path, shift: int, size: tuple[int, int] = SIZE) -> None:
    """A square that moves, ``shift`` pixels beside its place."""
    folder.mkdir(parents=True)
    for number in range(FRAMES):
        mask = np.zeros(size, np.uint8)
        mask[8:24, 4 + number + shift : 24 + number + shift] = 1
        Image.fromarray(mask).save(folder / f"{number:05d}.png")


def write_benchmark(root: Path) -> Path:
    """Two videos in the published layout."""
    for video, category in VIDEOS.items():
        write_masks(root / video / "Annotations" / str(category), 0)
        (root / video / "JPEGImages").mkdir()
        for number in range(FRAMES):
            Image.new("RGB", SIZE[::-1]).save(root / video / "JPEGImages" / f"{number:05d}.jpg")
    return root


def write_predictions(root: Path, shift: int = 2) -> Path:
    """Predictions of the benchmark, ``shift`` pixels beside the truth."""
    for video, category in VIDEOS.items():
        write_masks(root / video / str(category), shift)
    return root


def pack(folder: Path, path: Path) -> Path:
    """A zip file of a folder."""
    with zipfile.ZipFile(path, "w") as archive:
        for found in sorted(folder.rglob("*.png")):
            archive.write(found, found.relative_to(folder).as_posix())
    return path


def predictions_zip(folder: Path, shift: int = 2) -> Path:
    """A file to submit, of its own content for every ``shift``."""
    return pack(write_predictions(folder / f"masks{shift}", shift), folder / f"masks{shift}.zip")


def settings_for(benchmark: Path, **given: Any) -> ServerSettings:
    """Settings of a server, ``given`` over those for tests."""
    return prepared(
        ServerSettings(
            **{"format": FORMAT, "benchmark": str(benchmark), "protocols": ("native@1",), "quota": 100, **given}
        )
    )


def prepare(data: Path, settings: ServerSettings) -> Server:
    """A server that does not listen yet."""
    require_folder(data)
    write_settings(data, settings)
    return open_server(data)


@dataclass
class Browser:
    """Someone with a browser: keeps cookies, and finds the signature of a form on its page."""

    client: httpx.Client
    name: str = ""

    def csrf(self, page: str = "/login") -> str:
        found = re.search(r'name="csrf" value="([0-9a-f]{64})"', self.client.get(page).text)
        assert found, page
        return found[1]

    def post(self, path: str, page: str = "/login", **fields: str) -> httpx.Response:
        return self.client.post(path, data={"csrf": self.csrf(page), **fields})

    def register(self, name: str, team: str = "A team", **more: str) -> httpx.Response:
        self.name = name
        fields = {"name": name, "team": team, "password": PASSWORD, "again": PASSWORD, **more}
        return self.post("/register", "/register", **fields)

    def log_in(self, name: str, password: str = PASSWORD) -> httpx.Response:
        return self.post("/login", name=name, password=password)

    def token(self) -> str:
        answer = self.post("/account/tokens", "/account", label="a machine")
        found = re.search(r"icvos_[A-Za-z0-9_-]{43}", answer.text)
        assert found, answer.text
        return found[0]

    def send(self, file: Path, name: str = "mine", **fields: str) -> httpx.Response:
        """A file by the form, as a browser without scripts does."""
        with file.open("rb") as opened:
            data = {"csrf": self.csrf("/submissions"), "name": name, **fields}
            return self.client.post("/submissions", data=data, files={"file": (file.name, opened)})


@dataclass
class Running:
    """A server that listens on this machine."""

    server: Server
    address: str
    host: str
    port: int
    clients: list[httpx.Client] = field(default_factory=list)

    def forget(self) -> None:
        """Be as a server that was just started."""
        server = self.server
        for client in self.clients:
            client.close()
        self.clients.clear()
        with server.database.write() as session:
            for table in reversed(Base.metadata.sorted_tables):
                session.execute(table.update().values(value=0) if table.name == "counters" else table.delete())
        for path in server.uploads.iterdir():
            path.unlink()
        server.rates.seen.clear()
        server.board.current = None
        server.figures.kept.clear()

    def browser(self, **given: Any) -> Browser:
        """Someone new."""
        client = httpx.Client(base_url=self.address, timeout=30, verify=False, **given)
        self.clients.append(client)
        return Browser(client)

    def user(self, name: str = "anna", **more: str) -> Browser:
        """Someone who is registered and logged in."""
        browser = self.browser()
        answer = browser.register(name, **more)
        assert answer.status_code == 303, answer.text
        return browser

    def api(self, token: str) -> httpx.Client:
        """A program."""
        client = self.browser(headers={"Authorization": f"Bearer {token}"}).client
        client.base_url = httpx.URL(f"{self.address}/api/v1/")
        return client

    def work(self) -> int:
        """Do all that waits, in this process; how many jobs there were."""
        worker = Worker.open(self.server.database, self.server.data, self.server.settings)
        count = 0
        while worker.run_one():
            count += 1
        return count

    @contextlib.contextmanager
    def worked(self) -> Iterator[Self]:
        """With a worker beside it, which looks for jobs again and again."""
        stopped = threading.Event()

        def work() -> None:
            while not stopped.wait(0.05):
                self.work()

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield self
        finally:
            stopped.set()
            thread.join()


def admin_of(running: Running, name: str = "root") -> Browser:
    """An administrator who is logged in."""
    browser = running.user(name)
    with running.server.database.write() as session:
        found = accounts.find_user(session, name)
        assert found
        found.is_admin = True
    return browser


def code_of(answer: httpx.Response) -> str:
    """By which a submission that was sent by the form is named."""
    assert answer.status_code == 303, answer.text
    return answer.headers["location"].removeprefix("/submissions/")


@contextlib.contextmanager
def running(
    server: Server,
    protocol: type[PatientProtocol] = PatientProtocol,
    place: Place = Place(),  # noqa: B008  # frozen
) -> Iterator[Running]:
    """The server, listening on a free port."""
    with listen("127.0.0.1", 0) as listening:
        host, port = listening.getsockname()
        config = configured(server, place)
        config.http, config.timeout_graceful_shutdown = protocol, 1
        served = uvicorn.Server(config)
        thread = threading.Thread(target=served.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        while not served.started:
            time.sleep(0.005)
        found = Running(server, f"http://{host}:{port}", host, port)
        try:
            yield found
        finally:
            for client in found.clients:
                client.close()
            served.should_exit = True
            thread.join(10)
            server.database.close()
