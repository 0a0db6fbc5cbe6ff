"""`icvos build`: the benchmark of videos from its sources."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from icvos.commands.options import FOLDER, RAY, WORKERS, examples, read_workers, source_options
from icvos.commands.printing import say
from icvos.errors import AGAIN

if TYPE_CHECKING:
    from icvos.workers import Workers

COUNT = click.IntRange(1)
STOPPED = f"{{done}} of {{units}} {{stage}} are made; {AGAIN} to go on"


@click.command(
    epilog=examples(
        "icvos build --davis DAVIS --coco COCO --out IC-VOS",
        "icvos build --davis DAVIS --mose MOSE --lvos LVOS --coco COCO \\",
        "    --curation rows.csv --workers 8 --out IC-VOS",
        "icvos build --published IC-VOS-release --coco COCO --out IC-VOS",
        "icvos build --check --out IC-VOS",
    )
)
@source_options
@click.option("--published", type=FOLDER, help="A copy of the published IC-VOS release, in place of the sources.")
@click.option("--coco", type=FOLDER, help="COCO 2014 or 2017: the folder with annotations/ and val2014/ or val2017/.")
@click.option("--coco-split", metavar="NAME", default=None, help="The COCO split for supports, if several are present.")
@click.option("--out", type=FOLDER, required=True, help="The folder of the benchmark.")
@click.option(
    "--curation",
    type=FOLDER,
    multiple=True,
    help="A curation file (repeatable); its rows replace the shipped DAVIS rows of the same videos.",
)
@click.option("--only-decided", is_flag=True, help="Build accepted rows only, without mentioning undecided ones.")
@click.option("--accept", type=click.Choice(["undecided"]), help="Also build undecided rows.")
@click.option("--allow-late", is_flag=True, help="Also build categories that do not appear in the first frame.")
@click.option(
    "--support-masks",
    type=click.Choice(["union", "painted"]),
    default="union",
    show_default=True,
    help="The union of all instances, or as published: one class per pixel, later instances over earlier ones.",
)
@click.option("--supports-per-class", default=200, type=COUNT, show_default=True, help="Support images per class.")
@click.option("--draws", default=5, type=COUNT, show_default=True, help="Frozen support draws.")
@click.option("--shots", default=5, type=COUNT, show_default=True, help="Supports per clip and draw.")
@click.option(
    "--name",
    metavar="NAME",
    default=None,
    help="Its name.  [default: IC-VOS, or IC-VOS-grown with more sources than the paper has]",
)
@click.option("--overwrite", is_flag=True, help="Remove the videos of another benchmark in --out.")
@WORKERS
@RAY
@click.option("--dry-run", is_flag=True, help="Show what would be built; write nothing.")
@click.option("--check", is_flag=True, help="Check the benchmark in --out against its digest; build nothing.")
def build(
    out: Path,
    check: bool,
    dry_run: bool,
    overwrite: bool,
    accept: str | None,
    support_masks: Any,
    supports_per_class: int,
    draws: int,
    shots: int,
    **given: Any,
) -> None:
    """Build the IC-VOS benchmark from its source datasets.

    Any subset of DAVIS, MOSE and LVOS will do. MOSE and LVOS need a curation file; icvos curate helps to make one. A
    build that was stopped resumes when it is run again.
    """
    workers = read_workers(given)
    if check:
        return _check(out, workers)
    from curation.video.build import build_plan, require_place
    from curation.video.plan import make_plan
    from curation.video.supports import SupportOptions
    from icvos.commands.printing import show_listings
    from icvos.commands.progress import watched
    from icvos.tasks.video.benchmark import Benchmark
    from icvos.tasks.video.summary import left_out_lines, summary

    if not dry_run:
        require_place(out)
    supports = SupportOptions(support_masks, supports_per_class, draws, shots)
    with watched(STOPPED) as watch:
        plan = make_plan(accept_undecided=accept is not None, supports=supports, watch=watch, **given)
        if not dry_run:
            build_plan(plan, out, overwrite=overwrite, workers=workers, watch=watch)
    if dry_run:
        *videos, everything = plan.lines()
        left_out = [*left_out_lines(plan.left_out), f"{len(plan.left_out):,} left out"] if plan.left_out else []
        return show_listings([*videos, *left_out, f"would build {everything}; nothing was written"])
    return show_listings(summary(Benchmark.open(out)))


def _check(out: Path, workers: "Workers") -> None:
    from curation.video.check import check_benchmark
    from icvos.commands.progress import watched
    from icvos.errors import IcvosError, plural
    from icvos.tasks.video.benchmark import Benchmark

    with watched() as watch:
        problems = check_benchmark(out, workers=workers, watch=watch)
    for problem in problems:
        say(problem)
    if problems:
        remedy = "remove the videos, supports and masks that are named, and build again: what is missing is made"
        raise IcvosError(f"{out}: {plural(len(problems), 'fault')}; {remedy}")
    say(f"{out}: matches its digest {Benchmark.open(out).digest}")
