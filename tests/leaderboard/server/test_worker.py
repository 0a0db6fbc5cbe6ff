import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the server needs: pip install 'icvos[server]'")

from sqlalchemy import select, update

from icvos.errors import Fault, IcvosError
from icvos.protocol import NATIVE, PAPER
from icvos.tasks.task import SILENT, open_task
from leaderboard.entry import MethodFacts
from leaderboard.server import jobs, submissions, worker
from leaderboard.server.database import Database
from leaderboard.server.models import Job, Score, Submission, User
from leaderboard.server.scoring import HIDDEN, Outcome, score_upload, tell
from leaderboard.server.settings import UPLOADS, require_folder
from leaderboard.server.submissions import Described, Received
from leaderboard.server.worker import AbandonedError, Progress, Worker
from tests.leaderboard.server.served import predictions_zip, settings_for


@pytest.fixture
def data(tmp_path: Path) -> Path:
    require_folder(tmp_path / "data")
    return tmp_path / "data"


def send(database: Database, data: Path, file: Path) -> str:
    """A submission that waits, as an upload leaves it; its code."""
    code = submissions.new_code()
    (data / UPLOADS / code).write_bytes(file.read_bytes())
    with database.write() as session:
        user = session.scalar(select(User)) or User(name="anna", team="A", password="", is_admin=False, created=0)
        session.add(user)
        session.flush()
        received = Received(code, file.name, code.ljust(64, "0"), file.stat().st_size)
        submissions.add(session, user, received, Described("mine", "", MethodFacts()), 0, time.time())
    return code


def state_of(database: Database, code: str) -> Submission:
    with database.read() as session:
        return session.scalars(select(Submission).where(Submission.code == code)).one()


def scores_in(database: Database) -> list[str]:
    with database.read() as session:
        return [score.protocol for score in session.scalars(select(Score).order_by(Score.protocol))]


def worker_of(database: Database, data: Path, benchmark: Path, **given: Any) -> Worker:
    return Worker.open(database, data, settings_for(benchmark, **given))


def test_figures_under_each_protocol(database: Database, data: Path, small_benchmark: Path, tmp_path: Path) -> None:
    code = send(database, data, predictions_zip(tmp_path))
    own = worker_of(database, data, small_benchmark, protocols=("paper@1", "native@1"))
    assert own.run_one()
    assert not own.run_one()
    found = state_of(database, code)
    assert (found.state, found.reason, found.stage) == ("scored", "", "")
    assert found.ended is not None
    assert scores_in(database) == ["native@1", "paper@1"]


def test_a_job_that_is_lost_in_the_middle_is_recorded_once(
    database: Database, data: Path, small_benchmark: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thought dead, the first worker goes on to its end; the second has recorded the outcome meanwhile."""
    code = send(database, data, predictions_zip(tmp_path))
    first, second = (worker_of(database, data, small_benchmark) for _ in range(2))

    def slow(*_: Any, **__: Any) -> Outcome:
        monkeypatch.setattr(worker, "score_upload", score_upload)
        with database.write() as session:
            session.execute(update(Job).values(lease_end=0))
        assert second.run_one()
        return Outcome("refused", "from the dead")

    monkeypatch.setattr(worker, "score_upload", slow)
    assert first.run_one()
    assert state_of(database, code).state == "scored"
    assert scores_in(database) == ["native@1"]


def test_a_worker_notices_that_its_job_is_lost(
    database: Database, data: Path, small_benchmark: Path, tmp_path: Path
) -> None:
    send(database, data, predictions_zip(tmp_path))
    own = worker_of(database, data, small_benchmark)
    with database.write() as session:
        claim = jobs.claim(session, own.owner, time.time(), 60)
        assert claim is not None
        session.execute(update(Job).values(owner="another"))
    progress = Progress(database, own.settings, claim, lambda: False)
    with pytest.raises(AbandonedError):
        progress.stage("score native@1")
    with pytest.raises(AbandonedError):
        progress.advance()


def test_a_worker_that_is_stopped_gives_its_job_back(
    database: Database, data: Path, small_benchmark: Path, tmp_path: Path
) -> None:
    code = send(database, data, predictions_zip(tmp_path))
    stopped = worker_of(database, data, small_benchmark)
    stopped.stopped.set()
    assert stopped.run_one()
    assert state_of(database, code).state == "waiting"
    with database.read() as session:
        assert session.scalars(select(Job.attempts)).one() == 0
    assert worker_of(database, data, small_benchmark).run_one()
    assert state_of(database, code).state == "scored"


def test_a_job_whose_workers_die_is_given_up(
    database: Database, data: Path, small_benchmark: Path, tmp_path: Path
) -> None:
    code = send(database, data, predictions_zip(tmp_path))
    own = worker_of(database, data, small_benchmark, attempts=2)
    for now in (0, 10):
        with database.write() as session:
            assert jobs.claim(session, "dead", now, 1)
    assert own.run_one()
    found = state_of(database, code)
    assert (found.state, "stopped 2 times" in found.reason) == ("refused", True)
    assert not own.run_one()


def test_what_takes_too_long_is_refused(
    database: Database, data: Path, small_benchmark: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = send(database, data, predictions_zip(tmp_path))
    own = worker_of(database, data, small_benchmark, scoring_seconds=1)
    now = time.monotonic()
    later = iter([now, now])
    monkeypatch.setattr(worker.time, "monotonic", lambda: next(later, now + 5))
    assert own.run_one()
    assert state_of(database, code).reason == "scoring it took longer than 1 s; pack fewer files or smaller masks"


def test_progress_is_told_and_keeps_the_job(
    database: Database, data: Path, small_benchmark: Path, tmp_path: Path
) -> None:
    code = send(database, data, predictions_zip(tmp_path))
    own = worker_of(database, data, small_benchmark)
    with database.write() as session:
        claim = jobs.claim(session, own.owner, 0, 1)
    assert claim is not None
    progress = Progress(database, own.settings, claim, lambda: False)
    progress.stage("validate")
    assert state_of(database, code).state == "checking"
    progress.stage("score native@1")
    progress.total(8)
    progress.advance(3)
    progress.tell()
    found = state_of(database, code)
    assert (found.state, found.stage, found.done, found.units) == ("scoring", "score native@1", 3, 8)
    with database.read() as session:
        assert session.scalars(select(Job.lease_end)).one() > time.time()


def test_another_benchmark_is_noticed(database: Database, data: Path, small_benchmark: Path) -> None:
    changed = settings_for(small_benchmark).model_copy(update={"digest": "sha256:other"})
    with pytest.raises(IcvosError, match="no longer the one"):
        Worker.open(database, data, changed)


def test_an_upload_that_is_not_there_is_refused(
    database: Database, data: Path, small_benchmark: Path, tmp_path: Path
) -> None:
    code = send(database, data, predictions_zip(tmp_path))
    (data / UPLOADS / code).unlink()
    worker_of(database, data, small_benchmark).run_one()
    assert (state_of(database, code).state, state_of(database, code).reason) == ("refused", HIDDEN)


def outcome_of(benchmark: Path, file: Path, **given: Any) -> Outcome:
    return score_upload(open_task(benchmark), file, "mine.zip", [NATIVE], SILENT, **given)


def test_random_weights_are_refused(small_benchmark: Path, tmp_path: Path) -> None:
    import zipfile

    file = predictions_zip(tmp_path)
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("run.json", json.dumps({"weights": [{"name": "x", "sha256": None, "random": True}]}))
    found = outcome_of(small_benchmark, file)
    assert found.state == "refused"
    assert found.reason.startswith("mine.zip: made with random weights")


def test_one_draw_may_not_be_enough(built: Path, tmp_path: Path) -> None:
    from tests.leaderboard.server.served import pack

    for folder in sorted((built / "videos").glob("*/Annotations/*")):
        target = tmp_path / "masks" / folder.parent.parent.name / folder.name
        target.mkdir(parents=True)
        for path in folder.iterdir():
            (target / path.name).write_bytes(path.read_bytes())
    file = pack(tmp_path / "masks", tmp_path / "masks.zip")
    assert outcome_of(built, file).state == "scored"
    found = outcome_of(built, file, all_draws=True)
    assert (found.state, "this server takes no part of them" in found.reason) == ("refused", True)


def test_no_message_names_a_place_on_the_server(small_benchmark: Path, tmp_path: Path) -> None:
    task, upload = open_task(small_benchmark), tmp_path / "uploads" / "code"
    truth = small_benchmark / "dog" / "Annotations" / "17" / "00000.png"
    faults = [
        Fault("size", f"{upload}/dog/17/00000.png", "is 3 x 3"),
        Fault("size", str(truth), f"{truth}: cannot be read", "warning"),
        Fault("size", f"{tmp_path}/server.db", "is 3 x 3"),
    ]
    told = tell(faults, upload, "mine.zip", task)
    assert [(fault.where, fault.what) for fault in told] == [
        ("mine.zip/dog/17/00000.png", "is 3 x 3"),
        ("mine.zip", "is 3 x 3"),
        ("mine.zip", HIDDEN),
    ]


def test_a_fault_of_the_server_is_told_to_its_keeper_alone(
    small_benchmark: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from leaderboard.server import scoring

    @contextmanager
    def broken(*_: Any) -> Iterator[None]:
        raise IcvosError(f"{small_benchmark}/dog/Annotations/17/00000.png: cannot be read")
        yield

    monkeypatch.setattr(scoring, "checked_folder", broken)
    monkeypatch.setattr(scoring.LOG, "propagate", True)
    assert outcome_of(small_benchmark, tmp_path / "a.zip") == Outcome("refused", HIDDEN)
    assert "00000.png: cannot be read" in caplog.text


def test_faults_under_any_protocol_are_all_told(small_benchmark: Path, tmp_path: Path) -> None:
    file = predictions_zip(tmp_path)
    found = score_upload(open_task(small_benchmark), file, "mine.zip", [PAPER, NATIVE], SILENT)
    assert [protocol for protocol, _ in found.scores] == ["paper@1", "native@1"]
    assert found.faults == ()
    (tmp_path / "none.zip").write_bytes(b"PK\x05\x06" + bytes(18))
    empty = score_upload(open_task(small_benchmark), tmp_path / "none.zip", "none.zip", [PAPER, NATIVE], SILENT)
    assert empty.state == "faults"
    assert all(fault.where.startswith("none.zip") for fault in empty.faults)
