"""`icvos worker`: a process that scores for `icvos serve`."""

from pathlib import Path
from typing import Any

import click

from icvos.commands.options import FOLDER, examples


@click.command(epilog=examples("icvos worker --data server", "icvos worker --data /shared/server --benchmark IC-VOS"))
@click.option("--data", type=FOLDER, required=True, help="The data folder of the server.")
@click.option("--benchmark", type=FOLDER, help="The benchmark on this machine.  [default: where the server has it]")
@click.option("--database", metavar="URL", default="", help="The database from this machine.  [default: the server's]")
@click.option("--with-parent", is_flag=True, hidden=True, help="End when standard input ends.")
def worker(data: Path, **given: Any) -> None:
    """Score what is sent to a server, one submission at a time, until Ctrl-C.

    icvos serve starts workers itself; more of them may run on other machines that share its data folder, with a
    PostgreSQL database. Killed at any moment, a worker loses nothing: another begins its submission anew.
    """
    from leaderboard.server.extra import load

    load("run").work(data, **given)
