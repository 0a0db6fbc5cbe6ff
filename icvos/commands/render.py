"""`icvos render`: pictures of masks."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from icvos.commands.options import (
    FOLDER,
    SETTINGS,
    examples,
    given_sources,
    read_selection,
    read_settings,
    selection_options,
    source_options,
)
from icvos.commands.printing import say
from icvos.commands.progress import watched
from icvos.errors import AGAIN, plural

if TYPE_CHECKING:
    from icvos.tasks.result import Selection
    from icvos.tasks.task import Drawing, Watch

STOPPED = f"{{done}} files are written; {AGAIN}"


@click.command(
    epilog=examples(
        "icvos render IC-VOS --predictions runs/lite --errors --kind mp4 --out overlays",
        "icvos render coco-20i --predictions runs/vrp --clips 0/12,0/13 --out sheets",
        "icvos render --video walk.mp4 --predictions masks --out overlays",
        "icvos render --davis DAVIS --videos dogs-jump --kind sheet --out sheets",
        "icvos render IC-VOS --predictions runs/dcsam --explain davis_dogs-jump/17 --out explained",
    )
)
@click.argument("benchmark", type=FOLDER, required=False)
@source_options
@click.option(
    "--video", type=FOLDER, default=None, help="A video of your own, as given to icvos predict; with --predictions."
)
@click.option(
    "--predictions", type=FOLDER, default=None, help="Predictions to show beside the truth, or on the --video."
)
@click.option(
    "--explain",
    metavar="CLIP",
    default=None,
    help="Draw how the run given by --predictions came to its mask of this clip (its first frame) or episode.",
)
@SETTINGS
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
    type=click.IntRange(32, 4096),
    default=240,
    show_default=True,
    help="Height of a panel, in pixels.",
)
def render(
    benchmark: Path | None,
    video: Path | None,
    predictions: Path | None,
    out: Path,
    explain: str | None,
    pairs: tuple[str, ...],
    **given: Any,
) -> None:
    """Draw masks over the frames of a benchmark, of source videos, or of a video of your own.

    The first support of a clip is shown at its left, and predictions beside the truth. For a benchmark of images, a
    contact sheet shows some episodes of each fold.

    With --explain, one picture shows the steps of a method on its way to a mask: dcsam has them. It runs again with the
    settings of the run; give --set for files that were moved since, or another device.
    """
    from dataclasses import replace

    from icvos.errors import IcvosError
    from icvos.own_exports import CLASSES
    from icvos.own_masks import is_made
    from icvos.tasks.calls import render as run
    from icvos.tasks.calls import write_sheets
    from icvos.tasks.result import Selection
    from icvos.tasks.task import Drawing

    sources = " and ".join(f"--{name}" for name in given_sources(given))
    named = sources, f"the benchmark {benchmark}" if benchmark else "", "--video" if video else ""
    found = [*filter(None, named)]
    if benchmark and (is_made(benchmark) or (benchmark / CLASSES).is_file()):
        like = f"icvos render --video VIDEO --predictions {benchmark} --out {out}"
        raise IcvosError(f"{benchmark}: masks that icvos predict made, not a benchmark; draw them with: {like}")
    if len(found) > 1:
        raise IcvosError(f"{' beside '.join(found)}; give one or the other")
    if predictions and not (benchmark or video):
        raise IcvosError("--predictions of what? give the benchmark, or the --video, that they were made for")
    if given["errors"] and not predictions:
        raise IcvosError("--errors compares predictions with the truth; give --predictions too")
    drawing = Drawing(**{key: given.pop(key) for key in ("kind", "every", "errors", "height_px")})
    selection = read_selection(given) or Selection()
    if explain or pairs:
        say(f"{_explained(explain, benchmark, predictions, out, pairs, selection, drawing)}: 1 file")
        return
    with watched(STOPPED) as watch:
        if video:
            written = _own(video, predictions, out, selection, drawing, watch)
        elif benchmark:
            written = run(benchmark, out, predictions=predictions, selection=selection, drawing=drawing, watch=watch)
        else:
            from curation.sources.sheet import source_sheets

            chosen = replace(selection, videos=(*selection.videos, *selection.clips), clips=())
            written = write_sheets(source_sheets(chosen, drawing, watch=watch, **given), out, drawing, watch)
    say(f"{out}: {plural(len(written), 'file')}")


def _explained(
    clip: str | None,
    benchmark: Path | None,
    predictions: Path | None,
    out: Path,
    pairs: tuple[str, ...],
    selection: "Selection",
    drawing: "Drawing",
) -> Path:
    from icvos.errors import IcvosError
    from icvos.tasks.calls import explain

    if clip is None:
        raise IcvosError("--set is for the method of --explain; give that too, or leave it out")
    if not (benchmark and predictions):
        raise IcvosError("--explain is for a run on a benchmark; give the benchmark, and the run by --predictions")
    if selection or drawing.errors or drawing.every != 1 or drawing.kind not in (None, "sheet"):
        raise IcvosError(
            "--explain draws one picture of one clip; leave out --clips and the like, --errors, --every, --kind"
        )
    with watched() as watch:
        watch.stage("explain")
        return explain(clip, benchmark, predictions, out, settings=read_settings(pairs), drawing=drawing)


def _own(
    video: Path, predictions: Path | None, out: Path, selection: "Selection", drawing: "Drawing", watch: "Watch"
) -> tuple[Path, ...]:
    from icvos.errors import IcvosError
    from icvos.own_video import own_sheets
    from icvos.tasks.calls import write_sheets

    if not predictions:
        raise IcvosError(f"--video {video}: give its masks too, by --predictions; icvos predict makes them")
    if drawing.errors or selection:
        option = "--errors" if drawing.errors else "--videos, --categories and --clips"
        raise IcvosError(f"{option}: a video of your own has no truth and no clips; leave it out")
    return write_sheets(own_sheets(video, predictions, drawing), out, drawing, watch)
