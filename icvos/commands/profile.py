"""`icvos profile`: what a method costs."""

from pathlib import Path

import click

from icvos.commands.options import METHOD, RANDOM_WEIGHTS, SETTINGS, SHOTS, examples, json_option, read_settings
from icvos.commands.printing import put_json, require_places, say


@click.command(
    epilog=examples("icvos profile --method lite", "icvos profile --method persam --size 1920x1080 --json cost.json")
)
@METHOD
@SETTINGS
@click.option("--frames", default=10, show_default=True, help="Length of the drawn video that the method runs on.")
@click.option("--size", default="854x480", show_default=True, metavar="WxH", help="Size of its frames, in pixels.")
@SHOTS
@RANDOM_WEIGHTS
@json_option("Write the figures to this file as JSON instead")
def profile(
    method: str,
    pairs: tuple[str, ...],
    frames: int,
    size: str,
    shots: int,
    random_weights: bool,
    json_path: Path | None,
) -> None:
    """Measure the parameters, multiply-accumulates, time and memory of a method."""
    from icvos.inspection import cost

    require_places(json_path)
    found = cost.profile(
        method,
        settings=read_settings(pairs),
        frames=frames,
        size=read_size(size),
        shots=shots,
        random_weights=random_weights,
    )
    if json_path:
        put_json(json_path, found.to_json())
    else:
        say("\n".join(found.lines()))


def read_size(text: str) -> tuple[int, int]:
    """``854x480`` (width x height) as (height, width)."""
    from icvos.errors import IcvosError

    width, times, height = text.partition("x")
    if not (times and width.isdecimal() and height.isdecimal() and {len(width), len(height)} <= {2, 3, 4}):
        raise IcvosError(f"--size {text}: write WIDTHxHEIGHT in pixels, like 854x480")
    if not 32 <= min(int(width), int(height)) <= max(int(width), int(height)) <= 8192:
        raise IcvosError(f"--size {text}: each side must be from 32 to 8192 pixels; choose another")
    return int(height), int(width)
