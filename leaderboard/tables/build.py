"""From results to tables: who may stand beside whom.

One table holds the results of one protocol on one benchmark digest, and of images of one number of shots; videos and
images never share one.
"""

from collections.abc import Iterable, Sequence

from icvos.errors import IcvosError
from leaderboard.entry import Entry
from leaderboard.tables import reported as paper
from leaderboard.tables.image import image_table
from leaderboard.tables.shape import Table
from leaderboard.tables.video import video_table

FORMATS = ("terminal", "markdown", "csv", "latex")


def build_tables(entries: Iterable[Entry], *, reported: bool = True) -> list[Table]:
    """The tables of ``entries``, videos first; ``reported`` puts what papers report beneath those it belongs to."""
    groups: dict[tuple[str, str, str, str, int], list[Entry]] = {}
    for entry in entries:
        shots = entry.shots or 0 if entry.task == "image" else 0
        key = (entry.task, entry.benchmark, entry.protocol, entry.digest or "", shots)
        groups.setdefault(key, []).append(entry)
    order = sorted(groups, key=lambda key: (key[0] != "video", key[1], key[2].partition("@")[0] != paper.PROTOCOL, key))
    return [(video_table if key[0] == "video" else image_table)(groups[key], reported) for key in order]


def render(tables: Sequence[Table], format: str, *, breakdowns: bool = True) -> str:
    """The tables as text in one of `FORMATS`; ``breakdowns`` adds those that text has room for.

    For a terminal with colours, print `leaderboard.tables.formats.terminal` instead.
    """
    from leaderboard.tables import formats

    writers = {
        "terminal": formats.terminal_text,
        "markdown": formats.markdown,
        "csv": formats.csv_text,
        "latex": formats.latex,
    }
    if format not in writers:
        raise IcvosError(f"unknown table format {format!r}; choose from {', '.join(FORMATS)}")
    return writers[format](tables, breakdowns=breakdowns)
