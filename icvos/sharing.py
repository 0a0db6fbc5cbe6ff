"""One pass over a video for all that is followed in it: a frame is read once, and what is seen of it computed once."""

import contextlib
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextvars import ContextVar
from typing import Any, Generic, TypeVar

import numpy as np

from icvos.errors import IcvosError

T = TypeVar("T")


class FrameCache:
    """What is computed of a frame alone, once for all who are given the very same array, and forgotten with it.

    What is kept may in turn be asked of, as the tensor that a frame becomes.
    Frames are told apart by identity, so they must not be changed in place. That is promised by who shares them: a
    method on its own, whose caller may fill one array again and again, has a cache that is off.

    Args:
        on: Whether anything is kept.
    """

    def __init__(self, *, on: bool = True) -> None:
        self.on = on
        self._found: dict[int, tuple[weakref.ref[Any], dict[Hashable, Any]]] = {}

    @property
    def held(self) -> int:
        """Of how many frames something is kept now."""
        return len(self._found)

    def get(self, frame: Any, key: Hashable, compute: Callable[[], T]) -> T:
        """What ``compute`` gives; it is not called again for this frame and ``key`` while the frame is there.

        >>> cache, frame = FrameCache(), np.zeros((2, 3, 3), np.uint8)
        >>> cache.get(frame, "mean", frame.mean) is cache.get(frame, "mean", frame.mean)
        True
        """
        if not self.on:
            return compute()
        number = id(frame)
        if number not in self._found:
            self._found[number] = (weakref.ref(frame, lambda _: self._found.pop(number, None)), {})
        found = self._found[number][1]
        if key not in found:
            found[key] = compute()
        value: T = found[key]
        return value


_SEEN: "weakref.WeakKeyDictionary[Any, FrameCache]" = weakref.WeakKeyDictionary()


def seen_by(network: Any) -> FrameCache:
    """What a network that nobody changes sees of frames, for all methods of this process that are given the same."""
    return _SEEN.setdefault(network, FrameCache())


_MADE: "ContextVar[dict[Hashable, Any] | None]" = ContextVar("what several methods share", default=None)


@contextlib.contextmanager
def networks_in_common() -> Iterator[None]:
    """Inside, methods that are built on the same network, which none of them changes, are given one and the same."""
    token = _MADE.set({})
    try:
        yield
    finally:
        _MADE.reset(token)


def in_common(key: Hashable, make: Callable[[], T]) -> T:
    """What ``make`` gives; inside of `networks_in_common` what it gave first for this key."""
    made = _MADE.get()
    if made is None:
        return make()
    if key not in made:
        made[key] = make()
    value: T = made[key]
    return value


class Remembered(Generic[T]):
    """What was computed lately of supports, or of whatever else has a key.

    Args:
        most: Of how many keys; those that were not asked for the longest are forgotten.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._found: OrderedDict[Hashable, T] = OrderedDict()

    def get(self, key: Hashable, compute: Callable[[], T]) -> T:
        """What ``compute`` gives, or gave for this key.

        >>> supports = Remembered(2)
        >>> supports.get("dog", lambda: 1), supports.get("dog", lambda: 2)
        (1, 1)
        """
        if key not in self._found:
            self._found[key] = compute()
            if len(self._found) > self.most:
                self._found.popitem(last=False)
        self._found.move_to_end(key)
        return self._found[key]


class SharedFrames:
    """The frames of a video for several readers in step: one is held at a time, and every reader is given that array.

    Args:
        frames: The frames; one is taken at every `advance`.
    """

    def __init__(self, frames: Iterable[np.ndarray]) -> None:
        self._frames = iter(frames)
        self._frame: np.ndarray | None = None
        self._taken = 0

    def advance(self) -> bool:
        """Go on to the next frame; whether there is one. An error of reading it is raised here, not in a reader."""
        self._frame = next(self._frames, None)
        self._taken += self._frame is not None
        return self._frame is not None

    def reader(self) -> Iterator[np.ndarray]:
        """Every frame from the first on, each when `advance` has gone there; it ends when there is none.

        Raises `IcvosError` in a reader that takes the next frame too early.
        """
        given = 0
        while True:
            if self._frame is not None and given == self._taken:
                raise IcvosError(
                    f"took frame {given} before it gave the mask of frame {given - 1}; a method whose clips are "
                    "followed in step gives each mask before it takes the next frame"
                )
            if self._frame is None:
                return
            given += 1
            yield self._frame
