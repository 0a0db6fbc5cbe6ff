"""The driver of a run with workers that live in this process: failures, deaths, silence, claims of others."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from icvos.files.leases import Claim, Leases
from icvos.method import load_method
from icvos.tasks.video import driver as driving
from icvos.tasks.video import worker as working
from icvos.tasks.video.benchmark import Benchmark
from icvos.tasks.video.driver import Driver
from icvos.tasks.video.going import Job
from icvos.tasks.video.together import Work
from icvos.tasks.video.worker import News, Orders, Worker
from tests.icvos.tasks.video.gated import POINTS
from tests.icvos.tasks.video.imagined import OPTIONS, Fault, Imagined, Ran
from tests.icvos.tasks.video.test_sharing import contents


@pytest.fixture(autouse=True)
def methods(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("icvos.method.entry_points", lambda group: POINTS)
    monkeypatch.setattr(driving, "WAIT_S", 0.0)
    monkeypatch.setattr(working, "NEWS_S", 0.0)  # of every mask


def made(ran: Ran, places: int, fault: Fault = lambda worker, items: "") -> tuple[Driver, Imagined]:
    """The driver of the one run, and its workers."""
    pooled, crew = ran.go(places, fault)
    driver = pooled.runs[ran.out].driver
    assert driver is not None
    return driver, crew


@pytest.fixture(scope="module")
def alone(built: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What one worker makes that nothing happens to; that it is what one process makes is `test_ray`'s to show."""
    folder = tmp_path_factory.mktemp("alone")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("icvos.method.entry_points", lambda group: POINTS)
        assert load_method("gated")
        Ran(Benchmark.open(built), folder, "gated").go(1)
    return contents(folder / "gated")


@pytest.fixture
def ran(benchmark: Benchmark, tmp_path: Path) -> Ran:
    return Ran(benchmark, tmp_path, "gated")


def test_workers_take_the_longest_videos_first_and_every_mask_is_told_once(ran: Ran, alone: dict[str, Any]) -> None:
    driver, crew = made(ran, 3)
    assert contents(ran.out) == alone
    costs = [driver.jobs[name].cost for _, name in crew.began]
    assert costs == sorted(costs, reverse=True)
    assert len({worker for worker, _ in crew.began}) == 3
    assert ran.shown == [(0, ran.masks)]
    assert not (ran.out / ".claims").exists()


@pytest.mark.parametrize("fault", ["dies", "hangs", "breaks"])
def test_a_worker_that_goes_wrong_once_loses_nothing(fault: str, ran: Ran, alone: dict[str, Any]) -> None:
    once = iter([fault])
    driver, crew = made(ran, 2, lambda worker, items: next(once, ""))
    assert driver.given_up == {}
    assert len(crew.began) == len(driver.jobs) + 1
    assert contents(ran.out) == alone


def test_a_video_that_three_workers_die_of_is_given_up_and_all_else_is_made(ran: Ran, alone: dict[str, Any]) -> None:
    video = ran.benchmark.clips[2].video.name
    driver, crew = made(ran, 2, lambda worker, items: "dies" if items[0].clip.video.name == video else "")
    assert len([name for _, name in crew.began if name == video]) == 3
    lost = {(draw, clip.id) for draw in (0, 1) for clip in ran.benchmark.clips if clip.video.name == video}
    assert driver.given_up.keys() == lost
    assert all("died, and so did 2 others on this video" in str(error) for error in driver.given_up.values())
    found = contents(ran.out)
    assert found.keys() == {name for name in alone if f"/{video}/" not in name}
    ran.go(2)
    assert contents(ran.out) == alone


def test_a_clip_that_fails_is_tried_by_another_worker_and_listed(
    ran: Ran, alone: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = ran.benchmark.clips[0].category.index
    monkeypatch.setenv("FAILS", str(wrong))
    driver, crew = made(ran, 2)
    bad = {clip.id for clip in ran.benchmark.clips if clip.category.index == wrong}
    assert driver.given_up.keys() == {(draw, clip) for draw in (0, 1) for clip in bad}
    assert all("this one never works" in str(error) for error in driver.given_up.values())
    for video in {clip.partition("/")[0] for clip in bad}:
        workers = [worker for worker, name in crew.began if name == video]
        assert len(workers) == len(set(workers)) == 2
    monkeypatch.delenv("FAILS")
    ran.go(2)
    assert contents(ran.out) == alone


def test_a_video_that_another_process_has_claimed_is_left_to_it(
    ran: Ran, alone: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is looked at until it is free, and what was made of it meanwhile counts."""
    video = ran.benchmark.clips[0].video.name
    name, looks, real = Job(video, (), 0).claim, list[str](), Leases.take

    def take(leases: Leases, asked: str) -> bool:
        looks.append(asked)
        return (asked != name or looks.count(name) > 3) and real(leases, asked)

    monkeypatch.setattr(Leases, "take", take)
    _, crew = made(ran, 2)
    assert looks.count(name) >= 4
    assert crew.began[-1][1] == video
    assert contents(ran.out) == alone


def test_a_worker_whose_claim_was_taken_over_puts_nothing_in_place(ran: Ran, tmp_path: Path) -> None:
    worker = Worker(Orders(ran.benchmark.root, ran.out, OPTIONS, (0, 1), Path.cwd(), tmp_path / "weights", False))
    worker.begin()
    clip = ran.benchmark.clips[0]
    item = Work(0, clip, len(clip.video.frames), ran.out / "draw0" / clip.id, done=False)
    gone: Iterator[News] = worker.make([item], Claim(tmp_path / "nowhere", "me"))
    assert [news.made for news in gone if news.made] == []
    assert not item.folder.exists()
