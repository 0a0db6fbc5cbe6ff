"""`icvos info`: what a benchmark holds."""

from pathlib import Path

import click

from icvos.commands.options import FOLDER


@click.command()
@click.argument("benchmark", type=FOLDER)
def info(benchmark: Path) -> None:
    """Show what a benchmark of videos or of images holds."""
    from icvos.commands.printing import show_listings
    from icvos.tasks.task import open_task

    show_listings(open_task(benchmark).summary())
