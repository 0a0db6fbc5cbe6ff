"""`icvos render`: pictures of masks."""

from pathlib import Path
from typing import Any

import click

from icvos.commands.options import FOLDER, examples, read_selection, selection_options, source_options
from icvos.commands.progress import watched


@click.command(
    epilog=examples(
        "icvos render IC-VOS --predictions runs/lite --errors --kind mp4 --out overlays",
        "icvos render --davis DAVIS --videos dogs-jump --kind sheet --out sheets",
    )
)
@click.argument("benchmark", type=FOLDER, required=False)
@source_options
@click.option("--predictions", type=FOLDER, default=None, help="Predictions, to be shown beside the truth.")
@click.option("--errors", is_flag=True, help="Colour predictions by what they hit, miss and add.")
@selection_options
@click.option("--out", type=FOLDER, required=True, help="A folder for one file per clip, video or fold.")
@click.option(
    "--kind",
    type=click.Choice(["gif", "webp", "mp4", "sheet"]),
    default=None,
    help="[default: gif, of images sheet]",
)
@click.option("--every", type=click.IntRange(min=1), default=1, show_default=True, help="Every so many frames.")
@click.option("--height", "height_px", default=240, show_default=True, help="Height of a panel in pixels.")
def render(benchmark: Path | None, predictions: Path | None, out: Path, **given: Any) -> None:
    """Render masks over the frames of a benchmark's clips, or of source videos.

    With --predictions, predictions are shown beside the truth. A clip's first support is shown at its left. Of a
    benchmark of images, some episodes of each fold as a contact sheet.
    """
    from dataclasses import replace

    from icvos.tasks.calls import render as run
    from icvos.tasks.calls import write_sheets
    from icvos.tasks.result import Selection
    from icvos.tasks.task import Drawing

    drawing = Drawing(**{key: given.pop(key) for key in ("kind", "every", "errors", "height_px")})
    selection = read_selection(given) or Selection()
    with watched() as watch:
        if benchmark:
            written = run(benchmark, out, predictions=predictions, selection=selection, drawing=drawing, watch=watch)
        else:
            from curation.sources.sheet import source_sheets

            chosen = replace(selection, videos=(*selection.videos, *selection.clips), clips=())
            written = write_sheets(source_sheets(chosen, drawing, watch=watch, **given), out, drawing.height_px, watch)
    click.echo(f"{out}: {len(written)} files")
