"""`icvos score`, `icvos submit`, `icvos leaderboard` and `icvos render`: what came out."""

import io
from functools import partial
from pathlib import Path
from typing import Any

import click

from icvos.commands.evaluate import PAPER, print_scores, scores_name
from icvos.commands.source import FOLDER, read_sources, source_options

SHEET_FRAMES = 8


@click.command()
@click.argument("predictions", type=FOLDER)
@click.option("--benchmark", type=FOLDER, required=True, help="The benchmark that was predicted.")
@click.option("--protocol", "name", default=PAPER, show_default=True)
@click.option("--out", type=FOLDER, default=None, help="The scores file.  [default: scores.json in PREDICTIONS]")
@click.option("--frames-csv", type=FOLDER, default=None, help="Also a row per frame: video,class,frame,J,F.")
@click.option("--videos", default="", help="Only these videos, comma-separated.")
@click.option("--categories", default="", help="Only these categories, comma-separated names or class numbers.")
@click.option("--workers", default=1, show_default=True, help="Processes; the result is the same for any number.")
def score(
    predictions: Path, benchmark: Path, name: str, out: Path | None, frames_csv: Path | None, **given: str
) -> None:
    """Score a run, or a folder of predictions (<video>/<class>/<frame>.png)."""
    from icvos.benchmark import Benchmark
    from icvos.commands.evaluate import names
    from icvos.progress import bar
    from icvos.protocol import protocol
    from icvos.score import score as run_score
    from icvos.score import write_frames_csv
    from icvos.storage import write_json

    opened, chosen = Benchmark.open(benchmark), protocol(name)
    clips = opened.select(names(given["videos"]), names(given["categories"]))
    with bar("score", len(clips)) as update:
        scores = run_score(
            opened,
            predictions,
            chosen,
            clips=clips,
            workers=int(given["workers"]),
            progress=lambda clip: update(advance=1),
        )
    path = out or predictions / scores_name(chosen.id)
    found = scores.to_json()
    write_json(path, found)
    if frames_csv:
        write_frames_csv(frames_csv, scores)
    print_scores(found, path)


@click.command()
@click.argument("predictions", type=FOLDER)
@click.option("--benchmark", type=FOLDER, required=True, help="The benchmark that was predicted.")
@click.option("--name", required=True, help="The method's name on the leaderboard.")
@click.option("--revision", default="1", show_default=True, help="New figures of a method are a new revision.")
@click.option("--protocol", "protocols", multiple=True, default=(PAPER,), show_default=True, help="Repeatable.")
@click.option("--board", type=FOLDER, required=True, help="The leaderboard's folder of results.")
@click.option("--workers", default=1, show_default=True, help="Processes for scoring.")
def submit(
    predictions: Path, benchmark: Path, protocols: tuple[str, ...], board: Path, workers: int, **given: str
) -> None:
    """Check a folder of predictions whole, score it, and put the result on a leaderboard."""
    from icvos.benchmark import Benchmark
    from icvos.progress import bar
    from icvos.protocol import protocol
    from leaderboard.submission import SubmissionError
    from leaderboard.submission import submit as run_submit

    opened = Benchmark.open(benchmark)
    for key in protocols:
        with bar(f"score {key}", len(opened.clips)) as update:
            try:
                report = run_submit(
                    opened,
                    predictions,
                    protocol(key),
                    board=board,
                    name=given["name"],
                    revision=given["revision"],
                    workers=workers,
                    progress=lambda clip: update(advance=1),
                )
            except SubmissionError as error:
                for fault in error.faults:
                    click.echo(f"{fault.severity}: {fault}", err=True)
                raise
        for fault in report.warnings:
            click.echo(f"warning: {fault}", err=True)
        print_scores(report.scores, report.path)


@click.command()
@click.argument("results", type=FOLDER, nargs=-1, required=True)
@click.option(
    "--out", type=FOLDER, default=None, help="Write leaderboard.md, .csv, .tex and index.html into this folder."
)
@click.option("--picture", "pictures", type=FOLDER, multiple=True, help="A picture for the page; repeatable.")
def leaderboard(results: tuple[Path, ...], out: Path | None, pictures: tuple[Path, ...]) -> None:
    """Rank results: run folders, scores files, or a leaderboard's folder."""
    from rich.console import Console

    from icvos.storage import write_text
    from leaderboard.formats import terminal
    from leaderboard.site import build_site
    from leaderboard.store import collect
    from leaderboard.tables import build_tables
    from leaderboard.tables import render as render_tables

    tables = build_tables(collect(results))
    Console().print(terminal(tables))
    if out:
        page = build_site(tables, out, pictures=[(picture, picture.stem) for picture in pictures])
        for suffix, kind in (("md", "markdown"), ("csv", "csv"), ("tex", "latex")):
            write_text(out / f"leaderboard.{suffix}", render_tables(tables, kind))
        click.echo(f"{page}")


@click.command()
@click.argument("benchmark", type=FOLDER, required=False)
@source_options
@click.option("--predictions", type=FOLDER, default=None, help="A prediction folder, to be shown beside the truth.")
@click.option("--errors", is_flag=True, help="Colour predictions by what they hit, miss and add.")
@click.option(
    "--clip", "chosen", multiple=True, help="A clip <video>/<class>, or a source video; repeatable.  [default: all]"
)
@click.option("--out", type=FOLDER, required=True, help="A folder for one file per clip or video.")
@click.option("--kind", type=click.Choice(["gif", "webp", "mp4", "sheet"]), default="gif", show_default=True)
@click.option("--every", default=1, show_default=True, help="Every so many frames.")
@click.option("--height", default=240, show_default=True, help="Height of a panel in pixels.")
def render(
    benchmark: Path | None, predictions: Path | None, chosen: tuple[str, ...], out: Path, kind: str, **given: Any
) -> None:
    """Render mask overlays of a benchmark's clips, or of source videos, as animations or contact sheets.

    With --predictions, predictions are shown beside the truth. A clip's first support is shown at its left.
    """
    from icvos.benchmark import Benchmark
    from icvos.errors import IcvosError
    from icvos.progress import bar

    errors, every, height = given.pop("errors"), given.pop("every"), given.pop("height")
    streams: dict[str, Any]
    if benchmark:
        count = SHEET_FRAMES if kind == "sheet" else None
        drawing = {"every": every, "count": count, "errors": errors, "height_px": height}
        streams = _clip_streams(Benchmark.open(benchmark), predictions, chosen, drawing)
    else:
        streams = _source_streams(read_sources(given), chosen, every, height)
    if not streams:
        raise IcvosError("nothing to render: give a benchmark, or source data sets by --davis, --mose, --lvos")
    with bar("render", len(streams)) as update:
        for name, images in streams.items():
            _write_images(out / name, images, kind, height)
            update(advance=1)
    click.echo(f"{out}: {len(streams)} files")


def _clip_streams(
    benchmark: Any, folder: Path | None, chosen: tuple[str, ...], drawing: dict[str, Any]
) -> dict[str, Any]:
    """File name -> stream of images, for every chosen clip."""
    from icvos.predictions import Predictions, draw_folders
    from icvos.render import render_clip

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
    from icvos.masks import read_image
    from icvos.render import render_frames

    for position, (path, ids) in enumerate(zip(video.frames, video.iter_ids(), strict=True)):
        if position % every == 0:
            found = {path.stem: ids}
            yield from render_frames([(path.stem, read_image(path))], truth=found.__getitem__, height_px=height)


def _write_images(path: Path, images: Any, kind: str, height: int) -> None:
    """One animation or contact sheet of a stream of images."""
    from icvos.animation import write_animation

    if kind != "sheet":
        write_animation(path.with_name(f"{path.name}.{kind}"), images)
        return
    from PIL import Image

    from icvos.panels import contact_sheet
    from icvos.storage import write_bytes

    sheet = contact_sheet(images, columns=2, width_px=8 * height, count=SHEET_FRAMES)
    buffer = io.BytesIO()
    Image.fromarray(sheet).save(buffer, format="PNG")
    write_bytes(path.with_name(f"{path.name}.png"), buffer.getvalue())
