"""A run on videos by workers of a cluster: Ray starts them, gives them GPUs, and says when they die; all else is here.

The driver is this process. It claims videos, gives each to one worker, and keeps the records, as a process that is
alone does (`icvos.tasks.video.going`). A worker writes the masks itself, into the folder that all share. Ray's data
sets and its `ActorPool` are of no use here: the first hold short videos behind long ones, the second replaces nobody.
"""

import contextlib
import logging
import os
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from icvos.errors import IcvosError
from icvos.files.leftovers import remove_leftovers
from icvos.method import first_line
from icvos.notices import notice
from icvos.serving.extra import load_extra
from icvos.tasks.pool import LOCAL, Pool
from icvos.tasks.runs import SCRATCH
from icvos.tasks.video.opening import MadeBy
from icvos.tasks.video.worker import Begun, News, Orders, Worker

LOOK_S = 0.5  # that is waited for news at a time
STAFF_S = 5.0  # between two looks at what the cluster has
PATIENCE_S = 60.0  # without any worker, after which the caller is told why
FALSE_STARTS = 5  # workers in a row that die before the method is loaded
STORE_BYTES = 80 << 20  # of Ray's object store, which masks do not go through; it takes no less than 75 MiB
QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
}


@dataclass(slots=True)
class Member:
    """A worker as the driver sees it.

    Args:
        number: Counts workers.
        actor: Ray's handle.
        waited_for: What it will answer next: that it has begun, or news of what it makes; None: it has nothing to do.
        heard: When it was last heard of.
        begun: What it said when it had loaded the method; None before.
    """

    number: int
    actor: Any
    waited_for: Any
    heard: float
    begun: Begun | None = None

    def __str__(self) -> str:
        return f"worker {self.begun.pid} on {self.begun.host}" if self.begun else f"worker {self.number}"


class Crew:
    """The workers of a run, from the beginning of a ``with`` block to its end; one of them has loaded the method then.

    Args:
        pool: Where they are.
        orders: What they are told.
        most: How many are of use.
        note: Is told what the caller should know.
    """

    def __init__(self, pool: Pool, orders: Orders, most: int, note: Callable[[str], None]) -> None:
        self.pool, self.orders, self.most, self.note = pool, orders, most, note
        self.ray = load_extra("ray", {"ray": "ray"}, "cluster", str(pool))
        self.members: dict[int, Member] = {}
        self.made_by: MadeBy | None = None
        self._count = self._false_starts = self._unfit = 0
        self._looked = float("-inf")
        self._by_gpu = False
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            stack.callback(remove_leftovers, self.orders.out / SCRATCH)  # of workers that were on this machine
            stack.enter_context(_connected(self.ray, self.pool))
            stack.callback(self._dismiss_all)
            self._by_gpu = self.pool.cpus_per_worker is None and any(room.get("GPU", 0) >= 1 for room in self._nodes())
            self._wait_for_one()
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

    def staff(self) -> None:
        """Start workers where the cluster has room, and take back those that it has no room for any more."""
        now = time.monotonic()
        if now - self._looked < STAFF_S:
            return
        self._looked = now
        wanted = min(self.most, self._room() - self._unfit)
        if wanted <= 0 and not self.members:
            raise IcvosError(f"{self.pool}: no {self._needs()} is there for a worker; {self._remedy()}")
        waiting = [member for member in self.members.values() if member.begun is None]
        while waiting and len(self.members) > wanted:
            self.dismiss(waiting.pop())
        while len(self.members) < wanted:
            actor = self._kind().remote(self.orders)
            self._count += 1
            self.members[self._count] = Member(self._count, actor, actor.begin.remote(), now)

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
        _log(news.notices)
        return news

    def welcome(self, member: Member) -> None:
        """A worker has begun, or cannot, which is no reason to stop as long as others can."""
        member.heard, asked = time.monotonic(), member.waited_for
        member.waited_for = None
        try:
            begun: Begun = self.ray.get(asked)
            self._require_like_the_first(begun)
        except self.ray.exceptions.RayTaskError as error:
            what = f"it failed to begin: {type(error.cause).__name__}: {first_line(error.cause)}"
            self._refuse(member, error.cause if isinstance(error.cause, IcvosError) else IcvosError(what))
        except IcvosError as error:
            self._refuse(member, error)
        except self.ray.exceptions.RayError as error:
            self.dismiss(member)
            self._false_starts += 1
            if self._false_starts >= FALSE_STARTS:
                raise IcvosError(
                    f"{self.pool}: {FALSE_STARTS} workers in a row died while they loaded the method; give each more "
                    f"memory, or use fewer, by --cpus-per-worker ({first_line(error)})"
                ) from error
        else:
            _log(begun.notices)
            member.begun, self._false_starts = begun, 0
            self.made_by = self.made_by or begun.made_by

    def dismiss(self, member: Member) -> None:
        """End a worker, whatever it is doing; another is started soon."""
        self.members.pop(member.number, None)
        with contextlib.suppress(self.ray.exceptions.RayError):  # the cluster itself has ended
            self.ray.kill(member.actor)
        self._looked = float("-inf")

    def _dismiss_all(self) -> None:
        for member in tuple(self.members.values()):
            self.dismiss(member)

    def _wait_for_one(self) -> None:
        began, told = time.monotonic(), False
        while self.made_by is None:
            self.staff()
            for member in self.ready():
                self.welcome(member)
            if not told and time.monotonic() - began > PATIENCE_S:
                told = True
                self.note(f"{self.pool}: no worker has begun yet; it waits for a free {self._needs()}, or loads")

    def _refuse(self, member: Member, error: IcvosError) -> None:
        """A worker cannot begin where it is: another is not tried in its place."""
        self.dismiss(member)
        self._unfit += 1
        if not self.members:
            raise error
        self.note(f"{self.pool}: one worker less: {error}")

    def _require_like_the_first(self, begun: Begun) -> None:
        if self.made_by is None:
            return
        for draw, first in self.made_by.wanted.items():
            one, other = begun.made_by.wanted[draw].to_json(), first.to_json()
            for key in other:
                if one.get(key) != other[key]:
                    raise IcvosError(
                        f"a worker on {begun.host} has {key} {one.get(key)!r}, the first has {other[key]!r}; "
                        "all must make the same masks"
                    )

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


@contextlib.contextmanager
def _connected(ray: Any, pool: Pool) -> Iterator[None]:
    """Ray, connected to the cluster of a pool; one that the caller has connected already stays so."""
    if ray.is_initialized():
        yield
        return
    if "://" in pool.address:
        raise IcvosError(
            f"{pool}: Ray's client is too little; give the command on a machine of the cluster, --ray auto"
        )
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    logging.getLogger("ray").setLevel(logging.ERROR)
    own = {"include_dashboard": False, "object_store_memory": STORE_BYTES} if pool.address == LOCAL else {}
    try:
        ray.init(pool.address, log_to_driver=False, logging_level=logging.ERROR, **own)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise IcvosError(
            f"{pool}: no Ray can be reached ({first_line(error)}); start one by: ray start --head, or use --ray {LOCAL}"
        ) from error
    try:
        yield
    finally:
        ray.shutdown()


def _log(lines: Collection[str]) -> None:
    for line in lines:
        notice("workers", line, line)
