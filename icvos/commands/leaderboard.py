"""`icvos leaderboard`: the tables and the page."""

from pathlib import Path
from typing import Any

import click

from icvos.commands.options import FOLDER, examples
from icvos.commands.printing import say


@click.command(epilog=examples("icvos leaderboard board --out site", "icvos leaderboard runs/*"))
@click.argument("results", type=FOLDER, nargs=-1, required=True)
@click.option(
    "--out", type=FOLDER, default=None, help="Write index.html and leaderboard.md, .tex and .csv to this folder."
)
@click.option(
    "--benchmark",
    "benchmarks",
    type=FOLDER,
    multiple=True,
    help="Compare names, sizes and numbers in results with this benchmark, and rank no others (repeatable).",
)
@click.option("--all-draws", is_flag=True, help="Rank only results over all support draws of the benchmark.")
@click.option("--picture", "pictures", type=FOLDER, multiple=True, help="A picture for the page (repeatable).")
def leaderboard(results: tuple[Path, ...], out: Path | None, pictures: tuple[Path, ...], **given: Any) -> None:
    """Rank results in tables and on a page.

    RESULTS are run folders, scores files, or the folder of a leaderboard.
    """
    from rich.console import Console

    from icvos.files.storage import require_writable
    from leaderboard.ranking import rank, write_site
    from leaderboard.tables.formats import terminal

    if out:
        require_writable(out, folder=True)
    tables = rank(results, **given)
    Console().print(terminal(tables))
    if out:
        say(f"{write_site(tables, out, pictures)}")
