"""Several processes on one run: which of them begins with what, and how long that takes in all.

The order is all that a shard decides. What keeps two processes from the same video are claims (`icvos.files.leases`),
so a shard that comes late, dies or is given a wrong number costs time and nothing else.
"""

import heapq
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from icvos.errors import IcvosError

SLURM = "slurm"
ARRAY = "SLURM_ARRAY_TASK_"  # begins the variables of a task of a job array
MAX_SHARDS = 10_000


@dataclass(frozen=True, slots=True)
class Shard:
    """One of several processes that make a run together.

    Args:
        number: Which, from 0.
        count: Of how many.
    """

    number: int
    count: int

    def __str__(self) -> str:
        return f"{self.number + 1}/{self.count}"


def read_shard(text: str, variables: Mapping[str, str] = os.environ) -> Shard:
    """``2/8`` as the second of eight shards, ``slurm`` as the task of a job array that this process is.

    Raises `IcvosError` for anything else.

    >>> read_shard("2/8")
    Shard(number=1, count=8)
    >>> read_shard("slurm", {f"{ARRAY}ID": "12", f"{ARRAY}MIN": "10", f"{ARRAY}COUNT": "4"})
    Shard(number=2, count=4)
    """
    if text == SLURM:
        return _of_slurm(variables)
    found = re.fullmatch(r"([0-9]{1,5})/([0-9]{1,5})", text)
    number, count = (int(found[1]), int(found[2])) if found else (0, 0)
    if not 1 <= number <= count <= MAX_SHARDS:
        raise IcvosError(f"--shard {text}: write it as I/N, from 1/N to N/N, or as {SLURM} in a job array")
    return Shard(number - 1, count)


def _of_slurm(variables: Mapping[str, str]) -> Shard:
    def value(name: str, otherwise: str = "") -> int:
        text = variables.get(f"{ARRAY}{name}", otherwise)
        if not text.isdecimal():
            raise IcvosError(
                f"--shard {SLURM}: {ARRAY}{name} is {text or 'not set'}; start it by sbatch --array=1-N, or give I/N"
            )
        return int(text)

    count = max(1, value("COUNT"))
    # of an array with gaps, two tasks may be given one number: they begin with the same videos, one claims each
    return Shard((value("ID") - value("MIN")) // max(1, value("STEP", "1")) % count, count)


def order(costs: Sequence[int], shard: Shard | None) -> list[int]:
    """The positions of ``costs`` in the order in which a shard tries to claim them: its own, then the other shards'.

    Shards have disjoint ones with sums as equal as they get by giving the costliest first to the shard that has least.
    Each begins with its costliest, so that little is left for the end. Without a shard the order is as given.

    >>> [order([3, 9, 4, 2], Shard(number, 2)) for number in (0, 1)]
    [[1, 2, 0, 3], [2, 0, 3, 1]]
    """
    if shard is None:
        return list(range(len(costs)))
    costliest = sorted(range(len(costs)), key=lambda position: (-costs[position], position))
    loads = [(0, number) for number in range(shard.count)]
    own = set()
    for position in costliest:
        load, number = heapq.heappop(loads)
        heapq.heappush(loads, (load + costs[position], number))
        if number == shard.number:
            own.add(position)
    return sorted(costliest, key=lambda position: position not in own)


@dataclass(frozen=True, slots=True)
class Worker:
    """A process of a simulation.

    Args:
        speed: Cost that it makes in a second.
        starts: When, in seconds.
        dies: When, and for good; None: never.
    """

    speed: float = 1.0
    starts: float = 0.0
    dies: float | None = None


def makespan(costs: Sequence[int], workers: Sequence[Worker], lease_s: float = 0.0) -> float:
    """Seconds until all is made by shards that go by `order` and claims, as `icvos eval --shard` does.

    What a worker that dies was making is begun anew by the first that is free after ``lease_s``. Workers that are free
    before wait for it. Raises ValueError where all die before the end.
    """
    shards = [order(costs, Shard(number, len(workers))) for number in range(len(workers))]
    ready = [(worker.starts, number) for number, worker in enumerate(workers)]
    heapq.heapify(ready)
    freed = [0.0] * len(costs)  # when each can be claimed
    left, end = set(range(len(costs))), 0.0
    while left:
        if not ready:
            raise ValueError("every worker dies before the end")
        now, number = heapq.heappop(ready)
        worker = workers[number]
        if worker.dies is not None and worker.dies <= now:
            continue
        free = next((position for position in shards[number] if position in left and freed[position] <= now), None)
        if free is None:
            heapq.heappush(ready, (min(freed[position] for position in left), number))
            continue
        done = now + costs[free] / worker.speed
        if worker.dies is not None and done > worker.dies:
            freed[free] = worker.dies + lease_s
            continue
        left.discard(free)
        end = max(end, done)
        heapq.heappush(ready, (done, number))
    return end
