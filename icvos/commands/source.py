"""`icvos build`, `icvos info` and `icvos smallworld`: where a benchmark comes from."""

from pathlib import Path
from typing import Any

import click

from icvos.commands.options import FOLDER, source_options


def read_sources(given: dict[str, Any]) -> list[Any]:
    """The data sets named by `source_options`, read; takes those options out of ``given``."""
    from curation.sources import davis, lvos, mose
    from curation.sources.video import ReadOptions

    options = ReadOptions(given.pop("missing_masks"), given.pop("resize"), given.pop("natural_sort"))
    resolution = given.pop("resolution")
    roots = {name: given.pop(name) for name in ("davis", "mose", "lvos")}
    datasets = []
    if roots["davis"]:
        datasets.append(davis.read(roots["davis"], resolution=resolution, options=options))
    if roots["mose"]:
        datasets.append(mose.read(roots["mose"], options=options))
    if roots["lvos"]:
        datasets.append(lvos.read(roots["lvos"], options=options))
    for dataset in datasets:
        for warning in dataset.warnings:
            click.echo(f"warning: {warning}", err=True)
    return datasets


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
@click.option("--supports-per-class", default=200, show_default=True, help="Support images kept of each class.")
@click.option("--draws", default=5, show_default=True, help="Frozen support draws.")
@click.option("--shots", default=5, show_default=True, help="Supports a draw holds for each clip.")
@click.option("--workers", default=1, show_default=True, help="Processes; the result is the same for any number.")
@click.option("--dry-run", is_flag=True, help="Say what would be built; write nothing.")
@click.option("--check", is_flag=True, help="Verify the benchmark in --out against its digest; build nothing.")
def build(out: Path, check: bool, dry_run: bool, workers: int, only_decided: bool, **given: Any) -> None:
    """Build the benchmark from the source datasets."""
    if check:
        return _check(out, workers)
    from curation.video.build import build as run_build
    from icvos.commands.progress import bar

    plan, notes = _plan(only_decided, given)
    for note in notes:
        click.echo(note, err=True)
    if dry_run:
        return _dry_run(plan)
    with bar("build") as update:
        manifest = run_build(
            plan,
            out,
            workers=workers,
            progress=lambda stage, done, total: update(description=stage, completed=done, total=total),
        )
    _print_manifest(manifest, out)
    _note_few_supports(out)
    return None


def _note_few_supports(out: Path) -> None:
    """Say which classes have fewer images than a draw holds: their clips get as many as there are."""
    from icvos.categories import category
    from icvos.files.storage import read_json

    supports = read_json(out / "supports.json", "the frozen support draws")
    few = [
        f"{category(index).name} {len(names)}"
        for index, names in supports["classes"].items()
        if len(names) < supports["shots"]
    ]
    if few:
        click.echo(f"note: fewer support images than the {supports['shots']} of a draw: {', '.join(few)}", err=True)


def _plan(only_decided: bool, given: dict[str, Any]) -> tuple[Any, list[str]]:
    """The build's plan from the command's options, and notes for the user."""
    from curation.sources.coco import Coco
    from curation.video.build import Plan
    from curation.video.candidates import republish
    from curation.video.rows import merge, read_rows, shipped_rows
    from curation.video.select import how_to_get_rows, select
    from curation.video.supports import SupportOptions
    from icvos.errors import IcvosError
    from icvos.tasks.video.benchmark import Benchmark

    datasets = read_sources(given)
    coco = Coco.open(given["coco"], given["coco_split"]) if given["coco"] else None
    supports = SupportOptions(given["support_masks"], given["supports_per_class"], given["draws"], given["shots"])
    notes = [] if coco else ["note: no --coco, so the benchmark has no supports; only oracle can run on it"]
    if given["published"]:
        if datasets:
            raise IcvosError(
                f"{given['published']}: --published replaces --davis, --mose and --lvos; give one or the other"
            )
        tubes: tuple[Any, ...] = republish(Benchmark.open(given["published"]))
        return Plan(tubes, coco=coco, supports=supports, allow_late=True), notes
    if not datasets:
        raise IcvosError("no source: give at least one of --davis, --mose, --lvos, or --published")
    rows = merge(shipped_rows(), *(read_rows(path) for path in given["curation"]))
    selection = select(datasets, rows, accept_undecided=given["accept"] == "undecided")
    undecided = sum(found.reason.startswith("undecided") for found in selection.left_out)
    if undecided and not only_decided:
        notes.append(
            f"note: {undecided} undecided clips are left out; --accept undecided builds them, --only-decided is silent"
        )
    for name, missing in selection.without_rows.items():
        if missing and not only_decided:
            some = ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")
            notes.append(f"note: {name}: {len(missing)} videos have no curation row ({some}); {how_to_get_rows()}")
    versions = tuple((dataset.source, dataset.version) for dataset in datasets)
    return Plan(selection.candidates, selection.left_out, versions, coco, supports, given["allow_late"]), notes


def _dry_run(plan: Any) -> None:
    from icvos.categories import category

    for tubes in plan.tubes:
        indices = [entry[0] if isinstance(entry, tuple) else entry for entry in tubes.classes]
        names = ", ".join(category(index).name for index in indices)
        click.echo(f"{tubes.name}: {len(tubes.frames)} frames, {names}")
    clips = sum(len(tubes.classes) for tubes in plan.tubes)
    frames = sum(len(tubes.frames) for tubes in plan.tubes)
    _print_left_out([(found.source, found.video, found.category, found.reason) for found in plan.left_out])
    click.echo(f"would build {len(plan.tubes)} videos, {clips} clips, {frames} frames; nothing was written")


def _check(out: Path, workers: int) -> None:
    from curation.video.manifest import check
    from icvos.commands.progress import bar
    from icvos.errors import IcvosError
    from icvos.tasks.video.benchmark import Benchmark

    with bar("check") as update:
        problems = check(
            out,
            workers=workers,
            progress=lambda stage, done, total: update(description=stage, completed=done, total=total),
        )
    for problem in problems:
        click.echo(problem)
    if problems:
        raise IcvosError(f"{out}: {len(problems)} faults; run the build again to restore it")
    click.echo(f"{out}: matches its digest {Benchmark.open(out).digest}")


def _print_left_out(left_out: list[tuple[str, str, str, str]]) -> None:
    """One line for every reason, with the clips that it concerns."""
    reasons: dict[str, list[str]] = {}
    for source, video, category, reason in left_out:
        reasons.setdefault(reason, []).append(f"{source}/{video} {category}")
    for reason, clips in reasons.items():
        some = ", ".join(clips[:6]) + (f" and {len(clips) - 6} more" if len(clips) > 6 else "")
        click.echo(f"left out: {some}: {reason}")


def _print_manifest(manifest: dict[str, Any], root: Path) -> None:
    """Counts of a build next to the paper's, as tables."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    def beside(own: object, paper: object) -> str:
        return f"{own} [dim]/ {paper}[/dim]"

    counts, paper = manifest["counts"], manifest["counts"]["paper"]
    sources = Table(box=box.SIMPLE_HEAD, title=f"{root}: here / in the paper", title_justify="left")
    for column in ("source", "videos", "share of videos", "clips", "frames"):
        sources.add_column(column, justify="left" if column == "source" else "right")
    for name, found in manifest["sources"].items():
        videos = beside(found["videos"], found["paper"]["videos"])
        share = beside(f"{found['share_percent']} %", f"{found['paper']['share_percent']} %")
        sources.add_row(f"{name} {found['version']}", videos, share, str(found["clips"]), f"{found['frames']:,}")
    sources.add_section()
    videos, clips, frames = (beside(f"{counts[key]:,}", f"{paper[key]:,}") for key in ("videos", "clips", "frames"))
    sources.add_row("all", videos, "", clips, frames)
    title = f"{counts['categories']} categories, {paper['categories']} in the paper"
    categories = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left")
    for column in ("category", "class", "clips", "frames"):
        categories.add_column(column, justify="left" if column == "category" else "right")
    for name, found in manifest["categories"].items():
        clips = beside(found["clips"], found["paper"]["clips"])
        frames = beside(found["frames"], f"{found['paper']['frames_about']:,}")
        categories.add_row(name, str(found["class"]), clips, frames)
    console = Console()
    console.print(categories, sources)
    _print_left_out([tuple(found.values()) for found in manifest["left_out"]])
    click.echo(f"{root}: {manifest['digest']}")


@click.command()
@click.argument("benchmark", type=FOLDER)
def info(benchmark: Path) -> None:
    """Show what a benchmark of videos or of images holds."""
    from icvos.commands.episodes import show_image_benchmark
    from icvos.tasks.image.benchmark import ImageBenchmark, is_image_benchmark
    from icvos.tasks.video.benchmark import Benchmark

    if is_image_benchmark(benchmark):
        return show_image_benchmark(ImageBenchmark.open(benchmark))
    opened = Benchmark.open(benchmark)
    if opened.manifest:
        return _print_manifest(opened.manifest, benchmark)
    for video in opened.videos:
        names = ", ".join(clip.category.name for clip in opened.clips if clip.video == video)
        click.echo(f"{video.name}: {len(video.frames)} frames, {names}")
    click.echo(f"{benchmark}: published layout, {len(opened.videos)} videos, {len(opened.clips)} clips, no supports")
    return None


@click.command()
@click.argument("out", type=FOLDER)
@click.option("--scale", type=click.Choice(["tiny", "demo"]), default="demo", show_default=True)
@click.option("--seed", default=0, show_default=True)
@click.option("--train-pictures", type=click.IntRange(0), default=0, help="Pictures of a COCO split to train on.")
@click.option("--val-pictures", type=click.IntRange(0), default=0, help="More pictures of COCO's val split.")
def smallworld(out: Path, **given: Any) -> None:
    """Write miniature DAVIS, MOSE, LVOS and COCO folders of drawn objects, to try everything on."""
    from icvos.errors import IcvosError
    from icvos.smallworld.layouts import write_world

    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise IcvosError(f"{out}: is not an empty folder; choose another")
    folders = write_world(out, **given)
    click.echo(f"{out}: {', '.join(sorted(folders))} and curation.csv")
