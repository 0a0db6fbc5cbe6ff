"""The files beside the page: every table in every form, and every result as it was submitted."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from icvos.files.names import require_inside
from icvos.files.storage import json_text, write_text
from leaderboard.entry import entry_json
from leaderboard.store import file_name
from leaderboard.tables.build import render
from leaderboard.tables.shape import Row, Table

FORMS = {"CSV": ("csv", "csv"), "Markdown": ("md", "markdown"), "LaTeX": ("tex", "latex")}
TABLES, ENTRIES, OVERLAYS = "tables", "entries", "overlays"
SUFFIXES = (".csv", ".html", ".js", ".json", ".md", ".tex", ".webp")
Places = dict[tuple[str, str], str]


def table_places(slug: str) -> dict[str, str]:
    """By the name of the form, where a table's files lie."""
    return {name: f"{TABLES}/{slug}.{suffix}" for name, (suffix, _) in FORMS.items()} | {
        "JSON": f"{TABLES}/{slug}.json"
    }


def entry_places(tables: Sequence[Table], slugs: Mapping[int, str]) -> Places:
    """By a row's label and its table's slug, where its result lies."""
    found: Places = {}
    for table in tables:
        for row in table.measured:
            if row.entry:
                number = len(found) + 1
                found[row.label, slugs[id(table)]] = f"{ENTRIES}/{number:03d}-{file_name(row.entry)}"
    return found


def table_json(table: Table, slug: str, places: Places) -> dict[str, object]:
    """A table for programs; the results themselves are files of their own, which its rows name."""
    return {
        "task": table.task,
        "benchmark": table.benchmark,
        "drawn": table.drawn,
        "protocol": table.protocol,
        "digest": table.digest,
        "shots": table.shots,
        **table.counts,
        "rows": [_row(table, row, places.get((row.label, slug))) for row in table.rows],
    }


def _row(table: Table, row: Row, place: str | None) -> dict[str, object]:
    return {
        "label": row.label,
        "kind": row.kind,
        "rank": row.rank,
        "ties": row.ties,
        **{column.key: row.figures[column.key] for column in table.columns if column.kind != "interval"},
        "interval": row.interval,
        "unsure": row.unsure,
        "notes": [table.footnotes[mark] for mark in row.notes],
        "revision": row.entry.revision if row.entry else None,
        "method": row.entry.facts.to_json() if row.entry else {},
        "groups": row.groups,
        "result": place,
    }


def write_downloads(tables: Sequence[Table], out: Path, slugs: Mapping[int, str], places: Places) -> None:
    """Write the files that the page of ``tables`` in ``out`` links to, and remove those of an earlier page."""
    written = set()
    for place, text in _files(tables, slugs, places):
        require_inside(out / place, out)
        write_text(out / place, text, lasting=False)  # one of many; a page is soon made again
        written.add(out / place)
    for folder in (out / TABLES, out / ENTRIES):
        remove_others(folder, written, out)


def remove_others(folder: Path, written: Collection[Path], out: Path) -> None:
    """Remove from a folder of the page in ``out`` what an earlier page left there."""
    if folder.is_dir():
        require_inside(folder, out)
        for path in folder.iterdir():
            if path.is_file() and path not in written and path.suffix in SUFFIXES:
                path.unlink()


def _files(tables: Sequence[Table], slugs: Mapping[int, str], places: Places) -> Iterator[tuple[str, str]]:
    for table in tables:
        slug = slugs[id(table)]
        for suffix, form in FORMS.values():
            yield f"{TABLES}/{slug}.{suffix}", render([table], form)
        yield f"{TABLES}/{slug}.json", json_text(table_json(table, slug, places))
        for row in table.measured:
            if row.entry:
                yield places[row.label, slug], json_text(entry_json(row.entry), indent=None)
