"""A server of files on this machine that drops connections, truncates, lies and is out of order, as a path asks."""

import http.server
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves ``/<manner>/<name>``: the file of that name, in that manner."""

    protocol_version = "HTTP/1.1"
    server: "Server"

    def do_GET(self) -> None:
        manner, name = self.path.split("/")[1], self.path.rpartition("/")[2]
        content, piece = self.server.files[name], self.server.piece
        self.server.requests.append((manner, self.headers.get("Range")))
        self.server.told.append(dict(self.headers))
        before = [one for one, _ in self.server.requests].count(manner) - 1
        start = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").rstrip("-"))
        if manner in ("missing", "forbidden"):
            self.send_error(404 if manner == "missing" else 403)
        elif manner == "busy" and before < 2:
            self.send_error(503)
        elif manner == "moved":
            self.send_response(302)
            self.send_header("Location", f"/good/{name}")
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif manner == "page":
            self._send(b"<!DOCTYPE html>" + content[15:], 0)
        elif manner == "wrong":
            self._send(content[:-1] + b"x", start)
        elif manner == "short":
            self._send(content[:-100], start)
        elif manner == "drops":
            self._send(content, start, stop=piece)
        elif manner == "dies":
            self._send(content, start, stop=0)
        elif manner == "noranges":
            self._send(content, 0, stop=piece if before < 1 else None)
        elif manner == "wavers":  # ignores ranges, and stops now here, now there
            self._send(content, 0, stop=piece * (1 + before % 2))
        elif manner == "shifted":
            self._send(content, start + 10 if start else 0, stop=piece)
        elif manner == "full" and start:
            self.send_error(416)
        elif manner == "nolength":
            self._send(content, 0, stop=None if before else piece, length=False)
        elif manner == "slow":
            self._send(content, start, stop=piece, hold=True)
        else:
            self._send(content, start)

    def _send(
        self, content: bytes, start: int, *, stop: int | None = None, length: bool = True, hold: bool = False
    ) -> None:
        """A part of the content from ``start``; the connection breaks, or waits, after ``stop`` bytes."""
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        if length:
            self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self.wfile.write(content[start:] if stop is None else content[start : start + stop])
        if hold:
            self.server.ended.wait()
        self.close_connection = stop is not None or not length

    def log_message(self, *_: Any) -> None:
        pass


class Server(http.server.ThreadingHTTPServer):
    """Serves ``files`` by name; ``requests`` has the manner and range of each request, ``told`` its headers."""

    daemon_threads = True
    handler: type[Handler] = Handler

    def __init__(self, files: Mapping[str, bytes], piece: int) -> None:
        super().__init__(("127.0.0.1", 0), self.handler)
        self.files, self.piece = dict(files), piece
        self.requests: list[tuple[str, str | None]] = []
        self.told: list[dict[str, str]] = []
        self.ended = threading.Event()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no error here."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)

    def url(self, manner: str, name: str) -> str:
        """The address at which a file is served in that manner."""
        return f"http://127.0.0.1:{self.server_address[1]}/{manner}/{name}"


@contextmanager
def serving(files: Mapping[str, bytes], piece: int, server: Server | None = None) -> Iterator[Server]:
    """A server of ``files`` that stops, where it does, after ``piece`` bytes; or another ``server``."""
    found = server or Server(files, piece)
    thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        found.ended.set()
        found.shutdown()
        found.server_close()
        thread.join()
