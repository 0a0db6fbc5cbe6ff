"""Who works on what in a folder that processes of several machines share: claims that expire.

A claim is a small file that only one process can create (by a hard link, else by ``O_EXCL``; NFS has both) and that a
thread of it touches every few seconds. One that was not touched for `LEASE_S` may be taken over; so may at once that of
a process of this machine that is gone. Ages are differences of times that the file server itself set, whatever the
clocks of the machines say.

A claim is called ``<name>.<generation>``. Who takes over an expired one creates the next generation, which succeeds for
one alone, and removes the old one. A process that was stopped for longer than its lease finds its file gone and knows
that it has lost what it claimed; until it has looked, two may hold the same. So claims save work that would be done
twice. They are no locks: what is done twice must do no harm.
"""

import contextlib
import errno
import json
import os
import platform
import secrets
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from icvos.files.leftovers import MACHINE, born, is_running, remove_leftovers, temporary_file
from icvos.files.storage import unwritable

LEASE_S = 60.0  # without a touch, after which a claim has expired
TOUCHES = 12  # of a claim in that time
LOOK_S = 0.02  # at first, between two looks at a claim that is waited for
MAX_LOOK_S = 0.5
PROCESS = "process"  # begins the name of the file by which each process says that it is there


@dataclass(frozen=True, slots=True)
class Holder:
    """Who made a claim; all unknown where its file is not written yet.

    Args:
        token: Of one `Leases`, drawn at random.
        host: The name of its machine.
        machine: `icvos.files.leftovers.MACHINE` there.
        pid: Its process.
        born: `icvos.files.leftovers.born` of that.
    """

    token: str = ""
    host: str = ""
    machine: str = ""
    pid: int = 0
    born: int | None = None

    def __str__(self) -> str:
        return f"{self.pid}" if self.machine == MACHINE else f"{self.pid} on {self.host}"

    @property
    def is_gone(self) -> bool:
        """Whether it is known to have ended."""
        if self.machine != MACHINE or os.name == "nt":  # where another process cannot be asked for
            return False
        return not is_running(self.pid) or (self.born is not None and born(self.pid) != self.born)


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim, for a process that works for the one who made it.

    Args:
        path: Its file.
        token: Of its holder.
    """

    path: Path
    token: str

    @property
    def stands(self) -> bool:
        """Whether nobody else has it by now."""
        return _holder(self.path).token == self.token


class Leases:
    """The claims of this process in a folder, from the beginning of a ``with`` block to its end.

    Raises `IcvosError` where the folder cannot be written to.

    Args:
        folder: What the claims lie in; made where it is not there, and removed with the last of them.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.own = Holder(secrets.token_hex(8), platform.node(), MACHINE, os.getpid(), born(os.getpid()))
        self._held: dict[str, Path] = {}
        self._here = folder / f"{PROCESS}-{self.own.token}.0"
        self._touched = time.monotonic()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._touch_until_the_end, name="leases", daemon=True)

    def __enter__(self) -> Self:
        with self._writing():
            self._create(self._here)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if os.getpid() != self.own.pid:  # a forked child, which leaves the block of its parent
            return
        self._end.set()
        self._thread.join()
        for name in tuple(self._held):
            self.release(name)
        self._remove_expired()
        remove_leftovers(self.folder)
        with contextlib.suppress(OSError):
            self._here.unlink()
        with contextlib.suppress(OSError):
            self.folder.rmdir()

    def take(self, name: str) -> bool:
        """Claim ``name``: whether that was free, or its claim had expired."""
        with self._writing():
            there = self._generations(name)
            if any(map(self._live, there.values())):
                return False
            path = self.folder / f"{name}.{max(there, default=-1) + 1}"
            if not self._create(path):
                return False
            for old in there.values():
                self._remove_if_expired(old)
            if any(other != path and self._live(other) for other in self._generations(name).values()):
                path.unlink(missing_ok=True)  # two began at once, from what each had seen
                return False
            self._held[name] = path
            return True

    def release(self, name: str) -> None:
        """Give back what was claimed; nothing where it is lost."""
        claim = self.claim(name)
        self._held.pop(name, None)
        if claim is not None and claim.stands:
            with contextlib.suppress(OSError):
                claim.path.unlink()

    def claim(self, name: str) -> Claim | None:
        """What was claimed; None for what was not."""
        path = self._held.get(name)
        return None if path is None else Claim(path, self.own.token)

    def holds(self, name: str) -> bool:
        """Whether the claim is still this process's."""
        claim = self.claim(name)
        return claim is not None and claim.stands

    def may_hold(self, name: str) -> bool:
        """`holds`, without a look at the file where it was touched a moment ago."""
        return time.monotonic() - self._touched < LEASE_S / 2 or self.holds(name)

    def holder(self, name: str) -> Holder | None:
        """Who holds ``name``; None where it is free."""
        with self._writing():
            found = (self._live(path) for path in self._generations(name).values())
            return next((one for one in found if one), None)

    def others(self) -> list[Holder]:
        """The other processes that are in the folder."""
        with self._writing():
            found = (self._live(path) for path in sorted(self.folder.glob(f"{PROCESS}-*")) if path != self._here)
            return [one for one in found if one]

    @contextlib.contextmanager
    def kept(self, name: str) -> Iterator[None]:
        """Claim ``name``, waiting for it, until the block ends, which must be short."""
        pause = LOOK_S
        while not self.take(name):
            time.sleep(pause)
            pause = min(2 * pause, MAX_LOOK_S)
        try:
            yield
        finally:
            self.release(name)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise unwritable(self.folder, error) from error

    def _create(self, path: Path) -> bool:
        """Create a claim, whole in one step; whether it was not there."""
        own = self.own
        text = {"token": own.token, "host": own.host, "machine": own.machine, "pid": own.pid, "born": own.born}
        while True:
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                with temporary_file(self.folder, path.name) as temporary:
                    temporary.write_text(json.dumps(text))
                    temporary.chmod(0o644)
                    return _link(temporary, path)
            except FileNotFoundError:  # another process has removed the empty folder
                continue

    def _generations(self, name: str) -> dict[int, Path]:
        """The files of a claim: one, or none, or in between two."""
        found = {}
        with contextlib.suppress(FileNotFoundError):
            for path in self.folder.iterdir():
                stem, _, generation = path.name.rpartition(".")
                if stem == name and generation.isdecimal():
                    found[int(generation)] = path
        return found

    def _live(self, path: Path) -> Holder | None:
        """Who made a claim, unless it is gone or has expired."""
        try:
            with path.open("rb") as file:  # opening asks an NFS server anew, where a mere stat may be a minute old
                holder, touched = _parsed(file.read()), os.fstat(file.fileno()).st_mtime
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ESTALE):
                return None
            raise
        return None if holder.is_gone or self._now() - touched > LEASE_S else holder

    def _now(self) -> float:
        """The time by the file server's clock."""
        try:
            os.utime(self._here)
        except FileNotFoundError:  # this process was stopped for so long that another has taken it for dead
            self._create(self._here)
        with self._here.open("rb") as file:
            return os.fstat(file.fileno()).st_mtime

    def _remove_if_expired(self, path: Path) -> None:
        if self._live(path) is None:
            with contextlib.suppress(OSError):
                path.unlink()

    def _remove_expired(self) -> None:
        """Remove the claims of those who are gone."""
        with contextlib.suppress(OSError):
            for path in list(self.folder.iterdir()):
                if path != self._here and path.suffix[1:].isdecimal():
                    self._remove_if_expired(path)

    def _touch_until_the_end(self) -> None:
        while not self._end.wait(LEASE_S / TOUCHES):
            began = time.monotonic()
            with contextlib.suppress(OSError):  # a server that is away for a moment; who has lost a claim finds out
                for name, path in tuple(self._held.items()):
                    if self.holds(name):
                        os.utime(path)
                self._now()
                self._touched = began


def _link(source: Path, target: Path) -> bool:
    """Give a file a second name; whether that was free."""
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except FileExistsError:
        return source.stat().st_nlink > 1  # an NFS server that was asked twice, as its first answer was lost
    except OSError:  # a file system without hard links
        try:
            handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        except FileExistsError:
            return False
        with os.fdopen(handle, "wb") as file:
            file.write(source.read_bytes())
    return True


def _holder(path: Path) -> Holder:
    try:
        return _parsed(path.read_bytes())
    except OSError:
        return Holder()


def _parsed(data: bytes) -> Holder:
    try:
        return Holder(**json.loads(data))
    except (ValueError, TypeError):  # its maker has not written it yet, or was killed before it had
        return Holder()
