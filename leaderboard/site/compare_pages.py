"""A page for each table on which any two of its results are compared, clip by clip or class by class.

The page holds the figures of all results, and its script compares the two that are chosen: pages for each pair would be
thousands.
"""

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from icvos.categories import category
from icvos.errors import printable, printable_lines
from icvos.tasks.result import FEWEST
from icvos.tasks.video.result import Clip, VideoResult
from leaderboard.site.downloads import Places
from leaderboard.site.run_pages import script_place
from leaderboard.tables.shape import KINDS, Row, Table

COMPARE = "compare"
SCALE = 100_000  # figures are integers of thousandths of a per cent: few bytes, and sums without rounding


def compare_places(tables: Sequence[Table], slugs: Mapping[int, str]) -> dict[str, str]:
    """By a table's slug, where its page lies; only of tables with two results to compare."""
    found = (slugs[id(table)] for table in tables if len(table.measured) > 1)
    return {slug: f"{COMPARE}/{slug}.html" for slug in found}


def side(row: Row) -> str:
    """What a result is called behind the # of the page's address: its name, so that links outlast the board."""
    return quote(printable(row.label), safe="")


def comparison(table: Table, slug: str, pages: Places, scripts: Collection[str] = ()) -> str:
    """What the page's script compares, as JSON: all results of a table with a figure for each clip or class.

    ``scripts`` are the files beside the pages of results that what is drawn of their clips can be loaded from.
    """
    rows = table.measured
    clips = {
        row.label: row.entry.result.clips for row in rows if row.entry and isinstance(row.entry.result, VideoResult)
    }
    found = _by_clip(clips) if len(clips) == len(rows) else _by_class(rows)
    figures = found.pop("figures")
    runs = [
        {
            "name": printable(row.label),
            "page": f"../{pages[row.label, slug]}",
            "clips": f"../{place}" if (place := script_place(pages[row.label, slug])) in scripts else None,
            "caveats": [printable_lines(text) for text in _caveats(table, row)],
            "shots": row.figures.get("shots"),
            "parts": list(row.entry.result.parts) if row.entry else [],
            "figures": figures[row.label],
            "ties": _ties(row, rows),
        }
        for row in rows
    ]
    text = json.dumps({**found, "scale": SCALE, "runs": runs}, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")  # nothing in it ends the element that it stands in


def _by_clip(results: Mapping[str, Mapping[str, Clip]]) -> dict[str, Any]:
    """J and F of every clip; null where a result lacks it, or has it with another number of frames than most."""
    from icvos.metrics.summary import BOOTSTRAP_SEED, PAIRED_SAMPLES
    from icvos.tasks.video.comparison import LEVEL, clip_order

    names = sorted({name for clips in results.values() for name in clips}, key=clip_order)
    kinds = {name: category(name.rpartition("/")[2]) for name in names}
    groups = [kind.name for kind in sorted(set(kinds.values()), key=lambda kind: kind.index)]
    videos = {video: place for place, video in enumerate(dict.fromkeys(name.rpartition("/")[0] for name in names))}
    frames = {name: _usual(clips[name].frames for clips in results.values() if name in clips) for name in names}
    return {
        "measures": ["J", "F", "J&F"],
        "noun": ["clip", "clips"],
        "unit": ["video", "videos"],
        "parts": "support draws",
        "groups": groups,
        "items": [[printable(name), groups.index(kinds[name].name), videos[name.rpartition("/")[0]]] for name in names],
        "bootstrap": {"level": LEVEL, "samples": PAIRED_SAMPLES, "seed": BOOTSTRAP_SEED, "fewest": FEWEST},
        "figures": {label: [_values(clips, frames, key) for key in ("j", "f")] for label, clips in results.items()},
    }


def _values(clips: Mapping[str, Clip], frames: Mapping[str, int | None], key: str) -> list[int | None]:
    """A figure of the clips that ``frames`` names, None where there is none on as many frames."""
    found = ((clips.get(name), count) for name, count in frames.items())
    return [_figure(clip.figure(key)) if clip and clip.frames in (None, count) else None for clip, count in found]


def _by_class(rows: Sequence[Row]) -> dict[str, Any]:
    """IoU of every class of images."""
    classes = {row.label: row.groups.get("class", {}) for row in rows}
    names = list(dict.fromkeys(name for own in classes.values() for name in own))
    return {
        "measures": ["IoU"],
        "noun": ["class", "classes"],
        "unit": ["class", "classes"],
        "parts": "folds",
        "groups": [],
        "items": [[printable(name), 0, place] for place, name in enumerate(names)],
        "bootstrap": None,
        "figures": {
            label: [[_figure(own.get(name, {}).get("miou")) for name in names]] for label, own in classes.items()
        },
    }


def _usual(frames: Iterator[int | None]) -> int | None:
    counted = Counter(count for count in frames if count is not None)
    return max(counted, key=lambda count: (counted[count], count)) if counted else None


def _figure(value: float | None) -> int | None:
    return None if value is None else round(value * SCALE)


def _caveats(table: Table, row: Row) -> list[str]:
    """What is said of a result wherever its figures are shown."""
    kinds = [KINDS[row.kind]] if row.kind == "upper bound" else []
    return [*kinds, *(table.footnotes[mark] for mark in row.notes)]


def _ties(row: Row, rows: Sequence[Row]) -> list[int] | None:
    """The places of those that nothing separates a ranked row from; None of one that is not ranked."""
    ties = set(row.ties)
    return [place for place, other in enumerate(rows) if other.label in ties] if row.kind == "ranked" else None
