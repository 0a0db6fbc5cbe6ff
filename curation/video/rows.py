"""The curation file: which objects of which video are which category, and whether the pair belongs in the benchmark.

One CSV row per (source, video, class)::

    source,video,class,objects,decision,reason,who,when
    davis,dogs-jump,dog,1;2,accepted,every instance is annotated in the first frame,reviewer,2026-01-31

``class`` is a COCO class name or index. An empty ``class`` names objects of no COCO class; such a row is always
``rejected`` and lets a reader know that the row's objects are not of any other row's class.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Literal, get_args

from icvos.categories import Category, category
from icvos.errors import IcvosError
from icvos.files.storage import write_text

Decision = Literal["accepted", "rejected", "undecided"]
SOURCES = ("davis", "mose", "lvos")
COLUMNS = ("source", "video", "class", "objects", "decision", "reason", "who", "when")


@dataclass(frozen=True, slots=True)
class Row:
    """One (video, category) pair and the judgement on it; ``category`` is None for objects of no COCO class."""

    source: str
    video: str
    category: Category | None
    objects: tuple[int, ...]
    decision: Decision
    reason: str = ""
    who: str = ""
    when: str = ""

    @property
    def key(self) -> tuple[str, str, int]:
        """What a row is about: (source, video, class index or 0)."""
        return self.source, self.video, self.category.index if self.category else 0


def read_rows(path: Path) -> tuple[Row, ...]:
    """The rows of a curation file in order; raises `IcvosError` naming file, line and remedy for a bad one."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise IcvosError(
            f"{path}: no such file; make one with: icvos curate candidates, or icvos curate recover"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise IcvosError(f"{path}: cannot be read as a curation file ({error}); save it as UTF-8 CSV") from error
    return _parse(text, str(path))


def shipped_rows() -> tuple[Row, ...]:
    """The rows that ship with icvos: the 90 train and val sequences of DAVIS 2017."""
    return _parse(files("curation").joinpath("data/davis.csv").read_text(encoding="utf-8"), "the shipped davis.csv")


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """Write a curation file, rows in the order given."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        name = row.category.name if row.category else ""
        objects = ";".join(map(str, row.objects))
        writer.writerow([row.source, row.video, name, objects, row.decision, row.reason, row.who, row.when])
    write_text(path, buffer.getvalue())


def merge(*tables: Sequence[Row]) -> tuple[Row, ...]:
    """All rows in order of source, video and class; a later table replaces an earlier one's rows of the same video.

    A whole video is replaced, not a row, so that a user's file can also take a class away.
    """
    videos: dict[tuple[str, str], list[Row]] = {}
    for table in tables:
        for key in {(row.source, row.video) for row in table}:
            videos[key] = []
        for row in table:
            videos[row.source, row.video].append(row)
    return tuple(sorted((row for rows in videos.values() for row in rows), key=lambda row: row.key))


def _parse(text: str, name: str) -> tuple[Row, ...]:
    reader = csv.DictReader(io.StringIO(text))
    missing = [column for column in COLUMNS[:5] if column not in (reader.fieldnames or ())]
    if missing:
        raise IcvosError(f"{name}: no column {', '.join(missing)}; the first line must be {','.join(COLUMNS)}")
    rows: list[Row] = []
    seen: dict[tuple[str, str, int], int] = {}
    for number, record in enumerate(reader, start=2):
        row = _row({key: (value or "").strip() for key, value in record.items() if key}, f"{name}, line {number}")
        if row.key in seen:
            raise IcvosError(
                f"{name}, line {number}: same video and class as line {seen[row.key]}; remove one of the two"
            )
        seen[row.key] = number
        rows.append(row)
    return tuple(rows)


def _row(record: dict[str, str], where: str) -> Row:
    if record["source"] not in SOURCES:
        raise IcvosError(f"{where}: source {record['source']!r}; use one of {', '.join(SOURCES)}")
    if record["decision"] not in get_args(Decision):
        raise IcvosError(f"{where}: decision {record['decision']!r}; use one of {', '.join(get_args(Decision))}")
    if not record["video"]:
        raise IcvosError(f"{where}: no video name")
    if not record["class"] and record["decision"] == "accepted":
        raise IcvosError(f"{where}: accepted without a class; fill in the COCO class name")
    try:
        objects = tuple(sorted({int(number) for number in record["objects"].split(";") if number.strip()}))
    except ValueError:
        raise IcvosError(f"{where}: objects {record['objects']!r}; write object ids like 1;3") from None
    if not objects or objects[0] < 1:
        raise IcvosError(f"{where}: objects {record['objects']!r}; write at least one object id of 1 or more, like 1;3")
    try:
        kind = category(record["class"]) if record["class"] else None
    except IcvosError as error:
        raise IcvosError(f"{where}: {error}") from None
    decision: Decision = record["decision"]  # type: ignore[assignment]  # checked against the literal above
    extra = (record.get(column, "") for column in ("reason", "who", "when"))
    return Row(record["source"], record["video"], kind, objects, decision, *extra)
