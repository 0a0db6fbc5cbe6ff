"""Options that several commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

FOLDER = click.Path(path_type=Path)
C = TypeVar("C", bound=Callable[..., Any])


def source_options(command: C) -> C:
    """The options that name and read the source datasets; they are the keywords of `read_datasets` in curation."""
    options = [
        click.option("--davis", type=FOLDER, help="DAVIS 2016 or 2017 (the folder with JPEGImages and Annotations)."),
        click.option("--mose", type=FOLDER, help="MOSE v1 or v2 (the folder with train/)."),
        click.option("--lvos", type=FOLDER, help="LVOS v1 or v2 (the folder with train/ and val/ or valid/)."),
        click.option("--resolution", default=None, help="DAVIS only: 480p or Full-Resolution, where both are there."),
        click.option(
            "--missing-masks",
            type=click.Choice(["error", "empty", "skip"]),
            default="error",
            show_default=True,
            help="A frame without a mask: refuse, read as empty, or leave the frame out.",
        ),
        click.option("--resize", is_flag=True, help="Resize masks that differ in size from their frame (nearest)."),
        click.option("--natural-sort", is_flag=True, help="Take frame names that are not numbers, in natural order."),
    ]
    for option in reversed(options):
        command = option(command)
    return command
