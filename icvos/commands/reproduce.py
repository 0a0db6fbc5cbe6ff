"""`icvos reproduce`: a table of the paper, the commands that give its rows, and what came out."""

from pathlib import Path

import click

from icvos.commands.options import FOLDER, examples, json_option
from icvos.commands.printing import is_stdout, put_json, require_places, say, show_listings


@click.command(
    epilog=examples(
        "icvos reproduce table-4",
        "icvos reproduce table-14 --run",
        "icvos reproduce table-4 --row DC-SAM --gpus 1 --run \\",
        "    --benchmark IC-VOS --benchmark all-coco --out runs/reproduce",
    )
)
@click.argument("name", metavar="TABLE")
@click.option("--row", "wanted", metavar="TEXT", multiple=True, help="Only rows with this in their name (repeatable).")
@click.option(
    "--benchmark",
    "benchmarks",
    type=FOLDER,
    multiple=True,
    help="A benchmark to train or evaluate on (repeatable).  [default: folders named IC-VOS, all-coco, coco-20i, ...]",
)
@click.option(
    "--out", type=FOLDER, default=Path("runs/reproduce"), show_default=True, help="The folder of all their runs."
)
@click.option(
    "--gpus",
    type=click.IntRange(0, 64),
    default=None,
    help="GPUs to train on, with the paper's batches; 0: the processor.  [default: as many as the paper had]",
)
@click.option("--run", "running", is_flag=True, help="Run the rows that can be run on this machine.")
@json_option("Also write the rows, with commands and outcomes, to this file")
@click.pass_context
def reproduce(
    context: click.Context,
    name: str,
    wanted: tuple[str, ...],
    benchmarks: tuple[Path, ...],
    out: Path,
    gpus: int | None,
    running: bool,
    json_path: Path | None,
) -> None:
    """Show how to make a table of the paper, and run what this machine can.

    TABLE is table-2 to table-10, table-12 to table-14, or figure-9. For every row there is the paper's figure, the
    commands that give it, and what they need. With --run those rows are run that lack nothing; a run that was stopped
    goes on when the same command is given again, and what is done is not done again. Figures that came out stand beside
    the printed ones. The exit status is 1 if a row that was run did not come to its end.
    """
    from leaderboard.paper.tables import paper_table
    from leaderboard.reproduction import rows
    from leaderboard.reproduction.shown import shown

    require_places(json_path)
    table, quiet = paper_table(name), is_stdout(json_path)
    lines = rows.reproduce(
        name,
        out,
        benchmarks=benchmarks,
        rows=wanted,
        gpus=gpus,
        running=running,
        say=lambda text: say(text, err=quiet),
        quiet=quiet,
    )
    failed = running and any(line.commands and line.state == "ready" for line in lines)
    if json_path:
        put_json(json_path, {"table": name, "title": table.title, "rows": [line.to_json() for line in lines]})
    if not quiet:
        show_listings(shown(table, lines, with_commands=not running))
    context.exit(1 if failed else 0)
