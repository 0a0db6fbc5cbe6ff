"""How long imagined workers take for runs, by the code that gives jobs to real ones."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

from icvos.tasks.dispatch import Demand, Dispatch, neediest, pressing
from icvos.tasks.shards import Worker


@dataclass(frozen=True, slots=True)
class Span:
    """What a simulation found.

    Args:
        seconds: Until all is made.
        least: What any order of the jobs would take that loses as much: a job that a worker died of ends no sooner than
            if it had been begun anew at once, and workers make everything, and what was lost, while they are there.
        loads: How many times a worker loaded a method.
        lost: The seconds that workers had spent on jobs that they died of.
    """

    seconds: float
    least: float
    loads: int
    lost: float


@dataclass(slots=True)
class _Imagined:
    """A worker, the run that it serves, and the job that it makes; without a job it loads the method, or is free."""

    machine: Worker
    run: int | None = None
    job: str = ""
    began: float = 0.0
    is_free: bool = False


def makespan(
    runs: Sequence[Sequence[int]], workers: Sequence[Worker], replaced_s: float = 0.0, loading_s: float = 0.0
) -> Span:
    """What workers take for the jobs of some runs, given to them as by `icvos eval --ray`.

    Args:
        runs: What each job of each run costs.
        workers: The workers.
        replaced_s: A worker that dies is replaced after so long. What it was making is begun anew by the first that is
            free after its death.
        loading_s: What it takes a worker to load a method.

    >>> makespan([[3, 9, 4, 2]], [Worker(), Worker()]).seconds
    9.0
    >>> makespan([[3, 9, 4, 2]], [Worker(dies=5), Worker()], replaced_s=1).seconds
    15.0
    >>> makespan([[3, 3], [3, 3]], [Worker(), Worker()], loading_s=1)
    Span(seconds=7.0, least=7.0, loads=2, lost=0.0)
    """
    return _Simulation(runs, workers, replaced_s, loading_s).play()


class _Simulation:
    """See `makespan`."""

    def __init__(
        self, runs: Sequence[Sequence[int]], workers: Sequence[Worker], replaced_s: float, loading_s: float
    ) -> None:
        self.dispatches = [Dispatch({str(number): cost for number, cost in enumerate(costs)}) for costs in runs]
        self.replaced_s, self.loading_s = replaced_s, loading_s
        self.crew = [_Imagined(worker) for worker in workers]
        self.events = [(worker.starts, number) for number, worker in enumerate(workers)]  # when each does what next
        heapq.heapify(self.events)
        self.dead = set[int]()
        self.end, self.loads, self.lost = 0.0, 0, 0.0
        self.least = max((loading_s + cost for costs in runs for cost in costs), default=0.0)

    def play(self) -> Span:
        while self.events:
            now, number = heapq.heappop(self.events)
            worker = self.crew[number]
            if worker.machine.dies is not None and worker.machine.dies <= now:
                self._bury(number, now)
            else:
                self.end = max(self.end, now) if worker.job else self.end
                worker.job, worker.is_free = "", True
            for one, other in enumerate(self.crew):
                if other.is_free:
                    self._employ(one, other, now)
        return Span(float(self.end), float(max(self.least, self._shared())), self.loads, self.lost)

    def _bury(self, number: int, now: float) -> None:
        worker = self.crew[number]
        assert worker.machine.dies is not None
        if worker.job and worker.run is not None:
            dispatch = self.dispatches[worker.run]
            dispatch.again(worker.job)
            self.lost += now - worker.began
            self.least = max(self.least, now + dispatch.costs[worker.job])
        self.dead.add(number)
        worker.is_free = False
        born = max(now, worker.machine.dies + self.replaced_s)
        self.crew.append(_Imagined(Worker(worker.machine.speed, born)))
        heapq.heappush(self.events, (born, len(self.crew) - 1))

    def _employ(self, number: int, worker: _Imagined, now: float) -> None:
        """Give a free worker a job, or another run; it stays free where there is neither."""
        demands = self._demands(number)
        if worker.run is not None and pressing(demands, self.loading_s) in (None, worker.run):
            offered = next(self.dispatches[worker.run].offers(number, (), now), None)
            if offered is not None:
                self.dispatches[worker.run].take(offered)
                worker.job = offered
                self._busy(number, now, self.dispatches[worker.run].costs[offered] / worker.machine.speed)
                return
        chosen = pressing(demands, self.loading_s)
        chosen = neediest(demands, self.loading_s) if chosen is None else chosen
        if chosen is not None:
            self.loads += 1
            worker.run = chosen
            self._busy(number, now, self.loading_s)

    def _busy(self, number: int, now: float, seconds: float) -> None:
        worker = self.crew[number]
        worker.began, worker.is_free = now, False
        done, death = now + seconds, worker.machine.dies
        heapq.heappush(self.events, (done if death is None else max(now, min(done, death)), number))

    def _demands(self, but: int) -> dict[int, Demand]:
        """What the runs want, seen by a worker that is free."""
        found = {}
        for run, dispatch in enumerate(self.dispatches):
            own = [
                worker
                for number, worker in enumerate(self.crew)
                if worker.run == run and number != but and number not in self.dead
            ]
            free, idle = dispatch.free, sum(not worker.job for worker in own)
            found[run] = Demand(free.jobs, free.longest, free.total, len(own), idle)
        return found

    def _shared(self) -> float:
        """When workers have made everything, and what was lost, if all of them end at once."""
        work = sum(sum(dispatch.costs.values()) for dispatch in self.dispatches) + self.lost
        work += self.loading_s * max(0, len(self.dispatches) - len(self.crew))
        low, high = 0.0, self.end
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (low, middle) if self._made_by(middle) >= work else (middle, high)
        return high

    def _made_by(self, moment: float) -> float:
        found = 0.0
        for worker in self.crew:
            dies = worker.machine.dies
            until = moment if dies is None else min(moment, dies)
            found += worker.machine.speed * max(0.0, until - worker.machine.starts - self.loading_s)
        return found
