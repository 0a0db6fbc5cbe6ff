"""`icvos predict`: a video of your own."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from icvos.commands.options import FOLDER, RANDOM_WEIGHTS, SETTINGS, TIMEOUT, examples, read_settings
from icvos.commands.printing import say
from icvos.commands.progress import watched
from icvos.errors import plural

if TYPE_CHECKING:
    from icvos.method import Prompt

    Shown = tuple[Path, Path | Prompt]


@click.command(
    epilog=examples(
        "icvos predict --support dog.jpg --mask dog.png --video walk.mp4 \\",
        "    --out masks --overlay walk.gif",
        "icvos predict --support dog.jpg --box 40,30,310,420 --video walk.mp4 --out masks",
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
    help="Its mask, a PNG in which non-zero is the object; one for every support.",
)
@click.option(
    "--box",
    "boxes",
    metavar="X0,Y0,X1,Y1",
    multiple=True,
    help="In place of a mask a box around the object, in pixels of the picture; one for every support.",
)
@click.option(
    "--click",
    "clicks",
    metavar="X,Y",
    multiple=True,
    help="In place of a mask, or with a box, a point on the object (repeatable); for one support.",
)
@click.option(
    "--click-outside",
    "outside",
    metavar="X,Y",
    multiple=True,
    help="A point that is not the object (repeatable).",
)
@click.option(
    "--segmenter",
    metavar="NAME",
    default=None,
    help="What makes a mask of a box or clicks: a SAM 2 or SAM, by name or path.  [default: sam2-nano]",
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
    boxes: tuple[str, ...],
    clicks: tuple[str, ...],
    outside: tuple[str, ...],
    names: tuple[str, ...],
    video: Path,
    out: Path,
    pairs: tuple[str, ...],
    **given: Any,
) -> None:
    """Segment your own video, given your own pictures and masks.

    A prediction that was stopped goes on when the same command is run again, and masks that are there are used.

    In place of a mask, a box or clicks say where the object is. The mask that is made of them is written beside --out,
    so that you see what was understood: look at it, and give it as --mask once you have mended it. Methods whose
    supports are boxes (sansa with prompt=box, vrp-sam with condition=box) are given the box itself.
    """
    from icvos.own_supports import mask_places
    from icvos.own_video import predict as run

    shown = _shown(supports, masks, boxes, clicks, outside)
    classes = _by_class(names, shown) if names else None
    with watched() as watch:
        count = run(classes or shown, video, out, settings=read_settings(pairs), watch=watch, **given)
    for place in mask_places(classes or {"": shown}, out):
        say(f"{place}: what was understood as the object")
    say(f"{out}: {plural(count, 'mask')}{'' if classes is None else ' of each class, and their labels'}")
    for place in filter(None, (given["overlay"], given["coco"], given["cutouts"])):
        say(str(place))


def _shown(
    supports: Sequence[Path],
    masks: Sequence[Path],
    boxes: Sequence[str],
    clicks: Sequence[str],
    outside: Sequence[str],
) -> "list[Shown]":
    """Each support with what says where its object is."""
    from icvos.errors import IcvosError

    if masks and (boxes or clicks or outside):
        other = "--box" if boxes else "--click" if clicks else "--click-outside"
        raise IcvosError(f"--mask beside {other}: show all supports in one way, and leave the other out")
    if not (masks or boxes or clicks or outside):
        raise IcvosError("where is the object in the support? give its --mask, a --box around it, or a --click on it")
    if (clicks or outside) and len(supports) > 1:
        raise IcvosError(f"{len(supports)} --support and clicks, which are for one; give each a --box, or a --mask")
    given, option = (masks, "--mask") if masks else (boxes, "--box")
    if given and len(supports) != len(given):
        one = option.removeprefix("--")
        raise IcvosError(f"{len(supports)} --support and {len(given)} {option}; give one {one} for every picture")
    if masks:
        return list(zip(supports, masks, strict=True))
    return [(support, _prompt(boxes[number : number + 1], clicks, outside)) for number, support in enumerate(supports)]


def _prompt(box: Sequence[str], clicks: Sequence[str], outside: Sequence[str]) -> "Prompt":
    import numpy as np

    from icvos.method import Prompt

    corners = [_numbers("--box", text, "X0,Y0,X1,Y1") for text in box]
    points = [_numbers("--click", text, "X,Y") for text in clicks]
    others = [_numbers("--click-outside", text, "X,Y") for text in outside]
    return Prompt(
        box=np.array(corners[0], np.float32) if corners else None,
        points=np.array([*points, *others], np.float32) if points or others else None,
        labels=np.array([1] * len(points) + [0] * len(others)) if points or others else None,
    )


def _numbers(option: str, text: str, form: str) -> list[float]:
    from icvos.errors import IcvosError

    try:
        found = [float(part) for part in text.split(",")]
    except ValueError:
        found = []
    if len(found) != form.count(",") + 1 or not all(map(math.isfinite, found)):
        raise IcvosError(f"{option} {text}: write it as {form}, in pixels of the picture")
    return found


def _by_class(names: Sequence[str], shown: "Sequence[Shown]") -> "dict[str, list[Shown]]":
    from icvos.errors import IcvosError

    if len(names) != len(shown):
        raise IcvosError(f"{len(names)} --class and {len(shown)} --support; say of every support what it shows")
    found: dict[str, list[Shown]] = {}
    for name, pair in zip(names, shown, strict=True):
        found.setdefault(name, []).append(pair)
    return found
