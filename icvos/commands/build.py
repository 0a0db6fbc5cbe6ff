"""`icvos build`: the benchmark of videos from its sources."""

from pathlib import Path
from typing import Any

import click

from icvos.commands.options import FOLDER, source_options

COUNT = click.IntRange(1)


@click.command()
@source_options
@click.option("--published", type=FOLDER, help="A copy of the published IC-VOS release, instead of sources and rows.")
@click.option("--coco", type=FOLDER, help="COCO 2014 or 2017 (the folder with annotations/ and val2014/ or val2017/).")
@click.option("--coco-split", default=None, help="Which COCO split gives supports, where several are there.")
@click.option("--out", type=FOLDER, required=True, help="The benchmark's folder.")
@click.option(
    "--curation", type=FOLDER, multiple=True, help="Curation file (CSV); its videos replace the shipped DAVIS rows."
)
@click.option("--only-decided", is_flag=True, help="Build accepted rows alone, without a word on undecided ones.")
@click.option("--accept", type=click.Choice(["undecided"]), help="Build undecided rows as well as accepted ones.")
@click.option("--allow-late", is_flag=True, help="Build categories that are not in the first frame.")
@click.option(
    "--support-masks",
    type=click.Choice(["union", "painted"]),
    default="union",
    show_default=True,
    help="Union of all instances, or the published rule (one class per pixel, later over earlier).",
)
@click.option("--supports-per-class", default=200, type=COUNT, show_default=True, help="Support images of each class.")
@click.option("--draws", default=5, type=COUNT, show_default=True, help="Frozen support draws.")
@click.option("--shots", default=5, type=COUNT, show_default=True, help="Supports a draw holds for each clip.")
@click.option("--workers", default=1, show_default=True, help="Processes; the result is the same for any number.")
@click.option("--dry-run", is_flag=True, help="Say what would be built; write nothing.")
@click.option("--check", is_flag=True, help="Verify the benchmark in --out against its digest; build nothing.")
def build(
    out: Path,
    check: bool,
    dry_run: bool,
    workers: int,
    accept: str | None,
    support_masks: Any,
    supports_per_class: int,
    draws: int,
    shots: int,
    **given: Any,
) -> None:
    """Build the benchmark from the source datasets."""
    if check:
        return _check(out, workers)
    from curation.video.build import build_plan
    from curation.video.plan import make_plan
    from curation.video.supports import SupportOptions
    from icvos.commands.printing import show_listings
    from icvos.commands.progress import watched
    from icvos.tasks.video.benchmark import Benchmark
    from icvos.tasks.video.summary import left_out_lines, summary

    supports = SupportOptions(support_masks, supports_per_class, draws, shots)
    with watched() as watch:
        plan = make_plan(accept_undecided=accept is not None, supports=supports, watch=watch, **given)
        if not dry_run:
            build_plan(plan, out, workers=workers, watch=watch)
    if dry_run:
        *videos, everything = plan.lines()
        lines = [*videos, *left_out_lines(plan.left_out), f"would build {everything}; nothing was written"]
        return show_listings(lines)
    return show_listings(summary(Benchmark.open(out)))


def _check(out: Path, workers: int) -> None:
    from curation.video.check import check_benchmark
    from icvos.commands.progress import watched
    from icvos.errors import IcvosError
    from icvos.tasks.video.benchmark import Benchmark

    with watched() as watch:
        problems = check_benchmark(out, workers=workers, watch=watch)
    for problem in problems:
        click.echo(problem)
    if problems:
        raise IcvosError(f"{out}: {len(problems)} faults; run the build again to restore it")
    click.echo(f"{out}: matches its digest {Benchmark.open(out).digest}")
