"""From the database to what the API tells and the pages show."""

import json
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.orm import Session

from leaderboard.server import jobs, submissions
from leaderboard.server.board import own_tables
from leaderboard.server.messages import Detail, FaultView, Summary
from leaderboard.server.models import Submission
from leaderboard.server.times import iso
from leaderboard.site.run_pages import figures_of

MOST_KEPT = 2000  # submissions


@dataclass(frozen=True, slots=True)
class Shown:
    """The figures of a submission under one protocol.

    Args:
        protocol: Its id.
        cells: Headings and texts, as the board's table has them.
        notes: What is to be said of them.
        figures: By the board's columns; shares are fractions.
    """

    protocol: str
    cells: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    figures: dict[str, float | int | None]


@dataclass(slots=True)
class Figures:
    """The figures of submissions, kept because they never change and take their time.

    Args:
        clips: How many clips the benchmark has, if it has clips.
    """

    clips: int | None
    kept: OrderedDict[str, tuple[Shown, ...]] = field(default_factory=OrderedDict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def of(self, session: Session, submission: Submission) -> tuple[Shown, ...]:
        """Those of one submission; none before it is scored."""
        if submission.state != "scored":
            return ()
        with self.lock:
            found = self.kept.get(submission.code)
        if found is None:
            found = self._made(session, submission)
            with self.lock:
                self.kept[submission.code] = found
                while len(self.kept) > MOST_KEPT:
                    self.kept.popitem(last=False)
        return found

    def _made(self, session: Session, submission: Submission) -> tuple[Shown, ...]:
        scores = list(submissions.scores_of(session, submission).values())
        return tuple(
            Shown(
                table.protocol,
                tuple(figures_of(table, row)),
                tuple(table.footnotes[mark] for mark in row.notes),
                {column.key: row.figures.get(column.key) for column in table.columns if column.kind != "interval"},
            )
            for table, row in own_tables(submission, scores, self.clips)
        )


def summary(session: Session, submission: Submission) -> Summary:
    """A submission in short."""
    return Summary(**_short(session, submission))


def _short(session: Session, submission: Submission) -> dict[str, Any]:
    return {
        "code": submission.code,
        "name": submission.method.name,
        "revision": submission.revision,
        "state": submission.state,
        "published": submission.is_published,
        "file_name": submission.file_name,
        "sha256": submission.sha256,
        "size": submission.size,
        "created": iso(submission.created),
        "ended": iso(submission.ended) if submission.ended else None,
        "before": jobs.place(session, submission),
        "stage": submission.stage,
        "done": submission.done,
        "units": submission.units,
    }


def detail(session: Session, submission: Submission, figures: Figures) -> Detail:
    """A submission with everything about it."""
    return Detail(
        **_short(session, submission),
        reason=submission.reason,
        faults=[FaultView(**fault) for fault in json.loads(submission.faults)],
        more_faults=submission.more_faults,
        figures={shown.protocol: shown.figures for shown in figures.of(session, submission)},
    )
