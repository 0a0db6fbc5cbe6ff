"""What the events of a video amount to: whose decision stands, and the rows that follow."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from curation.review.events import Event, Key, judgement
from curation.video.rows import CurationRow

DISPUTED = "disputed: "


@dataclass(slots=True)
class Standing:
    """Where a video stands.

    Args:
        base: Its rows before anything was decided here.
        decisions: The decision of each reviewer that counts: the last one that was not taken back, in order of time.
        settled: What was decided above all of them, if anything was.
        last: The last event that could change its rows.
    """

    base: tuple[CurationRow, ...]
    decisions: dict[str, Event] = field(default_factory=dict)
    settled: Event | None = None
    last: Event | None = None

    def rows(self) -> tuple[CurationRow, ...]:
        """The rows of the video that follow.

        Reviewers that agree stand in one row together. Where they differ it is undecided and of no class, so that it
        is never built, and its reason says who decided what.
        """
        names = ", ".join(self.decisions)
        if self.settled is not None:
            others = ", ".join(name for name in self.decisions if name != self.settled.reviewer)
            who = f"{others}, settled by {self.settled.reviewer}" if others else self.settled.reviewer
            return tuple(row.model_copy(update={"who": who}) for row in self.settled.rows)
        if not self.decisions:
            return self.base
        *_, latest = self.decisions.values()
        if len({judgement(event.rows) for event in self.decisions.values()}) == 1:
            return tuple(row.model_copy(update={"who": names}) for row in latest.rows)
        objects = {number for event in self.decisions.values() for row in event.rows for number in row.objects}
        said = "; ".join(f"{name} says {in_words(event.rows)}" for name, event in self.decisions.items())
        row = CurationRow(
            source=latest.rows[0].source,
            video=latest.video,
            category=None,
            objects=tuple(sorted(objects)),
            decision="undecided",
            reason=f"{DISPUTED}{said}",
            who=names,
            when=latest.when,
            tool=latest.tool,
        )
        return (row,)


def in_words(rows: Iterable[CurationRow]) -> str:
    """``dog 1;2 accepted, person 3 rejected``."""
    return ", ".join(
        f"{row.category.name if row.category else 'no class'} {';'.join(map(str, row.objects))} {row.decision}"
        for row in rows
    )


def standings(events: Iterable[Event]) -> dict[Key, Standing]:
    """Where every video stands that has an event, by source and video."""
    events = tuple(events)
    undone = {event.undoes for event in events}
    found: dict[Key, Standing] = {}
    for event in events:
        if event.kind == "again":
            continue
        if event.edited or event.key not in found:
            found[event.key] = Standing(event.before)
        standing = found[event.key]
        standing.last = event
        if event.id in undone:
            continue
        if event.kind == "decide":
            standing.decisions.pop(event.reviewer, None)
            standing.decisions[event.reviewer] = event
        elif event.kind == "settle":
            standing.settled = event
    return found


def last_of(reviewer: str, events: Iterable[Event]) -> Event | None:
    """The last event of a reviewer that can be taken back."""
    events = tuple(events)
    undone = {event.undoes for event in events}
    own = [event for event in events if event.reviewer == reviewer and event.kind in ("decide", "settle")]
    return next((event for event in reversed(own) if event.id not in undone), None)


def own_rows(reviewer: str, standing: Standing | None) -> tuple[CurationRow, ...] | None:
    """What a reviewer decided of a video, as far as it still counts; None: nothing."""
    if standing is None:
        return None
    if standing.settled is not None and standing.settled.reviewer == reviewer:
        return standing.settled.rows
    event = standing.decisions.get(reviewer)
    return None if event is None else event.rows


def consistency(reviewer: str, events: Iterable[Event]) -> tuple[int, int]:
    """How many of the videos that a reviewer was shown again were decided as before: (as before, shown again)."""
    events = tuple(events)
    shown, same = 0, 0
    before: dict[Key, Event] = {}
    undone = {event.undoes for event in events}
    for event in events:
        if event.reviewer != reviewer or event.id in undone:
            continue
        if event.kind == "again" and event.key in before:
            shown += 1
            same += judgement(event.rows) == judgement(before[event.key].rows)
        elif event.kind in ("decide", "settle"):
            before[event.key] = event
    return same, shown


def is_open(row: CurationRow) -> bool:
    """Whether nobody has looked at a row yet."""
    return row.decision == "undecided" and not row.who


def status(rows: Mapping[Key, tuple[CurationRow, ...]], key: Key) -> str:
    """What is known of a video: open, unsure, disputed, accepted or rejected.

    Accepted is a video of which at least one class is, and of which nothing is undecided.
    """
    own = rows.get(key, ())
    undecided = [row for row in own if row.decision == "undecided"]
    if any(row.reason.startswith(DISPUTED) for row in undecided):
        return "disputed"
    if not own or any(map(is_open, own)):
        return "open"
    if undecided:
        return "unsure"
    return "accepted" if any(row.decision == "accepted" for row in own) else "rejected"
