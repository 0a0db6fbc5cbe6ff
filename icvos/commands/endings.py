"""How a command ends that cannot go on: in one line, never in a traceback, unless icvos itself is at fault."""

import contextlib
import io
import os
import re
import sys
from collections.abc import Iterator
from typing import Any

import click

from icvos.errors import AGAIN, IcvosError, Stopped, printable
from icvos.files.refused import in_words

MAX_LINE = 4000  # characters of a message
EXTRA = re.compile(r"unexpected extra arguments? \((.*)\)")
NUMBER = re.compile(r"\d+(\.\d*)?,?")
INTERRUPTED = 130  # 128 and the number of SIGINT, as shells have it


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
    """What a command raises for its user becomes a line: `IcvosError`, wrong options, any `OSError`, and Ctrl-C.

    A closed pipe is no error: who reads has read enough. Whatever else is raised is a fault of icvos, and shows its
    traceback.
    """
    try:
        yield
    except IcvosError as error:
        raise UserError(str(error)) from error
    except click.exceptions.NoArgsIsHelpError:  # not a fault: shows help
        raise
    except click.UsageError as error:
        raise UserError(of_usage(error)) from error
    except (BrokenPipeError, io.UnsupportedOperation):
        raise
    except OSError as error:
        _give_up_output()
        raise UserError(in_words(error)) from error
    except KeyboardInterrupt as error:
        done = f": {error}" if isinstance(error, Stopped) else f"; {AGAIN}"
        raise StoppedError(f"stopped{done}") from error


def of_usage(error: click.UsageError) -> str:
    """What click says of wrong options, and where the right ones are listed."""
    text = " ".join(error.format_message().split()).rstrip(".")
    names, context = [], error.ctx
    while context is not None and context.parent is not None:
        names.append(str(context.info_name))
        context = context.parent
    command = " ".join(["icvos", *reversed(names)])  # however the program itself was started
    return f"{text[:1].lower()}{text[1:]}{_with_commas(text, error.ctx)}; {command} --help shows what there is"


def _with_commas(text: str, context: click.Context | None) -> str:
    """What to say where numbers that belong to one option were written with spaces between them."""
    rest = EXTRA.search(text)
    listed = [one for one in context.command.params if "," in (one.metavar or "")] if context else []
    if not rest or not listed or not all(map(NUMBER.fullmatch, rest[1].split())):
        return ""
    forms = " or ".join(f"{one.opts[0]} {one.metavar}" for one in listed)
    return f"; write numbers that belong together with commas and without spaces: {forms}"


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
