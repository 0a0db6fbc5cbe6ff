"""From the database to what the API tells and the pages show."""

import json
from typing import Any

from sqlalchemy.orm import Session

from leaderboard.server import jobs, submissions
from leaderboard.server.board import own_tables
from leaderboard.server.messages import Detail, FaultView, Summary
from leaderboard.server.models import Submission
from leaderboard.server.times import iso
from leaderboard.site.run_pages import figures_of


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


def detail(session: Session, submission: Submission, clips: int | None) -> Detail:
    """A submission with everything about it."""
    scores = submissions.scores_of(session, submission)
    figures = {
        table.protocol: {
            column.key: row.figures.get(column.key) for column in table.columns if column.kind != "interval"
        }
        for table, row in own_tables(submission, list(scores.values()), clips)
    }
    return Detail(
        **_short(session, submission),
        reason=submission.reason,
        faults=[FaultView(**fault) for fault in json.loads(submission.faults)],
        more_faults=submission.more_faults,
        figures=figures,
    )


def shown_figures(submission: Submission, scores: list[str], clips: int | None) -> list[dict[str, Any]]:
    """For the page: by protocol the headings and cells of its row, and what is to be said of it."""
    return [
        {
            "table": table,
            "row": row,
            "cells": figures_of(table, row),
            "notes": [table.footnotes[mark] for mark in row.notes],
        }
        for table, row in own_tables(submission, scores, clips)
    ]
