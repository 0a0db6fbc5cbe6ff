"""From a request with a file to a submission: who may send one, when, and how many at once."""

import contextlib
import shutil
from collections.abc import Awaitable, Callable, Iterator

from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from icvos.errors import IcvosError
from leaderboard.entry import method_facts
from leaderboard.server import submissions
from leaderboard.server.models import Submission, User
from leaderboard.server.rates import UPLOADS
from leaderboard.server.refusals import RefusedError
from leaderboard.server.submissions import Described, Received
from leaderboard.server.uploads import drain, receive, require_length
from leaderboard.server.web import Server, said_of

AT_ONCE, ALL_AT_ONCE = 3, 32  # files that one user, and all users together, may be sending
RESERVE_BYTES = 1 << 30  # of the disk that is left free


async def take_in(
    server: Server, request: Request, user: User, begin: Callable[[dict[str, str]], None]
) -> tuple[Submission, bool]:
    """The submission that a form makes, and whether it is new.

    Args:
        server: Where it came to.
        request: The form: ``file``, and what is said of the method.
        user: Who sends it.
        begin: Judges the fields that come before the file.

    Raises:
        RefusedError: It is not taken, and nothing of it is left.
    """
    try:
        require_length(request, server.bounds)
        with _one_of_few(server, user):
            await run_in_threadpool(_require_place, server, user)
            fields, received = await receive(request, server.uploads, server.bounds, _judge(begin))
        return await run_in_threadpool(_add, server, user, fields, received)
    except RefusedError:
        await drain(request)
        raise


def _judge(begin: Callable[[dict[str, str]], None]) -> Callable[[dict[str, str]], Awaitable[None]]:
    """What is done before a file is received: nobody should wait for it who has misspelt something."""

    async def judge(fields: dict[str, str]) -> None:
        await run_in_threadpool(begin, fields)
        if "name" in fields:  # fields may also come after the file
            described(fields)

    return judge


@contextlib.contextmanager
def _one_of_few(server: Server, user: User) -> Iterator[None]:
    """Inside, a user sends a file; `RefusedError` where too many are sent already."""
    if server.uploading.get(user.id, 0) >= AT_ONCE or sum(server.uploading.values()) >= ALL_AT_ONCE:
        raise RefusedError("too many uploads at once; wait for one to end", 429)
    server.uploading[user.id] = server.uploading.get(user.id, 0) + 1
    try:
        yield
    finally:
        server.uploading[user.id] -= 1
        if not server.uploading[user.id]:
            del server.uploading[user.id]


def _add(server: Server, user: User, fields: dict[str, str], received: Received) -> tuple[Submission, bool]:
    """Tell the database of a file that was received, which is removed where it was refused or sent before."""
    submission = None
    try:
        said = described(fields)

        def add(session: Session) -> tuple[Submission, bool]:
            now = server.database.now(session)
            return submissions.add(session, user, received, said, server.settings.quota, now)

        submission, is_new = server.database.change(add)
        return submission, is_new
    finally:
        if submission is None or submission.code != received.code:
            (server.uploads / received.code).unlink(missing_ok=True)


def _require_place(server: Server, user: User) -> None:
    """Refuse now what would be refused after the upload."""
    if not server.rates.count((("upload", user.id), UPLOADS)):
        raise RefusedError(f"more than {UPLOADS.most} uploads in an hour; come back later", 429)
    if shutil.disk_usage(server.uploads).free < RESERVE_BYTES + server.settings.max_upload_bytes:
        raise RefusedError("the server's disk is full; whoever runs it has to free some space", 507)
    with server.database.read() as session:
        submissions.require_quota(session, user, server.settings.quota, server.database.now(session))


def described(fields: dict[str, str]) -> Described:
    """What a form says of a submission; `RefusedError` for what cannot be."""
    try:
        facts = method_facts(said_of(fields))
    except RefusedError:
        raise
    except IcvosError as error:
        raise RefusedError(str(error)) from error
    return submissions.describe(fields.get("name", ""), fields.get("notes", ""), facts)
