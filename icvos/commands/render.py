"""`icvos render`: pictures of masks."""

import io
from functools import partial
from pathlib import Path
from typing import Any

import click

from icvos.commands.options import FOLDER, source_options

SHEET_FRAMES = 8


@click.command()
@click.argument("benchmark", type=FOLDER, required=False)
@source_options
@click.option("--predictions", type=FOLDER, default=None, help="A prediction folder, to be shown beside the truth.")
@click.option("--errors", is_flag=True, help="Colour predictions by what they hit, miss and add.")
@click.option(
    "--clip",
    "chosen",
    multiple=True,
    help="A clip <video>/<class>, a source video, or an episode <fold>/<number>; repeatable.  [default: all]",
)
@click.option("--out", type=FOLDER, required=True, help="A folder for one file per clip, video or fold.")
@click.option(
    "--kind",
    type=click.Choice(["gif", "webp", "mp4", "sheet"]),
    default=None,
    help="[default: gif, of images sheet]",
)
@click.option("--every", default=1, show_default=True, help="Every so many frames.")
@click.option("--height", default=240, show_default=True, help="Height of a panel in pixels.")
def render(
    benchmark: Path | None, predictions: Path | None, chosen: tuple[str, ...], out: Path, kind: str | None, **given: Any
) -> None:
    """Render mask overlays of a benchmark's clips, or of source videos, as animations or contact sheets.

    With --predictions, predictions are shown beside the truth. A clip's first support is shown at its left. Of a
    benchmark of images, some episodes of each fold as a contact sheet.
    """
    from curation.sources.datasets import read_datasets
    from icvos.commands.images import episode_rows
    from icvos.commands.progress import bar
    from icvos.errors import IcvosError
    from icvos.tasks.image.benchmark import is_image_benchmark
    from icvos.tasks.video.benchmark import Benchmark

    errors, every, height = given.pop("errors"), given.pop("every"), given.pop("height")
    streams: dict[str, Any]
    images = benchmark is not None and is_image_benchmark(benchmark)
    kind = kind or ("sheet" if images else "gif")
    if benchmark and images:
        if kind != "sheet" or every != 1:
            raise IcvosError(f"{benchmark}: episodes are pictures; render them with --kind sheet, without --every")
        streams = episode_rows(benchmark, predictions, chosen, errors, height)
    elif benchmark:
        count = SHEET_FRAMES if kind == "sheet" else None
        drawing = {"every": every, "count": count, "errors": errors, "height_px": height}
        streams = _clip_streams(Benchmark.open(benchmark), predictions, chosen, drawing)
    else:
        streams = _source_streams(read_datasets(**given), chosen, every, height)
    if not streams:
        raise IcvosError("nothing to render: give a benchmark, or source data sets by --davis, --mose, --lvos")
    with bar("render", len(streams)) as update:
        for name, stream in streams.items():
            _write_images(out / name, stream, kind, height, rows=images)
            update(advance=1)
    click.echo(f"{out}: {len(streams)} files")


def _clip_streams(
    benchmark: Any, folder: Path | None, chosen: tuple[str, ...], drawing: dict[str, Any]
) -> dict[str, Any]:
    """File name -> stream of images, for every chosen clip."""
    from icvos.tasks.runs import draw_folders
    from icvos.tasks.video.predictions import Predictions
    from icvos.tasks.video.sheet import render_clip

    predictions = Predictions.open(draw_folders(folder)[0]) if folder else None
    streams = {}
    for clip in [benchmark.clip(name) for name in chosen] or benchmark.clips:
        supports = benchmark.supports(clip, 0, 1) if benchmark.draws else ()
        masks = partial(predictions.mask, clip) if predictions else None
        images = render_clip(clip, masks, supports, **drawing)
        streams[f"{clip.video.name}-{clip.category.name.replace(' ', '-')}"] = images
    return streams


def _source_streams(datasets: Any, chosen: tuple[str, ...], every: int, height: int) -> dict[str, Any]:
    """File name -> stream of images, for every chosen video of the source data sets."""
    from icvos.errors import IcvosError

    videos = [video for dataset in datasets for video in dataset.videos]
    unknown = set(chosen) - {video.name for video in videos}
    if unknown:
        raise IcvosError(
            f"no source video {', '.join(sorted(unknown))}; there are {len(videos)}, like {videos[0].name}"
        )
    return {
        f"{video.source}_{video.name}": _source_images(video, every, height)
        for video in videos
        if not chosen or video.name in chosen
    }


def _source_images(video: Any, every: int, height: int) -> Any:
    """The frames of one source video with the objects of its annotation."""
    from icvos.drawing.overlays import render_frames
    from icvos.files.images import read_image

    for position, (path, ids) in enumerate(zip(video.frames, video.iter_ids(), strict=True)):
        if position % every == 0:
            found = {path.stem: ids}
            yield from render_frames([(path.stem, read_image(path))], truth=found.__getitem__, height_px=height)


def _write_images(path: Path, images: Any, kind: str, height: int, rows: bool) -> None:
    """One animation or contact sheet of a stream of images, which are whole rows of a sheet, or some frames for it."""
    from icvos.drawing.animation import write_animation

    if kind != "sheet":
        write_animation(path.with_name(f"{path.name}.{kind}"), images)
        return
    from PIL import Image

    from icvos.drawing.panels import contact_sheet, stacked
    from icvos.files.storage import write_bytes

    if rows:
        sheet = stacked(list(images), gap_px=10)
    else:
        sheet = contact_sheet(images, columns=2, width_px=8 * height, count=SHEET_FRAMES)
    buffer = io.BytesIO()
    Image.fromarray(sheet).save(buffer, format="PNG")
    write_bytes(path.with_name(f"{path.name}.png"), buffer.getvalue())
