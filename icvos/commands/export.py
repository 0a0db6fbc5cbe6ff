"""`icvos export`: a method's networks as files that run without icvos."""

from pathlib import Path
from typing import Any

import click

from icvos.commands.options import FOLDER, METHOD, RANDOM_WEIGHTS, SETTINGS, SHOTS, examples, read_settings
from icvos.commands.printing import say


@click.command(
    epilog=examples(
        "icvos export --method dcsam --set checkpoint=dcsam.safetensors --out exported",
        "icvos export --method dcsam --set checkpoint=dcsam.safetensors --format onnx --format pt2 --out exported",
    )
)
@METHOD
@SETTINGS
@SHOTS
@click.option("--video", "moving", is_flag=True, help="For the first frame of a video.  [default: for single pictures]")
@click.option(
    "--format",
    "formats",
    type=click.Choice(("pt2", "onnx")),
    multiple=True,
    default=("pt2",),
    show_default=True,
    help="pt2, which torch.export.load opens, or onnx (repeatable).",
)
@click.option("--out", type=FOLDER, required=True, help="The folder of the programs.")
@RANDOM_WEIGHTS
def export(method: str, pairs: tuple[str, ...], formats: tuple[Any, ...], out: Path, **given: Any) -> None:
    """Write a method's networks as programs for torch.export or ONNX Runtime, and compare what they give."""
    from icvos.models import export as exporting

    chosen = tuple(dict.fromkeys(formats))
    for file in exporting.export(method, out, settings=read_settings(pairs), formats=chosen, **given):
        size = file.path.stat().st_size / 2**20
        say(f"{file.path}  {size:.1f} MiB, differs from the network by at most {file.difference:.1e}")
