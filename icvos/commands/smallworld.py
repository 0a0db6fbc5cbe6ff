"""`icvos smallworld`: drawn data sets to try everything on."""

from pathlib import Path
from typing import Any

import click

from icvos.commands.options import FOLDER, examples
from icvos.commands.printing import say


@click.command(
    epilog=examples(
        "icvos smallworld world",
        "icvos smallworld world --seed 5 --train-pictures 1600 --val-pictures 400",
    )
)
@click.argument("out", type=FOLDER)
@click.option(
    "--scale",
    type=click.Choice(["tiny", "demo"]),
    default="demo",
    show_default=True,
    help="How large the datasets are.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of everything that is drawn.")
@click.option("--train-pictures", type=click.IntRange(0), default=0, help="Pictures in a COCO train split.")
@click.option("--val-pictures", type=click.IntRange(0), default=0, help="Additional pictures in the COCO val split.")
@click.option("--videos", type=click.IntRange(0), default=0, help="Additional videos in MOSE.")
@click.option(
    "--fold",
    type=click.IntRange(0, 3),
    default=None,
    help="Accept only categories that this fold of COCO-20i tests; the small models of icvos saw none of fold 0.",
)
def smallworld(out: Path, **given: Any) -> None:
    """Draw miniature DAVIS, MOSE, LVOS and COCO datasets to try everything on."""
    from icvos.errors import IcvosError
    from icvos.files.listing import is_empty
    from icvos.files.locks import lock_folder
    from icvos.files.storage import atomic_folder
    from icvos.smallworld.layouts import write_world

    with lock_folder(out):
        if not is_empty(out):
            raise IcvosError(f"{out}: is not an empty folder; choose another")
        with atomic_folder(out, out.absolute().parent) as scratch:
            folders = write_world(scratch, **given)
    say(f"{out}: {', '.join(sorted(folders))} and curation.csv")
