"""`icvos curate`: ways to get the curation file."""

from pathlib import Path
from typing import Any

import click

from icvos.commands.options import FOLDER, examples, source_options
from icvos.commands.printing import say
from icvos.errors import AGAIN

STOPPED = f"{{done}} of {{units}} videos are read and nothing is written; {AGAIN}"


@click.group(epilog=examples("icvos curate candidates --mose MOSE --lvos LVOS --out rows.csv"))
def curate() -> None:
    """Make a curation file, which says which objects of a video are which category.

    icvos build needs one for MOSE and LVOS, which do not name the categories of their objects.
    """


@curate.command(epilog=examples("icvos curate candidates --mose MOSE --lvos LVOS --out rows.csv"))
@source_options
@click.option("--out", type=FOLDER, required=True, help="The curation file to write (CSV).")
def candidates(out: Path, **given: Any) -> None:
    """Write a curation file to fill in.

    It has one row for every video that has none yet, with the ids of its objects and without a class.
    """
    from curation.video.candidates import write_candidates
    from icvos.commands.progress import watched

    with watched(STOPPED) as watch:
        rows = write_candidates(out, watch=watch, **given)
    say(f"{out}: {len(rows)} rows; split a row where its objects are of several classes, then pass it as --curation")


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
    say(f"{out}: {len(rows)} of {len(findings)} clips recovered")
    say(
        f"{len(videos):,} videos, {len(rows):,} clips, {len(kinds):,} categories; "
        f"the published benchmark has {VIDEOS:,}, {CLIPS:,}, {CATEGORIES:,}"
    )
