"""How long imagined workers take."""

import random
from itertools import islice

import pytest

from icvos.tasks.makespan import makespan
from icvos.tasks.shards import Worker
from tests.icvos.tasks.test_shards import lengths


@pytest.mark.parametrize("workers", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("seed", range(3))
def test_all_is_made_within_a_tenth_of_the_least_time(seed: int, workers: int) -> None:
    costs = lengths(seed)
    bound = max(max(costs), sum(costs) / workers)
    assert bound <= makespan([costs], [Worker()] * workers).seconds <= 1.1 * bound


@pytest.mark.parametrize("seed", range(10))
def test_workers_that_die_cost_what_they_lose(seed: int) -> None:
    """A quarter of 32 die: no order that loses as much takes much less, whatever the longest video does."""
    costs, generator = lengths(seed), random.Random(seed)
    bound = max(max(costs), sum(costs) / 32)
    deaths = [generator.uniform(0, bound) for _ in range(8)]
    found = makespan([costs], [*[Worker()] * 24, *[Worker(dies=death) for death in deaths]], replaced_s=86)
    assert bound <= found.least <= found.seconds <= 1.05 * found.least
    assert 0 < found.lost <= 8 * max(costs)


@pytest.mark.parametrize(
    ("methods", "workers", "videos"), [(5, 4, 20), (10, 4, 6), (10, 32, 60), (2, 8, 60), (3, 1, 9)]
)
def test_several_methods_are_made_within_a_tenth_of_the_least_time(methods: int, workers: int, videos: int) -> None:
    runs = [lengths(seed)[:videos] for seed in range(methods)]
    found = makespan(runs, [Worker()] * workers, loading_s=20)
    assert found.least <= found.seconds <= 1.1 * found.least
    assert found.loads <= methods + 2 * workers


def test_one_long_video_of_each_method_is_begun_in_time() -> None:
    """A worker leaves short videos of its own method for a long one of another, which would else be last."""
    found = makespan([[10, *[1] * 20]] * 3, [Worker()] * 2, loading_s=1)
    assert found.seconds <= 1.1 * found.least


def test_a_hand_made_case() -> None:
    """The first dies at 5 of the 9; the second is free at 4, 7 and 9, and its replacement, there at 6, begins the 9."""
    costs = [3, 9, 4, 2]
    assert makespan([costs], [Worker(), Worker()]).seconds == 9
    assert makespan([costs], [Worker(dies=5), Worker()], replaced_s=1).seconds == 15
    assert makespan([[1, 1]], [Worker(dies=0.5), Worker(starts=10)], replaced_s=2).seconds == 4.5
    assert makespan([[]], [Worker()]).seconds == 0


def test_one_worker_makes_all_in_turn() -> None:
    costs = list(islice(lengths(4), 20))
    assert makespan([costs], [Worker(speed=2)]).seconds == sum(costs) / 2
