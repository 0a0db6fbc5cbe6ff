"""`icvos score`, `icvos submit`, `icvos leaderboard` and `icvos render`: what came out."""

from pathlib import Path

import click

from icvos.commands.evaluate import PAPER, print_scores, scores_name
from icvos.commands.source import FOLDER


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
    from leaderboard.submission import submit as run_submit

    from icvos.benchmark import Benchmark
    from icvos.progress import bar
    from icvos.protocol import protocol

    opened = Benchmark.open(benchmark)
    for key in protocols:
        with bar(f"score {key}", len(opened.clips)) as update:
            report = run_submit(
                opened,
                predictions,
                protocol(key),
                board=board,
                name=given["name"],
                revision=given["revision"],
                workers=workers,
                progress=lambda clip: update(advance=1),  # called before the next protocol's bar
            )
        for fault in report.faults:
            click.echo(f"{fault.severity}: {fault.where}: {fault.what}", err=True)
        print_scores(report.scores, report.path)


@click.command()
@click.argument("results", type=FOLDER, nargs=-1, required=True)
@click.option(
    "--out", type=FOLDER, default=None, help="Write leaderboard.md, .csv, .tex and index.html into this folder."
)
@click.option("--picture", "pictures", type=FOLDER, multiple=True, help="A picture for the page; repeatable.")
def leaderboard(results: tuple[Path, ...], out: Path | None, pictures: tuple[Path, ...]) -> None:
    """Rank results: run folders, scores files, or a leaderboard's folder."""
    from leaderboard.store import collect
    from leaderboard.tables import render as render_tables
    from leaderboard.tables import tables
    from rich.console import Console

    from icvos.storage import write_text
    from leaderboard.site import build_site

    entries = collect(results)
    found = tables(entries)
    console = Console()
    console.print(render_tables(found, "terminal"))
    if out:
        for suffix, kind in (("md", "markdown"), ("csv", "csv"), ("tex", "latex")):
            write_text(out / f"leaderboard.{suffix}", str(render_tables(found, kind)))
        page = build_site(entries, out, pictures=[(picture, picture.stem) for picture in pictures])
        click.echo(f"{page}")


@click.command()
@click.argument("benchmark", type=FOLDER)
@click.option("--predictions", type=FOLDER, default=None, help="A prediction folder, to be shown beside the truth.")
@click.option("--clip", "clip_ids", multiple=True, help="A clip <video>/<class>; repeatable.  [default: all]")
@click.option("--out", type=FOLDER, required=True, help="A folder for one file per clip.")
@click.option("--kind", type=click.Choice(["gif", "webp", "mp4", "sheet"]), default="gif", show_default=True)
@click.option("--every", default=2, show_default=True, help="Every so many frames.")
@click.option("--width", default=480, show_default=True, help="Width of a panel in pixels.")
def render(benchmark: Path, predictions: Path | None, clip_ids: tuple[str, ...], out: Path, **given: str) -> None:
    """Render mask overlays: the truth, or predictions beside the truth, as animations or contact sheets."""
    raise NotImplementedError
