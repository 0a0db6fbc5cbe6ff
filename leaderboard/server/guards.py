"""What stands before every page: headers, the size of a body, how slow it may come, and which host was meant."""

import asyncio
from collections.abc import Iterable

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from leaderboard.server.addresses import is_of

MAX_BODY_BYTES = 1 << 18  # of whatever is no upload
BODY_SECONDS = 20.0
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
YEAR_SECONDS = 31_536_000


class Guards:
    """An ASGI application around another.

    Args:
        app: The other.
        url: The server's address, or empty: then any host is meant, and nothing is said of https.
        uploads: The paths whose bodies are bounded elsewhere.
    """

    def __init__(self, app: ASGIApp, url: str, uploads: Iterable[str]) -> None:
        self.app = app
        self.url = url
        self.uploads = frozenset(uploads)
        more = {"Strict-Transport-Security": f"max-age={YEAR_SECONDS}"} if url.startswith("https://") else {}
        self.headers = [(name.lower().encode(), value.encode()) for name, value in (HEADERS | more).items()]
        self.usual = {b"content-security-policy": POLICY.encode(), b"cache-control": b"no-store"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = dict(scope["headers"])
        scope = _plain(scope)

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                there = {name.lower() for name, _ in message["headers"]}
                usual = [(name, value) for name, value in self.usual.items() if name not in there]
                message["headers"] = [*message["headers"], *self.headers, *usual]
            await send(message)

        if self.url and not is_of(self.url, given.get(b"host", b"").decode("latin-1")):
            await PlainTextResponse(f"this server is {self.url}\n", 421)(scope, receive, guarded)
        elif scope["path"] in self.uploads:
            await self.app(scope, receive, guarded)
        else:
            await self._bounded(scope, receive, guarded)

    async def _bounded(self, scope: Scope, receive: Receive, send: Send) -> None:
        """With a small body, read whole beforehand, so that a slow one costs no thread."""
        messages: list[Message] = []
        size = 0
        try:
            async with asyncio.timeout(BODY_SECONDS):
                while not messages or messages[-1].get("more_body"):
                    messages.append(await receive())
                    size += len(messages[-1].get("body", b""))
                    if size > MAX_BODY_BYTES:
                        await PlainTextResponse("too long\n", 413)(scope, receive, send)
                        return
        except TimeoutError:
            await PlainTextResponse("too slow\n", 408)(scope, receive, send)
            return
        rest = iter(messages)

        async def replay() -> Message:
            return next(rest, None) or await receive()

        await self.app(scope, replay, send)


def _plain(scope: Scope) -> Scope:
    """A request as the pages know it: HEAD is GET, whose body uvicorn keeps back, and nobody is given many pieces."""
    headers = [(name, value) for name, value in scope["headers"] if name != b"range" or b"," not in value]
    method = "GET" if scope["method"] == "HEAD" else scope["method"]
    return {**scope, "method": method, "headers": headers}
