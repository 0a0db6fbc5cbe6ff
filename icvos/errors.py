"""The one exception that a user is meant to see."""

import contextlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal


class IcvosError(Exception):
    """What is wrong, in which file, and what to do about it, in one line.

    The command line prints the message without a traceback and exits with status 2.
    """


AGAIN = "run the same command again"


class Stopped(KeyboardInterrupt):
    """Ctrl-C in the middle of work; the message says what is done, and how to go on."""


@contextlib.contextmanager
def stoppable(told: Callable[[], str]) -> Iterator[None]:
    """Inside, Ctrl-C becomes `Stopped` with what is ``told`` then; one from further inside, which knows more, stays."""
    try:
        yield
    except Stopped:
        raise
    except KeyboardInterrupt as error:
        raise Stopped(told()) from error


MAX_TEXT = 1000  # characters of a message
# letters and marks that show nothing, so that two names look alike; `str.isprintable` takes them for printable
UNSEEN = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u2800\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
    "|(?<=[\u0300-\u036f]{4})[\u0300-\u036f]+"  # accents in a heap, which cover other lines
)
Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with a prediction folder.

    Args:
        kind: A word to group by: missing, extra or misnamed followed by -video, -class or -frame; layout,
            renumbered-frames, class-numbers; size, mode, palette, values, unreadable, format, ambiguous, empty, full,
            inverted, truth, digest, record, mixture, extra-draw, extra-file, link; of archives: path, duplicate,
            encrypted, nested, limit.
        where: The file or folder.
        what: What is wrong and the remedy, in one line.
        severity: An ``error`` keeps the folder from being scored, a ``warning`` does not.
    """

    kind: str
    where: str
    what: str
    severity: Severity = "error"

    def __str__(self) -> str:
        return printable(f"{self.where}: {self.what}")

    def to_json(self) -> dict[str, str]:
        """The four texts by name."""
        return {
            "severity": self.severity,
            "kind": self.kind,
            "where": printable(self.where),
            "what": printable(self.what),
        }


def printable(text: str, most: int = MAX_TEXT) -> str:
    """``text`` with ``?`` for what could steer a terminal, hide, turn the reading direction or is no UTF-8.

    Cut in its middle where it has more than ``most`` characters.

    >>> printable("dog\\x1b[2J \\u202egod")
    'dog?[2J ?god'
    """
    if len(text) > most:
        text = f"{text[: most // 2]}...{text[-most // 2 :]}"
    if text.isascii() and text.isprintable():
        return text
    return UNSEEN.sub("?", "".join(character if character.isprintable() else "?" for character in text))


def plural(count: int, noun: str) -> str:
    """A number of things in words, the one way of all messages and tables.

    >>> plural(1, "clip"), plural(2000, "clip"), plural(2, "class"), plural(0, "category")
    ('1 clip', '2,000 clips', '2 classes', '0 categories')
    """
    if count == 1:
        return f"1 {noun}"
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return f"{count:,} {noun[:-1]}ies"
    return f"{count:,} {noun}" + ("es" if noun.endswith("s") else "s")


def extent(size: tuple[int, ...]) -> str:
    """A size in pixels in words, width first as programs for pictures say it; ``size`` is (height, width), as arrays.

    >>> extent((480, 854))
    '854x480'
    """
    return f"{size[1]}x{size[0]}"


def printable_lines(text: str) -> str:
    """`printable` line by line, for text that may have several; nothing is cut off."""
    if text.isascii() and text.isprintable():
        return text
    return "\n".join(printable(line, len(line)) for line in text.split("\n"))


class PredictionError(IcvosError):
    """A predicted mask that cannot be used; its one argument is the `Fault`."""

    @property
    def fault(self) -> Fault:
        """What is wrong, as `check` reports it."""
        found: Fault = self.args[0]
        return found
