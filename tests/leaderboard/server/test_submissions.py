import contextlib
import threading
from collections.abc import Callable

import pytest

pytest.importorskip("fastapi", reason="the server needs: pip install 'icvos[server]'")

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from leaderboard.entry import MethodFacts
from leaderboard.server import accounts, jobs, submissions
from leaderboard.server.database import Database
from leaderboard.server.models import Submission, User
from leaderboard.server.refusals import RefusedError
from leaderboard.server.submissions import DAY_SECONDS, Described, Received


def add_user(database: Database, name: str = "anna") -> User:
    with database.write() as session:
        user = User(name=name, team=name, password="", is_admin=False, created=0)
        session.add(user)
    return user


def add(
    database: Database, user: User, content: str, *, name: str = "mine", quota: int = 0, now: float = 0
) -> tuple[Submission, bool]:
    received = Received(submissions.new_code(), "a.zip", content.ljust(64, "0"), 1)
    said = Described(name, "", MethodFacts())
    return database.change(lambda session: submissions.add(session, user, received, said, quota, now))


def set_state(database: Database, submission: Submission, state: str) -> None:
    with database.write() as session:
        session.get_one(Submission, submission.id).state = state


def test_another_file_is_another_revision_and_the_same_one_is_not(database: Database) -> None:
    anna = add_user(database)
    first, is_new = add(database, anna, "a")
    assert (first.revision, is_new) == (1, True)
    assert add(database, anna, "b")[0].revision == 2
    again, is_new = add(database, anna, "a")
    assert (again.code, is_new) == (first.code, False)
    assert add(database, anna, "a", name="other")[0].revision == 1
    with database.write() as session:
        found = [jobs.claim(session, "w", 0, 1) for _ in range(4)]
    assert sum(claim is not None for claim in found) == 3


@pytest.mark.parametrize(
    ("name", "same"),
    [
        ("mine", "mine"),
        ("mine", "MINE"),
        ("mine", "ｍｉｎｅ"),
        ("Straße", "STRASSE"),
        ("Ångström", "A\u030angstro\u0308m"),
        ("\u0390", "\u03aa\u0301"),
        ("\u1fb7", "\u0391\u0345\u0342"),
        ("ﬃ", "FFI"),
    ],
)
def test_a_name_is_one_users(database: Database, name: str, same: str) -> None:
    add(database, add_user(database), "a", name=name)
    with pytest.raises(RefusedError, match="another team's") as caught:
        add(database, add_user(database, "ben"), "b", name=same)
    assert caught.value.status == 409


def test_a_quota_is_of_a_day_and_faults_do_not_count(database: Database) -> None:
    anna = add_user(database)
    first, _ = add(database, anna, "a", quota=2)
    add(database, anna, "b", quota=2)
    with pytest.raises(RefusedError, match="2 submissions of 24 hours") as caught:
        add(database, anna, "c", quota=2)
    assert caught.value.status == 429
    assert not add(database, anna, "a", quota=2)[1]  # was there
    set_state(database, first, "faults")
    add(database, anna, "c", quota=2)
    add(database, anna, "d", quota=2, now=DAY_SECONDS + 1)


def test_a_quota_holds_for_uploads_at_once(database: Database) -> None:
    anna = add_user(database)
    start, refused = threading.Barrier(6), []

    def send(content: str) -> None:
        start.wait()
        try:
            add(database, anna, content, quota=2)
        except RefusedError as error:
            refused.append(error)

    threads = [threading.Thread(target=send, args=(letter,)) for letter in "abcdef"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.read() as session:
        revisions = session.scalars(select(Submission.revision).order_by(Submission.revision)).all()
    assert (list(revisions), len(refused)) == ([1, 2], 4)


def test_two_users_who_want_a_name_at_once(database: Database) -> None:
    users = [add_user(database, name) for name in ("anna", "ben")]
    start, outcome = threading.Barrier(2), []

    def send(user: User) -> None:
        start.wait()
        try:
            add(database, user, user.name)
            outcome.append("taken in")
        except RefusedError as error:
            outcome.append(str(error.status))

    threads = [threading.Thread(target=send, args=(user,)) for user in users]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcome) == ["409", "taken in"]


def test_a_submission_is_its_users_and_the_administrators(database: Database) -> None:
    anna, ben = add_user(database), add_user(database, "ben")
    submission, _ = add(database, anna, "a")
    ben_as_admin = User(id=ben.id, name="ben", is_admin=True)
    with database.read() as session:
        assert submissions.find_own(session, anna, submission.code).id == submission.id
        assert submissions.find_own(session, ben_as_admin, submission.code).id == submission.id
        for user, code in ((ben, submission.code), (anna, "0" * 16)):
            with pytest.raises(RefusedError, match="no such submission of yours") as caught:
                submissions.find_own(session, user, code)
            assert caught.value.status == 404


def test_what_is_published_counts_as_a_change_of_the_board(database: Database) -> None:
    anna = add_user(database)
    submission, _ = add(database, anna, "a")

    def publish(wanted: bool) -> int:
        with database.write() as session:
            submissions.set_published(session, anna, submission.code, wanted)
            return submissions.board_version(session)

    with pytest.raises(RefusedError, match="it is waiting, and only what was scored"):
        publish(True)
    set_state(database, submission, "scored")
    assert [publish(True), publish(True), publish(False)] == [1, 1, 2]


def test_a_deleted_user_is_off_the_board(database: Database) -> None:
    anna = add_user(database)
    submission, _ = add(database, anna, "a")
    set_state(database, submission, "scored")
    with database.write() as session:
        submissions.set_published(session, anna, submission.code, True)
        assert accounts.delete_user(session, session.get_one(User, anna.id), 5)
    with database.read() as session:
        assert submissions.published(session) == []
        assert accounts.find_user(session, "anna") is None


def publish(database: Database, user: User, submission: Submission) -> None:
    with database.write() as session:
        submissions.set_published(session, user, submission.code, True)


@pytest.mark.parametrize("change", ["password", "deletion"])
def test_whoever_was_shut_out_since_does_nothing(database: Database, change: str) -> None:
    """The user was read when the request came; what it does is done when its file is there."""
    anna = add_user(database)
    submission, _ = add(database, anna, "a")
    set_state(database, submission, "scored")
    with database.write() as session:
        found = session.get_one(User, anna.id)
        if change == "password":
            accounts.set_password(session, found, "new")
        else:
            accounts.delete_user(session, found, 5)
    with database.read() as session:
        after = session.get_one(User, anna.id).password
    for act in (
        lambda session: submissions.set_published(session, anna, submission.code, True),
        lambda session: accounts.open_session(session, anna, 5),
        lambda session: accounts.new_token(session, anna, "laptop", 5),
    ):
        with pytest.raises(RefusedError, match="deleted or got another password") as caught:
            database.change(act)
        assert caught.value.status == 401
    with pytest.raises(RefusedError, match="deleted or got another password"):
        add(database, anna, "b")
    with database.read() as session:
        assert session.get_one(User, anna.id).password == after
        assert submissions.published(session) == []
        assert session.scalar(select(func.count()).select_from(Submission)) == 1


def test_publishing_and_deleting_at_once_leaves_nothing_on_the_board(database: Database) -> None:
    users = [add_user(database, f"user{number}") for number in range(4)]
    found = [add(database, user, "a", name=user.name)[0] for user in users]
    start = threading.Barrier(2 * len(users))

    def run(act: Callable[[Session], object]) -> None:
        start.wait()
        with contextlib.suppress(RefusedError):
            database.change(act)

    acts: list[Callable[[Session], object]] = []
    for user, submission in zip(users, found, strict=True):
        set_state(database, submission, "scored")
        acts.append(lambda session, a=user, b=submission: submissions.set_published(session, a, b.code, True))
        acts.append(lambda session, a=user: accounts.delete_user(session, session.get_one(User, a.id), 5))
    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.read() as session:
        assert submissions.published(session) == []


def test_only_who_submitted_publishes(database: Database) -> None:
    anna, root = add_user(database), add_user(database, "root")
    with database.write() as session:
        session.get_one(User, root.id).is_admin = root.is_admin = True
    submission, _ = add(database, anna, "a")
    set_state(database, submission, "scored")
    with pytest.raises(RefusedError, match="only who submitted it") as caught:
        publish(database, root, submission)
    assert caught.value.status == 403
    publish(database, anna, submission)
    with database.write() as session:
        assert not submissions.set_published(session, root, submission.code, False).is_published
        session.get_one(User, root.id).is_admin = False
    with database.read() as session, pytest.raises(RefusedError, match="log in again"):
        accounts.as_of_now(session, root)


def test_only_what_has_no_figures_is_scored_again(database: Database) -> None:
    submission, _ = add(database, add_user(database), "a")
    with database.write() as session:
        claim = jobs.claim(session, "w", 0, 1)
        assert claim
        jobs.finish(session, claim, 0)
    for state in ("scored", "scoring"):
        set_state(database, submission, state)
        with database.read() as session, pytest.raises(RefusedError, match=f"it is {state}"):
            submissions.score_again(session, session.get_one(Submission, submission.id))
    set_state(database, submission, "refused")
    with database.write() as session:
        submissions.score_again(session, session.get_one(Submission, submission.id))
        assert jobs.claim(session, "w", 0, 1) is not None
        assert session.scalar(select(func.count()).select_from(Submission)) == 1


@pytest.mark.parametrize("name", ["", "  ", "a" * 81, "a\x1b[2J", "dog\u202egod"])
def test_names_that_cannot_be(name: str) -> None:
    with pytest.raises(RefusedError, match="the method's name"):
        submissions.describe(name, "", MethodFacts())


@pytest.mark.parametrize("notes", ["a" * 1001, "a\x1b[2J", "two\nlines\u202e"])
def test_notes_that_cannot_be(notes: str) -> None:
    with pytest.raises(RefusedError, match="the notes"):
        submissions.describe("mine", notes, MethodFacts())
    assert submissions.describe(" my  method ", "two\r\nlines", MethodFacts()).name == "my method"
