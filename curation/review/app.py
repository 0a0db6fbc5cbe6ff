"""The web app of a review: its page and what that asks for."""

from collections.abc import Mapping
from importlib.resources import files
from typing import Annotated, Any

from fastapi import Body, FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field, ValidationError
from starlette.types import ASGIApp

from curation.review.desk import NO_CLASS, REASONS, Desk
from curation.review.events import Key
from curation.review.guard import Guard
from curation.review.pictures import CLIP_WIDTH, frame_jpeg
from curation.review.spelling import NONE_CODE, spellings
from curation.review.suggestions import to_json
from icvos.drawing.overlays import COLOURS
from icvos.errors import IcvosError
from icvos.files.schema import misfit

STATIC: Mapping[str, str] = {
    "review.css": "text/css",
    "review.js": "text/javascript",
    "screen.js": "text/javascript",
    "clip.js": "text/javascript",
    "keys.js": "text/javascript",
    "typing.js": "text/javascript",
    "store.js": "text/javascript",
    "queue.js": "text/javascript",
    "decision.js": "text/javascript",
    "panel.js": "text/javascript",
}
WIDTHS = (160, CLIP_WIDTH)  # of frames, beside their own
KEPT = {"Cache-Control": "private, max-age=3600"}


class Said(BaseModel):
    """A decision as the page sends it."""

    source: str
    video: str
    rows: list[dict[str, Any]] = Field(max_length=200)
    seconds: float | None = Field(default=None, ge=0, le=1e6)
    again: bool = False


def make_app(desk: Desk, port: int, token: str) -> ASGIApp:
    """The ASGI application of a review that listens on ``port``; ``token`` is known to whoever may use it."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    @app.exception_handler(IcvosError)
    def refuse(request: Request, error: IcvosError) -> Response:  # noqa: ARG001  # a handler's signature
        return JSONResponse({"detail": str(error)}, 409)

    @app.exception_handler(ValidationError)
    def misfits(request: Request, error: ValidationError) -> Response:  # noqa: ARG001  # as above
        return JSONResponse({"detail": misfit(error, "a decision")}, 422)

    @app.exception_handler(RequestValidationError)
    def refuse_request(request: Request, error: RequestValidationError) -> Response:  # noqa: ARG001  # as above
        return JSONResponse({"detail": f"no decision: {error.errors()[0]['msg']}"}, 422)

    @app.get("/")
    def page() -> Response:
        return Response(_text("index.html"), media_type="text/html")

    @app.get("/static/{name}")
    def static(name: str) -> Response:
        if name not in STATIC:
            raise HTTPException(404)
        return Response(_text(name), media_type=STATIC[name])

    @app.get("/api/start")
    def start() -> dict[str, Any]:
        session = desk.session
        return {
            "reviewer": session.reviewer,
            "blind": session.blind,
            "disputes": session.disputes,
            "again": session.again,
            "rows": desk.ledger.path.name,
            "categories": spellings(),
            "none": {"code": NONE_CODE, "reason": NO_CLASS},
            "reasons": REASONS,
            "colours": [f"rgb({red} {green} {blue})" for red, green, blue in COLOURS],
            "suggestions": desk.suggestions is not None,
            "why_none": desk.why_none,
        }

    @app.get("/api/queue")
    def queue() -> dict[str, Any]:
        return desk.queue()

    @app.get("/api/again")
    def again() -> dict[str, Any]:
        key = desk.again()
        return {"source": key[0], "name": key[1]} if key else {}

    @app.get("/api/videos/{source}/{name}")
    def video(source: str, name: str) -> dict[str, Any]:
        return desk.shown(_known(desk, source, name))

    @app.get("/api/videos/{source}/{name}/course")
    def course(source: str, name: str) -> dict[str, Any]:
        return desk.course(_known(desk, source, name)).to_json()

    @app.get("/api/videos/{source}/{name}/suggestions")
    def suggestions(source: str, name: str) -> dict[str, Any]:
        key = _known(desk, source, name)
        if desk.suggestions is None:
            return {"state": "off"}
        found = desk.suggestions.ask(key)
        if found is None and desk.suggestions.fault:
            return {"state": "off", "why": desk.suggestions.fault}
        return {"state": "pending"} if found is None else {"state": "ready", **to_json(found)}

    @app.get("/api/videos/{source}/{name}/frames/{number}")
    def frame(source: str, name: str, number: int, width: int = 0) -> Response:
        frames = desk.video(_known(desk, source, name)).frames
        if not 0 <= number < len(frames) or width not in (0, *WIDTHS):
            raise HTTPException(404)
        return Response(frame_jpeg(frames[number], width or None), media_type="image/jpeg", headers=KEPT)

    @app.post("/api/decide")
    def decide(said: Annotated[Said, Body()]) -> dict[str, Any]:
        key = _known(desk, said.source, said.video)
        desk.decide(key, said.rows, said.seconds, again=said.again)
        return {"entry": desk.entry(key), "progress": desk.queue()["progress"]}

    @app.post("/api/undo")
    def undo() -> dict[str, Any]:
        key = desk.undo().key
        return {"entry": desk.entry(key), "progress": desk.queue()["progress"]}

    return Guard(app, port, token)


def _known(desk: Desk, source: str, name: str) -> Key:
    if (source, name) not in desk.videos:
        raise HTTPException(404, f"no video {name} of {source}")
    return source, name


def _text(name: str) -> str:
    return files("curation.review").joinpath(f"static/{name}").read_text(encoding="utf-8")
