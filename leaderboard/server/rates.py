"""How often somebody may do something: counted in memory, since one process serves all pages."""

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Hashable
from dataclasses import dataclass, field

MOST_KEYS = 20_000  # of whom something is remembered; the longest silent is forgotten first


@dataclass(frozen=True, slots=True)
class Rate:
    """So many times in so many seconds."""

    most: int
    seconds: float


LOGINS_OF_NAME = Rate(10, 300)  # that failed, from one address
LOGINS_OF_ADDRESS = Rate(50, 300)  # that failed, for whatever name
REGISTRATIONS = Rate(10, 3600)
UPLOADS = Rate(30, 3600)


@dataclass(slots=True)
class Rates:
    """What was done lately, and by whom."""

    seen: OrderedDict[Hashable, deque[float]] = field(default_factory=OrderedDict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, key: Hashable, rate: Rate) -> bool:
        """Note that it was done once more; whether that was still allowed."""
        with self.lock:
            times = self._lately(key, rate)
            allowed = len(times) < rate.most
            if allowed:
                times.append(time.monotonic())
            return allowed

    def is_over(self, key: Hashable, rate: Rate) -> bool:
        """Whether it must not be done now."""
        with self.lock:
            return key in self.seen and len(self._lately(key, rate)) >= rate.most

    def _lately(self, key: Hashable, rate: Rate) -> deque[float]:
        times = self.seen.setdefault(key, deque())
        self.seen.move_to_end(key)
        while times and times[0] < time.monotonic() - rate.seconds:
            times.popleft()
        while len(self.seen) > MOST_KEYS:
            self.seen.popitem(last=False)
        return times
