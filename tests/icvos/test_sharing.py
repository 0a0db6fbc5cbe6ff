"""One pass over a video: what is seen of a frame is computed once, and nothing outlives the frame."""

import gc
from collections.abc import Iterator

import numpy as np
import pytest

from icvos.errors import IcvosError
from icvos.sharing import FrameCache, SharedFrames


def drawn_frames(count: int) -> Iterator[np.ndarray]:
    for number in range(count):
        yield np.full((4, 6, 3), number, dtype=np.uint8)


def test_a_frame_is_computed_once_for_every_key() -> None:
    cache, calls = FrameCache(), list[str]()
    frame, same = (next(drawn_frames(1)) for _ in range(2))
    for given, key in ((frame, "a"), (frame, "a"), (frame, "b"), (same, "a")):
        assert cache.get(given, key, lambda key=key: calls.append(key) or len(calls)) is not None  # type: ignore[misc]
    assert calls == ["a", "b", "a"]  # an equal array is another frame
    assert cache.held == 2


def test_what_is_kept_goes_with_the_frame() -> None:
    cache = FrameCache()
    most = 0
    for frame in drawn_frames(50):
        cache.get(frame, "sum", lambda frame=frame: frame.astype(float))  # type: ignore[misc]
        most = max(most, cache.held)
    assert most <= 2
    del frame
    gc.collect()
    assert cache.held == 0


def test_a_cache_that_is_off_computes_every_time() -> None:
    """Whoever calls a method alone may fill one array again and again."""
    cache, frame = FrameCache(on=False), next(drawn_frames(1))
    assert cache.get(frame, "sum", frame.sum) == 0
    frame += 1
    assert cache.get(frame, "sum", frame.sum) == frame.size
    assert cache.held == 0


def test_an_error_is_not_kept() -> None:
    cache, frame = FrameCache(), next(drawn_frames(1))
    with pytest.raises(ZeroDivisionError):
        cache.get(frame, "a", lambda: 1 // 0)
    assert cache.get(frame, "a", lambda: 2) == 2


def test_readers_in_step_are_given_the_same_arrays() -> None:
    shared = SharedFrames(drawn_frames(3))
    readers = [shared.reader() for _ in range(4)]
    seen = []
    while shared.advance():
        first, *others = [next(reader) for reader in readers]
        assert all(other is first for other in others)
        seen.append(int(first[0, 0, 0]))
    assert seen == [0, 1, 2]
    assert [next(reader, None) for reader in readers] == [None] * 4


def test_a_reader_that_goes_ahead_is_refused() -> None:
    shared = SharedFrames(drawn_frames(3))
    reader = shared.reader()
    assert shared.advance()
    next(reader)
    with pytest.raises(IcvosError, match="took frame 1 before it gave the mask of frame 0"):
        next(reader)


def test_a_reader_that_stops_does_not_hold_the_others() -> None:
    shared = SharedFrames(drawn_frames(3))
    reader, stopped = shared.reader(), shared.reader()
    shared.advance()
    next(stopped)
    next(reader)
    stopped.close()  # type: ignore[attr-defined]
    shared.advance()
    assert next(reader)[0, 0, 0] == 1
