"""The same work on many jobs, by one process or several, with the same results in the same order."""

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait
from typing import Any, Protocol, TypeVar

from icvos.errors import IcvosError
from icvos.notices import is_shown, show_notices

J = TypeVar("J")
R = TypeVar("R")


class Farm(Protocol):
    """Processes that are not this machine's alone."""

    def run(self, function: Callable[[J], R], jobs: Sequence[J]) -> Generator[tuple[int, R]]:
        """``function`` of every job, each with the job's place in ``jobs``, as they are done; begun in that order."""
        ...


Workers = int | Farm


def run_jobs(
    function: Callable[[J], R],
    jobs: Sequence[J],
    workers: Workers = 1,
    *,
    cost: Callable[[J], int] = lambda job: 0,
    done: Callable[[J], None] = lambda job: None,
) -> list[R]:
    """``function`` of every job, in the order of the jobs.

    Args:
        function: At the top level of a module, or a `functools.partial` of one: processes get it by name.
        jobs: What it is called with.
        workers: Processes; 1: this one.
        cost: Cost of a job; the costliest are begun first, so that none is left for the end.
        done: Called in this process with every job that is done, as it is done.
    """
    if isinstance(workers, int):
        if min(workers, len(jobs)) <= 1:
            results = []
            for job in jobs:
                results.append(function(job))
                done(job)
            return results
        workers = Processes(workers)
    places = sorted(range(len(jobs)), key=lambda position: -cost(jobs[position]))
    found: dict[int, R] = {}
    with contextlib.closing(workers.run(function, [jobs[position] for position in places])) as answers:
        for place, result in answers:
            found[places[place]] = result
            done(jobs[places[place]])
    return [found[position] for position in range(len(jobs))]


class Processes:
    """Processes of this machine: the `Farm` at hand.

    Args:
        count: How many.
    """

    def __init__(self, count: int) -> None:
        self.count = count

    def run(self, function: Callable[[J], R], jobs: Sequence[J]) -> Generator[tuple[int, R]]:
        """As `Farm.run`; `IcvosError` where a process is killed."""
        # spawned, not forked: a caller may hold threads (torch, OpenCV, a progress bar) that do not survive a fork
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(min(self.count, len(jobs)), context, _begin, (is_shown(), function)) as pool:
            futures = {pool.submit(_do, job): place for place, job in enumerate(jobs)}
            try:
                for future in as_completed(futures):
                    yield futures.pop(future), future.result()
            except BrokenProcessPool as error:
                raise IcvosError(
                    "a worker process was killed, perhaps for want of memory; use fewer --workers"
                ) from error
            finally:
                pool.shutdown(cancel_futures=True)


_given: list[Callable[[Any], Any]] = []  # what a worker calls; sent once and not with every job, as it may hold much


def _do(job: Any) -> Any:
    return _given[0](job)


def _begin(shows: bool, function: Callable[[Any], Any]) -> None:
    """Prepare a worker.

    It ends when its parent is killed: it would wait for jobs for ever, and write beside the process that goes on.
    """
    _given[:] = [function]
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it at once; its parent says what is done
    if shows:
        show_notices()
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_after, args=(parent.sentinel,), daemon=True).start()


def _end_after(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)
