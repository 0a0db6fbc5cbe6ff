"""The application: pages and API on one data folder."""

import logging
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from icvos.files.leftovers import remove_leftovers
from icvos.tasks.task import open_task
from leaderboard.server import account_pages, api, pages
from leaderboard.server.board import LiveBoard
from leaderboard.server.guards import Guards
from leaderboard.server.refusals import RefusedError
from leaderboard.server.settings import UPLOADS, open_database, read_settings, require_folder
from leaderboard.server.views import Figures
from leaderboard.server.web import NotLoggedInError, Server, read_secret, visit

LOG = logging.getLogger("icvos.server")
REFUSALS = {404: "there is no such page", 405: "this page is not asked for in this way"}
ABOUT = "Predictions in, figures out. Make a token on the page of your account, and send it as a bearer."


def open_server(data: Path) -> Server:
    """The server of a data folder: the database at the layout of this icvos, the benchmark opened."""
    settings = read_settings(data)
    require_folder(data)
    database = open_database(data, settings)
    task = open_task(settings.benchmark)
    remove_leftovers(data / UPLOADS)
    board = LiveBoard(database, data, task.clips)
    return Server(data, settings, database, task.name, read_secret(data), board, Figures(task.clips))


def make_app(server: Server) -> ASGIApp:
    """The ASGI application of a server."""
    app = FastAPI(
        title=server.title,
        description=ABOUT,
        version="1",
        docs_url=None,  # would load scripts from elsewhere
        redoc_url=None,
        openapi_url="/api/openapi.json",
        redirect_slashes=False,  # to an address that the request itself names
    )
    app.state.server = server
    app.include_router(api.router)
    app.include_router(pages.router)
    app.include_router(account_pages.router)

    @app.exception_handler(RefusedError)
    def refuse(request: Request, error: RefusedError) -> Response:
        if request.url.path.startswith(api.PREFIX):
            return JSONResponse({"detail": str(error)}, error.status)
        return pages.not_found(visit(request), error)

    @app.exception_handler(NotLoggedInError)
    def ask_to_log_in(request: Request, error: NotLoggedInError) -> Response:  # noqa: ARG001  # a handler's signature
        return RedirectResponse("/login", 303)

    @app.exception_handler(HTTPException)
    def refuse_http(request: Request, error: HTTPException) -> Response:
        return refuse(request, RefusedError(REFUSALS.get(error.status_code, str(error.detail)), error.status_code))

    @app.exception_handler(RequestValidationError)
    def refuse_values(request: Request, error: RequestValidationError) -> Response:  # noqa: ARG001  # as above
        return refuse(request, RefusedError("this address or form has a value that it cannot have", 422))

    return Guards(app, server.settings.url, (api.SUBMISSIONS, pages.PATH))
