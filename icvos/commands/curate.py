"""`icvos curate`: ways to get the curation file."""

from pathlib import Path
from typing import Any

import click

from icvos.commands.options import FOLDER, source_options


@click.group()
def curate() -> None:
    """Get a curation file: which objects of which video are which category."""


@curate.command()
@source_options
@click.option("--out", type=FOLDER, required=True, help="The curation file to write (CSV).")
def candidates(out: Path, **given: Any) -> None:
    """Write a file to fill in: one row for every video that has no row, with its object ids and no class."""
    from curation.video.candidates import write_candidates
    from icvos.commands.progress import watched

    with watched() as watch:
        rows = write_candidates(out, watch=watch, **given)
    click.echo(
        f"{out}: {len(rows)} rows; split a row where its objects are of several classes, then pass it as --curation"
    )


@curate.command()
@source_options
@click.option("--published", type=FOLDER, required=True, help="The copy of the published IC-VOS benchmark.")
@click.option("--out", type=FOLDER, required=True, help="The curation file to write (CSV).")
def recover(out: Path, published: Path, **given: Any) -> None:
    """Recover the rows from a copy of the published benchmark by matching its masks with the sources' objects."""
    from curation.video.recover import recover_rows
    from icvos.commands.progress import watched

    with watched() as watch:
        findings = recover_rows(out, published, watch=watch, **given)
    click.echo(f"{out}: {sum(bool(finding.row) for finding in findings)} of {len(findings)} clips recovered")
