"""`icvos curate`: ways to get the curation file."""

from pathlib import Path
from typing import Any

import click

from icvos.commands.options import FOLDER, source_options
from icvos.commands.source import read_sources


@click.group()
def curate() -> None:
    """Get a curation file: which objects of which video are which category."""


@curate.command()
@source_options
@click.option("--out", type=FOLDER, required=True, help="The curation file to write (CSV).")
def candidates(out: Path, **given: Any) -> None:
    """Write a file to fill in: one row for every video that has no row, with its object ids and no class."""
    from curation.video.rows import Row, shipped_rows, write_rows

    _refuse_existing(out)
    known = {(row.source, row.video) for row in shipped_rows()}
    rows = [
        Row(dataset.source, video.name, None, video.object_ids(), "undecided", "fill in the class of these objects")
        for dataset in read_sources(given)
        for video in dataset.videos
        if (dataset.source, video.name) not in known
    ]
    write_rows(out, rows)
    click.echo(
        f"{out}: {len(rows)} rows; split a row where its objects are of several classes, then pass it as --curation"
    )


@curate.command()
@source_options
@click.option("--published", type=FOLDER, required=True, help="The copy of the published IC-VOS benchmark.")
@click.option("--out", type=FOLDER, required=True, help="The curation file to write (CSV).")
def recover(out: Path, published: Path, **given: Any) -> None:
    """Recover the rows from a copy of the published benchmark by matching its masks with the sources' objects."""
    from curation.video.recover import recover as match
    from curation.video.rows import write_rows
    from icvos.commands.progress import bar
    from icvos.errors import IcvosError
    from icvos.tasks.video.benchmark import Benchmark

    _refuse_existing(out)
    benchmark = Benchmark.open(published)
    datasets = read_sources(given)
    if not datasets:
        raise IcvosError("no source: give at least one of --davis, --mose, --lvos to match the masks with")
    with bar("videos", len(benchmark.videos)) as update:
        findings = match(benchmark, datasets, lambda videos: update(advance=videos))
    rows = [finding.row for finding in findings if finding.row]
    for finding in findings:
        if not finding.row:
            click.echo(f"no match: {finding.clip}: {finding.reason}")
    if not rows:
        raise IcvosError(f"{published}: none of {len(findings)} clips match the sources; {out} was not written")
    write_rows(out, sorted(rows, key=lambda row: row.key))
    click.echo(f"{out}: {len(rows)} of {len(findings)} clips recovered")


def _refuse_existing(out: Path) -> None:
    from icvos.errors import IcvosError

    if out.exists():
        raise IcvosError(f"{out}: exists; choose another --out, so that no judgement is lost")
