"""The order of shards, and how long they take together."""

import random
from itertools import pairwise

import pytest

from icvos.errors import IcvosError
from icvos.tasks.runs import RunOptions
from icvos.tasks.shards import ARRAY, Shard, Worker, makespan, order, read_shard


def lengths(seed: int, count: int = 437, longest: int = 2000) -> list[int]:
    """Frames of videos as they are: many short, few long."""
    generator = random.Random(seed)
    return [min(longest, max(20, int(generator.lognormvariate(4.5, 1.2)))) for _ in range(count)]


@pytest.mark.parametrize("count", [1, 2, 3, 8, 500])
def test_shards_begin_with_their_own_and_go_on_with_the_rest(count: int) -> None:
    costs = lengths(0)
    orders = [order(costs, Shard(number, count)) for number in range(count)]
    for one in orders:
        assert sorted(one) == list(range(len(costs)))
    own = list[list[int]]()
    for one in orders:
        falls = [place for place, (a, b) in enumerate(pairwise(one), start=1) if costs[a] < costs[b]]
        assert len(falls) <= 1  # longest first, twice
        own.append(one[: falls[0]] if falls else one)
    if count in (2, 3, 8):
        assert sorted(position for one in own for position in one) == list(range(len(costs)))
        loads = [sum(costs[position] for position in one) for one in own]
        assert max(loads) - min(loads) <= min(costs)


def test_the_order_without_a_shard_is_as_given() -> None:
    assert order([3, 9, 4], None) == [0, 1, 2]


@pytest.mark.parametrize("workers", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("seed", range(3))
def test_all_is_made_within_a_tenth_of_the_least_time(seed: int, workers: int) -> None:
    costs = lengths(seed)
    bound = max(max(costs), sum(costs) / workers)
    assert bound <= makespan(costs, [Worker()] * workers) <= 1.1 * bound


@pytest.mark.parametrize("seed", range(3))
def test_slow_and_late_workers_and_those_that_die_cost_what_they_must(seed: int) -> None:
    costs = lengths(seed)
    end = sum(costs) / 8
    workers = [*[Worker()] * 5, Worker(speed=0.5), Worker(starts=end / 2), Worker(dies=end / 3)]
    lost = max(costs)  # what the dead one was making, at worst
    made = 5 * 1.1 + 0.5 * 1.1 + 0.6 + 1 / 3  # by all of them in 1.1 times the end, in units of it
    bound = end * 8 / made * 1.1
    assert makespan(costs, workers, lease_s=60) <= 1.1 * bound + lost + 60


def test_a_hand_made_case() -> None:
    """Two shards have 9 and 4 + 3 + 2; the second takes nothing over; with one dead at 5, all falls to the other."""
    costs = [3, 9, 4, 2]
    assert makespan(costs, [Worker(), Worker()]) == 9
    assert makespan(costs, [Worker(dies=5), Worker()], lease_s=6) == 5 + 6 + 9
    assert makespan(costs, [Worker(), Worker(dies=5)], lease_s=1) == 9 + 3 + 2
    with pytest.raises(ValueError, match="every worker dies"):
        makespan(costs, [Worker(dies=1)] * 2)


@pytest.mark.parametrize(
    ("text", "variables", "expected"),
    [
        ("1/1", {}, Shard(0, 1)),
        ("8/8", {}, Shard(7, 8)),
        ("slurm", {"ID": "0", "MIN": "0", "COUNT": "3"}, Shard(0, 3)),
        ("slurm", {"ID": "7", "MIN": "1", "COUNT": "4", "STEP": "2"}, Shard(3, 4)),
        ("slurm", {"ID": "90", "MIN": "1", "COUNT": "3", "STEP": "1"}, Shard(2, 3)),  # --array=1,5,90
    ],
)
def test_shards_as_they_are_written(text: str, variables: dict[str, str], expected: Shard) -> None:
    assert read_shard(text, {f"{ARRAY}{name}": value for name, value in variables.items()}) == expected


@pytest.mark.parametrize("text", ["", "0/4", "5/4", "1", "1/", "/3", "a/b", "-1/3", "1/0", "1/99999", "1/2/3", "Slurm"])
def test_shards_that_are_none(text: str) -> None:
    with pytest.raises(IcvosError, match="write it as I/N, from 1/N to N/N"):
        read_shard(text, {})


def test_slurm_outside_of_a_job_array_says_what_is_missing() -> None:
    with pytest.raises(IcvosError, match=f"{ARRAY}COUNT is not set; start it by sbatch --array=1-N, or give I/N"):
        read_shard("slurm", {})


@pytest.mark.parametrize("overwrite", ["never", "always"])
def test_a_shard_adds_to_what_others_made(overwrite: str) -> None:
    with pytest.raises(IcvosError, match=f"not with --overwrite {overwrite}"):
        RunOptions("lite", overwrite=overwrite, shard=Shard(0, 2))  # type: ignore[arg-type]
