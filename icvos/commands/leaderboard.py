"""`icvos leaderboard`: the tables and the page."""

from pathlib import Path
from typing import Literal

import click

from icvos.commands.options import FOLDER, WORKERS, examples
from icvos.commands.printing import say
from icvos.commands.progress import watched
from icvos.errors import AGAIN


@click.command(
    epilog=examples(
        "icvos leaderboard board --out site",
        "icvos leaderboard runs/*",
        "icvos leaderboard runs/* --out site --benchmark IC-VOS --overlays worst --charts",
    )
)
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
@click.option(
    "--overlays",
    type=click.Choice(["worst", "all", "none"]),
    default=None,
    help="Draw the worst five clips of each run, or all, for its page, from the --benchmark and the predictions beside "
    "the scores.  [default: worst where both are there]",
)
@click.option(
    "--charts",
    is_flag=True,
    help="Chart what each --benchmark of videos contains, on a page of its own; charts of an earlier page stay.",
)
@WORKERS
@click.option("--all-draws", is_flag=True, help="Rank only results over all support draws of the benchmark.")
@click.option("--picture", "pictures", type=FOLDER, multiple=True, help="A picture for the page (repeatable).")
def leaderboard(
    results: tuple[Path, ...],
    out: Path | None,
    pictures: tuple[Path, ...],
    benchmarks: tuple[Path, ...],
    overlays: Literal["worst", "all", "none"] | None,
    charts: bool,
    workers: int,
    all_draws: bool,
) -> None:
    """Rank results in tables and on a page.

    RESULTS are run folders, scores files, or the folder of a leaderboard.
    """
    from rich.console import Console

    from icvos.errors import IcvosError
    from icvos.files.storage import require_writable
    from icvos.tasks.task import open_task
    from leaderboard.ranking import rank, write_site
    from leaderboard.site.charts import Charting
    from leaderboard.site.overlays import Painter
    from leaderboard.tables.formats import terminal

    if overlays in ("worst", "all") and not (out and benchmarks):
        raise IcvosError(
            f"--overlays {overlays}: they are drawn for the page from a benchmark; give --out, --benchmark"
        )
    if charts and not (out and benchmarks):
        raise IcvosError("--charts: they are drawn for the page from a benchmark; give --out, --benchmark")
    if out:
        require_writable(out, folder=True)
    tasks = [open_task(benchmark) for benchmark in benchmarks]
    tables = rank(results, all_draws=all_draws, benchmarks=tasks)
    Console().print(terminal(tables))
    if out:
        with watched(f"overlays drawn: {{done}}, and the page is not written; {AGAIN}") as watch:
            watch.stage("overlays")
            painter = Painter(tasks, overlays, watch)
            charting = Charting(tasks, workers, watch) if charts else None
            page = write_site(tables, out, pictures, painter, charting=charting)
        for line in filter(None, (painter.line, page)):
            say(line)
