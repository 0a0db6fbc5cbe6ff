"""One result as the leaderboard knows it, and the file in which a board keeps it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from icvos.errors import IcvosError, printable
from icvos.files.schema import Count, FormatOne, Schema, parse_schema
from icvos.tasks.record import RunRecord
from icvos.tasks.result import Result
from icvos.tasks.task import parse_result, read_object

FORMAT = 1  # of a board's files
MAX_NAME = 80
WHAT = "a result of icvos eval, score or submit"
REMEDY = "submit the predictions again with icvos submit"


def _short(text: str) -> str:
    if not text.strip() or text != text.strip():
        raise ValueError("is empty or begins or ends with a space; give a short text")
    if len(text) > MAX_NAME or printable(text) != text:
        raise ValueError(f"is longer than {MAX_NAME} characters or not printable; shorten it")
    return text


ShortName = Annotated[str, AfterValidator(_short)]


class BoardBenchmark(Schema):
    """The benchmark that a result is on."""

    clips: Count | None = Field(None, description="How many clips the whole benchmark has, if it consists of clips.")


class MethodFacts(Schema):
    """What whoever submits a method says of it; nobody checks it. What is not said is unknown."""

    training: Literal["none", "trained"] | None = Field(
        None, description="none: nothing was learned for this task; trained: something was."
    )
    classes_seen: bool | None = Field(None, description="Whether training showed masks of classes that are tested.")
    uses_text: bool | None = Field(None, description="Whether it is also given words, as the category's name.")
    licence: ShortName | None = Field(None, description="Of code and weights.")
    parameters: Count | None = Field(None, description="Numbers in its networks.")


class BoardFile(Schema):
    """A file of a board: one result under the name that it was submitted by."""

    format: FormatOne = Field(description="Version of this layout.")
    name: ShortName = Field(description="What the tables call the method.")
    revision: ShortName = Field(description="Which state of the method; new figures are a new revision.")
    notes: str = Field("", description="Free text from whoever submitted it.")
    added: str = Field("", description="When it was put on the board, ISO 8601 in UTC.")
    method: MethodFacts = Field(MethodFacts(), description="What is said of the method.")
    benchmark: BoardBenchmark = Field(BoardBenchmark(), description="The benchmark that it is on.")
    scores: Mapping[str, Any] = Field(description="The content of scores.json, which has a schema of its own.")


@dataclass(frozen=True, slots=True)
class Entry:
    """One scored run with a name.

    Args:
        name: What the tables call it.
        revision: Which state of the method; "" for a run that is on no board.
        result: Its figures.
        path: The file it came from.
        notes: Free text from whoever submitted it.
        facts: What is said of the method.
        added: When it was put on a board, ISO 8601; "" for a run that is on no board.
        declared_clips: How many clips the whole benchmark has, where the file says so.
        withheld: Why a board does not rank it, beside what its result says; "" where there is no such reason.
    """

    name: str
    revision: str
    result: Result
    path: Path
    notes: str = ""
    facts: MethodFacts = field(default_factory=MethodFacts)
    added: str = ""
    declared_clips: int | None = None
    withheld: str = ""

    @property
    def key(self) -> tuple[str, ...]:
        """What may be on a board only once."""
        return self.name, self.revision, *self.result.identity

    @property
    def records(self) -> Mapping[str, RunRecord]:
        """How the predictions were made, part by part; none where the submission brought no record."""
        return self.result.records

    @property
    def sees_truth(self) -> bool:
        """Whether the method was given true masks of what it was asked about."""
        return any(record.sees_truth for record in self.records.values())

    @property
    def device(self) -> str:
        """What the run was computed on, as it says itself."""
        return ", ".join(dict.fromkeys(record.device or "" for record in self.records.values()))

    @property
    def finished(self) -> str:
        """When the run ended, ISO 8601; "" where that is not known."""
        return max((record.finished or "" for record in self.records.values()), default="")

    @property
    def date(self) -> str:
        """The day the run ended, else the day it was added; "" where neither is known."""
        return self.finished[:10] or self.added[:10]


def check_name(text: str, what: str, *, where: str = "") -> str:
    """``text`` if it can be a name or a revision; else `IcvosError`. ``where`` names the file it came from."""
    try:
        return _short(text)
    except ValueError as error:
        raise IcvosError(f"{f'{where}: ' if where else ''}the {what} {error}") from None


def method_facts(said: Mapping[str, Any]) -> MethodFacts:
    """What is said of a method, by the keys of `MethodFacts`; None is nothing said. `IcvosError` for what cannot be."""
    known = {key: value for key, value in said.items() if value is not None}
    return parse_schema(json.dumps(known), MethodFacts, "what is said of the method", "facts of a method", "change it")


def read_entry(path: Path) -> Entry:
    """The result in ``path``: a board's file or a run's scores; raises `IcvosError` for anything else."""
    value = read_object(path, WHAT, "score the predictions again with icvos score")
    if "scores" in value:
        return parse_entry(value, path)
    if "overall" not in value:
        raise IcvosError(f"{path}: not a result; results are written by icvos score and icvos submit")
    result = parse_result(value, str(path))
    method = next((record.method or "" for record in result.records.values()), "").strip()
    name = check_name(method or path.resolve().parent.name, "method's name", where=str(path))
    return Entry(name, "", result, path)


def parse_entry(value: Mapping[str, Any], path: Path) -> Entry:
    """The result in an object of the form of `BoardFile`; ``path`` names it in errors."""
    file = parse_schema(json.dumps(value), BoardFile, str(path), "a result on a board", REMEDY)
    return Entry(
        file.name,
        file.revision,
        parse_result(file.scores, f"{path}: scores"),
        path,
        notes=file.notes,
        facts=file.method,
        added=file.added,
        declared_clips=file.benchmark.clips,
    )


def entry_json(entry: Entry) -> dict[str, Any]:
    """The content of an entry's file, in the form of `BoardFile`; of a run that is on no board, that of its scores."""
    if not entry.revision:
        return entry.result.to_json()
    facts = entry.facts.to_json()
    return {
        "format": FORMAT,
        "name": entry.name,
        "revision": entry.revision,
        "notes": entry.notes,
        "added": entry.added,
        **({"method": facts} if facts else {}),
        "benchmark": {} if entry.declared_clips is None else {"clips": entry.declared_clips},
        "scores": entry.result.to_json(),
    }
