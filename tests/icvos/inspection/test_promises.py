"""`icvos methods check` catches methods that break their promises."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from icvos.errors import IcvosError
from icvos.inspection.check import Check, check_method
from icvos.method import Image, Mask, Support


class Bright:
    """A method that keeps all promises."""

    def segment(self, supports: Sequence[Support], frames: Iterable[Image]) -> Iterator[Mask]:  # noqa: ARG002
        for frame in frames:
            yield frame.mean(axis=2) > 100


class Random(Bright):
    def segment(self, supports: Sequence[Support], frames: Iterable[Image]) -> Iterator[Mask]:  # noqa: ARG002
        for frame in frames:
            yield np.random.rand(*frame.shape[:2]) > 0.5  # noqa: NPY002


class Leaking(Bright):
    def __init__(self) -> None:
        self.seen = 0

    def segment(self, supports: Sequence[Support], frames: Iterable[Image]) -> Iterator[Mask]:  # noqa: ARG002
        for frame in frames:
            self.seen += 1
            yield frame.mean(axis=2) > self.seen


class WrongSize(Bright):
    def segment(self, supports: Sequence[Support], frames: Iterable[Image]) -> Iterator[Mask]:  # noqa: ARG002
        for frame in frames:
            yield np.zeros((frame.shape[0] // 2 * 2, frame.shape[1] // 2 * 2), dtype=bool)


class Peeking(Bright):
    def segment(self, supports: Sequence[Support], frames: Iterable[Image]) -> Iterator[Mask]:
        yield from super().segment(supports, list(frames))


class Growing(Bright):
    def segment(self, supports: Sequence[Support], frames: Iterable[Image]) -> Iterator[Mask]:  # noqa: ARG002
        self.kept: list[Image] = []
        for frame in frames:
            self.kept.append(frame.copy())
            yield frame.mean(axis=2) > 100


class Scribbling(Bright):
    def segment(self, supports: Sequence[Support], frames: Iterable[Image]) -> Iterator[Mask]:  # noqa: ARG002
        for frame in frames:
            frame[:4] = 0
            yield frame.mean(axis=2) > 100


class MixedUp(Bright):
    """Siblings that are one object share what each should remember of its own clip."""

    def __init__(self) -> None:
        self.last: bool | None = None

    def segment(self, supports: Sequence[Support], frames: Iterable[Image]) -> Iterator[Mask]:
        self.last = None
        for frame in frames:
            self.last = bool(supports[0].mask().any()) if self.last is None else not self.last
            yield np.full(frame.shape[:2], self.last)

    def siblings(self, count: int) -> Sequence["MixedUp"]:
        return [self] * count


class OneShot(Bright):
    def segment(self, supports: Sequence[Support], frames: Iterable[Image]) -> Iterator[Mask]:
        (support,) = supports
        yield from super().segment((support,), frames)


class SaysOneShot(OneShot):
    def segment(self, supports: Sequence[Support], frames: Iterable[Image]) -> Iterator[Mask]:
        if len(supports) > 1:
            raise IcvosError("this method has one shot; give --shots 1")
        yield from super().segment(supports, frames)


def failures(build: Callable[[], Any]) -> dict[str, str]:
    return {check.name: check.reason for check in check_method(build, frames=40).checks if check.status == "FAILED"}


def test_a_good_method_passes() -> None:
    heard: list[Check] = []
    found = check_method(Bright, frames=40, report=heard.append)
    assert found.failed == 0
    assert found.checks == tuple(heard)
    assert found.summary() == "Bright: all checks passed"
    assert str(found.checks[0]).startswith("ok      loads         a method that segments in its own way  (")
    assert found.to_json()["checks"][0].keys() == {"name", "status", "reason", "seconds"}


@pytest.mark.parametrize(
    ("build", "promise"),
    [
        (Random, "determinism"),
        (Leaking, "no state"),
        (WrongSize, "masks"),
        (Peeking, "streaming"),
        (Growing, "memory"),
        (MixedUp, "in step"),
        (Scribbling, "inputs"),
        (OneShot, "shots"),
    ],
)
def test_a_broken_promise_is_found(build: Callable[[], Any], promise: str) -> None:
    found = failures(build)
    assert promise in found
    assert found[promise]


def test_a_method_may_refuse_several_shots_in_a_line() -> None:
    (check,) = [check for check in check_method(SaysOneShot, frames=40).checks if check.name == "shots"]
    expected = "1 support; 5 are refused: this method has one shot; give --shots 1"
    assert (check.status, check.reason) == ("skipped", expected)


def test_a_method_that_cannot_be_built_fails_at_once() -> None:
    found = check_method("lite", settings={"distance": 3})
    assert [(check.name, check.status) for check in found.checks] == [("loads", "FAILED")]
    assert "unknown setting 'distance'" in found.checks[0].reason
    assert found.summary() == "lite: 1 of 1 checks failed"


def test_what_cannot_be_checked() -> None:
    for arguments, message in (
        ({"method": "unknown-method"}, "unknown method"),
        ({"method": Bright, "frames": 21}, "give --frames 22 or more"),
        ({"method": Bright, "settings": {"a": 1}}, "settings go with the name of a method"),
    ):
        with pytest.raises(IcvosError, match=message):
            check_method(**arguments)  # type: ignore[arg-type]
