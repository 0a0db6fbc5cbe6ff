"""What the operating system refuses, in words: the file, the reason, and what to do about it."""

import errno
import os
import shutil
from pathlib import Path

from icvos.errors import AGAIN, printable

REMEDIES = {
    errno.ENOENT: f"it was there before, or a link leads nowhere; put it back and {AGAIN}",
    errno.EACCES: "get the right to read and write it, or choose another",
    errno.EPERM: "get the right to read and write it, or choose another",
    errno.EROFS: "nothing can be written there, choose another place",
    errno.ENOSPC: f"free some space and {AGAIN}",
    errno.EDQUOT: f"free some space and {AGAIN}",
    errno.EISDIR: "it is a folder, give a file",
    errno.ENOTDIR: "a file stands where a folder should be, choose another place",
    errno.EEXIST: "something stands in its place already, move it away or choose another place",
    errno.ENOTEMPTY: f"something else writes into it; wait until that is done and {AGAIN}",
    errno.ELOOP: "links lead in a circle, give the file itself",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.EMFILE: f"raise the limit, as with ulimit -n 4096, and {AGAIN}",
    errno.ENFILE: f"close other programs and {AGAIN}",
    errno.ENOMEM: f"close other programs and {AGAIN}",
}
LOOK = f"look at the disk or network that it lies on, then {AGAIN}"


def in_words(error: OSError) -> str:
    """The file, what the operating system says of it, and what to do."""
    if isinstance(error, shutil.Error) and error.args and isinstance(error.args[0], list):
        where, _, why = error.args[0][0]  # of all the files that could not be copied
    else:
        where, why = error.filename, error.strerror or f"{type(error).__name__}: {error}"
    remedy = REMEDIES.get(error.errno or 0, LOOK)
    if where is None:
        return printable(f"cannot go on ({why}); {remedy}")
    return printable(f"{os.fsdecode(where) if isinstance(where, bytes) else where}: {why}; {remedy}")


def concerns(error: OSError, path: Path) -> bool:
    """Whether an error that came up while ``path`` was written is of it or its place, not of a file that was read."""
    if not isinstance(error.filename, str | bytes):
        return True
    named = Path(os.fsdecode(error.filename)).absolute()
    return named.is_relative_to(path.absolute().parent) or path.absolute().is_relative_to(named)
