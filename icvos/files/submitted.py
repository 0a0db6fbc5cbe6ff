"""Files and folders that were submitted: listed and opened within bounds, and never through a link.

What a link points to is not the submitter's: it may be the truth, a secret of whoever scores, or a device that hangs.
`opened` is the one way to the bytes of a submitted file.
"""

import contextlib
import os
import stat
from pathlib import Path
from typing import BinaryIO

from icvos.errors import Fault, PredictionError
from icvos.files.listing import is_passed_over

MAX_FILES = 300_000  # in one folder
MAX_ENTRIES = 2_000_000  # in all folders of a submission
MAX_DEPTH = 5  # of folders that may be read: <run>/<draw>/<video>/<Annotations>/<class>


def visible(folder: Path) -> list[Path]:
    """What is in ``folder``, by name, without hidden files and leftovers of archives and file managers.

    `PredictionError` for one that cannot be listed or has more than `MAX_FILES`.
    """
    names = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if not is_passed_over(entry.name):
                    names.append(entry.name)
                if len(names) > MAX_FILES:
                    what = f"more than {MAX_FILES:,} files in one folder; keep one mask per frame"
                    raise PredictionError(Fault("limit", str(folder), what))
    except OSError as error:
        what = f"cannot be listed ({error.strerror}); make it a folder that can be read"
        raise PredictionError(Fault("unreadable", str(folder), what)) from error
    return [folder / name for name in sorted(names)]


def is_plain(path: Path, *, folder: bool = False) -> bool:
    """Whether ``path`` is a regular file, or a folder; no link to one."""
    try:
        mode = path.lstat().st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISDIR(mode) if folder else stat.S_ISREG(mode)


def link_fault(path: Path | str, mode: int) -> Fault:
    """The fault of a link, or of another thing that is neither file nor folder; ``mode`` is that of `os.lstat`."""
    what = "a link, and links are not followed; copy what it points to, as cp -rL does"
    if not stat.S_ISLNK(mode):
        what = "a device, pipe or socket, and only files are read; remove it"
    return Fault("link", str(path), what)


def opened(path: Path) -> BinaryIO:
    """A submitted file, open for reading; `PredictionError` for a link or special file, OSError as `open` raises it.

    The kind is looked at before it is opened, since opening a device may already do something, and again afterwards.
    """
    mode = path.lstat().st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise PredictionError(link_fault(path, mode))
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    file = os.fdopen(os.open(path, flags), "rb")  # raises IsADirectoryError for a folder
    mode = os.fstat(file.fileno()).st_mode
    if not stat.S_ISREG(mode):
        file.close()
        raise PredictionError(link_fault(path, mode))
    return file


def find_links(folder: Path) -> list[Fault]:
    """A fault for each link or special file in ``folder`` and as deep below it as predictions are read, in order."""
    found: list[Fault] = []
    folders, count = [(folder, 1)], 0
    while folders:
        place, depth = folders.pop()
        with contextlib.suppress(OSError), os.scandir(place) as entries:  # the check says what cannot be listed
            for entry in entries:
                count += 1
                if count > MAX_ENTRIES:
                    return [Fault("limit", str(folder), f"more than {MAX_ENTRIES:,} files; give the folder of one run")]
                if is_passed_over(entry.name):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    folders += [(place / entry.name, depth + 1)] if depth < MAX_DEPTH else []
                elif not entry.is_file(follow_symlinks=False):
                    found.append(link_fault(entry.path, entry.stat(follow_symlinks=False).st_mode))
    return sorted(found, key=lambda fault: fault.where)
