"""`icvos demo`: the main job from nothing, on the small world."""

import json
import shlex
from pathlib import Path

import click

from icvos.commands.options import FOLDER, examples
from icvos.commands.printing import say

FOLD = 0  # of COCO-20i: its categories are all that the benchmark has, and what no small model has seen
VIDEOS = 16  # beside those that a small world has, of which few show these categories
# those of the paper's Table IV, then what learns nothing, what knows no first frame, and what is told it
METHODS = ("dcsam", "pfenet", "amnet", "hdmnet", "vrp-sam", "matcher", "persam", "persam-f", "lite", "memory", "oracle")
# carries the masks of all of them through the videos, but for `memory`, which is SAM 2 alone
CARRIED = {"sam2": "affinity", "short_side": 240}
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
    from icvos.method import method_class, sees_truth

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
    for method in METHODS:
        factory = method_class(method)
        fields = factory.Settings.__dataclass_fields__
        settings = dict(getattr(factory, "small", {}))
        if "short_side" in fields:
            settings |= {name: value for name, value in CARRIED.items() if name in fields}
        given = [part for name, value in settings.items() for part in ("--set", f"{name}={value}")]
        draws = () if sees_truth(factory) else ("--draws", 0)
        run(
            "eval", "--method", method, *given, *draws, "--benchmark", benchmark, "--frames",
            "--out", out / "runs" / method,
        )  # fmt: skip
    shown = _best_and_worst(out / "runs" / SHOWN)
    run(
        "render", benchmark, "--predictions", out / "runs" / SHOWN, "--clips", ",".join(shown),
        "--kind", "sheet", "--out", pictures,
    )  # fmt: skip
    drawn = [part for clip in shown for part in ("--picture", _sheet(pictures, clip))]
    run("leaderboard", *(out / "runs" / method for method in METHODS), "--out", out / "site", *drawn)


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
