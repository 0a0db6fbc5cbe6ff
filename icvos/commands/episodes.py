"""`icvos episodes`: the image benchmarks of few-shot segmentation."""

from pathlib import Path
from typing import Any

import click

from icvos.commands.options import FOLDER, WORKERS, examples
from icvos.commands.printing import say
from icvos.errors import AGAIN

STOPPED = f"{{done}} of {{units}} batches of {{stage}} are read and nothing is written; {AGAIN}"


@click.command(
    epilog=examples(
        "icvos episodes coco-20i --coco COCO --workers 8 --out coco-20i",
        "icvos episodes pascal-5i --voc VOCdevkit --sbd benchmark_RELEASE --out pascal-5i",
        "icvos episodes coco-20i --check --out coco-20i",
    )
)
@click.argument("name", type=click.Choice(["coco-20i", "pascal-5i", "coco-to-pascal", "all-coco"]))
@click.option("--coco", type=FOLDER, help="COCO 2014 or 2017: the folder with annotations/ and the images.")
@click.option("--voc", type=FOLDER, help="PASCAL VOC 2012: VOCdevkit or VOC2012.")
@click.option("--sbd", type=FOLDER, help="SBD, which adds training pictures to pascal-5i: the folder with cls/.")
@click.option("--lists", type=FOLDER, help="Published lists (fss_list/) that say which picture shows which class.")
@click.option(
    "--rule",
    type=click.Choice(["painted", "union", "png"]),
    default="painted",
    show_default=True,
    help="COCO's masks: as published, one class per pixel, later over earlier; the union per class; or published PNGs.",
)
@click.option(
    "--folds",
    type=click.Choice(["interleaved", "contiguous"]),
    default="interleaved",
    show_default=True,
    help="coco-20i: a fold tests every fourth class, or 20 consecutive ones.",
)
@click.option("--episodes", type=click.IntRange(1), default=1000, show_default=True, help="Episodes per fold.")
@click.option("--max-shots", type=click.IntRange(1), default=10, show_default=True, help="Supports per episode.")
@click.option(
    "--year", type=click.Choice(["2014", "2017"]), default=None, help="The year of COCO, if both are present."
)
@click.option("--val-split", metavar="NAME", default=None, help="The split to evaluate on, if not the usual one.")
@click.option(
    "--train-split",
    metavar="NAME",
    default=None,
    help="The split to train on, if not the usual one; none for no split.",
)
@WORKERS
@click.option("--check", is_flag=True, help="Check the benchmark in --out against its digests; build nothing.")
@click.option("--out", type=FOLDER, required=True, help="The folder of the benchmark.")
def episodes(name: Any, out: Path, workers: int, check: bool, **given: Any) -> None:
    """Build a few-shot benchmark of images: annotated pictures, folds of classes, frozen evaluation episodes.

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
    with watched(STOPPED) as watch:
        build_episodes(name, out, splits=splits, options=options, workers=workers, watch=watch, **given)
    return show_listings(summary(ImageBenchmark.open(out)))


def _check(name: str, out: Path) -> None:
    from curation.image.check import check_benchmark
    from icvos.commands.progress import watched
    from icvos.errors import IcvosError, plural
    from icvos.tasks.image.benchmark import ImageBenchmark

    benchmark = ImageBenchmark.open(out)
    if benchmark.name != name:
        raise IcvosError(f"{out}: this is {benchmark.name}, not {name}")
    with watched() as watch:
        problems = check_benchmark(out, watch=watch)
    for problem in problems:
        say(problem)
    if problems:
        raise IcvosError(f"{out}: {plural(len(problems), 'fault')}; build the episodes again")
    say(f"{out}: matches its digest {benchmark.digest}")
