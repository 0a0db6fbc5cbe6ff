"""Submissions in the database: taken in, found, published, withheld."""

import json
import re
import secrets
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Select, func, select, update
from sqlalchemy.orm import Session, joinedload

from icvos.errors import IcvosError, printable
from leaderboard.entry import MethodFacts, check_name
from leaderboard.server import accounts, jobs
from leaderboard.server.models import UNDER_WAY, Counter, Method, Score, Submission, User
from leaderboard.server.refusals import RefusedError

DAY_SECONDS = 86400.0
MAX_NOTES = 1000  # characters
CODE = re.compile("[0-9a-f]{16}")
BOARD = "board"  # the counter of changes to what is published


@dataclass(frozen=True, slots=True)
class Received:
    """A file that was uploaded whole.

    Args:
        code: What it is called on the disk, and will be in addresses.
        file_name: What the submitter calls it.
        sha256: Of its content, in hexadecimal.
        size: Bytes.
    """

    code: str
    file_name: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class Described:
    """What is said of a submission."""

    name: str
    notes: str
    facts: MethodFacts


def new_code() -> str:
    """A name for a new submission, that nobody guesses."""
    return secrets.token_hex(8)


def describe(name: str, notes: str, facts: MethodFacts) -> Described:
    """What is said of a submission, checked; `RefusedError` for what cannot be."""
    try:
        name = check_name(" ".join(name.split()), "method's name")
    except IcvosError as error:
        raise RefusedError(str(error)) from error
    notes = notes.replace("\r\n", "\n").strip()
    if len(notes) > MAX_NOTES or any(printable(line, MAX_NOTES) != line for line in notes.split("\n")):
        raise RefusedError(f"the notes are longer than {MAX_NOTES} characters or not printable; shorten them")
    return Described(name, notes, facts)


def require_quota(session: Session, user: User, quota: int, now: float) -> None:
    """Raise `RefusedError` where the user has had the submissions of this day; those with faults do not count."""
    if not quota:
        return
    counted = (
        select(func.count())
        .select_from(Submission)
        .where(
            Submission.user_id == user.id,
            Submission.created > now - DAY_SECONDS,
            Submission.state.in_((*UNDER_WAY, "scored")),
        )
    )
    if (session.scalar(counted) or 0) >= quota:
        raise RefusedError(f"you have had your {quota} submissions of 24 hours; come back later", 429)


def find_own(session: Session, user: User, code: str) -> Submission:
    """A user's submission; `RefusedError` (404) where there is none or it is another's, which is the same to see."""
    found = session.scalar(_whole().where(Submission.code == code)) if CODE.fullmatch(code) else None
    if found is None or (found.user_id != user.id and not user.is_admin):
        raise RefusedError("there is no such submission of yours", 404)
    return found


def all_of(session: Session, user: User | None = None, most: int = 1000) -> Sequence[Submission]:
    """The newest submissions of a user, or of all, the newest first."""
    wanted = _whole().order_by(Submission.id.desc()).limit(most)
    return session.scalars(wanted.where(Submission.user_id == user.id) if user else wanted).all()


def published(session: Session) -> Sequence[Submission]:
    """What is on the board."""
    return session.scalars(_whole().where(Submission.is_published).order_by(Submission.id)).all()


def _whole() -> "Select[Submission]":
    return select(Submission).options(joinedload(Submission.method), joinedload(Submission.user))


def add(
    session: Session, user: User, received: Received, said: Described, quota: int, now: float
) -> tuple[Submission, bool]:
    """Take a file in, as the next revision of its method, and have it scored; also whether it is new.

    The same file for the same method again is the same submission. Raises `RefusedError` for a name that is somebody
    else's, and where the quota is used up.
    """
    owner = accounts.as_of_now(session, user)  # who is held, so that uploads at once are counted one by one
    method = _method(session, user, said.name)
    same = session.scalar(_whole().where(Submission.method_id == method.id, Submission.sha256 == received.sha256))
    if same is not None:
        return same, False
    require_quota(session, user, quota, now)
    latest = session.scalar(select(func.max(Submission.revision)).where(Submission.method_id == method.id))
    submission = Submission(
        code=received.code,
        user=owner,
        method=method,
        revision=(latest or 0) + 1,
        file_name=received.file_name,
        sha256=received.sha256,
        size=received.size,
        notes=said.notes,
        facts=json.dumps(said.facts.to_json()),
        state="waiting",
        created=now,
    )
    session.add(submission)
    session.flush()
    jobs.enqueue(session, submission.id)
    return submission, True


def fold(name: str) -> str:
    """By which two names are the same: in any case, wide or narrow, however their letters are put together.

    >>> fold("Ｍｉｎｅ"), fold("STRASSE") == fold("straße"), fold("\u0390") == fold("\u03b9\u0308\u0301")
    ('mine', True, True)
    """
    for _ in range(2):  # small letters may be put together anew, and those be other small letters
        name = unicodedata.normalize("NFKC", unicodedata.normalize("NFKD", name).casefold())
    return name[:200]


def _method(session: Session, user: User, name: str) -> Method:
    folded = fold(name)
    method = session.scalar(select(Method).where(Method.folded == folded))
    if method is None:
        method = Method(user_id=user.id, name=name, folded=folded)
        session.add(method)
        session.flush()
    elif method.user_id != user.id:
        raise RefusedError(f"the name {name} is another team's; choose another", 409)
    return method


def scores_of(session: Session, submission: Submission) -> dict[str, str]:
    """The JSON of the result under each protocol."""
    found = select(Score).where(Score.submission_id == submission.id).order_by(Score.protocol)
    return {score.protocol: score.scores for score in session.scalars(found)}


def set_published(session: Session, user: User, code: str, wanted: bool) -> Submission:
    """Put a submission on the board, which its submitter alone may do, or take it off, as administrators may too.

    What an administrator took off stays off until one allows it again.

    Raises `RefusedError` for one that is not the user's to change or has no figures.
    """
    user = accounts.as_of_now(session, user)
    submission = find_own(session, user, code)
    if wanted and submission.user_id != user.id:
        raise RefusedError("only who submitted it can publish it", 403)
    if wanted and submission.is_barred:
        raise RefusedError("an administrator has taken it off the board; ask whoever runs this server", 403)
    if not wanted and submission.user_id != user.id:
        submission.is_barred = True
    if wanted and submission.state != "scored":
        raise RefusedError(f"it is {submission.state}, and only what was scored can be published", 409)
    if submission.is_published != wanted:
        submission.is_published = wanted
        board_changed(session)
    return submission


def allow(session: Session, user: User, code: str) -> None:
    """Let the submitter publish again what an administrator, as ``user`` is, took off the board."""
    find_own(session, accounts.as_of_now(session, user), code).is_barred = False


def board_changed(session: Session) -> None:
    """Count a change of what is published, in the transaction that makes it."""
    raised = update(Counter).where(Counter.name == BOARD).values(value=Counter.value + 1)
    session.execute(raised.execution_options(synchronize_session=False))


def board_version(session: Session) -> int:
    """How often what is published changed."""
    return session.scalar(select(Counter.value).where(Counter.name == BOARD)) or 0


def score_again(session: Session, submission: Submission) -> None:
    """Put a submission that has no figures back into the queue; those that have keep them."""
    if submission.state not in ("refused", "faults"):
        raise RefusedError(f"it is {submission.state}; only what was refused or has faults is scored again", 409)
    submission.state, submission.reason, submission.faults, submission.ended = "waiting", "", "[]", None
    submission.stage, submission.done, submission.units, submission.more_faults = "", 0, 0, 0
    jobs.enqueue(session, submission.id)
