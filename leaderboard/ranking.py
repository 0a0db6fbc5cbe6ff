"""Results side by side: from files to tables, and from tables to a folder that shows them."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from icvos.files.storage import write_text
from icvos.tasks.calls import as_task
from icvos.tasks.task import Task
from leaderboard.entry import Entry
from leaderboard.site.build import build_site
from leaderboard.store import collect
from leaderboard.tables.build import BUILDERS, build_tables, render
from leaderboard.tables.shape import Table

if TYPE_CHECKING:
    from leaderboard.site.charts import Charting
    from leaderboard.site.overlays import Shows


def rank(
    paths: Iterable[Path | str], *, all_draws: bool = False, benchmarks: Iterable[Task | Path | str] = ()
) -> list[Table]:
    """The tables of all results in ``paths``: run folders, scores files, boards and files of boards.

    With ``all_draws`` only results over all support draws are ranked, with ``benchmarks`` only those on one of these; a
    result that contradicts the benchmark it is on is refused.

    `leaderboard.tables.build.render` writes them as text. Raises `IcvosError` for a file that is no result.

    >>> from icvos.tasks.calls import score
    >>> _ = score("masks", "IC-VOS", out="mine/scores.json")
    >>> [row.label for row in rank(["mine/scores.json"])[0].rows if row.kind != "reported"]
    ['mine']
    """
    tasks = [as_task(benchmark) for benchmark in benchmarks]
    entries = [_confirmed(entry, tasks) if tasks else entry for entry in collect(paths)]
    return build_tables(map(_withheld, entries) if all_draws else entries)


def _confirmed(entry: Entry, tasks: Sequence[Task]) -> Entry:
    """The entry with the size of the benchmark that it is on; not to be ranked where it is on none of ``tasks``."""
    for task in tasks:
        if task.confirm(entry.result, str(entry.path)):
            return replace(entry, declared_clips=task.clips)
    return replace(entry, withheld="not on the benchmark that results were compared with")


def _withheld(entry: Entry) -> Entry:
    """The entry, not to be ranked where it is not known to be over all draws."""
    note = entry.result.draws_note
    reason = f"{note}, and this board asks for all" if note else "does not say over how many of the draws it is"
    return entry if note == "" else replace(entry, withheld=reason)


def write_site(
    tables: Sequence[Table],
    out: Path,
    pictures: Sequence[Path] = (),
    painter: "Shows | None" = None,
    *,
    home: str = "",
    charting: "Charting | None" = None,
) -> Path:
    """Write the page, and the tables as Markdown, LaTeX and CSV, into the folder ``out``; the page's path.

    ``painter`` draws overlays of the runs whose predictions and benchmark are at hand, none without it. ``home`` and
    ``charting`` are as for `leaderboard.site.build.build_site`.

    Raises `IcvosError` where ``out`` holds something other than an earlier page.

    >>> from icvos.tasks.calls import score
    >>> _ = score("masks", "IC-VOS", out="mine/scores.json")
    >>> write_site(rank(["mine/scores.json"]), Path("site")).name
    'index.html'
    """
    captioned = [(picture, picture.stem) for picture in pictures]
    page = build_site(tables, out, pictures=captioned, painter=painter, home=home, charting=charting)
    for suffix, format in (("md", "markdown"), ("tex", "latex")):
        write_text(out / f"leaderboard.{suffix}", render(tables, format))
    kinds = {table.task for table in tables} or set(list(BUILDERS)[:1])  # where nothing is, an empty file says so
    for kind, builder in BUILDERS.items():
        if kind in kinds:
            write_text(out / builder.csv, render([table for table in tables if table.task == kind], "csv"))
    return page
