"""`icvos episodes`: the image benchmarks of few-shot segmentation."""

from pathlib import Path
from typing import Any

import click

from icvos.commands.source import FOLDER


@click.command()
@click.argument("name", type=click.Choice(["coco-20i", "pascal-5i", "coco-to-pascal", "all-coco"]))
@click.option("--coco", type=FOLDER, help="COCO 2014 or 2017 (the folder with annotations/ and the images).")
@click.option(
    "--rule",
    type=click.Choice(["painted", "union"]),
    default="painted",
    show_default=True,
    help="COCO's masks: one class per pixel, later over earlier, as published, or all instances of a class.",
)
@click.option(
    "--folds",
    type=click.Choice(["interleaved", "contiguous"]),
    default="interleaved",
    show_default=True,
    help="coco-20i: a fold tests every fourth class, or 20 in a row.",
)
@click.option("--episodes", default=1000, show_default=True, help="Evaluation episodes of every fold.")
@click.option("--max-shots", default=10, show_default=True, help="Supports of an episode; K shots take the first K.")
@click.option("--val-split", default=None, help="Split to evaluate on, as val2014.")
@click.option("--train-split", default=None, help="Split to train on, as train2014.")
@click.option("--workers", default=1, show_default=True, help="Processes; the result is the same for any number.")
@click.option("--out", type=FOLDER, required=True, help="The benchmark's folder.")
def episodes(out: Path, workers: int, **given: Any) -> None:
    """Build an image benchmark: annotated pictures, folds of classes, and frozen evaluation episodes."""
    from curation.episodes import build
    from icvos.episodes import ImageBenchmark
    from icvos.progress import bar

    plan = _plan(given)
    with bar("pictures") as update:
        warnings = build(
            plan,
            out,
            workers=workers,
            progress=lambda split, done, total: update(description=split, completed=done, total=total),
        )
    for warning in warnings:
        click.echo(f"warning: {warning}", err=True)
    click.echo(f"{out}: {ImageBenchmark.open(out).digest}")


def _plan(given: dict[str, Any]) -> Any:
    from curation.episodes import EpisodeOptions, Plan
    from curation.pictures import from_annotations
    from curation.sources.coco import Coco

    val = from_annotations(Coco.open(given["coco"], given["val_split"]), given["rule"])
    train = None
    if given["train_split"]:
        train = from_annotations(Coco.open(given["coco"], given["train_split"]), given["rule"])
    options = EpisodeOptions(given["episodes"], given["max_shots"])
    return Plan(given["name"], given["rule"], val, train, given["folds"], options)
