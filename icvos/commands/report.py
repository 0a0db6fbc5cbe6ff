"""`icvos report`: what stands behind a figure."""

from pathlib import Path
from typing import Any

import click

from icvos.commands.options import FOLDER, PAPER, examples, json_option, read_selection, selection_options
from icvos.commands.printing import is_stdout, put_json, require_places, say, show_report
from icvos.commands.progress import watched

PROTOCOL = click.option(
    "--protocol",
    metavar="ID",
    default=None,
    help=f"Which scores of a run folder to use.  [default: {PAPER}, or the only ones there]",
)


@click.command(
    epilog=examples(
        "icvos report runs/lite --ceiling runs/oracle",
        "icvos report runs/lite --categories dog,cat",
        "icvos report runs/lite --benchmark IC-VOS --sheet worst.png --most 12",
    )
)
@click.argument("scores", type=FOLDER)
@click.option(
    "--ceiling", type=FOLDER, default=None, help="The scores file or run folder of the oracle, as an upper bound."
)
@PROTOCOL
@selection_options
@click.option(
    "--most",
    type=click.IntRange(min=0),
    default=8,
    show_default=True,
    help="On videos: how many clips to list, the worst first.",
)
@click.option(
    "--sheet",
    type=FOLDER,
    default=None,
    help="On videos: also draw these clips, as a PNG of this name; needs --benchmark, and the predictions beside the "
    "scores.",
)
@click.option("--benchmark", type=FOLDER, default=None, help="The benchmark that was scored on, for --sheet.")
@json_option("Also write the analysis to this file")
def report(scores: Path, json_path: Path | None, **given: Any) -> None:
    """Show where a run does well and where it fails.

    SCORES is a scores file or a run folder. Figures are split by the length of the video, by the size and number of the
    objects, by absence and return, and into the first frame (the prompt's error) and the frames after it (the
    propagation's error); the worst clips are listed. On images, they are listed for every fold and class.

    On the --sheet each of these clips has a row, of the draw in which it is worst: a support, the first frame, the
    frame of the lowest J, and others, with hits, misses and false alarms in colours and the true outline in white.
    """
    from icvos.errors import IcvosError
    from leaderboard.reports import report as run

    require_places(json_path, given["sheet"])
    with watched() as watch:
        found = run(scores, selection=read_selection(given), watch=watch, **given)
    if json_path and found.content is None:
        raise IcvosError(f"{scores}: its scores file holds all that the report shows; leave out --json")
    if json_path and found.content is not None:
        put_json(json_path, found.content.to_json())
    if not is_stdout(json_path):
        show_report(found)
        if given["sheet"]:
            say(str(given["sheet"]))
