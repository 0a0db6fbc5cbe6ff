"""`icvos demo`: the main job from nothing, on the small world."""

import contextlib
import io
import json
import os
import shlex
from collections.abc import Sequence
from pathlib import Path

import click

from icvos.commands.options import FOLDER, examples
from icvos.commands.printing import say
from icvos.commands.progress import bar
from icvos.workers import run_jobs

FOLD = 0  # of COCO-20i: its categories are all that the benchmark has, and what no small model has seen
VIDEOS = 16  # beside those that a small world has, of which few show these categories
# those of the paper's Table IV, then what learns nothing, what knows no first frame, and what is told it
METHODS = ("dcsam", "pfenet", "amnet", "hdmnet", "vrp-sam", "matcher", "persam", "persam-f", "lite", "memory", "oracle")
# carries the masks of all of them through the videos, but for `memory`, which is SAM 2 alone
CARRIED = {"sam2": "affinity", "short_side": 240}
SLOWEST = ("matcher", "persam-f", "dcsam")  # begun first, so that none is left for the end
AT_ONCE = 4  # methods at most, each in a process of one core and about a gigabyte
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
    evaluations = {method: _evaluation(method, benchmark, out / "runs" / method) for method in METHODS}
    _run_ahead([method for method in METHODS if not (out / "runs" / method / "scores.json").is_file()], evaluations)
    for arguments in evaluations.values():
        run(*arguments)
    shown = _best_and_worst(out / "runs" / SHOWN)
    run(
        "render", benchmark, "--predictions", out / "runs" / SHOWN, "--clips", ",".join(shown),
        "--kind", "sheet", "--out", pictures,
    )  # fmt: skip
    drawn = [part for clip in shown for part in ("--picture", _sheet(pictures, clip))]
    run("leaderboard", *(out / "runs" / method for method in METHODS), "--out", out / "site", *drawn)


def _evaluation(method: str, benchmark: Path, out: Path) -> tuple[str, ...]:
    """The words of the command that evaluates a method at its small size."""
    from icvos.method import method_class, sees_truth

    factory = method_class(method)
    fields = factory.Settings.__dataclass_fields__
    settings = dict(getattr(factory, "small", {}))
    if "short_side" in fields:
        settings |= {name: value for name, value in CARRIED.items() if name in fields}
    given = [part for name, value in settings.items() for part in ("--set", f"{name}={value}")]
    draws = () if sees_truth(factory) else ("--draws", "0")
    return (
        "eval", "--method", method, *given, *draws, "--benchmark", str(benchmark), "--frames", "--out", str(out),
    )  # fmt: skip


def _run_ahead(methods: Sequence[str], evaluations: dict[str, tuple[str, ...]]) -> None:
    """Evaluate methods, several at once; the same commands called afterwards find everything done and print it."""
    workers = min(AT_ONCE, os.cpu_count() or 1, len(methods))
    if workers < 2:
        return
    say(f"\n{len(methods)} methods, {workers} at once: {', '.join(methods)}", bold=True)
    jobs = [evaluations[method] for method in methods]
    slowest = [evaluations[method] for method in methods if method in SLOWEST]
    with bar("methods", len(jobs)) as update:
        run_jobs(
            _evaluate, jobs, workers, cost=lambda job: int(job in slowest), done=lambda job: update(advance=1)
        )  # fmt: skip


def _evaluate(arguments: Sequence[str]) -> None:
    """Run one command in a process of its own, on one core and in silence."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported
    from icvos.cli import main

    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        main.main(list(arguments), prog_name="icvos", standalone_mode=False)


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
