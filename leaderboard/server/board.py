"""The board's pages, made anew when what is published has changed, and served from a folder for each state."""

import asyncio
import json
import os
import re
import shutil
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from icvos.errors import IcvosError
from icvos.files.leftovers import remove_leftovers, temporary_folder
from icvos.files.names import require_inside
from icvos.tasks.task import parse_result
from leaderboard.entry import Entry, method_facts
from leaderboard.ranking import write_site
from leaderboard.server import submissions
from leaderboard.server.database import Database
from leaderboard.server.models import Submission
from leaderboard.server.movies import Reel
from leaderboard.server.settings import SITES, UPLOADS
from leaderboard.server.times import iso
from leaderboard.tables.build import build_tables
from leaderboard.tables.shape import Row, Table

PATIENCE_SECONDS = 10.0  # for pages that are being made, where there are others to show
KEPT = 2  # folders of earlier states, for whoever is reading one
POLICY = re.compile(r'http-equiv="Content-Security-Policy" content="([^"]*)"')
HEAD_CHARACTERS = 4000  # of a page, in which its policy is
DATA_POLICY = "default-src 'none'; sandbox"


def entry_of(submission: Submission, scores: str, clips: int | None, uploads: Path = Path(UPLOADS)) -> Entry:
    """A submission under one protocol, as a board knows it, by the path of its upload, beside which nothing lies."""
    return Entry(
        submission.method.name,
        str(submission.revision),
        parse_result(json.loads(scores), "scores"),
        uploads / submission.code,
        notes="\n".join(filter(None, (f"Team: {submission.user.team}", submission.notes))),
        facts=method_facts(json.loads(submission.facts)),
        added=iso(submission.created),
        declared_clips=clips,
    )


def own_tables(submission: Submission, scores: Sequence[str], clips: int | None) -> list[tuple[Table, Row]]:
    """The tables of a submission alone, for its own page: its row in each."""
    tables = build_tables([entry_of(submission, text, clips) for text in scores], reported=False)
    return [(table, table.measured[0]) for table in tables]


@dataclass(slots=True)
class LiveBoard:
    """The board of a server.

    Args:
        database: What is published.
        data: The data folder.
        clips: How many clips the benchmark has, if it has clips.
    """

    database: Database
    data: Path
    clips: int | None
    lock: threading.Lock = field(default_factory=threading.Lock)
    current: tuple[int, Path] | None = None
    making: "asyncio.Task[Path] | None" = None

    async def folder(self) -> Path:
        """The folder with the pages of what is published now; the last ones where making them takes too long."""
        version, end = await asyncio.to_thread(self._version), time.monotonic() + PATIENCE_SECONDS
        while self.current is None or self.current[0] < version:
            left = end - time.monotonic()
            if self.current is not None and left <= 0:
                break
            if self.making is None or self.making.done():
                self.making = asyncio.create_task(asyncio.to_thread(self.build))  # for all who ask meanwhile
            await asyncio.wait([self.making], timeout=None if self.current is None else left)
            if self.making.done():
                self.making.result()  # raises what went wrong
        return self.current[1]

    def _version(self) -> int:
        with self.database.read() as session:
            return submissions.board_version(session)

    def build(self) -> Path:
        """Make the pages of what is published now, unless they are there."""
        with self.lock:
            with self.database.read() as session:
                version = submissions.board_version(session)
                if self.current is not None and self.current[0] >= version:
                    return self.current[1]
                entries = [
                    entry_of(submission, scores, self.clips, self.data / UPLOADS)
                    for submission in submissions.published(session)
                    for scores in submissions.scores_of(session, submission).values()
                ]
            path = self._write(entries, version)
            self.current = version, path
            return path

    def _write(self, entries: Sequence[Entry], version: int) -> Path:
        """The pages in a folder of their own, which is whole when it has its name."""
        sites = self.data / SITES
        path = sites / f"{version:08d}"
        remove_leftovers(sites)
        if path.exists():  # of an earlier process, which may have been another icvos
            shutil.rmtree(path)
        with temporary_folder(sites, path.name) as temporary:
            write_site(build_tables(entries), temporary / "site", painter=Reel(self.data), home="/")
            (temporary / "site").rename(path)
        earlier = sorted(other for other in sites.iterdir() if other.name.isdecimal() and other != path)
        for other in earlier[: max(0, len(earlier) - KEPT)]:
            shutil.rmtree(other, ignore_errors=True)
        return path


@dataclass(frozen=True, slots=True)
class Page:
    """A file of the board.

    Args:
        path: Where it is.
        policy: What a browser may do with it.
        status: Its size and times.
    """

    path: Path
    policy: str
    status: os.stat_result


def find_page(folder: Path, place: str) -> Page | None:
    """The file at a place of the board; None where there is none, or it leads out of the folder."""
    path = folder / (place or "index.html")
    try:
        require_inside(path, folder)
        return Page(path, policy_of(path), path.stat()) if path.is_file() else None
    except (IcvosError, ValueError, OSError):  # the last of a name that no file can have
        return None


def policy_of(path: Path) -> str:
    """The policy of a page, which is in the page too: that of its one script."""
    if path.suffix != ".html":
        return DATA_POLICY
    with path.open(encoding="utf-8") as file:
        found = POLICY.search(file.read(HEAD_CHARACTERS))
    return f"{found[1]}; frame-ancestors 'none'" if found else DATA_POLICY
