"""Which worker gets which job, and which run it serves."""

from dataclasses import replace

from icvos.tasks.dispatch import LIVES, Demand, Dispatch, Free, neediest, pressing


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


def test_a_job_that_was_put_off_is_no_reason_for_a_worker() -> None:
    dispatch = Dispatch({"short": 1, "long": 9})
    dispatch.later("long", 5)
    assert dispatch.free == Free(1, 1, 1)
    assert dispatch.put_off(now=4) == []
    assert dispatch.put_off(now=5) == ["long"]
    dispatch.now("long")
    assert dispatch.free == Free(2, 9, 10)
    dispatch.later("long", 5)
    dispatch.take("long")
    assert dispatch.free == Free(1, 1, 1)
    dispatch.again("long")
    assert dispatch.free == Free(2, 9, 10)
    dispatch.take("short")
    dispatch.take("long")
    assert dispatch.free == Free(0, 0, 0)


class Counted(dict[str, int]):
    """Costs that count how often they are asked for."""

    asked = 0

    def __getitem__(self, name: str) -> int:
        self.asked += 1
        return super().__getitem__(name)


def test_it_takes_no_longer_where_many_jobs_wait() -> None:
    def asked(jobs: int) -> int:
        costs = Counted({f"{number:05d}": number % 97 for number in range(jobs)})
        dispatch, before = Dispatch(costs), costs.asked
        for worker in range(50):
            name = next(dispatch.offers(worker, (), now=0))
            assert dispatch.free.jobs == jobs - worker
            dispatch.take(name)
        return costs.asked - before

    assert asked(10_000) == asked(100)


def test_a_worker_serves_the_run_with_most_left_for_each() -> None:
    few, many = Demand(2, 9, 10, workers=0, free=0), Demand(9, 9, 40, workers=1, free=0)
    assert neediest({"few": few, "many": many}, loading_s=5) == "many"
    assert neediest({"few": few, "many": replace(many, workers=4)}, loading_s=5) == "few"
    assert neediest({"few": replace(few, jobs=0), "many": replace(many, jobs=2, free=2)}, loading_s=5) is None
    assert neediest({}, loading_s=5) is None
    assert neediest({"many": many}, loading_s=39) == "many"
    assert neediest({"many": many}, loading_s=41) is None


def test_a_job_is_pressing_that_would_end_last() -> None:
    small, one = Demand(40, 1, 40, workers=7, free=0), Demand(1, 20, 20, workers=1, free=0)
    assert pressing({"small": small, "one": one}, loading_s=5) == "one"
    assert pressing({"small": small, "one": one}, loading_s=15) is None
    assert pressing({"small": replace(small, workers=1), "one": one}, loading_s=5) is None
    assert pressing({"small": small, "one": replace(one, free=1)}, loading_s=5) is None
