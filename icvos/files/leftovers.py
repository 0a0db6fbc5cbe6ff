"""Temporaries that say whose they are: what a killed process left is removed, what a live one is writing never is.

A temporary is called ``.<name>.<machine>-<pid>-<random>``, with the suffix of what it will be. It begins with a dot, so
that all readers pass it over.
"""

import contextlib
import hashlib
import os
import platform
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

TEMPORARY = re.compile(r"\.(?P<name>.+)\.(?P<machine>[0-9a-f]{6})-(?P<pid>[0-9]+)-[a-z0-9_]{8}(\..*)?", re.DOTALL)
LOCK = ".icvos.lock"  # see `icvos.files.locks`
NODE = (Path("/etc/machine-id"), Path("/proc/self/ns/pid"))  # of Linux: the installation, and the numbers of processes
NAME_LENGTH = 40  # characters of the name that a temporary's name repeats, which must stay below 255 bytes
FOREIGN_SECONDS = 86400.0  # without a change, after which another machine's temporary counts as left


def _machine() -> str:
    """What a process's number is unique in: a machine, or a container."""
    parts = [platform.node()]
    with contextlib.suppress(OSError):
        parts.append(NODE[0].read_text())
    with contextlib.suppress(OSError):
        parts.append(str(NODE[1].readlink()))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:6]


MACHINE = _machine()
_own: set[str] = set()  # this process's temporaries: in a container, a killed process may have had the same id


def _start(name: str) -> str:
    return f".{name[:NAME_LENGTH]}."


@contextlib.contextmanager
def temporary_file(folder: Path, name: str, suffix: str = "") -> Iterator[Path]:
    """An empty new file in ``folder`` that will be called ``name``; removed where it is still there at the end."""
    handle, made = tempfile.mkstemp(dir=folder, prefix=f"{_start(name)}{MACHINE}-{os.getpid()}-", suffix=suffix)
    os.close(handle)
    path = Path(made)
    _own.add(path.name)
    try:
        yield path
    finally:
        with contextlib.suppress(OSError):
            path.unlink()
        _own.discard(path.name)


@contextlib.contextmanager
def temporary_folder(folder: Path, name: str) -> Iterator[Path]:
    """The same for a new folder."""
    path = Path(tempfile.mkdtemp(dir=folder, prefix=f"{_start(name)}{MACHINE}-{os.getpid()}-"))
    _own.add(path.name)
    try:
        path.chmod(0o755)
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        _own.discard(path.name)


def is_ours(name: str) -> bool:
    """Whether a file or folder is called as temporaries and locks are, which a killed process may leave."""
    return name == LOCK or TEMPORARY.fullmatch(name) is not None


def end_scratch(folder: Path) -> None:
    """Remove a folder of temporaries when work with it is done; it stays where another process uses it."""
    remove_leftovers(folder)
    with contextlib.suppress(OSError):
        folder.rmdir()


def remove_leftovers(folder: Path, name: str = "") -> None:
    """Remove from ``folder`` the temporaries of processes that are gone: those of ``name``, or all."""
    start = _start(name) if name else "."
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(start) and _is_left(entry):
                with contextlib.suppress(OSError):
                    remove(Path(entry.path))


def _is_left(entry: os.DirEntry[str]) -> bool:
    found = TEMPORARY.fullmatch(entry.name)
    if found is None or entry.name in _own:
        return False
    if found["machine"] != MACHINE:
        return time.time() - entry.stat(follow_symlinks=False).st_mtime > FOREIGN_SECONDS
    return int(found["pid"]) == os.getpid() or not is_running(int(found["pid"]))


def is_running(pid: int) -> bool:
    """Whether this machine has a process of that number."""
    if os.name == "nt":  # where signal 0 ends a process, and a file that one writes cannot be removed
        return False
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True


def born(pid: int) -> int | None:
    """When a process of this machine began, in ticks since the machine did; None where nobody says, or it has ended.

    It tells a process from a later one that was given the same number.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def remove(path: Path) -> None:
    """Remove a file, a link or a folder with all that is in it."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
