"""`icvos report`: what stands behind a figure."""

from pathlib import Path
from typing import Any

import click

from icvos.commands.options import FOLDER, PAPER, examples, json_option, read_selection, selection_options
from icvos.commands.printing import put_json, show_report

PROTOCOL = click.option(
    "--protocol",
    default=None,
    help=f"Which scores of a run folder to take.  [default: {PAPER}, or the only ones there]",
)


@click.command(
    epilog=examples("icvos report runs/lite --ceiling runs/oracle", "icvos report runs/lite --categories dog,cat")
)
@click.argument("scores", type=FOLDER)
@click.option("--ceiling", type=FOLDER, default=None, help="The oracle's scores file or run folder.")
@PROTOCOL
@selection_options
@json_option("Also write the analysis into this file")
def report(scores: Path, ceiling: Path | None, protocol: str | None, json_path: Path | None, **given: Any) -> None:
    """Show where a run is good and where it fails.

    SCORES is a scores file or a run folder. By length, size and number of the objects, while the category is absent
    and when it is back, and in the first frame (the prompt) against the frames after it (the propagation). On images,
    every fold and class.
    """
    from icvos.errors import IcvosError
    from leaderboard.reports import report as run

    found = run(scores, ceiling=ceiling, protocol=protocol, selection=read_selection(given))
    if json_path and found.content is None:
        raise IcvosError(f"{scores}: its scores file holds all that the report shows; leave out --json")
    if json_path and found.content is not None:
        put_json(json_path, found.content.to_json())
    show_report(found)
