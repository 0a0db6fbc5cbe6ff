"""`icvos methods check` catches methods that break their promises."""

import gc
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from icvos.inspection.promises import check_method
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


class OneShot(Bright):
    def segment(self, supports: Sequence[Support], frames: Iterable[Image]) -> Iterator[Mask]:
        (support,) = supports
        yield from super().segment((support,), frames)


@pytest.fixture(autouse=True)
def only_what_the_method_makes() -> Iterator[None]:
    """What this process holds already is none of the method's, and is not searched for what it holds."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def failures(build: Callable[[], Any], folder: Path) -> dict[str, str]:
    checks = check_method(build, folder, frames=40, report=lambda check: None)
    return {check.name: check.reason for check in checks if check.status == "FAILED"}


def test_a_good_method_passes(tmp_path: Path) -> None:
    assert failures(Bright, tmp_path) == {}


@pytest.mark.parametrize(
    ("build", "promise"),
    [
        (Random, "determinism"),
        (Leaking, "no state"),
        (WrongSize, "masks"),
        (Peeking, "streaming"),
        (Growing, "memory"),
        (Scribbling, "inputs"),
        (OneShot, "shots"),
    ],
)
def test_a_broken_promise_is_found(build: Callable[[], Any], promise: str, tmp_path: Path) -> None:
    found = failures(build, tmp_path)
    assert promise in found
    assert found[promise]
