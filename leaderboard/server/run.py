"""A server and its workers as processes: started, watched, ended together."""

import contextlib
import ipaddress
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import uvicorn

from icvos.errors import IcvosError, printable
from icvos.files.locks import lock_file
from icvos.serving.listening import listen
from icvos.tasks.task import open_task
from leaderboard.server import accounts
from leaderboard.server.app import make_app, open_server
from leaderboard.server.models import Submission
from leaderboard.server.patience import PatientProtocol
from leaderboard.server.settings import UPLOADS, ServerSettings, open_database, read_settings, require_folder
from leaderboard.server.settings import write_settings as keep
from leaderboard.server.web import INVITED, Server
from leaderboard.server.worker import Worker

LOG = logging.getLogger("icvos.server")
LOCK = ".serve.lock"
MOST_CONNECTIONS = 1000
GRACE_SECONDS = 10  # for requests and workers to end
REST_SECONDS = 2.0  # before a worker that ended is started again
ORPHAN_SECONDS = 86400.0  # after which an upload of which the database never heard is removed


@dataclass(frozen=True, slots=True)
class Place:
    """Where a server listens.

    Args:
        host: Its address on this machine.
        port: 0: any that is free.
        proxy: The address or network of a reverse proxy, or several, separated by commas, whose word on who is asking
            is believed; empty: nobody's is. `IcvosError` for anything else, and for all addresses there are.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    proxy: str = ""

    def __post_init__(self) -> None:
        self.proxies()

    def proxies(self) -> list[str]:
        """The networks of the proxies; those of IPv4 also as a socket for both kinds of address says them."""
        found = []
        for text in filter(None, map(str.strip, self.proxy.split(","))):
            try:
                network = ipaddress.ip_network(text, strict=False)
            except ValueError:
                network = None
            if network is None or not network.prefixlen:
                what = printable(text, 80)
                raise IcvosError(f"--trust-proxy {what}: give the address or network of the proxy, as 127.0.0.1")
            found.append(str(network))
            if network.version == 4:
                found.append(f"::ffff:{network.network_address}/{96 + network.prefixlen}")
        return found


def serve(
    data: Path, settings: ServerSettings, place: Place, workers: int, tell: Callable[[str], None], *, log: bool = False
) -> None:
    """Serve until the process is told to end.

    Args:
        data: The data folder, made where it is not there.
        settings: For this start and its workers.
        place: Where it listens.
        workers: Processes that score; 0: only those that were started elsewhere.
        tell: Is given lines for whoever started it.
        log: Whether every request is noted.

    Raises:
        IcvosError: The folder, the benchmark, the database or the port cannot be used.
    """
    data = data.resolve()
    require_folder(data)
    with lock_file(data / LOCK, str(data)):
        keep(data, settings)
        server = open_server(data)
        _remove_orphans(server)
        with contextlib.closing(listen(place.host, place.port)) as listening:
            host, port = listening.getsockname()[:2]
            address = settings.url or f"http://{f'[{host}]' if ':' in host else host}:{port}"
            tell(f"{server.title}: {address}")
            _tell_first_admin(server, address, tell)
            with _workers(data, workers):
                _run(server, place, listening, log)
        server.database.close()


def prepared(settings: ServerSettings) -> ServerSettings:
    """The settings with the benchmark's place and digest as they are now; `IcvosError` where there is none."""
    root = Path(settings.benchmark).resolve()
    return settings.model_copy(update={"benchmark": str(root), "digest": open_task(root).digest})


def configured(server: Server, place: Place, *, log: bool = False) -> uvicorn.Config:
    """How uvicorn is to serve: no header is believed but those of the proxy that was named."""
    return uvicorn.Config(
        make_app(server),
        http=PatientProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="info" if log else "warning",
        access_log=log,
        server_header=False,
        date_header=True,
        proxy_headers=bool(place.proxy),
        forwarded_allow_ips=place.proxies(),
        limit_concurrency=MOST_CONNECTIONS,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )


def _run(server: Server, place: Place, listening: socket.socket, log: bool) -> None:
    """Serve until a signal comes; uvicorn raises it once more at its end, when workers have yet to be told."""
    before = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        uvicorn.Server(configured(server, place, log=log)).run(sockets=[listening])
    finally:
        signal.signal(signal.SIGTERM, before)


def _tell_first_admin(server: Server, address: str, tell: Callable[[str], None]) -> None:
    """Whoever started a server without an administrator gets an invitation to become one."""
    with server.database.write() as session:
        if not accounts.has_admin(session):
            code = accounts.invite_first(session, server.database.now(session))
            tell(f"no administrator yet; become one at {address}{INVITED}{code}")


def _remove_orphans(server: Server) -> None:
    """Remove uploads of which the database never heard, because the server was killed in between."""
    with server.database.read() as session:
        for path in (server.data / UPLOADS).iterdir():
            is_old = time.time() - path.stat().st_mtime > ORPHAN_SECONDS
            if is_old and session.query(Submission.id).filter_by(code=path.name).first() is None:
                path.unlink()


@dataclass(slots=True)
class _Workers:
    """Worker processes: one that ends is started again."""

    data: Path
    count: int
    stopped: threading.Event = field(default_factory=threading.Event)
    running: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    def watch(self) -> None:
        """Keep as many running as there should be."""
        while not self.stopped.is_set():
            for process in [one for one in self.running if one.poll() is not None]:
                LOG.warning("worker %d ended with status %s, another is started", process.pid, process.returncode)
                self.running.remove(process)
            while len(self.running) < self.count and not self.stopped.is_set():
                self.running.append(self._start())
            self.stopped.wait(REST_SECONDS)

    def _start(self) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "icvos", "worker", "--data", str(self.data), "--with-parent"]
        return subprocess.Popen(command, stdin=subprocess.PIPE)  # whose end tells it that this process is gone

    def end(self) -> None:
        """Tell all to end, and wait until they have."""
        for process in self.running:
            process.terminate()
        for process in self.running:
            try:
                process.wait(GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextlib.contextmanager
def _workers(data: Path, count: int) -> Iterator[None]:
    workers = _Workers(data, count)
    watching = threading.Thread(target=workers.watch, daemon=True)
    watching.start()
    try:
        yield
    finally:
        workers.stopped.set()
        watching.join()
        workers.end()


def work(data: Path, *, benchmark: Path | None = None, database: str = "", with_parent: bool = False) -> None:
    """Score for the server of a data folder until the process is told to end.

    Args:
        data: The data folder, shared with the server.
        benchmark: Where the benchmark is on this machine; None: where it is on the server's.
        database: The database's address from this machine; empty: as on the server's.
        with_parent: End when standard input ends, as it does with the process that started this one.
    """
    data = data.resolve()
    settings = read_settings(data)
    changes = {"benchmark": str(benchmark.resolve())} if benchmark else {}
    changes |= {"database": database} if database else {}
    settings = settings.model_copy(update=changes)
    opened = open_database(data, settings)
    worker = Worker.open(opened, data, settings)

    def stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001  # the signature of a handler
        worker.stopped.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    if with_parent:
        threading.Thread(target=_stop_with_parent, args=(worker,), daemon=True).start()
    worker.run()
    opened.close()


def _stop_with_parent(worker: Worker) -> None:
    while os.read(sys.stdin.fileno(), 1024):
        pass
    worker.stopped.set()
