"""A worker: takes a job, scores the upload, records what came of it. Killed at any moment, it loses nothing.

So a fault of ours in the face of a hostile file may end it: another begins the job anew, and gives it up in the end.

What it finds is recorded in one transaction with the end of the job, and only while the job is its own. The database
hears every second how far it is, which also keeps the job.
"""

import json
import logging
import os
import secrets
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import update

from icvos.errors import IcvosError, printable
from icvos.files.leftovers import MACHINE, remove_leftovers, temporary_folder
from icvos.protocol import Protocol
from icvos.protocol import protocol as find_protocol
from icvos.tasks.task import Task, open_task
from leaderboard.server import jobs
from leaderboard.server.database import Database
from leaderboard.server.models import Score, Submission
from leaderboard.server.scoring import HIDDEN, Outcome, score_upload
from leaderboard.server.settings import MOVIES, SCRATCH, UPLOADS, ServerSettings

LOG = logging.getLogger("icvos.server")
TOLD_SECONDS = 1.0  # between two words to the database
REST_SECONDS = 0.5  # between two looks for a job
TOO_LONG = "scoring it took longer than {seconds} s; pack fewer files or smaller masks"
CHANGED = "the benchmark is no longer the one that this server was started with; start the server again"


class AbandonedError(Exception):
    """The work on a job ends here: the worker is to stop, the job is another's, or it takes too long."""


@dataclass(slots=True)
class Progress:
    """A `icvos.tasks.task.Watch` that writes to the database how far a job is, and ends it where it must end."""

    database: Database
    settings: ServerSettings
    claim: jobs.Claim
    is_stopped: Callable[[], bool]
    began: float = field(default_factory=time.monotonic)
    told: float = 0.0
    lost: bool = False
    late: bool = False
    name: str = ""
    units: int = 0
    done: int = 0

    def stage(self, name: str) -> None:
        """Something else begins."""
        self.name, self.units, self.done = printable(name)[:80], 0, 0
        self.tell()

    def total(self, units: int, done: int = 0) -> None:
        """How much it is."""
        self.units, self.done = units, done

    def advance(self, units: int = 1, what: str = "") -> None:  # noqa: ARG002  # the signature of a watch
        """More of it is done."""
        self.done += units
        if self.is_stopped() or self.lost:
            raise AbandonedError
        if time.monotonic() - self.began > self.settings.scoring_seconds:
            self.late = True
            raise AbandonedError
        if time.monotonic() - self.told > TOLD_SECONDS:
            self.tell()

    def note(self, text: str) -> None:
        """For whoever runs the server."""
        LOG.info("%s", printable(text))

    def tell(self) -> None:
        """Write it down, and keep the job; `AbandonedError` where it is another's."""
        state = "scoring" if self.name.startswith(("score", "draw")) else "checking"
        self.told = time.monotonic()
        with self.database.write() as session:
            now = self.database.now(session)
            if not jobs.renew(session, self.claim, now, self.settings.lease_seconds):
                self.lost = True
                raise AbandonedError
            own = update(Submission).where(Submission.id == self.claim.submission_id)
            session.execute(own.values(state=state, stage=self.name, done=self.done, units=self.units))


@dataclass(slots=True)
class Worker:
    """One process that scores, one job at a time.

    Args:
        database: Where jobs are.
        data: The data folder, with the uploads.
        settings: Of the server.
        task: The benchmark.
    """

    database: Database
    data: Path
    settings: ServerSettings
    task: Task
    owner: str = field(default_factory=lambda: f"{MACHINE}-{os.getpid()}-{secrets.token_hex(4)}")
    stopped: threading.Event = field(default_factory=threading.Event)

    @classmethod
    def open(cls, database: Database, data: Path, settings: ServerSettings) -> "Worker":
        """A worker for the server with that data folder; `IcvosError` where the benchmark is another by now."""
        task = open_task(settings.benchmark)
        if task.digest != settings.digest:
            raise IcvosError(f"{settings.benchmark}: {CHANGED}")
        return cls(database, data, settings, task)

    @property
    def protocols(self) -> list[Protocol]:
        """Under which it scores."""
        return [find_protocol(name) for name in self.settings.protocols]

    def run(self) -> None:
        """Take jobs until `stopped` is set."""
        scratch = self.data / SCRATCH
        scratch.mkdir(exist_ok=True)
        remove_leftovers(scratch)
        with temporary_folder(scratch, "worker") as temporary:
            tempfile.tempdir = str(temporary)  # archives are unpacked there, and what a kill leaves is found again
            with self.database.write() as session:
                jobs.release_dead(session)
            while not self.stopped.is_set():
                if not self.run_one():
                    self.stopped.wait(REST_SECONDS)

    def run_one(self) -> bool:
        """Take one job and end it; whether there was one."""
        with self.database.write() as session:
            claim = jobs.claim(session, self.owner, self.database.now(session), self.settings.lease_seconds)
        if claim is None:
            return False
        with self.database.read() as session:
            submission = session.get_one(Submission, claim.submission_id)
        if claim.attempt > self.settings.attempts:
            given_up = jobs.GIVEN_UP.format(attempts=self.settings.attempts)
            self._record(claim, Outcome("refused", given_up))
            return True
        progress = Progress(self.database, self.settings, claim, self.stopped.is_set)
        outcome = self._outcome(submission, progress)
        if outcome is None:
            self._let_go(claim)
        else:
            self._record(claim, outcome)
        return True

    def _outcome(self, submission: Submission, progress: Progress) -> Outcome | None:
        """What came of it; None where the work was given up, and another is to do it."""
        upload = self.data / UPLOADS / submission.code
        movies = self.data / MOVIES / submission.code if self.settings.overlays != "none" else None
        with _Keeper(progress):
            try:
                if not upload.is_file():
                    LOG.error("%s: no such upload", upload)
                    return Outcome("refused", HIDDEN)
                return score_upload(
                    self.task,
                    upload,
                    submission.file_name,
                    self.protocols,
                    progress,
                    all_draws=self.settings.all_draws,
                    movies=movies,
                )
            except AbandonedError:
                too_long = TOO_LONG.format(seconds=self.settings.scoring_seconds)
                return Outcome("refused", too_long) if progress.late else None

    def _record(self, claim: jobs.Claim, outcome: Outcome) -> None:
        """All of it in one transaction, or nothing where the job is another's by now."""
        with self.database.write() as session:
            now = self.database.now(session)
            if not jobs.finish(session, claim, now):
                LOG.warning("job %d was another's when it ended; dropped", claim.job_id)
                return
            submission = session.get_one(Submission, claim.submission_id)
            submission.state, submission.reason, submission.ended = outcome.state, outcome.reason, now
            submission.stage, submission.done, submission.units = "", 0, 0
            submission.faults = faults_json(outcome)
            submission.more_faults = outcome.more_faults
            for protocol, scores in outcome.scores:
                session.add(Score(submission_id=submission.id, protocol=protocol, scores=scores))

    def _let_go(self, claim: jobs.Claim) -> None:
        with self.database.write() as session:
            if jobs.give_back(session, claim):
                own = update(Submission).where(Submission.id == claim.submission_id)
                session.execute(own.values(state="waiting", stage="", done=0, units=0))


def faults_json(outcome: Outcome) -> str:
    """The faults of an outcome as the database has them."""
    return json.dumps([fault.to_json() for fault in outcome.faults])


class _Keeper:
    """Inside, a thread keeps the job while one long step says nothing."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._keep, daemon=True)

    def __enter__(self) -> None:
        self.thread.start()

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self.thread.join()

    def _keep(self) -> None:
        progress, lease = self.progress, self.progress.settings.lease_seconds
        while not self.ended.wait(lease / 3):
            with progress.database.write() as session:
                if not jobs.renew(session, progress.claim, progress.database.now(session), lease):
                    progress.lost = True
                    return
