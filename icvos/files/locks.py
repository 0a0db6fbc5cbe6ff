"""One process at a time: a lock that the system lets go when its process ends, however it ends."""

import contextlib
import errno
import os
import time
from collections.abc import Iterator
from pathlib import Path

from icvos.errors import IcvosError
from icvos.files.leftovers import LOCK, remove_leftovers
from icvos.files.storage import unwritable

_PLACE = 1 << 20  # of the byte that Windows locks, behind the text that others may read
_HELD = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES, errno.EDEADLK)
_LOOKS, _MOMENT_S = 50, 0.01  # for who holds a file, and the time between
_open: set[int] = set()


def _let_go_after_fork() -> None:
    """A child would keep the lock of a killed parent."""
    for handle in _open:
        with contextlib.suppress(OSError):
            os.close(handle)
    _open.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go_after_fork)


@contextlib.contextmanager
def lock_folder(folder: Path, *, wait: bool = False) -> Iterator[None]:
    """Keep ``folder``, made where it is not there, for this process until the block ends.

    While it is kept, it holds `LOCK`; one that a killed process left binds nobody. A folder that was made for the lock
    and is still empty goes again, and so does what killed processes were writing in it. Where the file system has no
    locks, nothing is kept.

    Args:
        folder: What is kept.
        wait: Wait for another process to end its block, which must be short; else `IcvosError` names the folder and it.
    """
    is_new = not folder.exists()
    try:
        with lock_file(folder / LOCK, str(folder), wait=wait):
            remove_leftovers(folder)
            yield
    finally:
        if is_new:
            with contextlib.suppress(OSError):
                folder.rmdir()


@contextlib.contextmanager
def lock_file(path: Path, what: str, *, wait: bool = False) -> Iterator[None]:
    """Keep what the file ``path`` stands for, as `lock_folder`; ``what`` names it in the error."""
    handle = _locked(path, what, wait)
    try:
        yield
    finally:
        if handle in _open:  # not in a forked child that leaves the block: its handle is closed, or another file's now
            _release(path, handle)


def _release(path: Path, handle: int) -> None:
    """Let go what `_locked` opened."""
    _open.discard(handle)
    if os.name == "nt":  # which removes no open file
        os.close(handle)
    with contextlib.suppress(OSError):
        if os.name == "nt" or _is_still(path, handle):  # the folder may have been replaced, and be another's now
            path.unlink()
    if os.name != "nt":
        os.close(handle)


def _locked(path: Path, what: str, wait: bool) -> int:
    """The open and locked file ``path``, which says who holds it."""
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o644)
        except FileNotFoundError:  # the one who held it removed the folder
            continue
        except OSError as error:
            raise unwritable(path, error) from error
        try:
            _lock(handle, wait)
            if _is_still(path, handle):
                _open.add(handle)
                with contextlib.suppress(OSError):  # a full disk keeps nobody from the lock
                    os.ftruncate(handle, 0)
                    os.write(handle, f"{os.getpid()}\n".encode())
                return handle
            os.close(handle)  # the one who held it has removed it
        except OSError as error:
            is_held = error.errno in _HELD
            holder = _holder(handle) if is_held else ""
            os.close(handle)
            if not is_held:
                raise unwritable(path, error) from error
            process = f"another process ({holder})" if holder else "another process"
            raise IcvosError(
                f"{what}: {process} is working on it; wait until that has ended, or choose another place"
            ) from None
        except BaseException:
            os.close(handle)
            raise


def _lock(handle: int, wait: bool) -> None:
    """Lock an open file; raises `OSError` with a number of `_HELD` where another process has."""
    try:
        import fcntl
    except ImportError:
        import msvcrt

        os.lseek(handle, _PLACE, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        os.lseek(handle, 0, os.SEEK_SET)
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError as error:
        if error.errno in _HELD:
            raise
        # a file system without locks: temporaries have names of their own, so that nothing is destroyed


def _holder(handle: int) -> str:
    """Who says in the open file to have it; who has only just got it says so in a moment."""
    for _ in range(_LOOKS if hasattr(os, "pread") else 0):
        holder = os.pread(handle, 20, 0)
        if holder.endswith(b"\n") and holder.strip().isdigit():
            return holder.strip().decode()
        time.sleep(_MOMENT_S)
    return ""


def _is_still(path: Path, handle: int) -> bool:
    """Whether ``path`` names the open file, which the one who held it may have removed."""
    try:
        return os.path.samestat(path.stat(), os.fstat(handle))
    except OSError:
        return False
