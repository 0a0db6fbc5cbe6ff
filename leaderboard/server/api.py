"""The API: the same as the pages, for programs, with a token in the place of a log-in."""

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Request, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from leaderboard.server import accounts, submissions
from leaderboard.server.intake import take_in
from leaderboard.server.messages import Detail, Problem, ServerView, Summary
from leaderboard.server.models import Submission, User
from leaderboard.server.refusals import RefusedError
from leaderboard.server.views import detail, summary
from leaderboard.server.web import Server, server_of, set_published

PREFIX = "/api/v1"
SUBMISSIONS = f"{PREFIX}/submissions"
router = APIRouter(prefix=PREFIX)
BEARER = HTTPBearer(auto_error=False, description="A token, made on the page of your account.")
T = TypeVar("T")
REFUSED: dict[int | str, dict[str, Any]] = {401: {"model": Problem}, 404: {"model": Problem}}
TEXT = {"type": "string"}
ANSWER = {"type": "string", "enum": ["", "yes", "no"]}
UPLOAD = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["name", "file"],
                    "properties": {
                        "name": {**TEXT, "description": "What the board calls the method."},
                        "notes": {**TEXT, "description": "Free text for the board."},
                        "training": {"type": "string", "enum": ["", "none", "trained"]},
                        "classes_seen": {**ANSWER, "description": "Whether training showed masks of tested classes."},
                        "uses_text": {**ANSWER, "description": "Whether the method is also given words."},
                        "licence": {**TEXT, "description": "Of code and weights."},
                        "parameters": {**TEXT, "description": "Numbers in its networks."},
                        "file": {
                            "type": "string",
                            "format": "binary",
                            "description": "A zip or tar.gz file of predictions or of a run.",
                        },
                    },
                }
            }
        },
    }
}


def user_of(request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)]) -> User:
    """Whose token it is; `RefusedError` (401) for none, or one that is not known."""
    server = server_of(request)
    if given is not None:
        with server.database.read() as session:
            if user := accounts.token_user(session, given.credentials):
                return user
        raise RefusedError("this token is none of this server's, or was removed; make one on your account's page", 401)
    raise RefusedError("this needs a token in the header Authorization: Bearer; make one on your account's page", 401)


Asked = Annotated[Server, Depends(server_of)]
Owner = Annotated[User, Depends(user_of)]


@router.get("/server", summary="What this server takes")
def about(server: Asked) -> ServerView:
    """The benchmark, the protocols, and the bounds of a submission."""
    settings = server.settings
    return ServerView(
        title=server.title,
        benchmark=server.benchmark,
        digest=settings.digest,
        protocols=list(settings.protocols),
        max_upload_bytes=settings.max_upload_bytes,
        quota=settings.quota,
        registration=settings.registration,
    )


@router.post(
    "/submissions",
    summary="Send predictions",
    status_code=201,
    openapi_extra=UPLOAD,
    responses={
        200: {"model": Summary, "description": "The same file for the same method was there already."},
        401: {"model": Problem},
        408: {"model": Problem, "description": "It came too slowly."},
        409: {"model": Problem, "description": "The name is another team's."},
        413: {"model": Problem, "description": "It is too large."},
        429: {"model": Problem, "description": "Too many submissions."},
    },
)
async def submit(request: Request, response: Response, server: Asked, user: Owner) -> Summary:
    """Send a file, as a form; the answer comes at once, the figures later.

    The same file for the same method again is the same submission, so that a call whose answer was lost can be made
    once more.
    """
    submission, is_new = await take_in(server, request, user, lambda fields: None)
    response.status_code = 201 if is_new else 200
    return await run_in_threadpool(_with, server, user, submission.code, summary)


@router.get("/submissions", summary="Your submissions", responses={401: {"model": Problem}})
def listing(server: Asked, user: Owner) -> list[Summary]:
    """All of them, the newest first."""
    with server.database.read() as session:
        return [summary(session, one) for one in submissions.all_of(session, user)]


@router.get("/submissions/{code}", summary="One submission", responses=REFUSED)
def one(code: str, server: Asked, user: Owner) -> Detail:
    """Its state, its faults and its figures."""
    return _with(server, user, code, lambda session, found: detail(session, found, server.figures))


@router.get("/submissions/{code}/scores/{protocol}", summary="The whole result under one protocol", responses=REFUSED)
def scores(code: str, protocol: str, server: Asked, user: Owner) -> Response:
    """As scores.json has it."""
    found = _with(server, user, code, submissions.scores_of).get(protocol)
    if found is None:
        raise RefusedError("there is no result under this protocol", 404)
    return Response(found, media_type="application/json")


@router.post(
    "/submissions/{code}/publish",
    summary="Put it on the board",
    responses={
        **REFUSED,
        403: {"model": Problem, "description": "It is another's."},
        409: {"model": Problem, "description": "It has no figures."},
        429: {"model": Problem, "description": "Too many times within an hour."},
    },
)
def publish(code: str, server: Asked, user: Owner) -> Summary:
    """Its figures are there for everybody to see."""
    return _set_published(server, user, code, True)


@router.post("/submissions/{code}/withhold", summary="Take it off the board", responses=REFUSED)
def withhold(code: str, server: Asked, user: Owner) -> Summary:
    """Only you see its figures."""
    return _set_published(server, user, code, False)


def _set_published(server: Server, user: User, code: str, wanted: bool) -> Summary:
    with server.database.write() as session:
        return summary(session, set_published(server, session, user, code, wanted))


def _with(server: Server, user: User, code: str, make: Callable[[Session, Submission], T]) -> T:
    with server.database.read() as session:
        return make(session, submissions.find_own(session, user, code))
