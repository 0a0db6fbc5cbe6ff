"""`icvos convert`: a run as files of other programs."""

from pathlib import Path
from typing import Any

import click

from icvos.commands.options import BENCHMARK, FOLDER, examples, read_selection, selection_options
from icvos.commands.printing import say
from icvos.commands.progress import watched


@click.command(
    epilog=examples(
        "icvos convert runs/lite --benchmark IC-VOS --out as-coco",
        "icvos convert my-predictions.zip --benchmark IC-VOS --format youtube-vis --out as-youtube-vis",
    )
)
@click.argument("predictions", type=FOLDER)
@BENCHMARK
@click.option(
    "--format",
    "form",
    type=click.Choice(("coco", "youtube-vis")),
    default="coco",
    show_default=True,
    help="coco: every frame is a picture by itself, for pycocotools and FiftyOne; youtube-vis: every clip is a track.",
)
@selection_options
@click.option("--out", type=FOLDER, required=True, help="The folder of the files.")
def convert(predictions: Path, benchmark: Path, form: Any, out: Path, **given: Any) -> None:
    """Write predictions and the true masks as COCO or YouTube-VIS files.

    PREDICTIONS is a run, a folder of predictions or a zip file of either. The folder gets annotations.json, the true
    masks, and a file of results for each draw or fold. pycocotools, TrackEval and FiftyOne open them.
    """
    from icvos.tasks.convert import convert as run

    with watched() as watch:
        written = run(predictions, benchmark, out, form, selection=read_selection(given), watch=watch)
    for path in written:
        say(f"{path}  {path.stat().st_size / 2**20:.1f} MiB")
