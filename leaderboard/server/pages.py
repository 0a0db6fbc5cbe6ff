"""The pages of submissions, and those that everybody sees."""

import json
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, JSONResponse, Response
from starlette.concurrency import run_in_threadpool

from icvos.errors import Fault
from icvos.tasks.kinds import lines
from leaderboard.server import submissions
from leaderboard.server.board import find_page
from leaderboard.server.intake import take_in
from leaderboard.server.messages import Summary
from leaderboard.server.refusals import RefusedError
from leaderboard.server.views import summary
from leaderboard.server.web import CSRF_FIELD, Form, Visitor, go, page, require_own, resource, set_published

router = APIRouter(include_in_schema=False)
PATH = "/submissions"
FAULTS_SHOWN = 1000
KINDS = {".webp": "image/webp"}  # which not every system knows
STATIC = {  # name -> kind and files
    "style.css": ("text/css", ("../site/style.css", "static/server.css")),  # the pages look as the board does
    "watch.js": ("text/javascript", ("static/watch.js",)),
    "register.js": ("text/javascript", ("static/register.js",)),
    "upload.js": ("text/javascript", ("static/upload.js",)),
}


@router.get("/")
def home(visit: Visitor) -> Response:
    """What this server is for."""
    return page(visit, "home.html.jinja")


@router.get("/static/{name}")
def static(name: str) -> Response:
    """Style and scripts."""
    if name not in STATIC:
        raise RefusedError("there is no such page", 404)
    kind, places = STATIC[name]
    return Response("".join(map(resource, places)), media_type=kind, headers={"Cache-Control": "max-age=300"})


@router.get("/favicon.ico")
def icon() -> Response:
    """None: the pages of the board do not say so, and browsers ask."""
    return Response(status_code=204, headers={"Cache-Control": "max-age=86400"})


@router.get("/healthz")
def health(visit: Visitor) -> dict[str, str]:
    """Whether the server runs and reaches its database."""
    with visit.server.database.read() as session:
        submissions.board_version(session)
    return {"status": "ok"}


@router.get("/board")
def to_board() -> Response:
    """The board's address ends with a slash, so that its links lead to its own pages."""
    return go("/board/")


@router.get("/board/{place:path}")
async def board(place: str, request: Request) -> Response:
    """A page or file of the board, as of now."""
    folder = await request.app.state.server.board.folder()
    found = await run_in_threadpool(find_page, folder, place)
    if found is None:
        raise RefusedError("there is no such page on the board; the result may have been taken off it", 404)
    headers = {"Cache-Control": "no-cache", "Content-Security-Policy": found.policy}
    kind = KINDS.get(found.path.suffix)
    answer = FileResponse(found.path, headers=headers, media_type=kind, stat_result=found.status)
    if answer.headers["etag"] in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers={**headers, "ETag": answer.headers["etag"]})
    return answer


@router.get(PATH)
def mine(visit: Visitor) -> Response:
    """A user's submissions, and the form for another."""
    return _mine(visit)


def _mine(visit: Visitor, status: int = 200, problem: str = "") -> Response:
    user = visit.require_user()
    with visit.server.database.read() as session:
        own = submissions.all_of(session, user)
    return page(visit, "submissions.html.jinja", status, submissions=own, problem=problem)


@router.post(PATH)
async def submit(visit: Visitor, request: Request) -> Response:
    """Take a file in; a script reads the answer as JSON, a browser alone is sent to the submission's page."""
    by_script = "application/json" in request.headers.get("accept", "")

    def begin(fields: dict[str, str]) -> None:
        require_own(visit, fields.get(CSRF_FIELD, ""))

    try:
        submission, _ = await take_in(visit.server, request, visit.require_user(), begin)
    except RefusedError as error:
        if by_script:
            return JSONResponse({"detail": str(error)}, error.status)
        return await run_in_threadpool(_mine, visit, error.status, str(error))
    place = f"{PATH}/{submission.code}"
    return JSONResponse({"place": place}) if by_script else go(place)


@router.get(PATH + "/{code}")
def one(code: str, visit: Visitor) -> Response:
    """A submission with its state, faults and figures."""
    user = visit.require_user()
    with visit.server.database.read() as session:
        found = submissions.find_own(session, user, code)
        figures = visit.server.figures.of(session, found)
        short = summary(session, found)
    faults = [Fault(**fault) for fault in json.loads(found.faults)]
    return page(
        visit,
        "submission.html.jinja",
        submission=found,
        short=short,
        faults=faults[:FAULTS_SHOWN],
        more=len(faults) - FAULTS_SHOWN + found.more_faults if len(faults) > FAULTS_SHOWN else found.more_faults,
        kinds=lines(faults),
        figures=figures,
        is_own=found.user_id == user.id,
    )


@router.get(PATH + "/{code}/state")
def state(code: str, visit: Visitor) -> Summary:
    """What the page asks for while it waits."""
    with visit.server.database.read() as session:
        return summary(session, submissions.find_own(session, visit.require_user(), code))


@router.get(PATH + "/{code}/faults.json")
def faults(code: str, visit: Visitor) -> Response:
    """All of them, for a program."""
    with visit.server.database.read() as session:
        found = submissions.find_own(session, visit.require_user(), code)
    return _download(found.faults, f"{code}-faults.json")


@router.get(PATH + "/{code}/scores/{protocol}.json")
def scores(code: str, protocol: str, visit: Visitor) -> Response:
    """The result under a protocol, as icvos score writes it."""
    with visit.server.database.read() as session:
        found = submissions.find_own(session, visit.require_user(), code)
        text = submissions.scores_of(session, found).get(protocol)
    if text is None:
        raise RefusedError("there is no result under this protocol", 404)
    return _download(text, f"{code}-{protocol}.json")


def _download(text: str, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(text, media_type="application/json", headers=headers)


@router.post(PATH + "/{code}/publish")
def publish(code: str, visit: Visitor, form: Form) -> Response:
    """Put a submission on the board, or take it off."""
    user = visit.require_user()
    with visit.server.database.write() as session:
        set_published(visit.server, session, user, code, form.get("wanted") == "yes")
    return go(f"{PATH}/{code}")


@router.get("/api")
def api(visit: Visitor) -> Response:
    """What the API has, from its own description."""
    described = visit.request.app.openapi()
    return page(visit, "api.html.jinja", calls=list(_calls(described)))


def _calls(described: dict[str, Any]) -> Any:
    for path, methods in described["paths"].items():
        for method, call in methods.items():
            body = call.get("requestBody", {}).get("content", {}).get("multipart/form-data", {}).get("schema", {})
            yield {
                "method": method.upper(),
                "path": path,
                "summary": call.get("summary", ""),
                "about": call.get("description", ""),
                "fields": body.get("properties", {}),
                "answers": {code: found.get("description", "") for code, found in call["responses"].items()},
            }


def not_found(visit: Visitor, error: RefusedError) -> Response:
    """What a browser sees of a refusal."""
    return page(visit, "refused.html.jinja", error.status, problem=str(error))
