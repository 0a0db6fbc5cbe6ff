"""How often somebody may do something: counted in memory, since one process serves all pages."""

import ipaddress
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
LOGINS = Rate(150, 300)  # from one address, also those that succeed: each costs a hash
REGISTRATIONS = Rate(10, 3600)
PUBLISHINGS = Rate(60, 3600)  # of a user: each has the board made anew
UPLOADS = Rate(30, 3600)
NETWORK_BITS = 64  # of an IPv6 address: what follows is each visitor's own to choose


def visitor(host: str) -> str:
    """By what a visitor is counted: an IPv4 address, the network of an IPv6 one, or the text where it is neither.

    >>> visitor("2001:db8:0:1::2"), visitor("::ffff:192.0.2.1"), visitor("192.0.2.1"), visitor("unknown")
    ('2001:db8:0:1::/64', '192.0.2.1', '192.0.2.1', 'unknown')
    """
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        return host[:100]
    if found.version == 4:
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(found), NETWORK_BITS), strict=False))


@dataclass(slots=True)
class Rates:
    """What was done lately, and by whom."""

    seen: OrderedDict[Hashable, deque[float]] = field(default_factory=OrderedDict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, *done: tuple[Hashable, Rate]) -> bool:
        """Note that it was done once more, by each key; whether all rates allow that: else nothing is noted."""
        with self.lock:
            found = [(self._lately(key, rate), rate) for key, rate in done]
            allowed = all(len(times) < rate.most for times, rate in found)
            if allowed:
                for times, _ in found:
                    times.append(time.monotonic())
            return allowed

    def forgive(self, *done: tuple[Hashable, Rate]) -> None:
        """Take back what was noted last by each key: counted before it was known how it ends."""
        with self.lock:
            for key, rate in done:
                if times := self._lately(key, rate):
                    times.pop()

    def _lately(self, key: Hashable, rate: Rate) -> deque[float]:
        times = self.seen.setdefault(key, deque())
        self.seen.move_to_end(key)
        while times and times[0] < time.monotonic() - rate.seconds:
            times.popleft()
        while len(self.seen) > MOST_KEYS:
            self.seen.popitem(last=False)
        return times
