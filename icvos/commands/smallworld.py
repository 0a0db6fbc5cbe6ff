"""`icvos smallworld`: drawn data sets to try everything on."""

from pathlib import Path
from typing import Any

import click

from icvos.commands.options import FOLDER


@click.command()
@click.argument("out", type=FOLDER)
@click.option("--scale", type=click.Choice(["tiny", "demo"]), default="demo", show_default=True)
@click.option("--seed", default=0, show_default=True)
@click.option("--train-pictures", type=click.IntRange(0), default=0, help="Pictures of a COCO split to train on.")
@click.option("--val-pictures", type=click.IntRange(0), default=0, help="More pictures of COCO's val split.")
def smallworld(out: Path, **given: Any) -> None:
    """Write miniature DAVIS, MOSE, LVOS and COCO folders of drawn objects, to try everything on."""
    from icvos.errors import IcvosError
    from icvos.smallworld.layouts import write_world

    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise IcvosError(f"{out}: is not an empty folder; choose another")
    folders = write_world(out, **given)
    click.echo(f"{out}: {', '.join(sorted(folders))} and curation.csv")
