"""The same work on many jobs by the workers of a Ray cluster, in place of processes of this machine."""

import os
import platform
import secrets
from collections.abc import Callable, Generator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

from icvos.errors import IcvosError
from icvos.method import first_line
from icvos.notices import LOGGER, Kept, retell
from icvos.tasks.connection import connected, load_ray
from icvos.tasks.dispatch import LIVES
from icvos.tasks.pool import Pool

J = TypeVar("J")
R = TypeVar("R")

AHEAD = 2  # jobs for each processor that Ray is given at a time
_functions: dict[str, Callable[[Any], Any]] = {}  # what the last call in this process was, in a worker
_kept = Kept()


class RayFarm:
    """Workers of Ray, which takes a job to a free processor, and to another where a worker dies.

    Args:
        pool: Where they are; each job has the processors that it gives a worker, else one.
    """

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.ray = load_ray(pool)

    def run(self, function: Callable[[J], R], jobs: Sequence[J]) -> Generator[tuple[int, R]]:
        """As `icvos.workers.Farm.run`.

        Raises `IcvosError` for a job that several workers died of, and what ``function`` raises.
        """
        ray = self.ray
        with connected(ray, self.pool):
            each = self.pool.cpus_per_worker or 1
            task = ray.remote(num_cpus=each, max_retries=LIVES - 1)(_do)
            told = [ray.put(function)], secrets.token_hex(8), Path.cwd(), version("icvos")
            going: dict[Any, int] = {}
            begun = 0
            try:
                while begun < len(jobs) or going:
                    room = AHEAD * max(1, int(ray.cluster_resources().get("CPU", 0)) // each)
                    for place in range(begun, min(len(jobs), begun + room - len(going))):
                        going[task.remote(jobs[place], *told)] = place
                        begun = place + 1
                    done, _ = ray.wait(list(going), num_returns=1)
                    for one in done:
                        yield going.pop(one), self._result(one)
            finally:
                for one in going:
                    ray.cancel(one, force=True)

    def _result(self, one: Any) -> Any:
        """What came of a job."""
        try:
            result, notices = self.ray.get(one)
        except self.ray.exceptions.RayTaskError as error:
            raise error.cause from error
        except self.ray.exceptions.RayError as error:
            raise IcvosError(
                f"{self.pool}: {LIVES} workers died of one job, perhaps for want of memory ({first_line(error)}); "
                "start Ray with fewer processors, by: ray start --num-cpus"
            ) from error
        retell(notices)
        return result


def _do(job: Any, function: list[Any], token: str, folder: Path, release: str) -> tuple[Any, tuple[str, ...]]:
    """A job, in a worker; with what it had to say.

    Args:
        job: The job.
        function: What it is called with, as Ray's reference to it: it is fetched once by every worker.
        token: Tells one call from another.
        folder: That the command was given in, to which paths are relative.
        release: Of icvos there.
    """
    if token not in _functions:
        import ray

        try:
            os.chdir(folder)
        except OSError as error:
            raise IcvosError(
                f"{folder}: cannot be reached from {platform.node()} ({error.strerror}); give the command in a folder "
                "that all machines share"
            ) from error
        if version("icvos") != release:
            raise IcvosError(f"{platform.node()} has icvos {version('icvos')}, not {release}; install the same on all")
        LOGGER.addHandler(_kept)
        _functions.clear()
        _functions[token] = ray.get(function[0])
    result = _functions[token](job)
    return result, _kept.told()
