"""`icvos episodes`: the image benchmarks of few-shot segmentation."""

from pathlib import Path
from typing import Any

import click

from icvos.commands.options import FOLDER

OF_COCO = ("coco-20i", "all-coco")


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
def episodes(name: str, out: Path, workers: int, check: bool, **given: Any) -> None:
    """Build an image benchmark: annotated pictures, folds of classes, and frozen evaluation episodes.

    coco-20i and all-coco are made of COCO, pascal-5i and coco-to-pascal of PASCAL VOC 2012.
    """
    from curation.image.build import build
    from icvos.commands.progress import bar
    from icvos.tasks.image.benchmark import ImageBenchmark

    if check:
        return _check(name, out)
    plan = _plan(name, given)
    with bar("pictures") as update:
        warnings = build(
            plan,
            out,
            workers=workers,
            progress=lambda split, done, total: update(description=split, completed=done, total=total),
        )
    for warning in warnings:
        click.echo(f"warning: {warning}", err=True)
    show_image_benchmark(ImageBenchmark.open(out))
    return None


def _plan(name: Any, given: dict[str, Any]) -> Any:
    """What to build, from the command's options; refuses those of another data set."""
    from curation.image.plan import EpisodeOptions, Splits, plan_coco, plan_pascal
    from icvos.errors import IcvosError

    source, other = ("coco", ("voc", "sbd")) if name in OF_COCO else ("voc", ("coco", "year"))
    for option in other:
        if given[option] is not None:
            raise IcvosError(f"{name} is not made of what --{option} names; leave it out")
    if given[source] is None:
        raise IcvosError(f"{name} is made of {'COCO' if source == 'coco' else 'PASCAL VOC 2012'}; give --{source}")
    if name == "coco-to-pascal" and given["train_split"] not in (None, "none"):
        raise IcvosError("coco-to-pascal is for evaluation only; leave out --train-split")
    splits = Splits(given["val_split"], given["train_split"], int(given["year"]) if given["year"] else None)
    options = EpisodeOptions(given["episodes"], given["max_shots"])
    if name in OF_COCO:
        return plan_coco(name, given["coco"], splits, given["rule"], given["lists"], given["folds"], options)
    return plan_pascal(name, given["voc"], splits, given["sbd"], given["lists"], options)


def _check(name: str, out: Path) -> None:
    from curation.image.check import check
    from icvos.errors import IcvosError
    from icvos.tasks.image.benchmark import ImageBenchmark

    benchmark = ImageBenchmark.open(out)
    if benchmark.name != name:
        raise IcvosError(f"{out}: this is {benchmark.name}, not {name}")
    problems = check(benchmark)
    for problem in problems:
        click.echo(problem)
    if problems:
        raise IcvosError(f"{out}: {len(problems)} faults; build the episodes again")
    click.echo(f"{out}: matches its digest {benchmark.digest}")


def show_image_benchmark(benchmark: Any) -> None:
    """A table of the folds, with the counts of the published lists beside them, and the digest."""
    from curation.image.check import fold_counts
    from icvos.commands.printing import listing, show

    def beside(own: int, published: int | None) -> str:
        return f"{own:,}" + (f" / {published:,}" if published else "")

    columns = ["fold", "classes asked", "pictures", "pairs", "episodes", "shots"]
    if benchmark.training_digest:
        columns += ["training pictures", "without tested classes"]
    table = listing(*columns)
    for number, found in enumerate(fold_counts(benchmark)):
        row = [
            str(number),
            f"{found.asked} of {found.tested}",
            beside(found.pictures, found.published.pictures),
            beside(found.pairs, found.published.pairs),
            f"{found.episodes:,}",
            str(found.shots),
        ]
        if benchmark.training_digest:
            row += [f"{found.training:,}", beside(found.training_apart, found.published.training_apart)]
        table.add_row(*row)
    splits = benchmark.manifest["splits"]
    click.echo(f"{benchmark.root}: {benchmark.name}, {' and '.join(splits.values())}; {benchmark.manifest['rule']}")
    show(table)
    click.echo("pairs of a picture and a class; after the stroke: the published lists")
    click.echo(f"evaluation {benchmark.digest}")
    if benchmark.training_digest:
        click.echo(f"training {benchmark.training_digest}")
