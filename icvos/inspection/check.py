"""Does a method keep its promises? Each check runs it on small-world videos and says what is wrong.

Whoever writes a method runs these before a benchmark: a run of hours is no place to find that memory grows.
"""

import functools
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from icvos.errors import IcvosError
from icvos.inspection.promises import PROMISES, STEADY
from icvos.inspection.subject import BrokenError, Build, SkippedError, Subject
from icvos.method import find_method, first_line, load_method
from icvos.models.weights.registry import random_weights_allowed

Status = Literal["ok", "FAILED", "skipped"]


@dataclass(frozen=True, slots=True)
class Check:
    """One promise, and whether it is kept. Its text is a line of a table.

    Args:
        name: The promise, in a few words.
        status: ok, FAILED or skipped.
        reason: What is wrong, why it was skipped, or what was measured.
        seconds: How long it took.
    """

    name: str
    status: Status
    reason: str
    seconds: float

    def __str__(self) -> str:
        return f"{self.status:8}{self.name:14}{self.reason}  ({self.seconds:.1f} s)"


@dataclass(frozen=True, slots=True)
class MethodCheck:
    """Which promises a method keeps.

    Args:
        method: Its name.
        checks: One for each promise, in order; only the first where the method cannot be built.
    """

    method: str
    checks: tuple[Check, ...]

    @property
    def failed(self) -> int:
        """How many promises are broken."""
        return sum(check.status == "FAILED" for check in self.checks)

    def summary(self) -> str:
        """All of it in a line."""
        if self.failed:
            return f"{self.method}: {self.failed} of {len(self.checks)} checks failed"
        return f"{self.method}: all checks passed"

    def to_json(self) -> dict[str, Any]:
        """The name, how many failed, and every check, as JSON values."""
        return {"method": self.method, "failed": self.failed, "checks": [asdict(check) for check in self.checks]}


def check_method(
    method: str | Build,
    *,
    settings: Mapping[str, Any] | None = None,
    frames: int = 120,
    random_weights: bool = False,
    report: Callable[[Check], None] = lambda check: None,
) -> MethodCheck:
    """Run a method on small drawn videos and say which of its promises it keeps.

    Args:
        method: The name of an installed method; or what makes one, such as its class, called several times.
        settings: Over the method's defaults; they go with a name.
        frames: Length of the video on which memory is measured; 22 or more.
        random_weights: Whether random weights may take the place of checkpoints that are not there.
        report: Given every check as it ends.

    Raises `IcvosError` for an unknown name and for too few frames; whatever the method raises is a failed check.

    Example::

        class Bright:
            def segment(self, supports, frames):
                for frame in frames:
                    yield frame.mean(axis=2) > 100


        print(check_method(Bright).summary())  # Bright: all checks passed
    """
    if frames < STEADY + 2:
        raise IcvosError(f"memory is measured from frame {STEADY} on; give --frames {STEADY + 2} or more")
    name, build = _named(method, settings)
    with tempfile.TemporaryDirectory(prefix="icvos-check-") as folder, random_weights_allowed(random_weights):
        return MethodCheck(name, tuple(_run_checks(Subject(build, Path(folder), frames), report)))


def _named(method: str | Build, settings: Mapping[str, Any] | None) -> tuple[str, Build]:
    """A method's name, and what makes it."""
    if isinstance(method, str):
        find_method(method)
        return method, functools.partial(load_method, method, settings)
    if settings:
        raise IcvosError("settings go with the name of a method; give what makes one with its settings in it")
    return getattr(method, "__qualname__", repr(method)), method


def _run_checks(subject: Subject, report: Callable[[Check], None]) -> list[Check]:
    """Every check; those that need the method built are left out where it cannot be."""
    done = []
    for name, promise in PROMISES.items():
        check = run_check(name, functools.partial(promise, subject))
        report(check)
        done.append(check)
        if subject.method is None:
            break
    return done


def run_check(name: str, promise: Callable[[], str]) -> Check:
    """Run one check; whatever it raises becomes its result."""
    began = time.perf_counter()
    status: Status = "ok"
    try:
        reason = promise()
    except SkippedError as error:
        status, reason = "skipped", str(error)
    except (BrokenError, IcvosError) as error:
        status, reason = "FAILED", str(error)
    except SystemExit as error:
        status, reason = "FAILED", f"calls sys.exit({error.code!r}); give masks or raise an error"
    except Exception as error:  # the method is anybody's code: any error it raises is the finding
        status, reason = "FAILED", f"{type(error).__name__}: {first_line(error)}"
    return Check(name, status, reason, round(time.perf_counter() - began, 3))
