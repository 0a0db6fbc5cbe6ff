"""The curation file: which objects of which video are which category, and whether the pair belongs in the benchmark.

One CSV row per (source, video, class)::

    source,video,class,objects,decision,reason,who,when,tool
    davis,dogs-jump,dog,1;2,accepted,every instance is annotated in the first frame,reviewer,2026-01-31,

`CurationRow` explains every column.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    ValidationError,
    WithJsonSchema,
    model_validator,
)

from curation.sources.video import SourceName
from icvos.categories import Category, category
from icvos.errors import IcvosError, printable
from icvos.files.cells import cell, from_cell
from icvos.files.schema import Schema, misfit
from icvos.files.storage import require_writable, write_text
from icvos.files.text import read_text

Decision = Literal["accepted", "rejected", "undecided"]


def _named(text: str) -> str:
    if not text:
        raise ValueError("is empty; fill in the name of the video")
    return text


def _class(value: object) -> Category | None:
    if value is None or isinstance(value, Category):
        return value
    try:
        return category(str(value)) if value else None
    except IcvosError as error:
        raise ValueError(f"cannot be read: {error}") from None


def _objects(value: str | Iterable[str | int]) -> tuple[int, ...]:
    numbers = value.split(";") if isinstance(value, str) else value
    try:
        found = tuple(sorted({int(number) for number in numbers if str(number).strip()}))
    except (TypeError, ValueError):
        raise ValueError(f"is {value!r}; write object ids like 1;3") from None
    if not found or found[0] < 1:
        raise ValueError(f"is {value!r}; write at least one object id of 1 or more, like 1;3")
    return found


ClassName = Annotated[
    Category | None,
    PlainValidator(_class),
    PlainSerializer(lambda found: found.name if found else "", return_type=str),
    WithJsonSchema({"type": "string"}),
]
Objects = Annotated[
    tuple[int, ...],
    PlainValidator(_objects),
    PlainSerializer(lambda numbers: ";".join(map(str, numbers)), return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^\s*[0-9]+\s*(;\s*[0-9]+\s*)*$"}),
]


class CurationRow(Schema):
    """One row of a curation file: some objects of a video, their category, and the judgement on the pair."""

    model_config = ConfigDict(extra="ignore")  # a spreadsheet may have columns of its own

    source: SourceName = Field(description="The data set that the video comes from.")
    video: Annotated[str, AfterValidator(_named)] = Field(description="The video, as the data set calls it.")
    category: ClassName = Field(
        validation_alias="class",
        serialization_alias="class",
        description="COCO's name of the class, or its index 1 to 80. Empty: the objects are of no COCO class, which "
        "tells a reader that they are not of another row's class; such a row is never accepted.",
    )
    objects: Objects = Field(description="The ids of the objects in the masks, as 1;3.")
    decision: Decision = Field(description="Whether the pair is built: only what is accepted is, unless asked for.")
    reason: str = Field(default="", description="Why it was so decided, in words.")
    who: str = Field(default="", description="Who decided.")
    when: str = Field(default="", description="When it was decided.")
    tool: str = Field(default="", description="What wrote the row, with its version.")

    @model_validator(mode="after")
    def _accepted_with_a_class(self) -> Self:
        if self.category is None and self.decision == "accepted":
            raise ValueError("accepted without a class; fill in the COCO class name")
        return self

    @property
    def key(self) -> tuple[str, str, int]:
        """What the row is about: (source, video, class index or 0)."""
        return self.source, self.video, self.category.index if self.category else 0


COLUMNS = tuple(str(column.serialization_alias or name) for name, column in CurationRow.model_fields.items())
REQUIRED = COLUMNS[:5]


def read_rows(path: Path) -> tuple[CurationRow, ...]:
    """The rows of a curation file in order; raises `IcvosError` naming file, line, column and remedy for a bad one."""
    try:
        text = read_text(path)
    except FileNotFoundError:
        raise IcvosError(
            f"{path}: no such file; make one with: icvos curate candidates, or icvos curate recover"
        ) from None
    except (OSError, ValueError) as error:
        raise IcvosError(f"{path}: cannot be read as a curation file ({error}); save it as UTF-8 CSV") from error
    return _parse(text, str(path))


def shipped_rows() -> tuple[CurationRow, ...]:
    """The rows that ship with icvos: the 90 train and val sequences of DAVIS 2017."""
    return _parse(files("curation").joinpath("data/davis.csv").read_text(encoding="utf-8"), "the shipped davis.csv")


def write_rows(path: Path, rows: Iterable[CurationRow]) -> None:
    """Write a curation file, rows in the order given."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({key: cell(value) for key, value in row.model_dump(by_alias=True).items()})
    write_text(path, buffer.getvalue())


def refuse_existing(path: Path) -> None:
    """Raises `IcvosError` where a curation file would be written over something, or could not be written."""
    if path.exists():
        raise IcvosError(f"{path}: exists; choose another --out, so that no judgement is lost")
    require_writable(path)


def merge(*tables: Sequence[CurationRow]) -> tuple[CurationRow, ...]:
    """All rows in order of source, video and class; a later table replaces an earlier one's rows of the same video.

    A whole video is replaced, not a row, so that a user's file can also take a class away.
    """
    videos: dict[tuple[str, str], list[CurationRow]] = {}
    for table in tables:
        for key in {(row.source, row.video) for row in table}:
            videos[key] = []
        for row in table:
            videos[row.source, row.video].append(row)
    return tuple(sorted((row for rows in videos.values() for row in rows), key=lambda row: row.key))


def _parse(text: str, name: str) -> tuple[CurationRow, ...]:
    reader = csv.DictReader(io.StringIO(text), strict=True)  # an open quote would swallow the rows that follow
    try:
        _require_columns(reader.fieldnames or (), name)
        records = [(reader.line_num, record) for record in reader]
    except csv.Error as error:
        raise IcvosError(
            f"{name}, near line {reader.line_num}: cannot be read as CSV ({error}); close every quote, or save it again"
        ) from error
    rows: list[CurationRow] = []
    seen: dict[tuple[str, str, int], int] = {}
    owner: dict[tuple[str, str, int], tuple[int, str]] = {}  # source, video, object -> line and class
    for number, record in records:
        where = f"{name}, line {number}"
        if any(map(str.strip, record.get(None) or ())):  # csv's key for surplus cells
            raise IcvosError(f"{where}: more cells than the first line has; put cells with commas into quotes")
        try:
            row = CurationRow.model_validate({key: from_cell((record.get(key) or "").strip()) for key in COLUMNS})
        except ValidationError as error:
            raise IcvosError(printable(f"{where}: {misfit(error, 'a curation row')}")) from error
        if row.key in seen:
            raise IcvosError(f"{where}: same video and class as line {seen[row.key]}; remove one of the two")
        seen[row.key] = number
        if row.category and row.decision == "accepted":
            for found in row.objects:
                line, kind = owner.setdefault((row.source, row.video, found), (number, row.category.name))
                if line != number:
                    raise IcvosError(
                        f"{where}: object {found} is accepted as {row.category.name} here and as {kind} in line "
                        f"{line}; remove it from one of the two"
                    )
        rows.append(row)
    return tuple(rows)


def _require_columns(columns: Sequence[str], name: str) -> None:
    missing = [column for column in REQUIRED if column not in columns]
    if missing:
        raise IcvosError(f"{name}: no column {', '.join(missing)}; the first line must be {','.join(COLUMNS)}")
    twice = [column for column in COLUMNS if list(columns).count(column) > 1]
    if twice:
        raise IcvosError(f"{name}: two columns {', '.join(twice)}; remove one of the two")
