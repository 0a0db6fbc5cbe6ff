"""Who may do what: users, passwords, tokens, sessions of browsers, invitations.

Every function works in a session of `leaderboard.server.database.Database`. What is handed out, a token, a cookie or an
invitation, is random and shown once; the database has its hash.
"""

import hashlib
import re
import secrets
from dataclasses import dataclass
from typing import cast

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import delete, func, select, update
from sqlalchemy.engine import CursorResult
from sqlalchemy.orm import Session, joinedload

from icvos.errors import IcvosError, printable
from leaderboard.entry import check_name
from leaderboard.server.models import Invitation, LoginSession, Submission, Token, User
from leaderboard.server.refusals import RefusedError
from leaderboard.server.settings import Registration

NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{1,39}")
LEAST_PASSWORD, MOST_PASSWORD = 10, 200
SESSION_SECONDS = 14 * 86400.0
INVITATION_SECONDS = 14 * 86400.0
FIRST_ADMIN = "the first administrator"
MOST_TOKENS = 20  # of one user
TOKEN_START = "icvos_"
CHANGED = "this account was deleted or got another password a moment ago; log in again"
HASHER = PasswordHasher()
NOBODY = HASHER.hash(secrets.token_urlsafe())  # compared where there is no such user, to take the same time


class AccountError(IcvosError):
    """What a visitor asks for cannot be; the message says why, to that visitor."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody gives to make an account."""

    name: str
    team: str
    password: str
    invitation: str = ""


def digest(secret: str) -> str:
    """The SHA-256 of something random that was handed out, in hexadecimal; too long to be guessed, so without salt."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def check_password(password: str) -> str:
    """``password`` if it is one; `AccountError` otherwise."""
    if not LEAST_PASSWORD <= len(password) <= MOST_PASSWORD:
        raise AccountError(f"a password has {LEAST_PASSWORD} to {MOST_PASSWORD} characters; choose another")
    return password


def check_user_name(name: str) -> str:
    """The name of a user in small letters; `AccountError` where it cannot be one."""
    found = name.strip().lower()
    if not NAME.fullmatch(found):
        raise AccountError("a user name has 2 to 40 of the characters a-z 0-9 _ . - and begins with a letter or digit")
    return found


def hash_password(password: str) -> str:
    """The hash of a new password; `AccountError` where it cannot be one. It takes its time, so no database waits."""
    return HASHER.hash(check_password(password))


def check_wish(session: Session, wish: Wish, registration: Registration, now: float) -> Invitation | None:
    """The invitation that an account is made by, if any; `AccountError` where it cannot be made, or not without one."""
    _require_free(session, check_user_name(wish.name))
    _team(wish.team)
    check_password(wish.password)
    invitation = _invitation(session, wish.invitation, now) if wish.invitation else None
    if wish.invitation and invitation is None:
        raise AccountError("this invitation is not known, was used or is too old; ask for another")
    if invitation is None and registration != "open":
        how = "needs an invitation" if registration == "invited" else "is closed"
        raise AccountError(f"registration {how}; ask whoever runs this server")
    return invitation


def register(session: Session, wish: Wish, hashed: str, registration: Registration, now: float) -> User:
    """Make an account; `AccountError` where `check_wish` raises it."""
    invitation = check_wish(session, wish, registration, now)
    name, team = check_user_name(wish.name), _team(wish.team)
    user = _new_user(session, name, team, hashed, now, is_admin=bool(invitation and invitation.is_admin))
    if invitation is not None:
        taken = update(Invitation).where(Invitation.digest == invitation.digest, Invitation.used_by.is_(None))
        if not cast("CursorResult[None]", session.execute(taken.values(used_by=user.id))).rowcount:
            raise AccountError("this invitation was used a moment ago; ask for another")
    return user


def _require_free(session: Session, name: str) -> None:
    if session.scalar(select(User.id).where(User.name == name)) is not None:
        raise AccountError(f"the name {name} is taken; choose another")


def _new_user(session: Session, name: str, team: str, hashed: str, now: float, *, is_admin: bool) -> User:
    user = User(name=name, team=team, password=hashed, is_admin=is_admin, created=now)
    session.add(user)
    session.flush()
    return user


def _team(team: str) -> str:
    try:
        return check_name(team.strip(), "team")
    except IcvosError as error:
        raise AccountError(str(error)) from error


def make_admin(session: Session, name: str, hashed: str, now: float) -> User:
    """An administrator of that name, made or changed to have this password; for whoever has the server's folder."""
    name = check_user_name(name)
    _withdraw_first(session)
    user = session.scalar(select(User).where(User.name == name))
    if user is None:
        return _new_user(session, name, name, hashed, now, is_admin=True)
    user.is_admin, user.deleted = True, None
    set_password(session, user, hashed)
    return user


def as_of_now(session: Session, user: User) -> User:
    """Whoever asks, as the database has them; they stay so until the session ends.

    Raises `RefusedError` (401) where they were deleted, lost rights or got another password since ``user`` was read.
    """
    wanted = select(User).where(User.id == user.id).with_for_update()
    found = session.scalar(wanted.execution_options(populate_existing=True))
    if found is None or found.deleted is not None or found.password != user.password or found.is_admin < user.is_admin:
        raise RefusedError(CHANGED, 401)
    return found


def set_password(session: Session, user: User, hashed: str) -> None:
    """Give a user a new password: whoever got in by the old one, browser or program, is out."""
    user.password = hashed
    _shut_out(session, user)


def _shut_out(session: Session, user: User) -> None:
    session.execute(delete(Token).where(Token.user_id == user.id))
    session.execute(delete(LoginSession).where(LoginSession.user_id == user.id))


def has_admin(session: Session) -> bool:
    """Whether there is an administrator."""
    found = select(func.count()).select_from(User).where(User.is_admin, User.deleted.is_(None))
    return bool(session.scalar(found))


def verified(user: User | None, password: str) -> bool:
    """Whether it is the user's password; as slow where there is no such user. What can be nobody's costs nothing."""
    if len(password) > MOST_PASSWORD:
        return False
    try:
        return HASHER.verify(user.password if user else NOBODY, password) and user is not None
    except (VerificationError, InvalidHashError):
        return False


def find_user(session: Session, name: str) -> User | None:
    """The user of that name, unless it was deleted."""
    known = name.strip().lower()
    if not NAME.fullmatch(known):  # PostgreSQL takes no text with a zero character
        return None
    return session.scalar(select(User).where(User.name == known, User.deleted.is_(None)))


def open_session(session: Session, user: User, now: float) -> str:
    """Log a browser in: what its cookie holds, never what it held before, so that nobody can fix it beforehand."""
    user = as_of_now(session, user)
    session.execute(delete(LoginSession).where(LoginSession.expires < now))
    cookie = secrets.token_urlsafe(32)
    session.add(LoginSession(digest=digest(cookie), user_id=user.id, expires=now + SESSION_SECONDS))
    return cookie


def session_user(session: Session, cookie: str, now: float) -> User | None:
    """Whose browser it is."""
    found = select(LoginSession).options(joinedload(LoginSession.user)).where(LoginSession.digest == digest(cookie))
    row = session.scalar(found)
    return row.user if row is not None and row.expires > now and row.user.deleted is None else None


def close_session(session: Session, cookie: str) -> None:
    """Log a browser out."""
    session.execute(delete(LoginSession).where(LoginSession.digest == digest(cookie)))


def new_token(session: Session, user: User, label: str, now: float) -> str:
    """A token, to be shown once."""
    user = as_of_now(session, user)
    count = session.scalar(select(func.count()).select_from(Token).where(Token.user_id == user.id))
    if (count or 0) >= MOST_TOKENS:
        raise AccountError(f"you have {MOST_TOKENS} tokens; remove one first")
    token = TOKEN_START + secrets.token_urlsafe(32)
    try:
        label = check_name(label.strip() or "token", "label")
    except IcvosError as error:
        raise AccountError(str(error)) from error
    session.add(Token(user_id=user.id, label=label, digest=digest(token), created=now))
    return token


def tokens_of(session: Session, user: User) -> list[Token]:
    """A user's tokens, the newest first."""
    return list(session.scalars(select(Token).where(Token.user_id == user.id).order_by(Token.id.desc())))


def remove_token(session: Session, user: User, token_id: int) -> None:
    """Remove one of a user's tokens; nothing where it is another's."""
    session.execute(delete(Token).where(Token.id == token_id, Token.user_id == user.id))


def token_user(session: Session, token: str) -> User | None:
    """Whose token it is; nobody's where the user was deleted."""
    row = session.scalar(select(Token).options(joinedload(Token.user)).where(Token.digest == digest(token)))
    return row.user if row is not None and row.user.deleted is None else None


def invite(session: Session, note: str, now: float, *, is_admin: bool = False, by: User | None = None) -> str:
    """An invitation, to be shown once; it ends with the administrator who made it."""
    code = secrets.token_urlsafe(24)
    note = printable(note.strip(), 80)[:80]
    session.add(
        Invitation(
            digest=digest(code),
            note=note,
            is_admin=is_admin,
            created=now,
            expires=now + INVITATION_SECONDS,
            invited_by=by.id if by else None,
        )
    )
    return code


def invite_first(session: Session, now: float) -> str:
    """An invitation for the first administrator; one that was made before for the same is worth nothing any more."""
    _withdraw_first(session)
    return invite(session, FIRST_ADMIN, now, is_admin=True)


def _withdraw_first(session: Session) -> None:
    mine = Invitation.note == FIRST_ADMIN, Invitation.is_admin, Invitation.used_by.is_(None)
    session.execute(delete(Invitation).where(*mine))


def withdraw(session: Session, known_by: str) -> None:
    """Take an invitation back, by its digest; nothing where it was used."""
    session.execute(delete(Invitation).where(Invitation.digest == known_by[:64], Invitation.used_by.is_(None)))


def _invitation(session: Session, code: str, now: float) -> Invitation | None:
    found = select(Invitation).where(Invitation.digest == digest(code), Invitation.used_by.is_(None))
    row = session.scalar(found)
    return row if row is not None and row.expires > now else None


def delete_user(session: Session, user: User, now: float) -> bool:
    """Take a user's access and invitations away, and what was published off the board; whether anything was on it."""
    user.deleted, user.is_admin, user.password = now, False, ""
    _shut_out(session, user)
    session.execute(delete(Invitation).where(Invitation.invited_by == user.id, Invitation.used_by.is_(None)))
    withheld = update(Submission).where(Submission.user_id == user.id, Submission.is_published)
    return bool(cast("CursorResult[None]", session.execute(withheld.values(is_published=False))).rowcount)
