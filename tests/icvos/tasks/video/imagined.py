"""Workers that live in this process, and runs by them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from icvos.errors import IcvosError
from icvos.files.leases import Claim
from icvos.protocol import NATIVE
from icvos.tasks.runs import RunOptions
from icvos.tasks.video import driver as driving
from icvos.tasks.video.benchmark import Benchmark, Clip
from icvos.tasks.video.cluster import DeathError, Member
from icvos.tasks.video.pooled import Pooled
from icvos.tasks.video.together import Work
from icvos.tasks.video.worker import Begun, News, Orders, Worker

OPTIONS = RunOptions("gated", protocols=(NATIVE,), parts=(0, 1))
Fault = Callable[[int, Sequence[Work]], str]  # of a worker and what it makes: "", dies, hangs or breaks


class Imagined:
    """A `Crew` whose workers take turns in this process; a ``fault`` comes after the first news of a video."""

    def __init__(self, orders: Mapping[Path, Orders], places: int, fault: Fault) -> None:
        self.orders, self.places, self.fault = orders, places, fault
        self.members: dict[int, Member] = {}
        self.served = list[Path]()  # the run of every worker that was started
        self.began = list[tuple[int, str]]()  # which worker was given which video
        self._numbers = iter(range(1000))
        self._faults: dict[int, str] = {}

    @property
    def idle(self) -> list[Member]:
        return [member for member in self.members.values() if member.waited_for is None]

    def staff(self, most: int, choose: Callable[[], Path | None]) -> None:
        while len(self.members) < min(self.places, most):
            run = choose()
            if run is None:
                return
            number, worker = next(self._numbers), Worker(self.orders[run])
            self.served.append(run)
            self.members[number] = Member(number, run, worker, worker.begin, 0.0)

    def ready(self) -> list[Member]:
        said = []
        for member in self.members.values():
            if self._faults.get(member.number) == "hangs":
                member.heard = float("-inf")
            elif member.waited_for is not None:
                said.append(member)
        return said

    def welcome(self, member: Member) -> Begun:
        try:
            begun: Begun = member.waited_for()
        except (IcvosError, DeathError):
            del self.members[member.number]
            raise
        member.begun, member.waited_for = begun, None
        return begun

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
        if isinstance(member.waited_for, Iterator):
            member.waited_for.close()  # type: ignore[attr-defined]


class Ran:
    """Runs by imagined workers, each in a folder named after its method."""

    def __init__(self, benchmark: Benchmark, folder: Path, *methods: str) -> None:
        self.crew: Imagined | None = None
        self.benchmark, self.out = benchmark, folder / methods[0]
        self.runs = {folder / method: replace(OPTIONS, method=method) for method in methods}
        self.shown = list[tuple[int, int]]()
        self.masks = 0
        self.notes = list[str]()

    def advance(self, options: RunOptions, clip: Clip, masks: int) -> None:  # noqa: ARG002
        self.masks += masks

    def go(
        self,
        places: int,
        fault: Fault = lambda worker, items: "",
    ) -> tuple[Pooled, Imagined]:
        pooled = Pooled(
            self.benchmark,
            self.benchmark.clips,
            self.runs,
            start=lambda done, total: self.shown.append((done, total)),
            advance=self.advance,
            note=self.notes.append,
        )
        crew = self.crew = Imagined(pooled.orders, places, fault)
        pooled.make_all(crew)  # type: ignore[arg-type]
        return pooled, crew
