"""The tables of the server's database.

Times are seconds since 1970. Passwords, tokens, sessions and invitations are there as hashes alone. A change here needs
a step in ``migrations/versions``.
"""

from sqlalchemy import BigInteger, Double, ForeignKey, Index, MetaData, String, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

UNDER_WAY = ("waiting", "checking", "scoring")
DIGEST = String(64)  # of SHA-256, in hexadecimal


class Base(DeclarativeBase):
    """The parent of all tables; constraints have names, so that a later step can change them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {float: Double}  # noqa: RUF012  # read by SQLAlchemy


class User(Base):
    """Who may submit. A deleted one stays as a row, so that the name is not taken by somebody else."""

    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(40), unique=True)  # in small letters
    team: Mapped[str] = mapped_column(String(80))
    password: Mapped[str] = mapped_column(String(200))  # an argon2 hash
    is_admin: Mapped[bool] = mapped_column(default=False)
    created: Mapped[float]
    deleted: Mapped[float | None]


class Token(Base):
    """What a program shows in the place of a password."""

    __tablename__ = "tokens"
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    label: Mapped[str] = mapped_column(String(80))
    digest: Mapped[str] = mapped_column(DIGEST, unique=True)
    created: Mapped[float]
    user: Mapped[User] = relationship()


class LoginSession(Base):
    """A browser that is logged in, by the hash of its cookie."""

    __tablename__ = "sessions"
    digest: Mapped[str] = mapped_column(DIGEST, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    expires: Mapped[float]
    user: Mapped[User] = relationship()


class Invitation(Base):
    """A link by which one account can be made."""

    __tablename__ = "invitations"
    digest: Mapped[str] = mapped_column(DIGEST, primary_key=True)
    note: Mapped[str] = mapped_column(String(80))
    is_admin: Mapped[bool] = mapped_column(default=False)
    created: Mapped[float]
    expires: Mapped[float]
    used_by: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    invited_by: Mapped[int | None]  # the id of an administrator; null where the server itself made it


class Method(Base):
    """A name on the board, and whose it is."""

    __tablename__ = "methods"
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    name: Mapped[str] = mapped_column(String(80))
    folded: Mapped[str] = mapped_column(String(200), unique=True)  # by which two names are taken for the same
    user: Mapped[User] = relationship()


class Submission(Base):
    """A file of predictions, and what became of it. Figures never change: another file is another revision."""

    __tablename__ = "submissions"
    __table_args__ = (
        UniqueConstraint("method_id", "revision"),
        UniqueConstraint("method_id", "sha256"),
        Index(None, "is_published"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(String(32), unique=True)  # by which addresses name it
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    method_id: Mapped[int] = mapped_column(ForeignKey("methods.id"))
    revision: Mapped[int]
    file_name: Mapped[str] = mapped_column(String(200))  # as the submitter calls it, for messages
    sha256: Mapped[str] = mapped_column(DIGEST)
    size: Mapped[int] = mapped_column(BigInteger)
    notes: Mapped[str] = mapped_column(Text)
    facts: Mapped[str] = mapped_column(Text)  # JSON of `leaderboard.entry.MethodFacts`
    state: Mapped[str] = mapped_column(String(10))  # of `leaderboard.server.messages.State`
    stage: Mapped[str] = mapped_column(String(80), default="")  # what a worker is at, and how far it is
    done: Mapped[int] = mapped_column(default=0)
    units: Mapped[int] = mapped_column(default=0)
    reason: Mapped[str] = mapped_column(Text, default="")  # why it was refused
    faults: Mapped[str] = mapped_column(Text, default="[]")  # JSON: a list of `icvos.errors.Fault`
    more_faults: Mapped[int] = mapped_column(default=0)  # that are not in the list, which would be too long
    is_published: Mapped[bool] = mapped_column(default=False)
    is_barred: Mapped[bool] = mapped_column(default=False)  # an administrator took it off the board
    created: Mapped[float]
    ended: Mapped[float | None]
    user: Mapped[User] = relationship()
    method: Mapped[Method] = relationship()


class Score(Base):
    """The result of a submission under one protocol, as ``scores.json`` has it."""

    __tablename__ = "scores"
    submission_id: Mapped[int] = mapped_column(ForeignKey("submissions.id"), primary_key=True)
    protocol: Mapped[str] = mapped_column(String(40), primary_key=True)
    scores: Mapped[str] = mapped_column(Text)


class Job(Base):
    """The work on a submission: whose it is, and until when unless the owner says that it goes on."""

    __tablename__ = "jobs"
    id: Mapped[int] = mapped_column(primary_key=True)
    submission_id: Mapped[int] = mapped_column(ForeignKey("submissions.id"), unique=True)
    owner: Mapped[str | None] = mapped_column(String(120))
    lease_end: Mapped[float | None]
    attempts: Mapped[int] = mapped_column(default=0)
    finished: Mapped[float | None] = mapped_column(index=True)


class Counter(Base):
    """A number that only grows, by its name: ``board`` is added to whenever what is published changes."""

    __tablename__ = "counters"
    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    value: Mapped[int]
