"""`icvos eval` and `icvos predict`: running a method."""

from pathlib import Path
from typing import Any

import click

from icvos.commands.source import FOLDER

PAPER = "paper@1"


def parse_settings(pairs: tuple[str, ...]) -> dict[str, str]:
    """``name=value`` texts as a mapping."""
    from icvos.errors import IcvosError

    found = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise IcvosError(f"--set {pair}: write it as name=value")
        found[name.strip()] = value.strip()
    return found


def parse_numbers(text: str, option: str) -> tuple[int, ...]:
    """``0,2-4`` as (0, 2, 3, 4); ``option`` is named in the error for anything else."""
    from icvos.errors import IcvosError

    numbers: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()) or max(len(first), len(last)) > 4:
            raise IcvosError(f"{option} {text}: write numbers like 0 or 0,2 or 0-3")
        numbers += range(int(first), int(last if dash else first) + 1)
    if not numbers:
        raise IcvosError(f"{option} {text}: names no number; write numbers like 0 or 0,2 or 0-3")
    return tuple(numbers)


RANDOM_WEIGHTS = click.option(
    "--allow-random-weights",
    "random",
    is_flag=True,
    help="Put random weights in the place of missing checkpoints, to try the machinery; the masks mean nothing.",
)


VIDEOS_ONLY = ("draws", "videos", "categories")
IMAGES_ONLY = ("fold",)


@click.command("eval")
@click.option("--method", "name", required=True, help="A method's name; icvos methods lists them.")
@click.option("--benchmark", type=FOLDER, required=True, help="A built benchmark of videos, or of images.")
@click.option("--out", type=FOLDER, required=True, help="The run folder: predictions and scores.")
@click.option("--set", "pairs", multiple=True, metavar="NAME=VALUE", help="A setting of the method; repeatable.")
@click.option("--shots", default=1, show_default=True, help="Support images for every clip or episode.")
@click.option("--draws", default=None, help="Of videos: support draws, like 0 or 0-4.  [default: all]")
@click.option("--fold", default=None, help="Of images: folds, like 0 or 0-3.  [default: all]")
@click.option("--protocol", "protocols", multiple=True, default=(PAPER,), show_default=True, help="Repeatable.")
@click.option("--videos", default="", help="Only these videos, comma-separated.")
@click.option("--categories", default="", help="Of videos: only these, comma-separated names or class numbers.")
@click.option(
    "--limit", type=click.IntRange(min=1), default=None, help="Only the first so many clips, or episodes of each fold."
)
@click.option(
    "--overwrite",
    type=click.Choice(["never", "only-missing", "always"]),
    default="only-missing",
    show_default=True,
    help="What to do with predictions that are there.",
)
@click.option("--workers", default=1, show_default=True, help="Processes for scoring.")
@RANDOM_WEIGHTS
def evaluate(name: str, benchmark: Path, out: Path, **given: Any) -> None:
    """Run a method over a benchmark, then score it. Run it again to resume.

    On image benchmarks (COCO-20i and its like) {fold} in a setting is the fold's number, for a checkpoint of each.
    """
    from icvos.commands.images import evaluate_images, refuse_foreign
    from icvos.errors import IcvosError
    from icvos.models.weights.registry import random_weights_allowed
    from icvos.tasks.image.benchmark import is_image_benchmark

    if given["shots"] < 1:
        raise IcvosError("--shots must be 1 or more")
    images = is_image_benchmark(benchmark)
    refuse_foreign(given, VIDEOS_ONLY if images else IMAGES_ONLY, benchmark, images)
    given["settings"] = dict(parse_settings(given["pairs"]))
    with random_weights_allowed(given["random"]):
        (evaluate_images if images else _evaluate_videos)(name, benchmark, out, given)


def _evaluate_videos(name: str, benchmark: Path, out: Path, given: dict[str, Any]) -> None:
    from icvos.commands.progress import bar
    from icvos.protocol import protocol
    from icvos.tasks.video.benchmark import Benchmark
    from icvos.tasks.video.predict import VideoRunOptions, run

    opened = Benchmark.open(benchmark)
    chosen = tuple(protocol(key) for key in given["protocols"])
    clips = opened.select(names(given["videos"]), names(given["categories"]), given["limit"])
    draws = parse_numbers(given["draws"], "--draws") if given["draws"] else tuple(range(opened.draws)) or (0,)
    options = VideoRunOptions(name, given["settings"], given["shots"], given["overwrite"], draws, chosen)
    with bar(name) as update:
        ran = run(
            opened,
            clips,
            out,
            options,
            start=lambda done, total: update(completed=done, total=total),
            advance=lambda clip, frames: update(advance=frames, description=f"{name} {clip.id}"),
        )
    folders = tuple(out / f"draw{draw}" for draw in ran)
    score_run(opened, out, chosen, clips=clips, folders=folders, workers=given["workers"])


def score_run(
    benchmark: Any, run: Path, protocols: Any, *, clips: Any, folders: tuple[Path, ...] | None = None, workers: int = 1
) -> None:
    """Score a run under each protocol, write ``scores.json`` or ``scores-<protocol>.json``, and print the figures."""
    from icvos.commands.progress import bar
    from icvos.files.storage import write_json
    from icvos.tasks.video.score import score

    for protocol in protocols:
        with bar(f"score {protocol.id}", len(clips)) as update:
            scores = score(
                benchmark,
                run,
                protocol,
                clips=clips,
                folders=folders,
                workers=workers,
                progress=lambda clip: update(advance=1),  # called before the next protocol's bar
            )
        path = run / scores_name(protocol.id)
        found = scores.to_json()
        write_json(path, found)
        print_scores(found, path)


def scores_name(protocol_id: str) -> str:
    """The scores file of a protocol in a run folder."""
    return "scores.json" if protocol_id == PAPER else f"scores-{protocol_id}.json"


def print_scores(scores: dict[str, Any], path: Path) -> None:
    """The overall figures of a result in a line, below a warning where they mean nothing."""
    from icvos.tasks.runs import made_with_random_weights

    overall = scores["overall"]
    if made_with_random_weights(scores["run"]):
        click.secho("RANDOM WEIGHTS: the figures below mean nothing; no leaderboard takes them", bold=True)
    low, high = overall["interval"]["jf"]
    click.echo(
        f"{scores['protocol']}: J {100 * overall['j']:.2f}  F {100 * overall['f']:.2f}  J&F {100 * overall['jf']:.2f} "
        f"[{100 * low:.2f}, {100 * high:.2f}]  {overall['clips']} clips, {overall['frames']} frames, "
        f"{len(overall['draws'])} draws -> {path}"
    )


def names(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


@click.command()
@click.option("--support", "supports", type=FOLDER, multiple=True, required=True, help="A picture; repeatable.")
@click.option("--mask", "masks", type=FOLDER, multiple=True, required=True, help="Its mask, non-zero = the object.")
@click.option("--video", type=FOLDER, required=True, help="A folder of frames, or a video file.")
@click.option("--out", type=FOLDER, required=True, help="A new folder for one mask PNG per frame.")
@click.option("--method", "name", default="lite", show_default=True)
@click.option("--set", "pairs", multiple=True, metavar="NAME=VALUE", help="A setting of the method; repeatable.")
@click.option("--overlay", type=FOLDER, default=None, help="Also write the video with the masks: .gif, .webp or .mp4.")
@RANDOM_WEIGHTS
def predict(supports: tuple[Path, ...], masks: tuple[Path, ...], video: Path, out: Path, **given: Any) -> None:
    """Segment your own video from your own picture and mask."""
    from icvos.commands.progress import bar
    from icvos.drawing.animation import write_animation
    from icvos.drawing.overlays import overlay
    from icvos.errors import IcvosError
    from icvos.files.frames import open_frames
    from icvos.files.masks import read_binary
    from icvos.method import load_method
    from icvos.models.weights.registry import random_weights_allowed
    from icvos.own_video import predict_video, support_of_files
    from icvos.tasks.runs import described, made_with_random_weights

    if len(supports) != len(masks):
        raise IcvosError(f"{len(supports)} --support and {len(masks)} --mask; give one mask for every picture")
    pairs = [support_of_files(image, mask) for image, mask in zip(supports, masks, strict=True)]
    frames = open_frames(video)
    with bar(given["name"], frames.count) as update, random_weights_allowed(given["random"]):
        method = load_method(given["name"], parse_settings(given["pairs"]))
        count = predict_video(method, pairs, frames, out, lambda done: update(advance=done))
    click.echo(f"{out}: {count} masks")
    if made_with_random_weights(described(method)):
        click.secho("RANDOM WEIGHTS: these masks mean nothing", bold=True)
    if given["overlay"]:
        images = (overlay(image, read_binary(out / f"{name}.png")) for name, image in open_frames(video))
        write_animation(given["overlay"], images)
        click.echo(f"{given['overlay']}")
