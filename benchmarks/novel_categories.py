"""What is learned of categories that were never seen: every trained method on one world of drawn videos.

    python -m benchmarks.novel_categories --out runs/novel --train

A small SAM 2 is taught to obey prompts, and the methods are trained on top of it, on the small world without the
categories of fold 0. They are evaluated on videos of another world, on those categories alone, with the same frozen
supports. Hours on two cores; what is there already is not made again. The table says what each row was trained on.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from icvos.smallworld import held_out
from icvos.training.recipe import read_recipe

FOLD = 0
WORLD_SEED = 77  # training draws from others, see `icvos.training.drawn`
VIDEOS, PICTURES = 108, 400
SMALL = {"short_side": "240"}  # of what affinity carries masks through
BY_TOKENS: dict[str, Any] = {"inventions": 0, "settings.mask_prompt": False}  # DC-SAM as in the paper


@dataclass(frozen=True, slots=True)
class Training:
    """One checkpoint.

    Args:
        recipe: What it is trained by.
        changes: What is set of the recipe.
        start: By setting of the recipe, another checkpoint that it starts from.
    """

    recipe: str
    changes: dict[str, Any]
    start: dict[str, str]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    Args:
        title: What it is called.
        method: A method.
        weights: By setting of the method, a checkpoint of `TRAININGS`.
        given: Other settings.
    """

    title: str
    method: str
    weights: dict[str, str]
    given: dict[str, str] = field(default_factory=dict)


def _ablation(**settings: Any) -> Training:
    """DC-SAM less some parts, trained for a shorter time."""
    changes = {f"settings.{name}": value for name, value in settings.items()}
    return Training(
        "nano-dcsam-image", changes | {"epochs": 1, "episodes": 12800} | BY_TOKENS, {"settings.sam2": "sam2"}
    )


TRAININGS: dict[str, Training] = {
    "sam2-image": Training("nano-sam2-image", {}, {}),
    "sam2": Training("nano-sam2", {}, {"settings.sam2": "sam2-image"}),
    "pfenet": Training("nano-pfenet", {"epochs": 5}, {}),
    "dcsam-image": Training("nano-dcsam-image", BY_TOKENS, {"settings.sam2": "sam2"}),
    "inventions": Training("nano-dcsam-image", {"settings.mask_prompt": False}, {"settings.sam2": "sam2"}),
    "dcsam": Training("nano-dcsam-tube", {"epochs": 1}, {"settings.checkpoint": "dcsam-image"}),
    "inventions-tubes": Training("nano-dcsam-tube", {"epochs": 1}, {"settings.checkpoint": "inventions"}),
    "vrp-sam": Training("nano-vrp-sam", {}, {"settings.sam2": "sam2"}),
    "positive": _ablation(branches="positive", fusion=False, cyclic=False),
    "branches": _ablation(fusion=False, cyclic=False),
    "fusion": _ablation(cyclic=False),
    "cyclic": _ablation(),
}
ROWS: tuple[Row, ...] = (
    Row("lite", "lite", {}),
    Row("oracle, affinity", "oracle", {}),
    Row("memory, SAM 2 nano", "memory", {"sam2": "sam2"}),
    Row("oracle, SAM 2 nano", "oracle", {"sam2": "sam2"}),
    Row("PFENet", "pfenet", {"checkpoint": "pfenet", "sam2": "sam2"}),
    Row("VRP-SAM, SAM 2 frozen", "vrp-sam", {"checkpoint": "vrp-sam", "sam2": "sam2"}),
    Row("DC-SAM, pictures", "dcsam", {"checkpoint": "dcsam-image"}),
    Row("DC-SAM, and mask tubes", "dcsam", {"checkpoint": "dcsam"}),
    Row("DC-SAM, pictures with inventions", "dcsam", {"checkpoint": "inventions"}),
    Row("DC-SAM, inventions, and tubes", "dcsam", {"checkpoint": "inventions-tubes"}),
    Row("Shorter: VRP-SAM of DC-SAM's parts", "dcsam", {"checkpoint": "positive"}),
    Row("+ negative branch", "dcsam", {"checkpoint": "branches"}),
    Row("+ SAM's features", "dcsam", {"checkpoint": "fusion"}),
    Row("+ cyclic consistency", "dcsam", {"checkpoint": "cyclic"}),
)


def main() -> None:
    """Make what is missing, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="The folder of the world, checkpoints and runs.")
    parser.add_argument(
        "--train",
        nargs="*",
        metavar="NAME",
        choices=TRAININGS,
        help="Train what is missing, or go on with these alone.",
    )
    parser.add_argument("--draws", default="0-4", help="Support draws.")
    parser.add_argument("--rows", default="", help="Only rows whose titles contain this.")
    given = parser.parse_args()
    benchmark = build(given.out)
    if given.train is not None:
        for name in given.train or TRAININGS:
            train(given.out, name)
    if given.train:
        return
    chosen = [row for row in ROWS if given.rows in row.title]
    print(table([(row, evaluate(given.out, benchmark, row, given.draws)) for row in chosen]))


def build(out: Path) -> Path:
    """The benchmark of another world than that of the trainings."""
    world, benchmark = out / "world", out / "IC-VOS"
    if not world.is_dir():
        pictures, videos = ["--val-pictures", str(PICTURES)], ["--videos", str(VIDEOS)]
        run("smallworld", str(world), "--seed", str(WORLD_SEED), *pictures, *videos)
    if not benchmark.is_dir():
        sources = [part for name in ("davis", "mose", "lvos", "coco") for part in (f"--{name}", str(world / name))]
        run("build", *sources, "--curation", str(world / "curation.csv"), "--only-decided", "--out", str(benchmark))
    return benchmark


def checkpoint(out: Path, name: str) -> Path:
    """Where the checkpoint of a training is, or will be."""
    return out / name / "best.safetensors"


def train(out: Path, name: str) -> None:
    """Train, or go on with it."""
    training = TRAININGS[name]
    starts = {setting: checkpoint(out, other) for setting, other in training.start.items()}
    run("train", training.recipe, *options({**training.changes, **starts}), "--out", str(out / name))


def evaluate(out: Path, benchmark: Path, row: Row, draws: str) -> dict[str, Any] | None:
    """The scores of a row on the held-out categories; None where a checkpoint is missing."""
    weights: dict[str, Any] = {setting: checkpoint(out, name) for setting, name in row.weights.items()}
    if not all(path.is_file() for path in weights.values()):
        return None
    weights |= row.given
    folder = out / "runs" / "".join(c if c.isalnum() else "-" for c in row.title.lower())
    own = ["--shots", "1", "--draws", draws] if row.method != "oracle" else []
    chosen = ["--categories", ",".join(held_out(FOLD))]
    run(
        "eval", "--method", row.method, *options(weights), *own, *chosen,
        "--benchmark", str(benchmark), "--out", str(folder),
    )  # fmt: skip
    (found,) = folder.glob("scores*.json")
    scores: dict[str, Any] = json.loads(found.read_text())
    return scores


def options(values: dict[str, Any]) -> list[str]:
    """``--set`` for every value."""
    return [part for name, value in values.items() for part in ("--set", f"{name}={value}")]


def run(*arguments: str) -> None:
    """A command of icvos; it fails where that does."""
    print("icvos", *arguments, file=sys.stderr, flush=True)
    subprocess.run([sys.executable, "-m", "icvos", *arguments], check=True, stdout=sys.stderr)


def table(found: Sequence[tuple[Row, dict[str, Any] | None]]) -> str:
    """Markdown."""
    lines = ["| method | episodes | J | F | J&F | 95 % |", "| --- | ---: | ---: | ---: | ---: | --- |"]
    for row, scores in found:
        if scores is None:
            lines.append(f"| {row.title} | not trained | | | | |")
            continue
        overall = scores["overall"]
        figures = " | ".join(f"{100 * overall[key]:.1f}" for key in ("j", "f", "jf"))
        interval = overall.get("interval")
        bounds = " to ".join(f"{100 * bound:.1f}" for bound in interval["jf"]) if interval else ""
        lines.append(f"| {row.title} | {episodes_of(row)} | {figures} | {bounds} |")
    return "\n".join(lines)


def episodes_of(row: Row) -> str:
    """How many episodes the row's own training saw."""
    name = row.weights.get("checkpoint")
    if name is None:
        return ""
    recipe = read_recipe(TRAININGS[name].recipe, TRAININGS[name].changes)
    return f"{recipe.epochs * recipe.episodes:,}"


if __name__ == "__main__":
    main()
