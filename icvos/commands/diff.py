"""`icvos diff`: what lies between two figures."""

from pathlib import Path

import click

from icvos.commands.options import FOLDER, PAPER, examples, json_option
from icvos.commands.printing import is_stdout, put_json, require_places, show_report


@click.command(
    epilog=examples("icvos diff runs/mine runs/lite", "icvos diff runs/mine runs/lite --most 30 --json d.json")
)
@click.argument("a", type=FOLDER)
@click.argument("b", type=FOLDER)
@click.option(
    "--protocol",
    metavar="ID",
    default=None,
    help=f"Which scores of a run folder to use.  [default: {PAPER}, or the only ones there]",
)
@click.option(
    "--most",
    type=click.IntRange(min=0),
    default=10,
    show_default=True,
    help="How many clips to list, those that differ most.",
)
@json_option("Also write the whole comparison to this file")
def diff(a: Path, b: Path, protocol: str | None, most: int, json_path: Path | None) -> None:
    """Compare two runs clip by clip and say how certain the difference is.

    A and B are scores files or run folders with the same protocol and the same build of the benchmark.
    """
    from leaderboard.reports import compare, named

    require_places(json_path)
    sides = named(a, protocol), named(b, protocol)
    found = compare(*sides, most=most)
    if json_path and found.content is not None:
        put_json(json_path, found.content.to_json())
        if is_stdout(json_path):
            return
    show_report(found, [f"{letter}: {side.name}, {side.where}" for letter, side in zip("AB", sides, strict=True)])
