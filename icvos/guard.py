"""A method is anybody's code: what it gives is checked, and whatever goes wrong in it is one line that names it.

A hang ends by a timer of the operating system, whose signal Python handles between two of its own instructions: loops,
sleeping and waiting end at once. One long call into compiled code ends when it returns to Python, and is not cut off.
"""

import contextlib
import math
import signal
import threading
import time
import traceback
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

from icvos.errors import IcvosError
from icvos.method import AnyMethod, Described, Image, ImageSegmenter, Mask, Remarks, Support, first_line, segment

MAX_DEPTH = 50  # of a description: deeper ones hold themselves
AGAIN_SECONDS = 1.0  # after which a method that went on past its limit is told once more
END = object()


@dataclass(slots=True)
class Asked:
    """What a method is asked for, how errors name it, and how much time is left for it.

    Args:
        method: The method's name.
        what: The clip, episode or video; "" where it is asked about itself.
        timeout: Seconds that all of its answers may take together; None: as long as it wants.
    """

    method: str
    what: str = ""
    timeout: float | None = None
    taken: float = field(default=0.0, init=False)

    def __str__(self) -> str:
        return f"method {self.method}" + (f" on {self.what}" if self.what else "")

    def error(self, what: str) -> IcvosError:
        """The error of a broken promise."""
        return IcvosError(f"method {self.method} {what}; icvos methods check {self.method} tells more")


class _OutOfTimeError(BaseException):
    """Raised inside a method that takes too long; not an `Exception`, which it might catch and go on."""


def require_timeout(seconds: float | None) -> None:
    """Raise `IcvosError` for a limit that is none, or cannot be kept here."""
    if seconds is None:
        return
    if not 0 < seconds < threading.TIMEOUT_MAX:
        raise IcvosError(f"--timeout {seconds}: give seconds above 0")
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        raise IcvosError("--timeout works on Linux and macOS, in the main thread of a process; leave it out")


@contextlib.contextmanager
def guarded(asked: Asked) -> Iterator[None]:
    """Inside, only the method runs: what it raises, exits with or takes too long for becomes an `IcvosError`."""
    began = time.monotonic()
    try:
        with _limited(asked):
            yield
    except IcvosError as error:
        if type(error) is not IcvosError or not asked.what or asked.what in str(error):
            raise
        raise IcvosError(f"{error} ({asked})") from error
    except _OutOfTimeError as error:
        what = f"within {asked.timeout:g} s for {asked.what} (--timeout)"
        raise IcvosError(
            f"method {asked.method} gave no answer {what}; give it more, or look where it waits"
        ) from error
    except SystemExit as error:
        on = f" on {asked.what}" if asked.what else ""
        raise asked.error(f"called sys.exit({error.code!r}){on}; a method gives masks or raises an error") from error
    except Exception as error:  # anybody's code: whatever it raises is what is wrong
        raise asked.error(f"failed{_on(asked)}: {type(error).__name__}: {first_line(error)}{_place(error)}") from error
    finally:
        asked.taken += time.monotonic() - began


def _on(asked: Asked) -> str:
    return f" on {asked.what}" if asked.what else ""


def _place(error: BaseException) -> str:
    """The line that raised an error, in brackets."""
    frames = traceback.extract_tb(error.__traceback__)
    return f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""


@contextlib.contextmanager
def _limited(asked: Asked) -> Iterator[None]:
    """Inside, time runs out."""
    if asked.timeout is None:
        yield
        return

    def ring(number: int, frame: FrameType | None) -> None:  # noqa: ARG001  # the signature of a handler
        raise _OutOfTimeError

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, max(1e-6, asked.timeout - asked.taken), AGAIN_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def masks_of(method: AnyMethod, supports: Sequence[Support], frames: Iterable[Image], asked: Asked) -> Iterator[Mask]:
    """`icvos.method.segment`, with every mask checked, and one for every frame.

    Raises `IcvosError` that names the method and what it was asked for.
    """
    sizes: list[tuple[int, ...]] = []
    stream = iter(frames)

    def taken() -> Iterator[Image]:
        for frame in stream:
            sizes.append(frame.shape[:2])
            yield frame

    given = 0
    with guarded(asked):
        masks = iter(segment(method, supports, taken()))
    while True:
        with guarded(asked):
            mask = next(masks, END)
        if mask is END:
            break
        if given == len(sizes):
            before = "one mask too many" if next(stream, None) is None else f"mask {given} before it took frame {given}"
            raise asked.error(f"gave {before} for {asked.what}, one for every frame in turn is right")
        yield checked(mask, sizes[given], asked, f"frame {given}")
        sizes[given] = ()  # a video may be long
        given += 1
    if given < len(sizes) or next(stream, None) is not None:
        raise asked.error(f"gave {given} masks for {asked.what}, which has more frames; give one for every frame")


def mask_of(method: AnyMethod, supports: Sequence[Support], image: Image, asked: Asked) -> Mask:
    """`icvos.method.segment_image`, checked as by `masks_of`."""
    if not isinstance(method, ImageSegmenter):
        (only,) = masks_of(method, supports, [image], asked)
        return only
    with guarded(asked):
        mask = method.segment_image(supports, image)
    return checked(mask, image.shape[:2], asked, "the image")


def checked(mask: object, size: tuple[int, ...], asked: Asked, where: str) -> Mask:
    """The mask that a method gave, if it is one: (H, W) bool of the frame's or image's size."""
    if not isinstance(mask, np.ndarray):
        kind = type(mask).__name__
        raise asked.error(f"gave a {kind} for {where} of {asked.what}, not a mask; give a numpy array, (H, W) bool")
    if mask.shape != size or mask.dtype != np.bool_:
        raise asked.error(
            f"gave a mask of {mask.shape} {mask.dtype} for {where} of {asked.what}; "
            f"a mask must be bool and of the size {size} (height, width)"
        )
    return mask


def description_of(method: AnyMethod, name: str) -> dict[str, Any]:
    """What a method says of itself, as JSON values; {} where it says nothing. Raises `IcvosError` for anything else."""
    if not isinstance(method, Described):
        return {}
    with guarded(Asked(name)):
        found = method.describe()
    fault = f"is a {type(found).__name__}, not a dictionary" if not isinstance(found, dict) else no_json(found)
    if fault:
        raise IcvosError(f"method {name}: describe() gives what JSON cannot hold: {fault}; see icvos.method.Described")
    return found


def no_json(value: object, where: str = "it", depth: int = 0) -> str:
    """Where a value is none that JSON holds, and what it is; "" where it is one."""
    if depth > MAX_DEPTH:
        return f"{where} holds itself, or more than {MAX_DEPTH} values inside each other"
    if isinstance(value, dict):
        odd = next((key for key in value if not isinstance(key, str)), None)
        if odd is not None:
            return f"{where} has the key {odd!r}, which is no text"
        parts = [(part, f"{where}[{key!r}]") for key, part in value.items()]
    elif isinstance(value, list | tuple):
        parts = [(part, f"{where}[{index}]") for index, part in enumerate(value)]
    elif isinstance(value, float):
        return "" if math.isfinite(value) else f"{where} is {value}"
    else:
        return "" if value is None or isinstance(value, str | int) else f"{where} is a {type(value).__name__}"
    return next((fault for part, name in parts if (fault := no_json(part, name, depth + 1))), "")


def remarks_of(method: AnyMethod, asked: Asked) -> tuple[str, ...]:
    """What a method remarks since the last call; none where it never does."""
    if not isinstance(method, Remarks):
        return ()
    with guarded(asked):
        found = method.remarks()
    if not isinstance(found, list | tuple) or not all(isinstance(line, str) for line in found):
        raise asked.error(f"gave remarks on {asked.what} that are no list of texts")
    return tuple(found)
