"""`icvos profile`: what a method costs."""

from typing import Any

import click

from icvos.commands.evaluate import RANDOM_WEIGHTS, parse_settings


def parse_size(text: str) -> tuple[int, int]:
    """``854x480`` (width x height) as (height, width)."""
    from icvos.errors import IcvosError

    width, times, height = text.partition("x")
    if not (times and width.isdecimal() and height.isdecimal() and min(int(width), int(height)) >= 32):
        raise IcvosError(f"--size {text}: write WIDTHxHEIGHT in pixels, like 854x480, each 32 or more")
    return int(height), int(width)


@click.command()
@click.option("--method", "name", required=True, help="A method's name; icvos methods lists them.")
@click.option("--set", "pairs", multiple=True, metavar="NAME=VALUE", help="A setting of the method; repeatable.")
@click.option("--frames", default=10, show_default=True, help="Frames of the drawn video that it runs on.")
@click.option("--size", default="854x480", show_default=True, metavar="WxH", help="Size of its frames, in pixels.")
@click.option("--shots", default=1, show_default=True, help="Supports.")
@RANDOM_WEIGHTS
@click.option("--json", "as_json", is_flag=True, help="Print one JSON value.")
def profile(name: str, pairs: tuple[str, ...], random: bool, as_json: bool, **given: Any) -> None:
    """Measure a method: parameters, multiply-accumulates of each part, seconds for a frame, memory."""
    import json

    from icvos.inspection import cost

    options = given | {"size": parse_size(given["size"]), "settings": parse_settings(pairs)}
    found = cost.profile(name, random_weights=random, **options)
    click.echo(json.dumps(found.to_json(), indent=2) if as_json else "\n".join(found.lines()))
