"""Desks on the small world, and apps on them, for the tests of a review."""

import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import uvicorn

from curation.review.app import make_app
from curation.review.desk import Desk, Session
from curation.review.run import open_desk
from icvos.serving.listening import listen
from tests.conftest import World

TOKEN = "a-token"


def desk_of(world: World, rows: Path, reviewer: str = "anna", **more: Any) -> Desk:
    """A reviewer's desk on the MOSE and LVOS of the small world."""
    return open_desk(rows, Session(reviewer, **more), mose=world.root / "mose", lvos=world.root / "lvos")


@contextlib.contextmanager
def served(desk: Desk) -> Iterator[str]:
    """A desk served in this process; the address that is opened."""
    with contextlib.closing(listen("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        config = uvicorn.Config(make_app(desk, port, TOKEN), ws="none", lifespan="off", log_level="warning")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        while not server.started:
            time.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{port}/?token={TOKEN}"
        finally:
            server.should_exit = True
            thread.join()
