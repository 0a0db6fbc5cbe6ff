"""`icvos codabench`: a competition on a benchmark, for Codabench."""

from pathlib import Path
from typing import Any

import click

from icvos.commands.options import BENCHMARK, FOLDER, PROTOCOL, examples
from icvos.commands.printing import say
from icvos.commands.progress import watched


@click.command(
    epilog=examples(
        "icvos codabench --benchmark IC-VOS --download --out bundle.zip",
        "icvos codabench --benchmark IC-VOS --wheels wheels --python 3.12 --start 2027-03-01 --out bundle.zip",
        "icvos codabench --benchmark coco-20i --image ours/icvos:0.1.0 --title 'Few shots' --out bundle.zip",
    )
)
@BENCHMARK
@PROTOCOL
@click.option("--title", metavar="TEXT", default="", help="The competition's title.  [default: the benchmark's name]")
@click.option("--start", metavar="DATE", default="", help="When submissions begin, in UTC.  [default: today]")
@click.option("--end", metavar="DATE", default="", help="When they end, in UTC.  [default: never]")
@click.option(
    "--download", is_flag=True, help="Fetch the wheels that the scoring program brings with pip, about 160 MB."
)
@click.option("--wheels", type=FOLDER, default=None, help="Take them from this folder.")
@click.option(
    "--python",
    metavar="X.Y",
    default=None,
    help="The Python that the wheels are for.  [default: the one that runs now]",
)
@click.option(
    "--image",
    metavar="NAME",
    default="",
    help="The docker image; without wheels, one that has icvos.  [default: python:X.Y-slim]",
)
@click.option(
    "--time-limit",
    "seconds",
    metavar="SECONDS",
    type=click.IntRange(min=60),
    default=3600,
    show_default=True,
    help="What scoring a submission may take.",
)
@click.option("--out", type=FOLDER, required=True, help="The zip file to upload.")
def codabench(benchmark: Path, protocol: str, python: str | None, out: Path, **given: Any) -> None:
    """Write a competition on a benchmark as the bundle that Codabench takes.

    It holds the settings, the pages, the true masks (not the pictures) and a program that scores submissions as icvos
    score does, in a plain Python container without a network. Everything but the program can be changed in Codabench's
    editor.
    """
    from leaderboard.codabench.bundle import HERE
    from leaderboard.codabench.bundle import codabench as run

    with watched() as watch:
        path = run(benchmark, out, protocol_name=protocol, python=python or HERE, watch=watch, **given)
    say(f"{path}  {path.stat().st_size / 2**20:.1f} MiB; on Codabench, upload it under Benchmarks, Management")
