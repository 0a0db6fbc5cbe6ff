"""Which worker gets which job, and how long all of them take together."""

import random
from itertools import islice

import pytest

from icvos.tasks.dispatch import LIVES, Dispatch, makespan
from icvos.tasks.shards import Worker
from tests.icvos.tasks.test_shards import lengths


def test_the_costliest_is_offered_first() -> None:
    dispatch = Dispatch({"short": 1, "long": 9, "middle": 4})
    assert list(dispatch.offers(1, [1], now=0)) == ["long", "middle", "short"]
    dispatch.take("long")
    dispatch.later("middle", 5)
    assert list(dispatch.offers(1, [1], now=4)) == ["short"]
    assert list(dispatch.offers(1, [1], now=5)) == ["middle", "short"]


def test_what_failed_is_offered_to_another_if_there_is_one() -> None:
    dispatch = Dispatch({"short": 1, "long": 9, "middle": 4})
    dispatch.take("middle")
    dispatch.again("middle", not_with=1)
    assert dispatch.waiting == ["long", "middle", "short"]
    assert "middle" not in dispatch.offers(1, [1, 2], now=0)
    assert "middle" in dispatch.offers(2, [1, 2], now=0)
    assert "middle" in dispatch.offers(1, [1], now=0)


def test_a_job_that_workers_die_of_is_given_up() -> None:
    dispatch = Dispatch({"deadly": 1, "other": 1})
    assert [dispatch.died("deadly") for _ in range(LIVES)] == [True, True, False]
    assert dispatch.died("other")


@pytest.mark.parametrize("workers", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("seed", range(3))
def test_all_is_made_within_a_tenth_of_the_least_time(seed: int, workers: int) -> None:
    costs = lengths(seed)
    bound = max(max(costs), sum(costs) / workers)
    assert bound <= makespan(costs, [Worker()] * workers) <= 1.1 * bound


@pytest.mark.parametrize("seed", range(3))
def test_workers_that_die_cost_what_they_lose(seed: int) -> None:
    """Three of eight die: the least time is that of all frames, and of those that are made twice, over the workers."""
    costs, generator = lengths(seed), random.Random(seed)
    end = sum(costs) / 8
    deaths = sorted(generator.uniform(0, end) for _ in range(3))
    found = makespan(costs, [*[Worker()] * 5, *[Worker(dies=death) for death in deaths]], replaced_s=30)
    lost = 3 * (max(costs) + 30)  # at worst
    assert end <= found <= 1.1 * max(max(costs) + deaths[-1], end + lost / 8)


def test_a_hand_made_case() -> None:
    """The first dies at 5 of the 9; the second is free at 4, 7 and 9, and its replacement, there at 6, begins the 9."""
    costs = [3, 9, 4, 2]
    assert makespan(costs, [Worker(), Worker()]) == 9
    assert makespan(costs, [Worker(dies=5), Worker()], replaced_s=1) == 15
    assert makespan([1, 1], [Worker(dies=0.5), Worker(starts=10)], replaced_s=2) == 4.5
    assert makespan([], [Worker()]) == 0


def test_one_worker_makes_all_in_turn() -> None:
    costs = list(islice(lengths(4), 20))
    assert makespan(costs, [Worker(speed=2)]) == sum(costs) / 2
