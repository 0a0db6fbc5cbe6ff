"""`icvos score`, `icvos validate`, `icvos submit`, `icvos leaderboard` and `icvos render`: what came out."""

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
@click.argument("truth", metavar="[GT]", type=FOLDER, required=False)
@click.option("--benchmark", type=FOLDER, default=None, help="The benchmark that was predicted, in place of GT.")
@click.option("--protocol", "name", default=None, help=f"With --benchmark.  [default: {PAPER}]")
@click.option("--skip-ends", is_flag=True, help="With GT: leave out each video's first and last frame, as DAVIS does.")
@click.option(
    "--objects",
    type=click.Choice(["all", "first-frame", "binary"]),
    default=None,
    help="With GT: every id of the truth (vos-benchmark), those of its first frame (DAVIS 2017), or one object of all "
    "that is not 0 (DAVIS 2016).  [default: all]",
)
@click.option(
    "--out", "--json", type=FOLDER, default=None, help="The scores file.  [default with --benchmark: in PREDICTIONS]"
)
@click.option(
    "--frames-csv", type=FOLDER, default=None, help="Also a row per frame: video, class or object, frame, J, F."
)
@click.option("--videos", default="", help="Only these videos, comma-separated, or a file with one per line.")
@click.option("--categories", default="", help="Only these categories, comma-separated names or class numbers.")
@click.option("--workers", default=1, show_default=True, help="Processes; the result is the same for any number.")
def score(predictions: Path, truth: Path | None, benchmark: Path | None, **given: Any) -> None:
    """Score predictions against a benchmark, or a folder of masks against another, GT.

    With --benchmark: a run, a folder of predictions (<video>/<class>/<frame>.png), or a zip file of either. With GT:
    <video>/<frame>.png or the frames of one video, multi-object (ids) or binary.
    """
    from icvos.errors import IcvosError

    if (truth is None) == (benchmark is None):
        raise IcvosError("give exactly one of GT, a folder of true masks, and --benchmark")
    foreign = ("name", "categories") if truth else ("skip_ends", "objects")
    for key in foreign:
        if given[key]:
            option = "protocol" if key == "name" else key.replace("_", "-")
            raise IcvosError(f"--{option} is for scoring against {'a --benchmark' if truth else 'a folder GT'}")
    if truth:
        _score_folders(predictions, truth, **given)
    elif benchmark:
        _score_benchmark(predictions, benchmark, **given)


def _score_folders(predictions: Path, truth: Path, **given: Any) -> None:
    from icvos.folders import score_folders, write_frames_csv
    from icvos.progress import bar
    from icvos.storage import write_json

    with bar("score") as update:
        scores = score_folders(
            predictions,
            truth,
            skip_ends=given["skip_ends"],
            objects=given["objects"] or "all",
            videos=_video_list(given["videos"]),
            workers=given["workers"],
            progress=lambda video: update(advance=1),
        )
    if given["out"]:
        write_json(given["out"], scores.to_json())
    if given["frames_csv"]:
        write_frames_csv(given["frames_csv"], scores)
    for line in scores.warnings:
        click.echo(f"warning: {line}", err=True)
    overall = scores.overall
    click.echo(
        f"J {100 * overall['j']:.2f}  F {100 * overall['f']:.2f}  J&F {100 * overall['jf']:.2f}  {overall['objects']} "
        f"objects, {overall['videos']} videos, {overall['frames']} frames; objects: {scores.objects}, first and last "
        f"frames {'left out' if scores.skip_ends else 'counted'}"
    )


def _video_list(text: str) -> tuple[str, ...]:
    from icvos.commands.evaluate import names

    path = Path(text)
    return tuple(path.read_text(encoding="utf-8").split()) if text and path.is_file() else names(text)


def _score_benchmark(predictions: Path, benchmark: Path, **given: Any) -> None:
    from icvos.archive import submission_folder
    from icvos.benchmark import Benchmark
    from icvos.commands.evaluate import names
    from icvos.progress import bar
    from icvos.protocol import protocol
    from icvos.score import score as run_score
    from icvos.score import write_frames_csv
    from icvos.storage import write_json

    opened, chosen = Benchmark.open(benchmark), protocol(given["name"] or PAPER)
    clips = opened.select(_video_list(given["videos"]), names(given["categories"]))
    with (
        submission_folder(predictions, {video.name for video in opened.videos}) as folder,
        bar("score", len(clips)) as update,
    ):
        scores = run_score(
            opened,
            folder,
            chosen,
            clips=clips,
            workers=given["workers"],
            progress=lambda clip: update(advance=1),
        )
    beside = predictions.with_name(f"{predictions.stem}-{scores_name(chosen.id)}")
    path = given["out"] or (predictions / scores_name(chosen.id) if predictions.is_dir() else beside)
    found = scores.to_json()
    write_json(path, found)
    if given["frames_csv"]:
        write_frames_csv(given["frames_csv"], scores)
    print_scores(found, path)


@click.command()
@click.argument("predictions", type=FOLDER)
@click.option("--benchmark", type=FOLDER, required=True, help="The benchmark that was predicted.")
@click.option("--protocol", "name", default=PAPER, show_default=True, help="Says which frames must be there.")
@click.option("--json", "out", type=FOLDER, default=None, help="Also write every fault to this file.")
@click.option(
    "--repair", "repaired", type=FOLDER, default=None, help="A new folder for predictions without harmless faults."
)
def validate(predictions: Path, benchmark: Path, name: str, out: Path | None, repaired: Path | None) -> None:
    """Find every fault of a run, a folder of predictions or a zip file of either, in one pass.

    Exit status 1 where an error is found, which keeps it from being scored; warnings do not. With --repair the status
    is that of the new folder.
    """
    from icvos.benchmark import Benchmark
    from icvos.progress import bar
    from icvos.protocol import protocol
    from icvos.repair import repair
    from icvos.storage import write_json
    from icvos.validation import validate as run_validate

    opened, chosen = Benchmark.open(benchmark), protocol(name)
    with bar("validate", len(opened.clips)) as update:
        faults = run_validate(opened, predictions, chosen, progress=lambda clip: update(advance=1))
    for fault in faults:
        click.echo(f"{fault.severity}: {fault}")
    report = {"protocol": chosen.id, "faults": [fault.to_json() for fault in faults]}
    if repaired:
        result = repair(opened, predictions, repaired, chosen)
        for done in result.repairs:
            click.echo(f"repaired: {done}")
        faults = list(result.left)
        report["repairs"] = [done.to_json() for done in result.repairs]
        report["left"] = [fault.to_json() for fault in faults]
        for fault in faults:
            click.echo(f"left: {fault.severity}: {fault}")
    if out:
        write_json(out, report)
    errors = sum(fault.severity == "error" for fault in faults)
    counts = (
        f"{count} {noun}{'' if count == 1 else 's'}"
        for count, noun in ((errors, "error"), (len(faults) - errors, "warning"))
    )
    click.echo(f"{repaired or predictions}: {', '.join(counts)} under {chosen.id}")
    if errors:
        raise SystemExit(1)


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
    """Check predictions whole (a folder, a run, a zip file), score them, and put the result on a leaderboard."""
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
