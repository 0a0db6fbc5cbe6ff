import threading

import pytest

pytest.importorskip("fastapi", reason="the server needs: pip install 'icvos[server]'")

from sqlalchemy.orm import Session

from icvos.files.leftovers import MACHINE
from leaderboard.entry import MethodFacts
from leaderboard.server import jobs, submissions
from leaderboard.server.database import Database
from leaderboard.server.models import Job, Submission, User
from leaderboard.server.submissions import Described, Received

LEASE = 10.0


def add_jobs(database: Database, count: int) -> list[int]:
    """As many submissions that wait."""
    with database.write() as session:
        user = User(name="anna", team="A", password="", is_admin=False, created=0)
        session.add(user)
        session.flush()
        said = Described("mine", "", MethodFacts())
        received = [Received(f"code{n}", "a.zip", f"{n:064x}", 1) for n in range(count)]
        return [submissions.add(session, user, one, said, 0, 0)[0].id for one in received]


def job(session: Session, claim: jobs.Claim) -> Job:
    return session.get_one(Job, claim.job_id)


def test_the_oldest_comes_first_and_none_comes_twice(database: Database) -> None:
    expected = add_jobs(database, 3)
    with database.write() as session:
        found = [jobs.claim(session, "w", 0, LEASE) for _ in range(4)]
    assert [claim and claim.submission_id for claim in found] == [*expected, None]


def test_workers_at_once_never_have_the_same_job(database: Database) -> None:
    expected = add_jobs(database, 24)
    found: list[int] = []
    start = threading.Barrier(6)

    def work(owner: str) -> None:
        start.wait()
        while True:
            with database.write() as session:
                claim = jobs.claim(session, owner, 0, LEASE)
            if claim is None:
                return
            found.append(claim.submission_id)

    threads = [threading.Thread(target=work, args=(f"w{n}",)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == expected


def test_a_lease_ends_and_the_first_owner_records_nothing(database: Database) -> None:
    add_jobs(database, 1)
    with database.write() as session:
        first = jobs.claim(session, "first", 0, LEASE)
        assert jobs.claim(session, "second", LEASE - 1, LEASE) is None
        second = jobs.claim(session, "second", LEASE + 1, LEASE)
    assert first is not None
    assert second is not None
    assert second.attempt == 2
    with database.write() as session:
        assert not jobs.renew(session, first, LEASE + 2, LEASE)
        assert not jobs.finish(session, first, LEASE + 2)
        assert jobs.finish(session, second, LEASE + 2)
        assert not jobs.finish(session, second, LEASE + 2)
        assert jobs.claim(session, "third", 1e9, LEASE) is None


def test_a_job_that_is_renewed_is_kept(database: Database) -> None:
    add_jobs(database, 1)
    with database.write() as session:
        claim = jobs.claim(session, "w", 0, LEASE)
        assert claim is not None
        assert jobs.renew(session, claim, LEASE - 1, LEASE)
        assert jobs.claim(session, "v", LEASE + 5, LEASE) is None


def test_a_job_that_is_given_back_was_no_attempt(database: Database) -> None:
    add_jobs(database, 1)
    with database.write() as session:
        claim = jobs.claim(session, "w", 0, LEASE)
        assert claim is not None
        assert jobs.give_back(session, claim)
        again = jobs.claim(session, "v", 0, LEASE)
    assert again is not None
    assert again.attempt == 1


def test_jobs_of_dead_workers_of_this_machine_are_free_at_once(database: Database) -> None:
    add_jobs(database, 3)
    with database.write() as session:
        for owner in (f"{MACHINE}-999999999-a", "ffffff-999999999-a", f"{MACHINE}-1-a"):
            assert jobs.claim(session, owner, 0, LEASE)
        assert jobs.release_dead(session) == 1
        free = jobs.claim(session, "w", 0, LEASE)
    assert free is not None
    assert free.attempt == 2


def test_the_place_in_the_queue(database: Database) -> None:
    first, second = add_jobs(database, 2)
    with database.write() as session:
        assert [jobs.place(session, session.get_one(Submission, one)) for one in (first, second)] == [0, 1]
        claim = jobs.claim(session, "w", 0, LEASE)
        assert claim is not None
        session.get_one(Submission, first).state = "checking"
        jobs.finish(session, claim, 1)
        assert [jobs.place(session, session.get_one(Submission, one)) for one in (first, second)] == [None, 0]
