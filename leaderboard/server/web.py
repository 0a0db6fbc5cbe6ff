"""What every page and every call of the API shares: the server's state, who asks, forms, and how pages are made."""

import hashlib
import hmac
import re
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from sqlalchemy.orm import Session

from icvos.errors import IcvosError, printable_lines
from icvos.files.storage import write_bytes
from leaderboard.server import accounts, submissions
from leaderboard.server.addresses import is_from
from leaderboard.server.board import LiveBoard
from leaderboard.server.database import Database
from leaderboard.server.forms import read_form
from leaderboard.server.models import Submission, User
from leaderboard.server.rates import PUBLISHINGS, Rates, visitor
from leaderboard.server.refusals import RefusedError
from leaderboard.server.settings import UPLOADS, ServerSettings
from leaderboard.server.times import iso
from leaderboard.server.uploads import Bounds
from leaderboard.server.views import Figures

if TYPE_CHECKING:
    from jinja2 import Environment

SECRET, SECRET_BYTES = "secret", 32
COOKIE, SECURE_COOKIE = (
    "icvos_session",
    "__Host-icvos_session",
)  # the latter is taken from this very host by https alone
COOKIE_SECONDS = int(accounts.SESSION_SECONDS)
HASHES_AT_ONCE = 4  # of passwords, each of which takes 64 MiB for a moment
CSRF_FIELD = "csrf"
INVITED = "/register#invitation="  # and the code, which no browser sends to a log
FORGED = "this form is not from this page, or too old; go back, load the page again and send it again"


@dataclass(slots=True)
class Server:
    """What a running server knows.

    Args:
        data: The data folder.
        settings: What it was told.
        database: Its database.
        benchmark: The benchmark's name.
        secret: By which forms are signed.
        board: What is published.
        figures: Those of submissions.
    """

    data: Path
    settings: ServerSettings
    database: Database
    benchmark: str
    secret: bytes
    board: LiveBoard
    figures: Figures
    rates: Rates = field(default_factory=Rates)
    hashing: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(HASHES_AT_ONCE))
    uploading: dict[int, int] = field(default_factory=dict)  # how many files a user sends at this moment

    @property
    def title(self) -> str:
        """What its pages are called."""
        return self.settings.title or f"{self.benchmark}: submissions"

    @property
    def clips(self) -> int | None:
        """How many clips the benchmark has, if it has clips."""
        return self.board.clips

    @property
    def uploads(self) -> Path:
        """The folder of uploads."""
        return self.data / UPLOADS

    @property
    def bounds(self) -> Bounds:
        """What an upload may take."""
        return Bounds(self.settings.max_upload_bytes, self.settings.upload_seconds, self.settings.idle_seconds)

    @property
    def cookie(self) -> str:
        """The name of the cookie."""
        return SECURE_COOKIE if self.settings.is_secure else COOKIE

    def csrf(self, cookie: str) -> str:
        """What a form holds that is sent by the browser with that cookie."""
        return hmac.new(self.secret, b"csrf " + cookie.encode("utf-8", "replace"), hashlib.sha256).hexdigest()


def read_secret(data: Path) -> bytes:
    """What forms are signed by: random, made at the first start. `IcvosError` for a file of another kind."""
    path = data / SECRET
    if not path.is_file():
        write_bytes(path, secrets.token_bytes(SECRET_BYTES))
        path.chmod(0o600)
    found = path.read_bytes()
    if len(found) != SECRET_BYTES:
        raise IcvosError(f"{path}: is not what forms are signed by; remove it, and it is made anew")
    return found


def server_of(request: Request) -> Server:
    """The server that a request came to."""
    found: Server = request.app.state.server
    return found


@dataclass(frozen=True, slots=True)
class Visit:
    """A browser's request: who it is, and by what cookie.

    Args:
        server: Where it came to.
        user: Who is logged in, if anybody.
        cookie: What the browser sent, or what it gets now.
        is_new: Whether it has to be sent to the browser.
        request: The request.
    """

    server: Server
    user: User | None
    cookie: str
    is_new: bool
    request: Request

    @property
    def csrf(self) -> str:
        """What its forms hold."""
        return self.server.csrf(self.cookie)

    def require_user(self) -> User:
        """Who is logged in; `NotLoggedInError` where nobody is."""
        if self.user is None:
            raise NotLoggedInError
        return self.user

    def require_admin(self) -> User:
        """The administrator who asks; to all others the page is not there."""
        user = self.require_user()
        if not user.is_admin:
            raise RefusedError("there is no such page", 404)
        return user


class NotLoggedInError(Exception):
    """A page for users was asked for by nobody in particular."""


def visit(request: Request) -> Visit:
    """Who is asking, by the cookie."""
    server = server_of(request)
    cookie = request.cookies.get(server.cookie, "")
    if not cookie:
        return Visit(server, None, secrets.token_urlsafe(32), True, request)
    with server.database.read() as session:
        user = accounts.session_user(session, cookie, server.database.now(session))
    return Visit(server, user, cookie, False, request)


Visitor = Annotated[Visit, Depends(visit)]


def checked_form(visit: Visitor, form: Annotated[dict[str, str], Depends(read_form)]) -> dict[str, str]:
    """The form, if it is from a page of this server that this browser was shown."""
    require_own(visit, form.get(CSRF_FIELD, ""))
    return form


Form = Annotated[dict[str, str], Depends(checked_form)]


def require_own(visit: Visit, csrf: str) -> None:
    """Raise `RefusedError` for a form that another page made this browser send."""
    headers = visit.request.headers
    said = headers.get("origin", headers.get("referer"))  # which a browser may keep to itself
    if said is not None and not is_from(said, visit.server.settings.url, headers.get("host", "")):
        raise RefusedError(FORGED, 403)
    if visit.is_new or not hmac.compare_digest(visit.csrf.encode(), csrf.encode("utf-8", "replace")):
        raise RefusedError(FORGED, 403)


def address(request: Request) -> str:
    """By what its sender is counted: the other end of the connection, or who a proxy that is believed says."""
    return visitor(request.client.host if request.client else "unknown")


def page(visit: Visit, template: str, status: int = 200, **values: Any) -> Response:
    """A page, with the cookie where the browser has none."""
    common = {
        "server": visit.server,
        "user": visit.user,
        "csrf": visit.csrf,
        "path": visit.request.url.path,
        "here": visit.server.settings.url or str(visit.request.base_url).rstrip("/"),
    }
    response = HTMLResponse(environment().get_template(template).render(common | values), status)
    if visit.is_new:
        set_cookie(response, visit.server, visit.cookie)
    return response


def set_cookie(response: Response, server: Server, cookie: str) -> None:
    """Give a browser its cookie, which scripts cannot read and other sites cannot have sent with a form."""
    response.set_cookie(
        server.cookie,
        cookie,
        max_age=COOKIE_SECONDS,
        path="/",
        secure=server.settings.is_secure,
        httponly=True,
        samesite="lax",
    )


def set_published(server: Server, session: Session, user: User, code: str, wanted: bool) -> Submission:
    """`submissions.set_published` within the rate of a user; what should be off the board is never kept on it."""
    if wanted and not server.rates.count((("publish", user.id), PUBLISHINGS)):
        raise RefusedError(f"you have published {PUBLISHINGS.most} times within an hour; come back later", 429)
    return submissions.set_published(session, user, code, wanted)


def go(place: str) -> Response:
    """To another page, after a form."""
    return RedirectResponse(place, 303)


@cache
def environment() -> "Environment":
    """What turns templates into pages: every text is escaped, and without what hides or turns the reading direction."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    made = Environment(
        loader=FunctionLoader(lambda name: resource(f"templates/{name}")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: printable_lines(value) if type(value) is str else value,
    )
    made.filters |= {"time": lambda seconds: iso(seconds).replace("T", " ")[:16] + " UTC"}
    made.filters |= {"size": in_words, "iso": iso}
    return made


def in_words(size: int) -> str:
    """A number of bytes for people.

    >>> in_words(17), in_words(16_981), in_words(512 << 20)
    ('17 B', '16.6 KiB', '512 MiB')
    """
    number, units = float(size), ["B", "KiB", "MiB", "GiB", "TiB"]
    while number >= 1024 and len(units) > 1:
        number, units = number / 1024, units[1:]
    return f"{number:.3g} {units[0]}" if number < 1000 else f"{number:.0f} {units[0]}"


def resource(place: str) -> str:
    """The text of a file that comes with the server, by its place beside this one."""
    return (Path(__file__).parent / place).read_text(encoding="utf-8")


def said_of(form: Mapping[str, str]) -> dict[str, Any]:
    """What a form says of a method, by the keys of `leaderboard.entry.MethodFacts`; nothing for what is left open."""
    answers = {"yes": True, "no": False}
    parameters = form.get("parameters", "").replace(",", "").strip()
    if parameters and not re.fullmatch("[0-9]{1,15}", parameters):
        raise RefusedError("parameters: write a number")
    for name in ("classes_seen", "uses_text"):
        if form.get(name, "") not in ("", *answers):
            raise RefusedError(f"{name}: write yes or no, or leave it out")
    return {
        "training": form.get("training") or None,
        "classes_seen": answers.get(form.get("classes_seen", "")),
        "uses_text": answers.get(form.get("uses_text", "")),
        "licence": form.get("licence", "").strip() or None,
        "parameters": int(parameters) if parameters else None,
    }
