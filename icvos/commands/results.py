"""`icvos score`, `icvos validate`, `icvos submit` and `icvos leaderboard`: what came out."""

from pathlib import Path
from typing import Any

import click

from icvos.commands.evaluate import PAPER, print_scores, scores_name
from icvos.commands.options import FOLDER


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

    With --benchmark: a run, a folder of predictions (<video>/<class>/<frame>.png), or a zip file of either. On a
    benchmark of images, a run (fold<F>/episodes.jsonl); every finished fold is scored. With GT: <video>/<frame>.png
    or the frames of one video, multi-object (ids) or binary.
    """
    from icvos.commands.images import refuse_foreign, score_submission
    from icvos.errors import IcvosError
    from icvos.protocol import protocol
    from icvos.tasks.image.benchmark import is_image_benchmark

    if (truth is None) == (benchmark is None):
        raise IcvosError("give exactly one of GT, a folder of true masks, and --benchmark")
    foreign = ("name", "categories") if truth else ("skip_ends", "objects")
    for key in foreign:
        if given[key]:
            option = "protocol" if key == "name" else key.replace("_", "-")
            raise IcvosError(f"--{option} is for scoring against {'a --benchmark' if truth else 'a folder GT'}")
    if truth:
        _score_folders(predictions, truth, **given)
    elif benchmark and is_image_benchmark(benchmark):
        refuse_foreign(given, ("frames_csv", "videos", "categories"), benchmark, images=True)
        score_submission(predictions, benchmark, protocol(given["name"] or PAPER), given["out"], given["workers"])
    elif benchmark:
        _score_benchmark(predictions, benchmark, **given)


def _score_folders(predictions: Path, truth: Path, **given: Any) -> None:
    from icvos.commands.progress import bar
    from icvos.files.storage import write_json
    from icvos.vos.folders import score_folders, write_frames_csv

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
    from icvos.commands.evaluate import names
    from icvos.commands.progress import bar
    from icvos.files.storage import write_json
    from icvos.protocol import protocol
    from icvos.tasks.archive import submission_folder
    from icvos.tasks.video.benchmark import Benchmark
    from icvos.tasks.video.score import score as run_score
    from icvos.tasks.video.score import write_frames_csv

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
    from icvos.commands.images import find_faults, refuse_foreign
    from icvos.files.storage import write_json
    from icvos.protocol import protocol
    from icvos.tasks.image.benchmark import is_image_benchmark

    chosen = protocol(name)
    if is_image_benchmark(benchmark):
        refuse_foreign({"repair": repaired}, ("repair",), benchmark, images=True)
        faults = find_faults(predictions, benchmark)
        report = _print_faults(faults, chosen.id)
    else:
        faults, report = _validate_videos(predictions, benchmark, chosen, repaired)
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


def _print_faults(faults: Any, protocol: str) -> dict[str, Any]:
    """Print faults; what a file of them says."""
    for fault in faults:
        click.echo(f"{fault.severity}: {fault}")
    return {"protocol": protocol, "faults": [fault.to_json() for fault in faults]}


def _validate_videos(
    predictions: Path, benchmark: Path, protocol: Any, repaired: Path | None
) -> tuple[list[Any], dict[str, Any]]:
    """Print the faults of predictions for videos, repair them where that is asked for; what is left, and the report."""
    from icvos.commands.progress import bar
    from icvos.tasks.video.benchmark import Benchmark
    from icvos.tasks.video.check import validate as run_validate
    from icvos.tasks.video.repair import repair

    opened = Benchmark.open(benchmark)
    with bar("validate", len(opened.clips)) as update:
        faults = run_validate(opened, predictions, protocol, progress=lambda clip: update(advance=1))
    report = _print_faults(faults, protocol.id)
    if repaired:
        result = repair(opened, predictions, repaired, protocol)
        for done in result.repairs:
            click.echo(f"repaired: {done}")
        faults = list(result.left)
        report["repairs"] = [done.to_json() for done in result.repairs]
        report["left"] = [fault.to_json() for fault in faults]
        for fault in faults:
            click.echo(f"left: {fault.severity}: {fault}")
    return faults, report


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
    from icvos.commands import images
    from icvos.commands.progress import bar
    from icvos.protocol import protocol
    from icvos.tasks.image.benchmark import ImageBenchmark, is_image_benchmark
    from icvos.tasks.video.benchmark import Benchmark
    from leaderboard.submission import SubmissionError
    from leaderboard.submission import submit as run_submit

    opened: Benchmark | ImageBenchmark
    if is_image_benchmark(benchmark):
        opened = ImageBenchmark.open(benchmark)
        parts, show = len(opened.folds), images.print_scores
    else:
        opened = Benchmark.open(benchmark)
        parts, show = len(opened.clips), print_scores
    for key in protocols:
        with bar(f"score {key}", parts) as update:
            try:
                report = run_submit(
                    opened,
                    predictions,
                    protocol(key),
                    board=board,
                    name=given["name"],
                    revision=given["revision"],
                    workers=workers,
                    progress=lambda part: update(advance=1),
                )
            except SubmissionError as error:
                for fault in error.faults:
                    click.echo(f"{fault.severity}: {fault}", err=True)
                raise
        for fault in report.warnings:
            click.echo(f"warning: {fault}", err=True)
        show(report.scores, report.path)


@click.command()
@click.argument("results", type=FOLDER, nargs=-1, required=True)
@click.option(
    "--out", type=FOLDER, default=None, help="Write index.html and leaderboard.md, .tex and .csv into this folder."
)
@click.option("--picture", "pictures", type=FOLDER, multiple=True, help="A picture for the page; repeatable.")
def leaderboard(results: tuple[Path, ...], out: Path | None, pictures: tuple[Path, ...]) -> None:
    """Rank results: run folders, scores files, or a leaderboard's folder."""
    from rich.console import Console

    from icvos.files.storage import write_text
    from leaderboard.site.build import build_site
    from leaderboard.store import collect
    from leaderboard.tables.build import build_tables
    from leaderboard.tables.build import render as render_tables
    from leaderboard.tables.formats import terminal

    tables = build_tables(collect(results))
    Console().print(terminal(tables))
    if out:
        page = build_site(tables, out, pictures=[(picture, picture.stem) for picture in pictures])
        for suffix, kind in (("md", "markdown"), ("tex", "latex")):
            write_text(out / f"leaderboard.{suffix}", render_tables(tables, kind))
        images = [table for table in tables if table.task == "image"]
        if images:
            write_text(out / "leaderboard-images.csv", render_tables(images, "csv"))
        if len(images) < len(tables) or not tables:
            videos = [table for table in tables if table.task == "video"]
            write_text(out / "leaderboard.csv", render_tables(videos, "csv"))
        click.echo(f"{page}")
