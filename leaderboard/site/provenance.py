"""Where a result comes from, in words."""

import json
from collections.abc import Callable

from icvos.tasks.record import RunRecord, Weights
from leaderboard.entry import Entry
from leaderboard.tables.shape import Row, Table

MAX_PROVENANCE = 4000  # characters of one settings or versions text on the page; results.json has it all


def provenance(table: Table, row: Row) -> list[tuple[str, str]]:
    """What is known of where a measured row comes from, as (name, text) pairs in reading order."""
    entry = row.entry
    if entry is None:
        return []
    speed = next((column.about for column in table.columns if column.kind == "seconds"), "")
    device, dtype = _in_all(entry, lambda run: run.device), _in_all(entry, lambda run: run.dtype)
    facts: list[tuple[str, object]] = [
        ("Method", _in_all(entry, lambda run: run.method)),
        ("Revision", entry.revision),
        ("Notes", entry.notes),
        ("Protocol", entry.result.protocol),
        ("Benchmark digest", entry.result.digest),
        ("Run ended", entry.finished),
        ("Added to the board", entry.added),
        *_weights(entry),
        ("Settings", _in_all(entry, lambda run: run.settings)),
        ("Seed", _in_all(entry, lambda run: (run.model_extra or {}).get("seed"))),
        ("Device", " ".join(_text(found) for found in (device, dtype) if found)),
        (speed.capitalize(), entry.result.seconds),
        ("Versions", _in_all(entry, lambda run: run.versions)),
        *row.provenance,
    ]
    if not entry.records:
        facts.append(("Run", "the submission came without a run.json"))
    return [(name, _text(value)) for name, value in facts if value not in (None, "", {}, [])]


def _in_all(entry: Entry, read: Callable[[RunRecord], object]) -> object:
    """What the records of a run say: one value, or where parts say different things, each by its part."""
    values = {f"{label}:": read(record) for label, record in entry.records.items()}
    first = next(iter(values.values()), None)
    return first if all(value == first for value in values.values()) else values


def _weights(entry: Entry) -> list[tuple[str, str]]:
    """Every checkpoint with its hash, and with its part where parts have their own."""
    by_part = {f"{label}:": record.weights for label, record in entry.records.items()}
    first = next(iter(by_part.values()), ())
    if all(weights == first for weights in by_part.values()):
        by_part = {"": first}
    return [
        (f"Weights: {label} {item.name or ''}".replace("  ", " "), f"sha256 {item.sha256}")
        for label, weights in by_part.items()
        for item in weights
        if isinstance(item, Weights)
    ]


def _text(value: object) -> str:
    """A value of a run's record on one line: objects as ``name value`` pairs."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {_text(part)}" for name, part in value.items())[:MAX_PROVENANCE]
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text[:MAX_PROVENANCE]
