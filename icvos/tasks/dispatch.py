"""Which of several workers gets which job: the costliest first, one at a time, and again elsewhere where it failed.

Nothing here knows what a worker is. `icvos.tasks.video.cluster` asks it with workers of Ray, `makespan` with imagined
ones.
"""

import heapq
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence

from icvos.tasks.shards import Worker

TRIES = 2  # of a job that fails
LIVES = 3  # workers that die of a job before it is given up


class Dispatch:
    """The jobs that wait for a worker.

    Args:
        costs: By name what each job costs.
    """

    def __init__(self, costs: Mapping[str, int]) -> None:
        self.costs = costs
        self.waiting = sorted(costs, key=lambda name: (-costs[name], name))
        self._failed_on: dict[str, set[int]] = defaultdict(set)
        self._deaths: dict[str, int] = defaultdict(int)
        self._not_before: dict[str, float] = {}

    def offers(self, worker: int, others: Collection[int], now: float) -> Iterator[str]:
        """The jobs that a worker may take, the best first: not one that failed with it, if ``others`` may succeed."""
        for name in tuple(self.waiting):
            failed_on = self._failed_on[name]
            elsewhere = worker in failed_on and not failed_on.issuperset(others)
            if self._not_before.get(name, now) <= now and not elsewhere:
                yield name

    def take(self, name: str) -> None:
        """A worker makes a job, or nothing is left of it."""
        self.waiting.remove(name)

    def later(self, name: str, when: float) -> None:
        """Offer a job not before ``when``."""
        self._not_before[name] = when

    def again(self, name: str, not_with: int | None = None) -> None:
        """A job is to be tried again, by another worker than ``not_with`` if there is one."""
        place = next(
            (place for place, other in enumerate(self.waiting) if self.costs[other] < self.costs[name]),
            len(self.waiting),
        )
        self.waiting.insert(place, name)
        if not_with is not None:
            self._failed_on[name].add(not_with)

    def died(self, name: str) -> bool:
        """A worker died of a job, or beside it; whether that is tried again."""
        self._deaths[name] += 1
        return self._deaths[name] < LIVES


def makespan(costs: Sequence[int], workers: Sequence[Worker], replaced_s: float = 0.0) -> float:
    """Seconds until all is made by workers that are given jobs by `Dispatch`, as `icvos eval --ray` does.

    A worker that dies is replaced after ``replaced_s``, in which its death is noticed and another has loaded the
    method. What it was making is begun anew by the first that is free after its death.

    >>> makespan([3, 9, 4, 2], [Worker(), Worker()])
    9.0
    >>> makespan([3, 9, 4, 2], [Worker(dies=5), Worker()], replaced_s=1)
    15.0
    """
    dispatch = Dispatch({str(number): cost for number, cost in enumerate(costs)})
    crew = list(workers)
    events = [(worker.starts, number, "") for number, worker in enumerate(crew)]  # when a worker ends which job
    heapq.heapify(events)
    idle, end = set[int](), 0.0
    while events:
        now, number, name = heapq.heappop(events)
        death = crew[number].dies
        if death is not None and death <= now:
            if name:
                dispatch.again(name)
            crew.append(Worker(crew[number].speed, max(now, death + replaced_s)))
            heapq.heappush(events, (crew[-1].starts, len(crew) - 1, ""))
        else:
            end = max(end, now) if name else end
            idle.add(number)
        for one in sorted(idle):
            offered = next(dispatch.offers(one, idle, now), None)
            if offered is None:
                continue
            idle.discard(one)
            dispatch.take(offered)
            done, death = now + dispatch.costs[offered] / crew[one].speed, crew[one].dies
            heapq.heappush(events, (done if death is None else max(now, min(done, death)), one, offered))
    return float(end)
