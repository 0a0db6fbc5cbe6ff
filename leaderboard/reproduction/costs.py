"""What training costs, estimated: nothing here was measured on a GPU, and whatever shows a figure says so."""

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from icvos.training.recipe import Recipe

TERAFLOPS = 20.0  # assumed of one GPU of a data centre, in float32
PICTURES = {"coco-20i": 80_000, "all-coco": 82_000, "pascal-5i": 3_800}  # about, to train on in one fold
ASSUMPTION = (
    f"estimated, not measured: the operations of a step, counted on shapes alone, at {TERAFLOPS:.0f} TFLOP/s for each "
    "GPU; 80,000 pictures of COCO or 3,800 of PASCAL in a fold; memory is weights, gradients, optimiser and what the "
    "backward pass keeps; a picture or tube of DC-SAM's steps on videos is taken for an episode of "
    "COCO-20i; validation and evaluation are left out"
)


@dataclass(frozen=True, slots=True)
class Cost:
    """What one step of a recipe costs in one of its processes.

    Args:
        gpus: How many processes the paper's programs were started in.
        gmacs: Multiply-accumulates of a step, forwards and backwards, in 10^9.
        gib: Memory, in GiB.
    """

    gpus: int
    gmacs: int
    gib: float


@cache
def costs() -> dict[str, Cost]:
    """By recipe, as it is published: a change of its backbone changes them."""
    text = files("leaderboard.reproduction").joinpath("costs.toml").read_text(encoding="utf-8")
    return {name: Cost(**values) for name, values in tomllib.loads(text).items()}


def steps_of(recipe: Recipe, processes: int) -> int:
    """About how many steps a recipe has in all: batches of all processes that move the weights."""
    episodes = recipe.epochs * (recipe.episodes or PICTURES[recipe.benchmark])
    return episodes // (recipe.batch * recipe.accumulate * processes)


def gpu_hours(name: str, recipe: Recipe, processes: int) -> float:
    """Hours of all GPUs together for a recipe called ``name``."""
    batches = steps_of(recipe, processes) * recipe.accumulate * processes
    return 2e9 * costs()[name].gmacs * batches / (TERAFLOPS * 1e12) / 3600
