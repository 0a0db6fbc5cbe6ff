"""Many faults or repairs in few lines: one for each kind, with a count and three examples."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from icvos.errors import Fault, printable
from icvos.tasks.repairs import Repair

EXAMPLES = 3
MAX_WRITTEN = 20_000  # faults in a report in JSON; the rest is counted


class Told(Protocol):
    """A fault or a repair: a place, and what is to say about it."""

    @property
    def where(self) -> str:
        """The file or folder."""
        ...

    @property
    def what(self) -> str:
        """In words."""
        ...


def told(found: Sequence[Told]) -> str:
    """One line about things of one kind: all there is about a single one, else their number and three of them.

    >>> told([Fault("size", "a.png", "too small"), Fault("size", "b.png", "too small")])
    '2 times: too small (a.png, b.png)'
    """
    first = found[0]
    if len(found) == 1:
        return str(first)
    more = " ..." if len(found) > EXAMPLES else ""
    if all(one.what == first.what for one in found):
        places = ", ".join(printable(one.where) for one in found[:EXAMPLES])
        return f"{len(found):,} times: {printable(first.what)} ({places}{more})"
    by_what = {one.what: one for one in reversed(found)}  # the first of each
    chosen = list(dict.fromkeys([*list(by_what.values())[::-1], *found]))[:EXAMPLES]
    return f"{len(found):,} times: {' | '.join(map(str, chosen))}{more}"


def lines(found: Iterable[Fault]) -> list[str]:
    """A line for each kind of fault, in the order in which the kinds occur; errors and warnings are two kinds."""
    kinds: dict[tuple[str, str], list[Fault]] = {}
    for fault in found:
        kinds.setdefault((fault.severity, fault.kind), []).append(fault)
    return [
        f"{severity}: {told(faults) if len(faults) == 1 else f'{kind}, {told(faults)}'}"
        for (severity, kind), faults in kinds.items()
    ]


def as_json(name: str, found: Sequence[Fault] | Sequence[Repair]) -> dict[str, object]:
    """The list called ``name`` of a report, and where it is cut off how many more there are."""
    listed = {name: [one.to_json() for one in found[:MAX_WRITTEN]]}
    return listed | ({f"more_{name}": len(found) - MAX_WRITTEN} if len(found) > MAX_WRITTEN else {})
