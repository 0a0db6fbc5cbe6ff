"""`icvos info`: what a benchmark holds, and what the source data sets do."""

from pathlib import Path
from typing import Any

import click

from icvos.commands.options import FOLDER, WORKERS, examples, given_sources, source_options
from icvos.commands.printing import say
from icvos.commands.progress import watched
from icvos.errors import AGAIN

STOPPED = f"the masks of {{done}} of {{units}} clips are read and no plot is written; {AGAIN}"


@click.command(
    epilog=examples(
        "icvos info IC-VOS",
        "icvos info coco-20i",
        "icvos info IC-VOS --plots plots",
        "icvos info --davis DAVIS --mose MOSE --lvos LVOS",
    )
)
@click.argument("benchmark", type=FOLDER, required=False)
@click.option(
    "--plots",
    type=FOLDER,
    help="A folder for charts (SVG, PNG) and their tables (CSV): sources, categories, sizes, ...",
)
@WORKERS
@source_options
def info(benchmark: Path | None, plots: Path | None, workers: int, **given: Any) -> None:
    """Show what a benchmark contains, or how large source datasets are beside the paper's Table I."""
    from icvos.commands.printing import show_listings
    from icvos.errors import IcvosError

    sources = given_sources(given)
    if benchmark is None and not sources:
        raise IcvosError("information on what? give a benchmark, or source data sets by --davis, --mose, ...")
    if plots and benchmark is None:
        raise IcvosError("--plots needs a benchmark; make one with icvos build")
    if sources:
        from curation.sources.datasets import read_datasets
        from curation.sources.overview import overview

        with watched() as watch:
            datasets = read_datasets(watch=watch, **given)
        show_listings([overview(datasets)])
    if benchmark is not None:
        from icvos.tasks.task import open_task

        show_listings(open_task(benchmark).summary())
        if plots:
            _plot(benchmark, plots, workers)


def _plot(root: Path, out: Path, workers: int) -> None:
    from icvos.errors import IcvosError
    from icvos.tasks.image.benchmark import is_image_benchmark
    from icvos.tasks.video.benchmark import Benchmark
    from icvos.tasks.video.statistics import write_statistics

    if is_image_benchmark(root):
        raise IcvosError(f"--plots: {root} is a benchmark of images, and charts are of videos; leave it out")
    benchmark = Benchmark.open(root)
    with watched(STOPPED) as watch:
        charts = write_statistics(benchmark, out, workers=workers, watch=watch)
    say(f"{out}: {len(charts)} charts, each as SVG and PNG, with its table as CSV")
