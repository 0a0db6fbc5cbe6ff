"""`icvos demo`: the main job from nothing, on the small world."""

import contextlib
import json
import os
import shlex
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import click

from icvos.commands.options import FOLDER, examples, read_settings
from icvos.commands.printing import say
from icvos.commands.progress import bar
from icvos.workers import run_jobs

FOLD = 0  # of COCO-20i: its categories are all that the benchmark has, and what no small model has seen
VIDEOS = 16  # beside those that a small world has, of which few show these categories
# those of the paper's Table IV, then what learns nothing, what knows no first frame, and what is told it
METHODS = ("dcsam", "pfenet", "amnet", "hdmnet", "vrp-sam", "matcher", "persam", "persam-f", "lite", "memory", "oracle")
# carries the masks of all of them through the videos, but for `memory`, which is SAM 2 alone
CARRIED = {"sam2": "affinity", "short_side": 240}
DRAW = 0  # of supports, the only one
AT_ONCE = 4  # processes at most, each of one core and about a gigabyte
SHOWN = "dcsam"  # whose best and worst clips are drawn


@click.command(epilog=examples("icvos demo", "icvos demo --out demo"))
@click.option(
    "--out",
    type=FOLDER,
    default=Path("icvos-demo"),
    show_default=True,
    help="The folder of data, benchmark, runs and page.",
)
@click.pass_context
def demo(context: click.Context, out: Path) -> None:
    """Build a benchmark, run methods on it, score and rank them: on a drawn world, without a download.

    Every command that it runs is printed. Run it again to go on, or to see the table and the page once more.
    """
    group = context.find_root().command

    def run(*arguments: object) -> None:
        words = [str(argument) for argument in arguments]
        say(f"\n$ icvos {shlex.join(words)}", bold=True)
        group.main(words, prog_name="icvos", standalone_mode=False)

    world, benchmark, pictures = out / "world", out / "benchmark", out / "pictures"
    if not world.is_dir():
        run("smallworld", world, "--fold", FOLD, "--videos", VIDEOS)
    if not (benchmark / "icvos.json").is_file():
        sources = [part for name in ("davis", "mose", "lvos", "coco") for part in (f"--{name}", world / name)]
        run("build", *sources, "--curation", world / "curation.csv", "--only-decided", "--out", benchmark)
    evaluations = [_evaluation(method, benchmark, out / "runs" / method) for method in METHODS]
    _run_ahead([evaluation for evaluation in evaluations if not (evaluation.out / "scores.json").is_file()])
    for evaluation in evaluations:
        run(*evaluation.words())
    shown = _best_and_worst(out / "runs" / SHOWN)
    run(
        "render", benchmark, "--predictions", out / "runs" / SHOWN, "--clips", ",".join(shown),
        "--kind", "sheet", "--out", pictures,
    )  # fmt: skip
    drawn = [part for clip in shown for part in ("--picture", _sheet(pictures, clip))]
    run("leaderboard", *(out / "runs" / method for method in METHODS), "--out", out / "site", *drawn)


class Evaluation(NamedTuple):
    """A method at its small size over the demo's benchmark: a call, and the command that says the same."""

    method: str
    benchmark: Path
    out: Path
    settings: tuple[str, ...]  # each name=value
    draws: str | None  # None: all that the method has

    def words(self) -> list[object]:
        """What follows ``icvos`` in the command."""
        given = [part for pair in self.settings for part in ("--set", pair)]
        draws = ["--draws", self.draws] if self.draws else []
        words = ["eval", "--method", self.method, *given, *draws, "--benchmark", self.benchmark, "--frames"]
        return [*words, "--out", self.out]


def _evaluation(method: str, benchmark: Path, out: Path) -> Evaluation:
    """A method at its small size, of one draw unless it is told the truth, which has one."""
    from icvos.method import method_class, sees_truth

    factory = method_class(method)
    fields = factory.Settings.__dataclass_fields__
    settings = dict(getattr(factory, "small", {}))
    if "short_side" in fields:
        settings |= {name: value for name, value in CARRIED.items() if name in fields}
    pairs = tuple(f"{name}={value}" for name, value in settings.items())
    return Evaluation(method, benchmark, out, pairs, None if sees_truth(factory) else str(DRAW))


class Share(NamedTuple):
    """What one process makes ahead: of every video that no other has claimed all methods, in one pass."""

    evaluations: tuple[Evaluation, ...]
    shard: str

    def run(self) -> None:
        """Evaluate in silence and on one core; what fails says so when its command is run."""
        os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported
        from icvos.tasks.evaluation import evaluate_all

        settings = {one.method: read_settings(one.settings) for one in self.evaluations}
        places = {one.method: one.out for one in self.evaluations}
        benchmark = self.evaluations[0].benchmark
        evaluate_all(settings, benchmark, places, parts=(DRAW,), frames=True, shard=self.shard)


def _run_ahead(evaluations: Sequence[Evaluation]) -> None:
    """Evaluate methods, in several processes; the same commands called afterwards find everything done and print it."""
    workers = min(AT_ONCE, os.cpu_count() or 1)
    if not evaluations or workers < 2:
        return
    names = ", ".join(evaluation.method for evaluation in evaluations)
    say(f"\n{len(evaluations)} methods in one pass over each video, in {workers} processes: {names}", bold=True)
    clips = json.loads((evaluations[0].benchmark / "icvos.json").read_text(encoding="utf-8"))["counts"]["clips"]
    with bar("clips", clips * len(evaluations)) as update, _counted(evaluations, update):
        run_jobs(Share.run, [Share(tuple(evaluations), f"{place + 1}/{workers}") for place in range(workers)], workers)


@contextlib.contextmanager
def _counted(evaluations: Sequence[Evaluation], update: Callable[..., None]) -> Iterator[None]:
    """Show, every second, how many clips have been made by whatever process."""
    over = threading.Event()

    def count() -> None:
        while not over.wait(1):
            update(completed=sum(len(list(one.out.glob("draw*/*/*/"))) for one in evaluations))

    counting = threading.Thread(target=count, daemon=True)
    counting.start()
    try:
        yield
    finally:
        over.set()
        counting.join()


def _best_and_worst(run: Path) -> list[str]:
    """The clips that a run found best and worst, by J&F."""
    from icvos.tasks.calls import find_scores

    clips = json.loads(find_scores(run).read_text(encoding="utf-8"))["clips"]
    by_score = sorted(clips, key=lambda clip: clips[clip]["jf"])
    return [by_score[-1], by_score[0]]


def _sheet(pictures: Path, clip: str) -> Path:
    """The contact sheet of a clip, ``<video>/<class>``."""
    from icvos.categories import COCO

    video, kind = clip.split("/")
    return pictures / f"{video}-{COCO[int(kind) - 1].name.replace(' ', '-')}.png"
