"""How a command ends that cannot go on: in one line, never in a traceback, unless icvos itself is at fault."""

import contextlib
import errno
import io
import os
import shutil
import sys
from collections.abc import Iterator
from typing import Any

import click

from icvos.errors import AGAIN, IcvosError, Stopped, printable

MAX_LINE = 4000  # characters of a message
INTERRUPTED = 130  # 128 and the number of SIGINT, as shells have it
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


class UserError(click.ClickException):
    """An error as click shows it: one line, exit status 2."""

    exit_code = 2

    def show(self, file: Any = None) -> None:
        click.echo(f"icvos: {printable(self.message, MAX_LINE)}", err=True, file=file)


class StoppedError(UserError):
    """A command that was stopped by Ctrl-C."""

    exit_code = INTERRUPTED


@contextlib.contextmanager
def one_line() -> Iterator[None]:
    """What a command raises for its user becomes a line: `IcvosError`, any `OSError`, and Ctrl-C.

    A closed pipe is no error: who reads has read enough. Whatever else is raised is a fault of icvos, and shows its
    traceback.
    """
    try:
        yield
    except IcvosError as error:
        raise UserError(str(error)) from error
    except (BrokenPipeError, io.UnsupportedOperation):
        raise
    except OSError as error:
        _give_up_output()
        raise UserError(in_words(error)) from error
    except KeyboardInterrupt as error:
        done = f": {error}" if isinstance(error, Stopped) else f"; {AGAIN}"
        raise StoppedError(f"stopped{done}") from error


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


def _give_up_output() -> None:
    """Where standard output itself is what cannot be written, say nothing more to it, not at the end either."""
    try:
        sys.stdout.flush()
    except OSError:
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def take_every_text() -> None:
    """Standard output writes characters that its encoding does not have as escapes, as standard error does."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
