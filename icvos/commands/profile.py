"""`icvos profile`: what a method costs."""

from typing import Any

import click

from icvos.commands.options import RANDOM_WEIGHTS, read_settings


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
def profile(name: str, pairs: tuple[str, ...], **given: Any) -> None:
    """Measure a method: parameters, multiply-accumulates of each part, seconds for a frame, memory."""
    import dataclasses
    import json
    import tempfile
    from pathlib import Path

    from icvos.inspection.cost import profile as measure
    from icvos.inspection.trial import make_trial
    from icvos.method import load_method
    from icvos.models.weights.registry import random_weights_allowed

    size = parse_size(given["size"])
    with (
        tempfile.TemporaryDirectory(prefix="icvos-profile-") as folder,
        random_weights_allowed(given["random"]),
    ):
        method = load_method(name, read_settings(pairs))
        trial = make_trial(Path(folder), size, given["frames"], max(1, given["shots"]))
        found = measure(method, trial, given["shots"])
    if given["as_json"]:
        head = {"method": name, "frames": given["frames"], "size": [size[1], size[0]], "shots": given["shots"]}
        value = head | dataclasses.asdict(found) | {"seconds_per_frame": found.seconds.per_frame()}
        click.echo(json.dumps(value, indent=2))
        return
    for line in profile_lines(found):
        click.echo(line)


def profile_lines(profile: Any) -> list[str]:
    """A profile as text: a table of the parts, then seconds and memory."""
    width = max(len(part.name) for part in (profile.total, *profile.parts))
    lines = [
        f"{'':{width}}  {'':>12} {'':>12} {'MACs to the first mask':>25} {'MACs of a frame':>25}",
        f"{'part':{width}}  {'parameters':>12} {'learnable':>12}" + f" {'operators':>12} {'modules':>12}" * 2,
    ]
    for part in (*profile.parts, profile.total):
        counts = (part.prompt_operators, part.prompt_modules, part.frame_operators, part.frame_modules)
        shown = " ".join(f"{count / 1e9:>10.3f} G" for count in counts)
        lines.append(f"{part.name:{width}}  {part.parameters:>12,} {part.learnable:>12,} {shown}")
    each = profile.seconds.per_frame()
    named = ", ".join(f"{key} {each[key]:.3f}" for key in ("encode", "prompt", "propagate"))
    whole = profile.seconds.prompt_encode + profile.seconds.prompt
    lines += [
        "operators: every matrix product and convolution; all: also those outside of the parts",
        "modules: as thop 0.1.1 counts, which sees torch's own layers alone, not classes made from them",
        f"seconds a frame: {each['total']:.3f} ({named}) over {profile.seconds.frames} frames on {profile.device}; "
        f"the prompt takes {whole:.3f} once",
        f"peak memory: {profile.peak_resident_bytes / 2**20:,.0f} MiB resident"
        + ("" if profile.peak_cuda_bytes is None else f", {profile.peak_cuda_bytes / 2**20:,.0f} MiB on CUDA"),
    ]
    return lines
