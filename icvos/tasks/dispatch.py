"""Which of several workers gets which job: the costliest first, one at a time, and again elsewhere where it failed.

Workers may have several runs to make. Each serves one, since it would have to load another method for another. Where a
run has nothing left for a worker, that changes to the one that has most left for each of its workers.

Nothing here knows what a worker is. `icvos.tasks.video.pooled` asks it with workers of Ray,
`icvos.tasks.makespan.makespan` with imagined ones.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

Run = TypeVar("Run")

TRIES = 2  # of a job that fails
LIVES = 3  # workers that die of a job before it is given up


@dataclass(frozen=True, slots=True)
class Free:
    """The jobs that wait for nothing but a worker.

    Args:
        jobs: How many.
        longest: What the costliest of them costs.
        total: What all of them cost.
    """

    jobs: int
    longest: int
    total: int


class Dispatch:
    """The jobs that wait for a worker. What is asked of it takes no longer where many wait.

    Args:
        costs: By name what each job costs.
    """

    def __init__(self, costs: Mapping[str, int]) -> None:
        self.costs = costs
        self.waiting = sorted(costs, key=lambda name: (-costs[name], name))
        self._total = sum(costs.values())  # of those
        self._failed_on: dict[str, set[int]] = defaultdict(set)
        self._deaths: dict[str, int] = defaultdict(int)
        self._not_before: dict[str, float] = {}

    def offers(self, worker: int, others: Collection[int], now: float) -> Iterator[str]:
        """The jobs that a worker may take, the best first: not one that failed with it, if ``others`` may succeed."""
        place = 0
        while place < len(self.waiting):
            name = self.waiting[place]
            failed_on = self._failed_on.get(name, set())
            elsewhere = worker in failed_on and not failed_on.issuperset(others)
            if self._not_before.get(name, now) <= now and not elsewhere:
                yield name
            if place < len(self.waiting) and self.waiting[place] == name:  # else it was taken meanwhile
                place += 1

    def take(self, name: str) -> None:
        """A worker makes a job, or nothing is left of it."""
        self.waiting.remove(name)
        self._total -= self.costs[name]
        self._not_before.pop(name, None)

    def later(self, name: str, when: float) -> None:
        """Offer a job not before ``when``; until it is taken it is no reason to have another worker."""
        self._not_before[name] = when

    def now(self, name: str) -> None:
        """Nothing is in the way of a job any more."""
        self._not_before.pop(name, None)

    def put_off(self, now: float) -> list[str]:
        """The jobs that were to be offered later, and may be now."""
        return [name for name, when in self._not_before.items() if when <= now]

    @property
    def free(self) -> Free:
        """What waits for nothing but a worker."""
        longest = next((self.costs[name] for name in self.waiting if name not in self._not_before), 0)
        later = sum(self.costs[name] for name in self._not_before)
        return Free(len(self.waiting) - len(self._not_before), longest, self._total - later)

    def again(self, name: str, not_with: int | None = None) -> None:
        """A job is to be tried again, by another worker than ``not_with`` if there is one."""
        place = bisect_right(self.waiting, -self.costs[name], key=lambda other: -self.costs[other])
        self.waiting.insert(place, name)
        self._total += self.costs[name]
        if not_with is not None:
            self._failed_on[name].add(not_with)

    def died(self, name: str) -> bool:
        """A worker died of a job, or beside it; whether that is tried again."""
        self._deaths[name] += 1
        return self._deaths[name] < LIVES


@dataclass(frozen=True, slots=True)
class Demand:
    """What a run wants of workers.

    Args:
        jobs: How many jobs wait for a worker.
        longest: The seconds that the costliest of them is expected to take.
        total: Those that all of them are expected to take.
        workers: How many workers serve it.
        free: How many of these take a job next: they load the method, or have nothing to do.
    """

    jobs: int
    longest: float
    total: float
    workers: int
    free: int

    @property
    def is_short(self) -> bool:
        """Whether a job waits that none of its workers takes next."""
        return self.jobs > self.free

    def is_worth(self, loading_s: float) -> bool:
        """Whether another worker would have something to do, after it has loaded the method."""
        return self.is_short and (self.workers == 0 or self.total > loading_s * self.workers)


def neediest(demands: Mapping[Run, Demand], loading_s: float) -> Run | None:
    """The run that a new worker should serve: that with most left for each worker it would have.

    None where it would come too late for all, since it takes so long to load a method.

    >>> begun, new = Demand(3, 9, 20, workers=1, free=0), Demand(2, 9, 11, workers=0, free=0)
    >>> neediest({"begun": begun, "new": new}, loading_s=5)
    'new'
    """
    worth = {run: demand for run, demand in demands.items() if demand.is_worth(loading_s)}
    return max(worth, key=lambda run: worth[run].total / (worth[run].workers + 1), default=None)


def pressing(demands: Mapping[Run, Demand], loading_s: float) -> Run | None:
    """The run with the longest job, where that would be the last to end if no worker began it now; None: there is none.

    That is a job which takes longer than the loading of its method and, shared among all workers, all that waits.

    >>> pressing({"own": Demand(9, 1, 9, workers=3, free=0), "other": Demand(1, 8, 8, workers=1, free=0)}, loading_s=2)
    'other'
    """
    workers = sum(demand.workers for demand in demands.values())
    even = sum(demand.total for demand in demands.values()) / max(1, workers)
    short = {run: demand for run, demand in demands.items() if demand.is_short and demand.longest > even + loading_s}
    return max(short, key=lambda run: short[run].longest, default=None)
