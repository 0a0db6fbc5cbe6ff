"""The queue of work: a job is one worker's until its lease ends, and what came of it is recorded once.

A claim is one UPDATE that finds the job free and takes it, so two workers never have the same. A worker that was
killed leaves a lease that ends; the next one begins the job anew. The number of the attempt is what a worker shows
when it is done: one that was thought dead, and is not, finds the number changed and records nothing.
"""

from dataclasses import dataclass
from typing import cast

from sqlalchemy import func, or_, select, update
from sqlalchemy.engine import CursorResult
from sqlalchemy.orm import Session

from icvos.files.leftovers import MACHINE, is_running
from leaderboard.server.models import Job, Submission

GIVEN_UP = "its scoring was stopped {attempts} times before it ended; whoever runs this server can have it scored again"


@dataclass(frozen=True, slots=True)
class Claim:
    """A job that a worker has.

    Args:
        job_id: The job.
        submission_id: What is to be scored.
        owner: The worker, ``<machine>-<pid>``.
        attempt: How often it was begun, this time included.
    """

    job_id: int
    submission_id: int
    owner: str
    attempt: int


def claim(session: Session, owner: str, now: float, lease_seconds: float) -> Claim | None:
    """The oldest free job, now ``owner``'s; None where there is none."""
    is_free = or_(Job.owner.is_(None), Job.lease_end < now)
    oldest = select(Job.id).where(Job.finished.is_(None), is_free).order_by(Job.id).limit(1)
    oldest = oldest.with_for_update(skip_locked=True)  # of PostgreSQL; SQLite has one writer at a time
    taken = (
        update(Job)
        .where(Job.id == oldest.scalar_subquery(), Job.finished.is_(None), is_free)
        .values(owner=owner, lease_end=now + lease_seconds, attempts=Job.attempts + 1)
        .returning(Job.id, Job.submission_id, Job.attempts)
        .execution_options(synchronize_session=False)
    )
    row = session.execute(taken).one_or_none()
    return None if row is None else Claim(row[0], row[1], owner, row[2])


def renew(session: Session, claim: Claim, now: float, lease_seconds: float) -> bool:
    """Keep a job for longer; whether it is still the worker's."""
    return _change(session, claim, lease_end=now + lease_seconds)


def finish(session: Session, claim: Claim, now: float) -> bool:
    """End a job; False, and nothing changes, where it is another's by now: then nothing of it may be recorded."""
    return _change(session, claim, finished=now, owner=None, lease_end=None)


def give_back(session: Session, claim: Claim) -> bool:
    """Let another worker begin a job that was not ended; it does not count as an attempt."""
    return _change(session, claim, owner=None, lease_end=None, attempts=claim.attempt - 1)


def _change(session: Session, claim: Claim, **values: object) -> bool:
    own = update(Job).where(
        Job.id == claim.job_id, Job.owner == claim.owner, Job.attempts == claim.attempt, Job.finished.is_(None)
    )
    done = session.execute(own.values(**values).execution_options(synchronize_session=False))
    return cast("CursorResult[None]", done).rowcount == 1


def enqueue(session: Session, submission_id: int) -> None:
    """Put a submission into the queue: for the first time, or to be scored again."""
    job = session.scalar(select(Job).where(Job.submission_id == submission_id))
    if job is None:
        session.add(Job(submission_id=submission_id, attempts=0))
    else:
        job.owner, job.lease_end, job.attempts, job.finished = None, None, 0, None


def release_dead(session: Session) -> int:
    """Free the jobs of workers of this machine that are gone, before their leases end; how many there were."""
    held = session.scalars(select(Job).where(Job.finished.is_(None), Job.owner.is_not(None))).all()
    dead = [job for job in held if _is_dead(job.owner or "")]
    for job in dead:
        gone = update(Job).where(Job.id == job.id, Job.owner == job.owner, Job.attempts == job.attempts)
        session.execute(gone.values(owner=None, lease_end=None).execution_options(synchronize_session=False))
    return len(dead)


def _is_dead(owner: str) -> bool:
    machine, _, rest = owner.partition("-")
    pid = rest.partition("-")[0]
    return machine == MACHINE and pid.isdigit() and not is_running(int(pid))


def place(session: Session, submission: Submission) -> int | None:
    """How many jobs are before a submission that waits; None where it does not."""
    if submission.state != "waiting":
        return None
    own = select(Job.id).where(Job.submission_id == submission.id).scalar_subquery()
    return session.scalar(select(func.count()).select_from(Job).where(Job.finished.is_(None), Job.id < own))
