"""`icvos reproduce`: a table of the paper, the commands that give its rows, and what came out."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from icvos.commands.options import FOLDER, examples, json_option
from icvos.commands.printing import is_stdout, put_json, require_places, say, show_listings

if TYPE_CHECKING:
    from icvos.tasks.listing import Listing
    from leaderboard.paper.tables import PaperTable
    from leaderboard.reproduction.rows import Line

UNITS = {"parameters": "M parameters", "gmacs": "G MACs", "j": "J", "f": "F", "jf": "J&F", "miou": "mIoU"}


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
    from icvos.tasks.task import open_task
    from leaderboard.paper.tables import paper_table
    from leaderboard.reproduction.commands import Places
    from leaderboard.reproduction.rows import lines_of, run

    require_places(json_path)
    table, quiet = paper_table(name), is_stdout(json_path)
    places = Places(out, {open_task(root).name: root for root in benchmarks}, gpus)
    lines = lines_of(table, places, wanted)
    failed = False
    if running:
        lines = run(lines, places, lambda text: say(text, err=quiet), quiet=quiet)
        failed = any(line.commands and line.state == "ready" for line in lines)
    if json_path:
        put_json(json_path, {"table": name, "title": table.title, "rows": [line.to_json() for line in lines]})
    if not quiet:
        show(table, lines, with_commands=not running)
    context.exit(1 if failed else 0)


def show(table: "PaperTable", lines: "list[Line]", *, with_commands: bool) -> None:
    """Print the rows, what came out, what is lacking, and the commands."""
    from leaderboard.paper.tables import PAPER
    from leaderboard.reproduction.costs import ASSUMPTION

    say(f"{table.number} of {PAPER}")
    lacks = list(dict.fromkeys(lack for line in lines for lack in line.needs.lacks))
    show_listings([plan(table, lines, lacks)])
    if any(line.outcome for line in lines):
        show_listings([outcomes(table, lines)])
    for number, lack in enumerate(lacks, start=1):
        say(f"lacking {number}: {lack}")
    if any(line.gpu_hours for line in lines):
        say(f"memory and hours: {ASSUMPTION}")
    for note in (*table.notes, *(f"{line.row.name}: {text}" for line in lines for text in line.remarks)):
        say(f"note: {note}")
    if with_commands:
        for line in lines:
            if line.commands:
                needs = ", ".join(line.needs.weights)
                say(f"\n# {line.row.name}, on {table.benchmark_of(line.row)}: needs {needs}")
                say("\n".join(map(str, line.commands)))


def plan(table: "PaperTable", lines: "list[Line]", lacks: list[str]) -> "Listing":
    """The printed figures, what they cost and whether they can be made here."""
    from icvos.tasks.listing import Listing

    several = len({table.benchmark_of(row) for row in table.rows}) > 1
    rows = []
    for line in lines:
        printed = table.printed(line.row)
        missing = ", ".join(map(str, sorted(lacks.index(lack) + 1 for lack in line.needs.lacks)))
        state = f"lacks {missing}" if line.state == "lacking" else line.state
        cost = (_figure(line.gpu_gib, "over {:.0f} GiB"), _figure(line.gpu_hours, "{:,.0f}"))
        where = (table.benchmark_of(line.row),) if several else ()
        name = line.row.name + (f", {line.row.shots} shots" if line.row.shots > 1 else "")
        rows.append((name, *where, *(figure(key, printed.get(key)) for key in table.columns), *cost, state))
    heads = ("row", *(("benchmark",) if several else ()), *map(heading, table.columns))
    return Listing(f"{table.title}: as printed", (*heads, "GPU memory", "GPU hours", "here"), tuple(rows))


def outcomes(table: "PaperTable", lines: "list[Line]") -> "Listing":
    """What came out / what is printed, the differences, and the interval of the last score."""
    from icvos.tasks.listing import Listing

    rows = []
    for line in lines:
        if line.outcome is None:
            continue
        printed, found = table.printed(line.row), line.outcome.figures
        apart = line.outcome.differences(table, line.row)
        cells = []
        for key in table.columns:
            own = figure(key, found.get(key)) or "not run here"
            cells += [
                f"{own} / {figure(key, printed[key])}" if key in printed else own,
                _figure(apart.get(key), "{:+.2f}"),
            ]
        interval = line.outcome.interval
        rows.append((line.row.name, *cells, f"{interval[0]:.2f} to {interval[1]:.2f}" if interval else ""))
    heads = [text for key in table.columns for text in (heading(key), "+-")]
    return Listing("made here / printed", ("row", *heads, "95 % interval"), tuple(rows))


def heading(key: str) -> str:
    """What a column is called."""
    return UNITS.get(key) or key.replace("_", " ")


def figure(key: str, value: float | None) -> str:
    """A figure as its column shows it; "" for none."""
    return _figure(value, "{:.3f}" if key in ("parameters", "gmacs") else "{:.2f}")


def _figure(value: float | None, form: str) -> str:
    return "" if value is None else form.format(value)
