"""`icvos predict`: a video of your own."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from icvos.commands.options import FOLDER, RANDOM_WEIGHTS, SETTINGS, TIMEOUT, examples, read_settings
from icvos.commands.printing import say
from icvos.commands.progress import watched


@click.command(
    epilog=examples(
        "icvos predict --support dog.jpg --mask dog.png --video walk.mp4 \\",
        "    --out masks --overlay walk.gif",
        "icvos predict --method persam --support cup.jpg --mask cup.png \\",
        "    --video frames/ --out masks",
        "icvos predict --support dog.jpg --mask dog.png --class dog \\",
        "    --support ball.jpg --mask ball.png --class ball \\",
        "    --video walk.mp4 --out masks --coco masks.json",
    )
)
@click.option(
    "--support",
    "supports",
    type=FOLDER,
    multiple=True,
    required=True,
    help="A picture that shows the object (repeatable).",
)
@click.option(
    "--mask",
    "masks",
    type=FOLDER,
    multiple=True,
    required=True,
    help="Its mask, a PNG in which non-zero is the object.",
)
@click.option(
    "--class",
    "names",
    metavar="NAME",
    multiple=True,
    help="What it shows, for every support or for none: --out then has a folder for each class, and labels of all.",
)
@click.option("--video", type=FOLDER, required=True, help="A video file, an animated picture or a folder of frames.")
@click.option("--out", type=FOLDER, required=True, help="A new folder for one PNG mask per frame.")
@click.option(
    "--method", metavar="NAME", default="lite", show_default=True, help="The method; icvos methods lists them."
)
@SETTINGS
@click.option(
    "--overlay", type=FOLDER, default=None, help="Also write the video with the masks drawn on it: .gif, .webp or .mp4."
)
@click.option(
    "--fps",
    type=click.FloatRange(min=0.1),
    metavar="N",
    default=None,
    help="Frames a second of the overlay.  [default: those of the video; 12 for a folder of frames]",
)
@click.option("--coco", type=FOLDER, default=None, help="Also write all masks as one COCO JSON file, in RLE.")
@click.option(
    "--cutouts", type=FOLDER, default=None, help="Also write the frames as PNG, transparent outside the masks, here."
)
@TIMEOUT
@RANDOM_WEIGHTS
def predict(
    supports: tuple[Path, ...],
    masks: tuple[Path, ...],
    names: tuple[str, ...],
    video: Path,
    out: Path,
    pairs: tuple[str, ...],
    **given: Any,
) -> None:
    """Segment your own video, given your own pictures and masks.

    A prediction that was stopped goes on when the same command is run again, and masks that are there are used.
    """
    from icvos.errors import IcvosError
    from icvos.own_video import predict as run

    if len(supports) != len(masks):
        raise IcvosError(f"{len(supports)} --support and {len(masks)} --mask; give one mask for every picture")
    shown = list(zip(supports, masks, strict=True))
    classes = _by_class(names, shown) if names else None
    with watched() as watch:
        count = run(classes or shown, video, out, settings=read_settings(pairs), watch=watch, **given)
    say(f"{out}: {count} masks" if classes is None else f"{out}: {count} masks of each class, and their labels")
    for place in filter(None, (given["overlay"], given["coco"], given["cutouts"])):
        say(str(place))


def _by_class(names: Sequence[str], shown: Sequence[tuple[Path, Path]]) -> dict[str, list[tuple[Path, Path]]]:
    from icvos.errors import IcvosError

    if len(names) != len(shown):
        raise IcvosError(f"{len(names)} --class and {len(shown)} --support; say of every support what it shows")
    found: dict[str, list[tuple[Path, Path]]] = {}
    for name, pair in zip(names, shown, strict=True):
        found.setdefault(name, []).append(pair)
    return found
