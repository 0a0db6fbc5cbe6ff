"""What the API tells, as pydantic models: they are also its documentation."""

import json
from typing import Any

from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from leaderboard.server import jobs, submissions
from leaderboard.server.board import own_tables
from leaderboard.server.models import State, Submission
from leaderboard.server.times import iso
from leaderboard.tables.formats import cell


class Summary(BaseModel):
    """A submission in short."""

    code: str = Field(description="By which addresses name it.")
    name: str = Field(description="What the board calls the method.")
    revision: int = Field(description="Counted by the server: new figures of a method are a new revision.")
    state: State = Field(description="waiting, checking, scoring; or ended: faults, refused, scored.")
    published: bool = Field(description="Whether it is on the board.")
    file_name: str
    sha256: str = Field(description="Of the file, in hexadecimal.")
    size: int = Field(description="Of the file, in bytes.")
    created: str = Field(description="ISO 8601 in UTC.")
    ended: str | None = Field(description="ISO 8601 in UTC; null while it is under way.")
    before: int | None = Field(description="How many are scored first, while it waits.")
    stage: str = Field(description="What is done at this moment.")
    done: int = Field(description="Clips or folds of this stage that are done.")
    units: int = Field(description="Of how many; 0: not known.")


class FaultView(BaseModel):
    """One thing that is wrong with a submission."""

    severity: str = Field(description="An error keeps it from being scored, a warning does not.")
    kind: str = Field(description="A word to group by.")
    where: str = Field(description="The file.")
    what: str = Field(description="What is wrong and what to do about it.")


class Detail(Summary):
    """A submission with everything about it."""

    reason: str = Field(description="Why it was not scored.")
    faults: list[FaultView]
    more_faults: int = Field(description="That are not in the list, which would be too long.")
    figures: dict[str, dict[str, float | int | None]] = Field(
        description="By protocol: the figures of the board's columns; shares are fractions."
    )


class ServerView(BaseModel):
    """What a server takes."""

    title: str
    benchmark: str
    digest: str | None
    protocols: list[str]
    max_upload_bytes: int
    quota: int = Field(description="Submissions of a user in 24 hours that are scored; 0: any number.")
    registration: str


class Problem(BaseModel):
    """Why a call was refused."""

    detail: str


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
            "cells": [(column.heading, cell(row, column)) for column in table.shown],
            "notes": [table.footnotes[mark] for mark in row.notes],
        }
        for table, row in own_tables(submission, scores, clips)
    ]
