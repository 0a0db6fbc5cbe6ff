"""`icvos render`: pictures of masks."""

from pathlib import Path
from typing import Any

import click

from icvos.commands.options import FOLDER, examples, read_selection, selection_options, source_options
from icvos.commands.printing import say
from icvos.commands.progress import watched


@click.command(
    epilog=examples(
        "icvos render IC-VOS --predictions runs/lite --errors --kind mp4 --out overlays",
        "icvos render coco-20i --predictions runs/vrp --clips 0/12,0/13 --out sheets",
        "icvos render --davis DAVIS --videos dogs-jump --kind sheet --out sheets",
    )
)
@click.argument("benchmark", type=FOLDER, required=False)
@source_options
@click.option("--predictions", type=FOLDER, default=None, help="Predictions to show beside the truth.")
@click.option("--errors", is_flag=True, help="Colour the predictions' hits, misses and false alarms.")
@selection_options
@click.option("--out", type=FOLDER, required=True, help="The folder for one file per clip, video or fold.")
@click.option(
    "--kind",
    type=click.Choice(["gif", "webp", "mp4", "sheet"]),
    default=None,
    help="Animation, video or contact sheet.  [default: gif; on images sheet]",
)
@click.option("--every", type=click.IntRange(min=1), default=1, show_default=True, help="Draw every Nth frame.")
@click.option(
    "--height",
    "height_px",
    type=click.IntRange(min=32),
    default=240,
    show_default=True,
    help="Height of a panel, in pixels.",
)
def render(benchmark: Path | None, predictions: Path | None, out: Path, **given: Any) -> None:
    """Draw masks over the frames of a benchmark or of source videos.

    The first support of a clip is shown at its left, and predictions beside the truth. For a benchmark of images, a
    contact sheet shows some episodes of each fold.
    """
    from dataclasses import replace

    from icvos.errors import IcvosError
    from icvos.tasks.calls import render as run
    from icvos.tasks.calls import write_sheets
    from icvos.tasks.result import Selection
    from icvos.tasks.task import Drawing

    sources = [f"--{name}" for name in ("davis", "mose", "lvos") if given[name]]
    if benchmark and sources:
        raise IcvosError(f"{' and '.join(sources)} beside the benchmark {benchmark}; give one or the other")
    if given["errors"] and not predictions:
        raise IcvosError("--errors compares predictions with the truth; give --predictions too")
    drawing = Drawing(**{key: given.pop(key) for key in ("kind", "every", "errors", "height_px")})
    selection = read_selection(given) or Selection()
    with watched() as watch:
        if benchmark:
            written = run(benchmark, out, predictions=predictions, selection=selection, drawing=drawing, watch=watch)
        else:
            from curation.sources.sheet import source_sheets

            chosen = replace(selection, videos=(*selection.videos, *selection.clips), clips=())
            written = write_sheets(source_sheets(chosen, drawing, watch=watch, **given), out, drawing.height_px, watch)
    say(f"{out}: {len(written)} files")
