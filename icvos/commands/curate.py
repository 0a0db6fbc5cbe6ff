"""`icvos curate`: ways to get the curation file."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from icvos.commands.options import FOLDER, WORKERS, examples, source_options
from icvos.commands.printing import say
from icvos.errors import AGAIN, plural

SOURCES = ("davis", "mose", "lvos", "youtube_vos")
STOPPED = f"{{done}} of {{units}} videos are read and nothing is written; {AGAIN}"


@click.group(epilog=examples("icvos curate candidates --mose MOSE --lvos LVOS --out rows.csv"))
def curate() -> None:
    """Make a curation file, which says which objects of a video are which category.

    icvos build needs one for MOSE and LVOS, which do not name the categories of their objects.
    """


@curate.command(
    epilog=examples(
        "icvos curate candidates --mose MOSE --lvos LVOS --out rows.csv --thumbnails pictures",
        "icvos curate candidates --davis DAVIS --shipped --out davis.csv",
        "icvos curate candidates --mose MOSE --rows rows.csv --out rest.csv",
    )
)
@source_options
@click.option("--rows", type=FOLDER, multiple=True, help="A curation file there is already (repeatable): is checked.")
@click.option("--shipped", is_flag=True, help="Also write the rows that ship with icvos for DAVIS, to overrule them.")
@click.option("--thumbnails", type=FOLDER, help="A folder for first frames with their objects numbered.")
@click.option("--out", type=FOLDER, required=True, help="The curation file to write (CSV).")
def candidates(out: Path, thumbnails: Path | None, **given: Any) -> None:
    """Write a curation file to fill in.

    It has one row for every video that has none yet, with the ids of its objects and without a class. Everything that
    gets no row is listed with the reason.
    """
    from curation.video.candidates import write_candidates
    from curation.video.thumbnails import write_thumbnail
    from icvos.commands.progress import watched
    from icvos.files.storage import require_writable

    if thumbnails is not None:
        require_writable(thumbnails, folder=True)
    folder = thumbnails
    with watched(STOPPED) as watch:
        shown = None if folder is None else lambda video: write_thumbnail(video, folder)
        found = write_candidates(out, shown=shown, watch=watch, **given)
    for entry in found.left_out:
        say(f"{entry.source}/{entry.video} {entry.category}".rstrip() + f": {entry.reason}", err=True)
    if thumbnails is not None:
        say(f"{thumbnails}: the first frames of the videos that wait for a decision")
    passed_over = f", {len(found.left_out)} left out as said above" if found.left_out else ""
    if not found.rows:
        return say(f"{out}: no video waits for a row{passed_over}")
    say(f"{out}: {plural(len(found.rows), 'row')}{passed_over}")
    say(f"decide them in a browser: {_review(out, given)}")
    return say("or in the file: fill in class and decision, and split a row whose objects are of several classes")


def _review(rows: Path, given: Mapping[str, Any], *more: str) -> str:
    """The command that reviews a curation file; the folders of the sources are those that were ``given``."""
    folders = [
        part for name in SOURCES if given.get(name) for part in (f"--{name.replace('_', '-')}", str(given[name]))
    ]
    command = ["icvos", "curate", "review", *folders, "--rows", str(rows)]
    return f"{shlex.join(command)} --reviewer NAME{''.join(more)}"


@curate.command(
    epilog=examples(
        "icvos curate gifs --mose MOSE --lvos LVOS --rows rows.csv --out gifs",
    )
)
@source_options
@click.option("--rows", type=FOLDER, help="A curation file, whose decisions the page shows.")
@click.option("--out", type=FOLDER, required=True, help="The folder for the animations and index.html.")
@click.option(
    "--kind", type=click.Choice(["webp", "gif"]), default="webp", show_default=True, help="Of the animations."
)
@click.option(
    "--height", "height_px", type=click.IntRange(48, 1080), default=240, show_default=True, help="Pixels of a picture."
)
@WORKERS
def gifs(out: Path, **given: Any) -> None:
    """Draw an animation of every video, and a page to look through.

    The objects are outlined and numbered, and the page has what was decided so far. Animations that are there are kept.
    """
    from curation.review.contact import write_contact_sheet
    from icvos.commands.progress import watched

    with watched(f"{{done}} of {{units}} videos are drawn; {AGAIN} to go on") as watch:
        page = write_contact_sheet(out, watch=watch, **given)
    say(f"{page}: open it in a browser")


@curate.command(
    epilog=examples(
        "icvos curate recover --published IC-VOS-release --mose MOSE --lvos LVOS --out rows.csv",
    )
)
@source_options
@click.option("--published", type=FOLDER, required=True, help="A copy of the published IC-VOS release.")
@click.option("--out", type=FOLDER, required=True, help="The curation file to write (CSV).")
def recover(out: Path, published: Path, **given: Any) -> None:
    """Recover the curation file of the published benchmark.

    The masks in a copy of the published release are matched with the objects of the sources, exactly and in every
    frame.
    """
    from curation.video.published import CATEGORIES, CLIPS, VIDEOS
    from curation.video.recover import recover_rows
    from icvos.commands.progress import watched

    with watched(STOPPED) as watch:
        findings = recover_rows(out, published, watch=watch, **given)
    rows = [finding.row for finding in findings if finding.row]
    videos, kinds = {(row.source, row.video) for row in rows}, {row.category for row in rows}
    say(f"{out}: {len(rows):,} of {plural(len(findings), 'clip')} recovered")
    say(
        f"{plural(len(videos), 'video')}, {plural(len(rows), 'clip')}, {plural(len(kinds), 'category')}; "
        f"the published benchmark has {VIDEOS:,}, {CLIPS:,}, {CATEGORIES:,}"
    )


@curate.command(
    epilog=examples(
        "icvos curate review --mose MOSE --lvos LVOS --rows rows.csv --reviewer anna --coco COCO",
        "icvos curate review --mose MOSE --rows rows.csv --reviewer ben --blind --again 20",
        "icvos curate review --mose MOSE --rows rows.csv --reviewer carla --disputes",
    )
)
@source_options
@click.option("--rows", type=FOLDER, required=True, help="The curation file (CSV); it is made where it is not there.")
@click.option("--reviewer", metavar="NAME", required=True, help="Who decides.")
@click.option("--blind", is_flag=True, help="Show nobody else's decisions.")
@click.option("--disputes", is_flag=True, help="Settle the videos on which reviewers differ.")
@click.option(
    "--again", metavar="N", type=click.IntRange(0), default=0, help="Show a decided video once more after every N."
)
@click.option("--coco", type=FOLDER, help="COCO: its annotated objects suggest categories; needs the extra models.")
@click.option("--coco-split", metavar="NAME", default=None, help="The COCO split, if several are present.")
@click.option("--port", type=click.IntRange(0, 65535), default=8010, show_default=True, help="0: any that is free.")
@click.option("--no-browser", is_flag=True, help="Print the address, and open no browser.")
def review(
    rows: Path,
    reviewer: str,
    blind: bool,
    disputes: bool,
    again: int,
    coco: Path | None,
    coco_split: str | None,
    port: int,
    no_browser: bool,
    **given: Any,
) -> None:
    """Decide videos in a browser, by keyboard.

    Every decision is on the disk at once: in the curation file, and in a log beside it. Several people may review one
    file at the same time. Press ? for the keys.
    """
    from icvos.commands.progress import watched
    from icvos.serving.extra import load_extra

    packages = {"fastapi": "fastapi", "starlette": "fastapi", "uvicorn": "uvicorn"}
    run = load_extra("curation.review.run", packages, "review", "icvos curate review")
    from curation.review.desk import Session

    with watched() as watch:
        desk = run.open_desk(
            rows, Session(reviewer, blind, disputes, again), coco=coco, coco_split=coco_split, watch=watch, **given
        )
    run.serve(desk, port, lambda line: say(line), browser=not no_browser)


@curate.command(
    epilog=examples(
        "icvos curate agree anna.csv ben.csv",
        "icvos curate agree rows.csv --json agreement.json",
    )
)
@click.argument("files", metavar="FILE [FILE]", nargs=-1, type=FOLDER, required=True)
@click.option("--json", "json_path", type=FOLDER, help="Also write the figures to this file; - is standard output.")
def agree(files: tuple[Path, ...], json_path: Path | None) -> None:
    """Say how far two reviewers agree.

    Give two curation files, or one that several reviewed with icvos curate review. Every question has Cohen's kappa
    with a 95% interval, a dash where fewer than six videos were decided by both; then come the videos in dispute.
    """
    from curation.review.report import comparisons, lines
    from icvos.commands.printing import is_stdout, put_json, require_places, show_listings

    if len(files) > 2:
        raise click.UsageError("Give one file or two.")
    require_places(json_path)
    found, notes = comparisons(*files)
    if not is_stdout(json_path):
        for one in found:
            show_listings(lines(one))
        for note in notes:
            say(note)
    if json_path is not None:
        values = [one.to_json() for one in found]
        put_json(json_path, values[0] if len(values) == 1 else values)


@curate.command(epilog=examples("icvos curate merge anna.csv ben.csv --out rows.csv"))
@click.argument("files", metavar="FILE FILE...", nargs=-1, type=FOLDER, required=True)
@click.option("--out", type=FOLDER, required=True, help="The merged curation file (CSV); its log is written beside it.")
def merge(files: tuple[Path, ...], out: Path) -> None:
    """Merge the curation files of several reviewers.

    What they agree on stands, with the names of all; where they differ the video is disputed, for icvos curate review
    --disputes to settle.
    """
    from curation.review.merging import merge_files

    if len(files) < 2:
        raise click.UsageError("Give the files of two reviewers or more.")
    counts = merge_files(out, files)
    say(f"{out}: videos: " + ", ".join(f"{count} {name}" for name, count in counts.items() if count))
    if counts["disputed"]:
        say(f"settle what is disputed, with the folders of the videos: {_review(out, {}, ' --disputes')}")
