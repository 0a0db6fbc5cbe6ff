"""Runs on videos by workers of a cluster: Ray starts them, gives them GPUs, and says when they die; all else is here.

The driver is this process. It claims videos, gives each to one worker, and keeps the records, as a process that is
alone does (`icvos.tasks.video.pooled`). A worker writes the masks itself, into the folder that all share. Ray's data
sets and its `ActorPool` are of no use here: the first hold short videos behind long ones, the second replaces nobody.
"""

import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from icvos.errors import IcvosError
from icvos.files.leftovers import remove_leftovers
from icvos.method import first_line
from icvos.notices import retell
from icvos.tasks.connection import connected, load_ray
from icvos.tasks.pool import LOCAL, Pool
from icvos.tasks.runs import SCRATCH
from icvos.tasks.video.worker import Begun, News, Orders, Worker

LOOK_S = 0.5  # that is waited for news at a time
STAFF_S = 5.0  # between two looks at what the cluster has
PATIENCE_S = 60.0  # without any worker, after which the caller is told why


@dataclass(slots=True)
class Member:
    """A worker as the driver sees it.

    Args:
        number: Counts workers.
        run: The folder of the run that it serves, to its end.
        actor: Ray's handle.
        waited_for: What it will answer next: that it has begun, or news of what it makes; None: it has nothing to do.
        heard: When it was last heard of.
        begun: What it said when it had loaded the method; None before.
    """

    number: int
    run: Path
    actor: Any
    waited_for: Any
    heard: float
    begun: Begun | None = None

    def __str__(self) -> str:
        return f"worker {self.begun.pid} on {self.begun.host}" if self.begun else f"worker {self.number}"


class Crew:
    """The workers of some runs, from the beginning of a ``with`` block to its end.

    Args:
        pool: Where they are.
        orders: By its folder what those of each run are told.
        note: Is told what the caller should know.
    """

    def __init__(self, pool: Pool, orders: Mapping[Path, Orders], note: Callable[[str], None]) -> None:
        self.pool, self.orders, self.note = pool, orders, note
        self.ray = load_ray(pool)
        self.members: dict[int, Member] = {}
        self.places = 0  # how many the cluster has room for
        self._count = 0
        self._entered = self._looked = float("-inf")
        self._is_told = self._by_gpu = False
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            for out in self.orders:
                stack.callback(remove_leftovers, out / SCRATCH)  # of workers that were on this machine
            stack.enter_context(connected(self.ray, self.pool))
            stack.callback(self._dismiss_all)
            self._by_gpu = self.pool.cpus_per_worker is None and any(room.get("GPU", 0) >= 1 for room in self._nodes())
            self._entered = time.monotonic()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def idle(self) -> list[Member]:
        """Those that wait for work."""
        return [member for member in self.members.values() if member.waited_for is None]

    def staff(self, most: int, choose: Callable[[], Path | None]) -> None:
        """Start workers where the cluster has room, and take back those that it has no room for any more.

        Args:
            most: How many are of use.
            choose: The run that one more should serve; None: it is not needed.
        """
        now = time.monotonic()
        self._tell_of_none(now)
        if now - self._looked < STAFF_S:
            return
        self._looked = now
        self.places = self._room()
        if self.places <= 0 and not self.members:
            raise IcvosError(f"{self.pool}: no {self._needs()} is there for a worker; {self._remedy()}")
        waiting = [member for member in self.members.values() if member.begun is None]
        while waiting and len(self.members) > min(most, self.places):
            self.dismiss(waiting.pop())
        while len(self.members) < min(most, self.places):
            run = choose()
            if run is None:
                return
            actor = self._kind().remote(self.orders[run])
            self._count += 1
            self.members[self._count] = Member(self._count, run, actor, actor.begin.remote(), now)

    def ready(self) -> list[Member]:
        """Those that have something to say, after `LOOK_S` at most."""
        asked = {member.waited_for: member for member in self.members.values() if member.waited_for is not None}
        if not asked:
            time.sleep(LOOK_S)
            return []
        said, _ = self.ray.wait(list(asked), num_returns=1, timeout=LOOK_S)
        if said and len(asked) > 1:
            said, _ = self.ray.wait(list(asked), num_returns=len(asked), timeout=0)
        return [asked[one] for one in said]

    def give(self, member: Member, *work: Any) -> None:
        """Have a worker make something: arguments of `Worker.make`."""
        member.heard = time.monotonic()
        member.waited_for = member.actor.make.options(num_returns="streaming").remote(*work)

    def hear(self, member: Member) -> News | None:
        """What a worker that makes something says; None where it is through.

        Raises `DeathError` for one that has died, and is no member any more; `IcvosError` for one that failed.
        """
        member.heard = time.monotonic()
        try:
            news: News = self.ray.get(next(member.waited_for))
        except StopIteration:
            member.waited_for = None
            return None
        except self.ray.exceptions.RayTaskError as error:
            member.waited_for = None
            raise IcvosError(f"failed: {type(error.cause).__name__}: {first_line(error.cause)}") from error
        except self.ray.exceptions.RayError as error:
            self.dismiss(member)
            raise DeathError(f"{member} died, perhaps for want of memory") from error
        retell(news.notices)
        return news

    def welcome(self, member: Member) -> Begun:
        """What a worker says that has loaded the method.

        Raises `DeathError` for one that has died, `IcvosError` for one that cannot load it; neither is a member any
        more.
        """
        try:
            begun: Begun = self.ray.get(member.waited_for)
        except self.ray.exceptions.RayTaskError as error:
            self.dismiss(member)
            if isinstance(error.cause, IcvosError):
                raise error.cause from error
            what = f"it failed to begin: {type(error.cause).__name__}: {first_line(error.cause)}"
            raise IcvosError(what) from error
        except self.ray.exceptions.RayError as error:
            self.dismiss(member)
            raise DeathError(first_line(error)) from error
        retell(begun.notices)
        member.begun, member.waited_for, member.heard = begun, None, time.monotonic()
        self._is_told = True
        return begun

    def dismiss(self, member: Member) -> None:
        """End a worker, whatever it is doing; another is started soon."""
        self.members.pop(member.number, None)
        with contextlib.suppress(self.ray.exceptions.RayError):  # the cluster itself has ended
            self.ray.kill(member.actor)
        self._looked = float("-inf")

    def _dismiss_all(self) -> None:
        for member in tuple(self.members.values()):
            self.dismiss(member)

    def _tell_of_none(self, now: float) -> None:
        """Say once why nothing goes on yet."""
        if not self._is_told and now - self._entered > PATIENCE_S:
            self._is_told = True
            self.note(f"{self.pool}: no worker has begun yet; it waits for a free {self._needs()}, or loads")

    def _nodes(self) -> list[dict[str, float]]:
        return [node["Resources"] for node in self.ray.nodes() if node["Alive"]]

    def _room(self) -> int:
        """How many workers the cluster has room for, with all that others have there."""
        cpus = self.pool.cpus_per_worker or 1
        if self._by_gpu:
            return sum(int(room.get("GPU", 0)) for room in self._nodes())
        return sum(int(room.get("CPU", 0) // cpus) for room in self._nodes())

    def _kind(self) -> Any:
        cpus = self.pool.cpus_per_worker or 1
        return self.ray.remote(num_cpus=0 if self._by_gpu else cpus, num_gpus=int(self._by_gpu))(Worker)

    def _needs(self) -> str:
        return "GPU" if self._by_gpu else f"machine with {self.pool.cpus_per_worker or 1} processors"

    def _remedy(self) -> str:
        return "give fewer --cpus-per-worker" if self.pool.address == LOCAL else "add one by: ray start --address ..."


class DeathError(Exception):
    """A worker has died."""
