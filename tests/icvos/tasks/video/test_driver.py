"""The driver of a run with workers that live in this process: failures, deaths, silence, claims of others."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from icvos.errors import IcvosError
from icvos.files.leases import Claim
from icvos.method import load_method
from icvos.protocol import NATIVE
from icvos.tasks.runs import RunOptions
from icvos.tasks.video import driver as driving
from icvos.tasks.video import worker as working
from icvos.tasks.video.benchmark import Benchmark
from icvos.tasks.video.cluster import DeathError, Member
from icvos.tasks.video.driver import Driver
from icvos.tasks.video.going import Going, Job
from icvos.tasks.video.opening import load_maker, made_by, opened
from icvos.tasks.video.together import Work
from icvos.tasks.video.worker import Begun, News, Orders, Worker
from tests.icvos.tasks.video.gated import POINTS
from tests.icvos.tasks.video.test_sharing import contents

OPTIONS = RunOptions("gated", protocols=(NATIVE,), parts=(0, 1))
Fault = Callable[[int, Sequence[Work]], str]  # of a worker and what it makes: "", dies, hangs or breaks


@pytest.fixture(autouse=True)
def methods(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("icvos.method.entry_points", lambda group: POINTS)
    monkeypatch.setattr(driving, "WAIT_S", 0.0)
    monkeypatch.setattr(working, "NEWS_S", 0.0)  # of every mask


class Imagined:
    """A `Crew` whose workers take turns in this process; a ``fault`` comes after the first news of a video."""

    def __init__(self, orders: Orders, count: int, fault: Fault) -> None:
        self.orders, self.most, self.count, self.fault = orders, count, count, fault
        self.members: dict[int, Member] = {}
        self.began = list[tuple[int, str]]()  # which worker was given which video
        self._numbers = iter(range(1000))
        self._faults: dict[int, str] = {}

    @property
    def idle(self) -> list[Member]:
        return [member for member in self.members.values() if member.waited_for is None and member.begun is not None]

    def staff(self) -> None:
        while len(self.members) < min(self.count, self.most):
            number, worker = next(self._numbers), Worker(self.orders)
            self.members[number] = Member(number, worker, worker.begin(), 0.0)

    def ready(self) -> list[Member]:
        said = []
        for member in self.members.values():
            if self._faults.get(member.number) == "hangs":
                member.heard = float("-inf")
            elif member.waited_for is not None:
                said.append(member)
        return said

    def welcome(self, member: Member) -> None:
        assert isinstance(member.waited_for, Begun)
        member.begun, member.waited_for = member.waited_for, None

    def give(self, member: Member, items: Sequence[Work], claim: Claim) -> None:
        self.began.append((member.number, items[0].clip.video.name))
        self._faults[member.number] = self.fault(member.number, items)
        member.heard, member.waited_for = driving.time.monotonic(), member.actor.make(items, claim)

    def hear(self, member: Member) -> News | None:
        news: News | None = next(member.waited_for, None)
        if self._faults[member.number] == "dies":
            self.dismiss(member)
            raise DeathError(f"worker {member.number} died")
        if self._faults[member.number] == "breaks" or news is None:
            member.waited_for = None
        if self._faults[member.number] == "breaks":
            raise IcvosError("failed: ValueError: broken")
        return news

    def dismiss(self, member: Member) -> None:
        self.members.pop(member.number)
        member.waited_for.close()


def orders(benchmark: Benchmark, out: Path) -> Orders:
    return Orders(benchmark.root, out, OPTIONS, (0, 1), Path.cwd(), out / "weights", False)


class Ran:
    """A run by imagined workers."""

    def __init__(self, benchmark: Benchmark, out: Path) -> None:
        self.benchmark, self.out = benchmark, out
        self.shown = list[tuple[int, int]]()
        self.masks = 0

    def go(
        self,
        count: int,
        fault: Fault = lambda worker, items: "",
        before: Callable[[Going], None] = lambda going: None,
    ) -> tuple[Driver, Imagined]:
        maker = load_maker(self.benchmark, self.out, OPTIONS)
        crew = Imagined(orders(self.benchmark, self.out), count, fault)

        def advance(_: object, masks: int) -> None:
            self.masks += masks

        with opened(
            self.benchmark,
            self.benchmark.clips,
            self.out,
            OPTIONS,
            made_by(maker, (0, 1)),
            start=lambda done, total: self.shown.append((done, total)),
            advance=advance,
        ) as going:
            before(going)
            found = Driver(going, crew)  # type: ignore[arg-type]
            found.make_all()
        return found, crew


@pytest.fixture(scope="module")
def alone(built: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What one worker makes that nothing happens to; that it is what one process makes is `test_ray`'s to show."""
    out = tmp_path_factory.mktemp("alone") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("icvos.method.entry_points", lambda group: POINTS)
        assert load_method("gated")
        Ran(Benchmark.open(built), out).go(1)
    return contents(out)


@pytest.fixture
def ran(benchmark: Benchmark, tmp_path: Path) -> Ran:
    return Ran(benchmark, tmp_path / "run")


def test_workers_take_the_longest_videos_first_and_every_mask_is_told_once(ran: Ran, alone: dict[str, Any]) -> None:
    driver, crew = ran.go(3)
    assert contents(ran.out) == alone
    costs = [driver.jobs[name].cost for _, name in crew.began]
    assert costs == sorted(costs, reverse=True)
    assert len({worker for worker, _ in crew.began}) == 3
    assert ran.shown == [(0, ran.masks)]
    assert not (ran.out / ".claims").exists()


@pytest.mark.parametrize("fault", ["dies", "hangs", "breaks"])
def test_a_worker_that_goes_wrong_once_loses_nothing(fault: str, ran: Ran, alone: dict[str, Any]) -> None:
    once = iter([fault])
    driver, crew = ran.go(2, lambda worker, items: next(once, ""))
    assert driver.given_up == {}
    assert len(crew.began) == len(driver.jobs) + 1
    assert contents(ran.out) == alone


def test_a_video_that_three_workers_die_of_is_given_up_and_all_else_is_made(ran: Ran, alone: dict[str, Any]) -> None:
    video = ran.benchmark.clips[2].video.name
    driver, crew = ran.go(2, lambda worker, items: "dies" if items[0].clip.video.name == video else "")
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
    driver, crew = ran.go(2)
    bad = {clip.id for clip in ran.benchmark.clips if clip.category.index == wrong}
    assert driver.given_up.keys() == {(draw, clip) for draw in (0, 1) for clip in bad}
    assert all("this one never works" in str(error) for error in driver.given_up.values())
    for video in {clip.partition("/")[0] for clip in bad}:
        workers = [worker for worker, name in crew.began if name == video]
        assert len(workers) == len(set(workers)) == 2
    monkeypatch.delenv("FAILS")
    ran.go(2)
    assert contents(ran.out) == alone


def test_a_video_that_another_process_has_claimed_is_left_to_it(ran: Ran, alone: dict[str, Any]) -> None:
    """It is looked at until it is free, and what was made of it meanwhile counts."""
    video = ran.benchmark.clips[0].video.name
    name, looks = Job(video, (), 0).claim, list[str]()

    def held(going: Going) -> None:
        real = going.leases.take

        def take(asked: str) -> bool:
            looks.append(asked)
            return (asked != name or looks.count(name) > 3) and real(asked)

        going.leases.take = take  # type: ignore[method-assign]

    _, crew = ran.go(2, before=held)
    assert looks.count(name) >= 4
    assert crew.began[-1][1] == video
    assert contents(ran.out) == alone


def test_a_worker_whose_claim_was_taken_over_puts_nothing_in_place(ran: Ran, tmp_path: Path) -> None:
    worker = Worker(orders(ran.benchmark, ran.out))
    worker.begin()
    clip = ran.benchmark.clips[0]
    item = Work(0, clip, len(clip.video.frames), ran.out / "draw0" / clip.id, done=False)
    gone: Iterator[News] = worker.make([item], Claim(tmp_path / "nowhere", "me"))
    assert [news.made for news in gone if news.made] == []
    assert not item.folder.exists()
