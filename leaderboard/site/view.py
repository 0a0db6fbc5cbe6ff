"""What the page needs to choose rows, columns and tables by: texts for its attributes, and figures for its script."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from icvos.errors import printable, printable_lines
from leaderboard.tables.formats import DASH, count
from leaderboard.tables.shape import Row, Table

ORIGINS = ("measured here", "submitted", "reported")
TRAININGS = ("training-free", "trained", "unknown")
ANSWERS = ("yes", "no", "unknown")
TRAITS = {
    "training": "Training",
    "classes": "Test classes seen",
    "text": "Uses text",
    "licence": "Licence",
    "parameters": "Parameters",
    "origin": "Origin",
    "date": "Date",
}
LONGEST = 200  # characters of a text to search in


@dataclass(frozen=True, slots=True)
class Scale:
    """What the drawn intervals of a table span, in per cent."""

    low: int
    high: int

    def place(self, value: float) -> float:
        """Where a fraction lies, 0 to 100."""
        return round(100 * (100 * value - self.low) / (self.high - self.low), 2)


def scale_of(table: Table) -> Scale:
    """Whole tens around all intervals of a table."""
    bounds = [100 * bound for row in table.rows for bound in row.interval or ()]
    if not bounds:
        return Scale(0, 100)
    low = math.floor(min(bounds) / 10) * 10
    return Scale(low, max(math.ceil(max(bounds) / 10) * 10, low + 10))


def slugs(tables: Sequence[Table]) -> dict[int, str]:
    """A name for each table, by its ``id()``: for addresses and files, and the same on every board that has it."""
    found: dict[int, str] = {}
    for table in tables:
        shots = () if table.shots is None else (table.benchmark, f"{table.shots}-shot")
        digest = (table.digest or "no-digest").removeprefix("sha256:")[:9]
        plain = re.sub(r"[^A-Za-z0-9]+", "-", "-".join((table.task, *shots, table.protocol, digest))).strip("-").lower()
        same = sum(name == plain or name.startswith(f"{plain}--") for name in found.values())
        found[id(table)] = f"{plain}--{same + 1}" if same else plain
    return found


def build_name(table: Table) -> str:
    """What tells a table's benchmark from others in a list: its name, and which build of it."""
    return f"{table.benchmark} · {(table.digest or 'no digest').removeprefix('sha256:')[:9]}"


def row_facts(row: Row) -> dict[str, str]:
    """What rows are chosen by; "unknown" where nobody says."""
    entry = row.entry
    if entry is None:
        unknown = dict.fromkeys(("training", "classes", "text", "licence"), "unknown")
        unknown["classes"] = _answer(row.classes_seen)
        origin, said = "reported", {**unknown, "parameters": "", "date": ""}
    else:
        facts = entry.facts
        origin = "submitted" if entry.revision else "measured here"
        said = {
            "training": {"none": "training-free", "trained": "trained"}.get(facts.training or "", "unknown"),
            "classes": _answer(facts.classes_seen),
            "text": _answer(facts.uses_text),
            "licence": facts.licence or "unknown",
            "parameters": str(facts.parameters or ""),
            "date": entry.date,
        }
    search = " ".join((row.label, entry.notes if entry else "", said["licence"], origin))
    shots = row.figures.get("shots")
    return {**said, "origin": origin, "shots": str(shots or ""), "search": printable(search, LONGEST).lower()}


def _answer(value: bool | None) -> str:
    return "unknown" if value is None else "yes" if value else "no"


def trait(key: str, text: str) -> str:
    """A fact as its column shows it."""
    if key == "parameters":
        return count(int(text)) if text else DASH
    return text or DASH


def parts(table: Table) -> str:
    """The figures by source, category and so on as JSON for the page's script, in per cent, a list over all rows."""
    places = [place for place, row in enumerate(table.rows) if row.entry]
    found: dict[str, Mapping[str, object]] = {}
    for part in table.breakdowns:
        for group, figures in part.figures.items():
            values: list[float | None] = [None] * len(table.rows)
            for place, value in zip(places, figures, strict=True):
                values[place] = None if value is None else round(100 * value, 2)
            label = printable_lines(group)
            found[f"{part.kind}.{label}"] = {
                "label": label,
                "kind": f"{part.measure} by {part.kind}",
                "figures": values,
            }
    text = json.dumps(found, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")  # nothing in it ends the element that it stands in
