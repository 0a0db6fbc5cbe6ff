"""Predictions to a server, and its answer: what `icvos submit --server` does."""

import os
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Self, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ValidationError

from icvos.errors import Fault, IcvosError, printable
from icvos.files.listing import is_passed_over
from icvos.tasks.archive import refuse_links
from icvos.tasks.result import Result
from icvos.tasks.task import Watch, parse_result
from leaderboard.server.addresses import read_url
from leaderboard.server.messages import ENDED, Detail, ServerView, Summary

TIMEOUT = httpx.Timeout(60, connect=15)
AGAIN_SECONDS = (1.0, 3.0, 10.0, 20.0)  # before a call that broke, or found the server restarting, is made again
SHORTEST_SECONDS, LONGEST_SECONDS = 0.5, 5.0  # between two questions
KIB = 1024
UNWELL = (502, 503, 504)  # of a proxy whose server is away for a moment
M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Scored:
    """What a server made of predictions.

    Args:
        place: The page that shows it.
        published: Whether it is on the board.
        results: Under each protocol.
        warnings: What was odd about it but allowed.
    """

    place: str
    published: bool
    results: tuple[Result, ...]
    warnings: tuple[Fault, ...]


class NotScoredError(IcvosError):
    """A submission that has faults or was refused; ``faults`` has every one."""

    def __init__(self, message: str, faults: tuple[Fault, ...]) -> None:
        super().__init__(message)
        self.faults = faults


@dataclass(slots=True)
class Remote:
    """A server, and who asks it; a context manager that hangs up.

    Args:
        address: ``http://host:port`` or ``https://host``.
        token: Made on the page of one's account.
        waits: Seconds before a call that broke is made once more.
    """

    address: str
    token: str
    waits: tuple[float, ...] = AGAIN_SECONDS
    client: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        self.address = read_url(self.address, "--server")
        if not self.token or not self.token.isascii() or not self.token.isprintable():
            raise IcvosError("--token: make one on the page of your account; or set ICVOS_TOKEN to it")
        headers = {"Authorization": f"Bearer {self.token}", "User-Agent": "icvos"}
        self.client = httpx.Client(base_url=self.address, headers=headers, timeout=TIMEOUT)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()

    def about(self) -> ServerView:
        """What the server takes; asked once, so that a wrong address is known at once."""
        answer = self._tried(lambda: self.client.get("/api/v1/server"), ())
        return self._read(answer, ServerView)

    def send(self, archive: Path, name: str, said: Mapping[str, str], watch: Watch) -> Summary:
        """Send an archive; made once more where the answer was lost, which the server knows."""
        watch.stage("send, KiB")
        size = archive.stat().st_size

        def call() -> httpx.Response:
            with archive.open("rb") as file:
                watch.total(size // KIB)
                counted = _Counted(file, watch)
                files: Any = {"file": (name, counted, "application/octet-stream")}
                return self.client.post("/api/v1/submissions", data=dict(said), files=files)

        return self._read(self._tried(call, self.waits), Summary)

    def wait(self, code: str, watch: Watch) -> Detail:
        """The submission once it has ended."""
        pause, stage, done = SHORTEST_SECONDS, "", 0
        while True:
            found = self._read(self._call("GET", f"submissions/{quote(code)}"), Detail)
            if found.state in ENDED:
                return found
            now = found.stage or found.state
            if now != stage:
                stage, done, pause = now, 0, SHORTEST_SECONDS
                watch.stage(stage)
                watch.total(found.units)
            if found.done > done:
                watch.total(found.units, found.done)
                done = found.done
            time.sleep(pause)
            pause = min(1.3 * pause, LONGEST_SECONDS)

    def result(self, code: str, protocol: str) -> Result:
        """The result of a submission under a protocol."""
        answer = self._call("GET", f"submissions/{quote(code)}/scores/{quote(protocol)}")
        try:
            value = answer.json()
        except ValueError as error:
            raise self._error(f"answers with something other than a result ({error})") from None
        return parse_result(value if isinstance(value, dict) else {}, self.address)

    def publish(self, code: str) -> Summary:
        """Put it on the board."""
        return self._read(self._call("POST", f"submissions/{quote(code)}/publish"), Summary)

    def _call(self, method: str, path: str) -> httpx.Response:
        return self._tried(lambda: self.client.request(method, f"/api/v1/{path}"), self.waits)

    def _tried(self, call: Callable[[], httpx.Response], pauses: tuple[float, ...]) -> httpx.Response:
        """The answer to a call, made again after each pause where the connection breaks; `IcvosError` for a refusal."""
        waits = iter(pauses)
        while True:
            remedy = "try again later"
            try:
                answer = call()
                if answer.status_code not in UNWELL:
                    return self._accepted(answer)
                why = f"answers with status {answer.status_code}"
            except httpx.TransportError as error:
                why = f"cannot be reached ({printable(str(error) or type(error).__name__, 200)})"
                if isinstance(error, httpx.ConnectError):
                    remedy = "is icvos serve running there, and is --server its address? else try again later"
            wait = next(waits, None)
            if wait is None:
                raise self._error(f"{why}; {remedy}")
            time.sleep(wait)

    def _accepted(self, answer: httpx.Response) -> httpx.Response:
        if answer.is_success:
            return answer
        try:
            detail = answer.json()["detail"]
        except (ValueError, TypeError, KeyError):
            detail = f"answers with status {answer.status_code}, so it may be no server of icvos; check --server"
        raise self._error(printable(str(detail)))

    def _read(self, answer: httpx.Response, model: type[M]) -> M:
        try:
            return model.model_validate_json(answer.content)
        except ValidationError:
            raise self._error("answers with something that this icvos does not know; update it") from None

    def _error(self, what: str) -> IcvosError:
        return IcvosError(f"{self.address}: {what}")


@dataclass(slots=True)
class _Counted:
    """A file whose reading is watched."""

    file: BinaryIO
    watch: Watch
    rest: int = 0

    def read(self, size: int = -1) -> bytes:
        """Some of it."""
        data = self.file.read(size)
        whole, self.rest = divmod(self.rest + len(data), KIB)
        self.watch.advance(whole)
        return data

    def fileno(self) -> int:
        """By which its length is found."""
        return self.file.fileno()

    def seek(self, place: int, whence: int = os.SEEK_SET) -> int:
        """Back to the start."""
        return self.file.seek(place, whence)

    def tell(self) -> int:
        """Where it is."""
        return self.file.tell()

    def __iter__(self) -> Iterator[bytes]:
        while data := self.read(1 << 16):
            yield data


@contextmanager
def packed(predictions: Path) -> Iterator[Path]:
    """The file itself, or a zip file of the folder, removed at the end; `IcvosError` for a folder with links."""
    if predictions.is_file():
        yield predictions
        return
    if not predictions.is_dir():
        raise IcvosError(
            f"{predictions}: no such file or folder; give a folder of predictions, or a zip or tar.gz file"
        )
    refuse_links(predictions)
    with tempfile.TemporaryDirectory(prefix="icvos-") as temporary:
        path = Path(temporary) / f"{predictions.resolve().name}.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for found in sorted(predictions.rglob("*")):
                inside = found.relative_to(predictions)
                if found.is_file() and not any(map(is_passed_over, inside.parts)):
                    archive.write(found, inside.as_posix())
        yield path


def submit_to(remote: Remote, predictions: Path, said: Mapping[str, str], watch: Watch, *, publish: bool) -> Scored:
    """Send predictions to a server and wait for what it makes of them.

    Args:
        remote: The server.
        predictions: A file, or a folder, which is packed.
        said: What is said of the method, by the fields of the form: ``name`` at least.
        watch: Is told how it goes on.
        publish: Put it on the board.

    Raises:
        NotScoredError: It has faults, or was refused.
        IcvosError: The server cannot be reached, or does not take it.
    """
    about = remote.about()
    watch.stage("pack")
    with packed(predictions) as archive:
        if archive.stat().st_size > about.max_upload_bytes:
            most = about.max_upload_bytes >> 20
            raise IcvosError(
                f"{predictions}: {archive.stat().st_size >> 20} MiB, and the server takes {most}; pack less"
            )
        sent = remote.send(archive, archive.name, said, watch)
    ended = remote.wait(sent.code, watch)
    faults = tuple(
        Fault(one.kind, one.where, one.what, "error" if one.severity == "error" else "warning") for one in ended.faults
    )
    place = f"{remote.address}/submissions/{ended.code}"
    if ended.state != "scored":
        raise NotScoredError(f"{place}: {ended.reason or ended.state}", faults)
    results = tuple(remote.result(ended.code, protocol) for protocol in ended.figures)
    is_published = remote.publish(ended.code).published if publish else ended.published
    return Scored(place, is_published, results, faults)
