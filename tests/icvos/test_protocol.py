"""Protocols: names and frames."""

import pytest

from icvos.errors import IcvosError
from icvos.protocol import NATIVE, PAPER, Protocol, protocol


def test_lookup_with_and_without_version() -> None:
    assert protocol("paper") is protocol("paper@1") is PAPER
    assert protocol("native") is NATIVE
    with pytest.raises(IcvosError, match="paper@1, native@1"):
        protocol("paper@2")


@pytest.mark.parametrize(
    ("found", "frames", "expected"),
    [
        (PAPER, 600, range(512)),
        (PAPER, 3, range(3)),
        (NATIVE, 600, range(600)),
        (Protocol("davis", 1, None, None, skip_ends=True), 5, range(1, 4)),
    ],
)
def test_frames_that_count(found: Protocol, frames: int, expected: range) -> None:
    assert found.frame_range(frames) == expected
