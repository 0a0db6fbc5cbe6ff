"""`icvos episodes`: the image benchmarks of few-shot segmentation."""

from pathlib import Path
from typing import Any

import click

from icvos.commands.options import FOLDER


@click.command()
@click.argument("name", type=click.Choice(["coco-20i", "pascal-5i", "coco-to-pascal", "all-coco"]))
@click.option("--coco", type=FOLDER, help="COCO 2014 or 2017 (the folder with annotations/ and the images).")
@click.option("--voc", type=FOLDER, help="PASCAL VOC 2012 (VOCdevkit or VOC2012).")
@click.option("--sbd", type=FOLDER, help="SBD, whose pictures PASCAL-5i trains on too (the folder with cls/).")
@click.option("--lists", type=FOLDER, help="Published lists (fss_list/) say which picture shows which class.")
@click.option(
    "--rule",
    type=click.Choice(["painted", "union", "png"]),
    default="painted",
    show_default=True,
    help="COCO's masks: one class a pixel, later over earlier, as published; all of a class; or published PNGs.",
)
@click.option(
    "--folds",
    type=click.Choice(["interleaved", "contiguous"]),
    default="interleaved",
    show_default=True,
    help="coco-20i: a fold tests every fourth class, or 20 in a row.",
)
@click.option("--episodes", type=click.IntRange(1), default=1000, show_default=True, help="Episodes of every fold.")
@click.option("--max-shots", type=click.IntRange(1), default=10, show_default=True, help="Supports of an episode.")
@click.option("--year", type=click.Choice(["2014", "2017"]), default=None, help="Of COCO, where both are there.")
@click.option("--val-split", default=None, help="The split to evaluate on, where it is not the usual one.")
@click.option("--train-split", default=None, help="The split to train on, where it is not the usual one; none: none.")
@click.option("--workers", default=1, show_default=True, help="Processes; the result is the same for any number.")
@click.option("--check", is_flag=True, help="Verify the benchmark in --out against its digests; build nothing.")
@click.option("--out", type=FOLDER, required=True, help="The benchmark's folder.")
def episodes(name: Any, out: Path, workers: int, check: bool, **given: Any) -> None:
    """Build an image benchmark: annotated pictures, folds of classes, and frozen evaluation episodes.

    coco-20i and all-coco are built from COCO, pascal-5i and coco-to-pascal from PASCAL VOC 2012.
    """
    if check:
        return _check(name, out)
    from curation.image.build import build_episodes
    from curation.image.plan import EpisodeOptions, Splits
    from icvos.commands.printing import show_listings
    from icvos.commands.progress import watched
    from icvos.tasks.image.benchmark import ImageBenchmark
    from icvos.tasks.image.summary import summary

    year = given.pop("year")
    splits = Splits(given.pop("val_split"), given.pop("train_split"), int(year) if year else None)
    options = EpisodeOptions(given.pop("episodes"), given.pop("max_shots"))
    with watched() as watch:
        build_episodes(name, out, splits=splits, options=options, workers=workers, watch=watch, **given)
    return show_listings(summary(ImageBenchmark.open(out)))


def _check(name: str, out: Path) -> None:
    from curation.image.check import check_benchmark
    from icvos.commands.progress import watched
    from icvos.errors import IcvosError
    from icvos.tasks.image.benchmark import ImageBenchmark

    benchmark = ImageBenchmark.open(out)
    if benchmark.name != name:
        raise IcvosError(f"{out}: this is {benchmark.name}, not {name}")
    with watched() as watch:
        problems = check_benchmark(out, watch=watch)
    for problem in problems:
        click.echo(problem)
    if problems:
        raise IcvosError(f"{out}: {len(problems)} faults; build the episodes again")
    click.echo(f"{out}: matches its digest {benchmark.digest}")
