"""Jobs by one process and by several."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from icvos.errors import IcvosError
from icvos.files.leftovers import is_running
from icvos.workers import run_jobs
from tests import ROOT


def doubled(job: int) -> tuple[int, int]:
    return 2 * job, os.getpid()


def refused(job: int) -> int:
    if job == 3:
        raise IcvosError(f"{Path('masks') / '3.png'}: cannot be decoded")
    return job


def killed(job: int) -> int:
    if job == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return job


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_the_order_of_the_jobs(workers: int) -> None:
    jobs, seen = [5, 1, 4, 2, 3], []
    found = run_jobs(doubled, jobs, workers, cost=lambda job: job, done=seen.append)
    assert [result for result, _ in found] == [10, 2, 8, 4, 6]
    assert sorted(seen) == [1, 2, 3, 4, 5]
    assert ({process for _, process in found} == {os.getpid()}) == (workers == 1)


@pytest.mark.parametrize("workers", [1, 2])
def test_errors_come_out_of_workers_whole(workers: int) -> None:
    with pytest.raises(IcvosError, match=r"^masks/3\.png: cannot be decoded$"):
        run_jobs(refused, range(5), workers)


def test_a_killed_worker_is_said_in_one_line() -> None:
    with pytest.raises(IcvosError, match=r"^a worker process was killed, .*; use fewer --workers$"):
        run_jobs(killed, range(4), 2)


PARENT = """
from pathlib import Path
import sys
from icvos.workers import run_jobs
from tests.icvos.test_workers import slow
if __name__ == "__main__":
    run_jobs(slow, [Path(sys.argv[1]) / str(job) for job in range(4)], 2)
"""


def slow(job: Path) -> None:
    job.write_text(str(os.getpid()))
    time.sleep(60)


def test_workers_of_a_killed_process_end(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path)], cwd=ROOT)
    until = time.monotonic() + 60
    while time.monotonic() < until and len([path for path in tmp_path.iterdir() if path.read_text()]) < 2:
        time.sleep(0.01)
    process.kill()
    process.wait()
    workers = [int(path.read_text()) for path in tmp_path.iterdir()]
    assert len(workers) == 2
    while time.monotonic() < until and any(is_running(worker) for worker in workers):
        time.sleep(0.01)
    assert not any(is_running(worker) for worker in workers)
    assert len(list(tmp_path.iterdir())) == 2  # nothing more was begun


class Counted:
    """A function that counts how often it is sent to a process."""

    sent = 0

    def __call__(self, job: int) -> int:
        return job

    def __reduce__(self) -> tuple[type["Counted"], tuple[()]]:
        Counted.sent += 1
        return Counted, ()


def test_what_is_called_is_sent_to_a_process_once_and_not_with_every_job() -> None:
    assert run_jobs(Counted(), range(50), 2) == list(range(50))
    assert 1 <= Counted.sent <= 2
