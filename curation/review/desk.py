"""A reviewer at work: which videos there are, what is shown of each, and what is decided."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from curation.review.events import Event, Key, of_video
from curation.review.ledger import Ledger, Table
from curation.review.pictures import Course, First, Shelf, course, first_frame
from curation.review.standing import Standing, consistency, in_words, is_open, last_of, own_rows, status
from curation.sources.video import SourceVideo
from curation.video.rows import CurationRow, shipped_rows
from icvos.errors import IcvosError

if TYPE_CHECKING:
    from curation.review.suggestions import Suggestions

REASONS = (  # by the digits 1, 2, ... of the keyboard
    "not every instance is annotated in the first frame",
    "the category is not in the first frame",
    "hardly visible in the first frame",
    "the masks are wrong",
    "one object id covers things of several categories",
)
NO_CLASS = "no COCO class"
RECENT = 30  # decisions that the speed is measured over
LONGEST_SECONDS = 300.0  # that a decision may count; longer is a pause


@dataclass(frozen=True, slots=True)
class Session:
    """How somebody reviews.

    Args:
        reviewer: Who.
        blind: Show nobody else's decisions.
        disputes: Settle videos on which reviewers differ; what is decided then stands above their decisions.
        again: After how many decisions a decided video is shown once more; 0: never.
    """

    reviewer: str
    blind: bool = False
    disputes: bool = False
    again: int = 0


@dataclass(slots=True)
class Desk:
    """The videos of some data sets, and what one reviewer makes of them.

    Args:
        videos: By source and name, in the order in which they are reviewed unless another is asked for.
        ledger: Where decisions are kept.
        session: How it is reviewed.
        suggestions: What proposes categories; None: nothing does.
        why_none: In that case, why.
    """

    videos: Mapping[Key, SourceVideo]
    ledger: Ledger
    session: Session
    suggestions: "Suggestions | None" = None
    why_none: str = "no suggestions without --coco"
    _shipped: dict[Key, tuple[CurationRow, ...]] = field(default_factory=lambda: of_video(shipped_rows()))
    _firsts: Shelf[First] = field(default_factory=lambda: Shelf(64))
    _courses: Shelf[Course] = field(default_factory=lambda: Shelf(12))
    _deciding: threading.Lock = field(default_factory=threading.Lock)

    def video(self, key: Key) -> SourceVideo:
        """The video; `KeyError` where there is none."""
        return self.videos[key]

    def first(self, key: Key) -> First:
        """Its first frame."""
        return self._firsts.get(key, lambda: first_frame(self.video(key)))

    def course(self, key: Key) -> Course:
        """It from frame to frame."""
        return self._courses.get(key, lambda: course(self.video(key)))

    def queue(self) -> dict[str, Any]:
        """All videos with what is known of each, and how far the review has come."""
        table = self.ledger.read()
        rows = self._rows(table)
        entries = [self._entry(key, table, rows) for key in self.videos]
        return {"videos": entries, "progress": self._progress(table, entries)}

    def entry(self, key: Key) -> dict[str, Any]:
        """One line of the queue."""
        table = self.ledger.read()
        return self._entry(key, table, self._rows(table))

    def shown(self, key: Key) -> dict[str, Any]:
        """What is shown of a video at once: its first frame's objects, and its rows as far as they may be seen."""
        first, table = self.first(key), self.ledger.read()
        standing = table.standings.get(key)
        known = self._rows(table).get(key, ())
        own = own_rows(self.session.reviewer, standing)
        rows = own if own is not None else _of_nobody(standing, known) if self.session.blind else known
        listed = [number for row in known for number in row.objects] or self.video(key).object_ids()
        numbers = {*first.objects, *listed}
        return {
            "source": key[0],
            "name": key[1],
            "frames": len(self.video(key).frames),
            "size": list(first.size),
            "objects": sorted(numbers),
            "drawn": {number: drawn.to_json() for number, drawn in first.objects.items()},
            "rows": [_to_json(row) for row in rows],
            "own": own is not None,
            "opinions": [] if self.session.blind else _opinions(standing, known),
            "binary": self.video(key).is_binary(),
        }

    def again(self) -> Key | None:
        """A video that the reviewer has decided, to be decided once more: of those shown again least, the oldest."""
        reviewer, table = self.session.reviewer, self.ledger.read()
        counted = {key: 0 for key, found in table.standings.items() if reviewer in found.decisions}
        for event in table.events:
            if event.kind == "again" and event.reviewer == reviewer and event.key in counted:
                counted[event.key] += 1
        here = [key for key in counted if key in self.videos]
        return min(here, key=lambda key: (counted[key], table.standings[key].decisions[reviewer].when), default=None)

    def decide(
        self, key: Key, rows: Sequence[Mapping[str, Any]], seconds: float | None, *, again: bool = False
    ) -> Event:
        """Keep a decision.

        Args:
            key: The video.
            rows: Its rows, with the keys ``class`` (empty: none), ``objects``, ``decision`` and ``reason``.
            seconds: How long it had been shown.
            again: It was shown once more, and no row is to be changed.

        Raises:
            IcvosError: The rows contradict themselves, or the file cannot be written; nothing is kept then.
        """
        self.video(key)
        made = [CurationRow.model_validate({"source": key[0], "video": key[1], **row}) for row in rows]
        _require_whole(made)
        kind: Literal["decide", "settle", "again"] = (
            "again" if again else "settle" if self.session.disputes else "decide"
        )
        with self._deciding:
            return self.ledger.decide(kind, self.session.reviewer, made, seconds)

    def undo(self) -> Event:
        """Take the reviewer's last decision back."""
        last = last_of(self.session.reviewer, self.ledger.read().events)
        if last is not None and last.key not in self.videos:
            raise IcvosError(f"{'/'.join(last.key)} was decided last, and is in no data set that was given")
        with self._deciding:
            return self.ledger.undo(self.session.reviewer)

    def _rows(self, table: Table) -> dict[Key, tuple[CurationRow, ...]]:
        return {**{key: rows for key, rows in self._shipped.items() if key in self.videos}, **table.rows}

    def _entry(self, key: Key, table: Table, rows: Mapping[Key, tuple[CurationRow, ...]]) -> dict[str, Any]:
        own = own_rows(self.session.reviewer, table.standings.get(key))
        seen = {key: own or ()} if self.session.blind else rows
        suggested = self.suggestions.known(key) if self.suggestions is not None else None
        return {
            "source": key[0],
            "name": key[1],
            "frames": len(self.video(key).frames),
            "status": status(seen, key),
            "own": own is not None,
            "classes": sorted({row.category.name for row in seen.get(key, ()) if row.category}),
            "suggested": suggested.first() if suggested is not None else "",
        }

    def _progress(self, table: Table, entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        wanted = "disputed" if self.session.disputes else "open"
        left = sum(entry["status"] == wanted for entry in entries)
        own = [event for event in table.events if event.reviewer == self.session.reviewer and event.seconds is not None]
        taken = [min(event.seconds or 0.0, LONGEST_SECONDS) for event in own[-RECENT:]]
        mean = sum(taken) / len(taken) if taken else None
        same, shown = consistency(self.session.reviewer, table.events)
        return {
            "videos": len(entries),
            "left": left,
            "own": sum(bool(entry["own"]) for entry in entries),
            "an_hour": round(3600 / mean) if mean else None,
            "seconds_left": round(mean * left) if mean else None,
            "again": {"same": same, "shown": shown},
        }


def _to_json(row: CurationRow) -> dict[str, Any]:
    return {
        "class": row.category.name if row.category else "",
        "objects": list(row.objects),
        "decision": row.decision,
        "reason": row.reason,
        "who": row.who,
        "when": row.when,
    }


def _of_nobody(standing: Standing | None, rows: Sequence[CurationRow]) -> list[CurationRow]:
    """The open rows of a video before anybody decided it, with the classes that its data set names."""
    return [row for row in (standing.base if standing is not None else rows) if is_open(row)]


def _opinions(standing: Standing | None, rows: Sequence[CurationRow]) -> list[dict[str, Any]]:
    """Who decided what of a video: from the log, or else from its rows."""
    if standing is not None and standing.decisions:
        said = [(name, event.rows) for name, event in standing.decisions.items()]
        if standing.settled is not None:
            said.append((f"{standing.settled.reviewer}, settling", standing.settled.rows))
    else:
        said = [(rows[0].who, tuple(rows))] if rows and rows[0].who else []
    return [{"who": who, "words": in_words(found), "rows": [_to_json(row) for row in found]} for who, found in said]


def _require_whole(rows: Sequence[CurationRow]) -> None:
    """Refuse rows that a curation file could not hold together."""
    if not rows:
        raise IcvosError("a decision needs at least one object")
    names = [row.category.name if row.category else "no class" for row in rows]
    twice = [name for name in names if names.count(name) > 1]
    numbers = [number for row in rows for number in row.objects]
    if twice:
        raise IcvosError(f"two rows for {twice[0]}; give its objects one decision")
    if len(set(numbers)) < len(numbers):
        raise IcvosError("an object in two rows; give it one class")
