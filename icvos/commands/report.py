"""`icvos report`: what stands behind a figure."""

from pathlib import Path
from typing import Any

import click

from icvos.commands.options import FOLDER, PAPER, examples, json_option, read_selection, selection_options
from icvos.commands.printing import is_stdout, put_json, require_places, show_report

PROTOCOL = click.option(
    "--protocol",
    metavar="ID",
    default=None,
    help=f"Which scores of a run folder to use.  [default: {PAPER}, or the only ones there]",
)


@click.command(
    epilog=examples("icvos report runs/lite --ceiling runs/oracle", "icvos report runs/lite --categories dog,cat")
)
@click.argument("scores", type=FOLDER)
@click.option(
    "--ceiling", type=FOLDER, default=None, help="The scores file or run folder of the oracle, as an upper bound."
)
@PROTOCOL
@selection_options
@json_option("Also write the analysis to this file")
def report(scores: Path, ceiling: Path | None, protocol: str | None, json_path: Path | None, **given: Any) -> None:
    """Show where a run does well and where it fails.

    SCORES is a scores file or a run folder. Figures are split by the length of the video, by the size and number of the
    objects, by absence and return, and into the first frame (the prompt's error) and the frames after it (the
    propagation's error). On images, they are listed for every fold and class.
    """
    from icvos.errors import IcvosError
    from leaderboard.reports import report as run

    require_places(json_path)
    found = run(scores, ceiling=ceiling, protocol=protocol, selection=read_selection(given))
    if json_path and found.content is None:
        raise IcvosError(f"{scores}: its scores file holds all that the report shows; leave out --json")
    if json_path and found.content is not None:
        put_json(json_path, found.content.to_json())
    if not is_stdout(json_path):
        show_report(found)
