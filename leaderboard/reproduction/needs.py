"""What the commands of a row need, and what of it this machine lacks. Nothing is built, loaded or fetched."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from icvos.errors import IcvosError
from icvos.files.storage import write_json
from icvos.files.text import read_text
from icvos.inspection.requirements import FETCH, way_to
from icvos.method import method_class, settings_for
from icvos.models.needs import checkpoints_of, missing_packages
from icvos.models.weights.registry import checkpoints, is_installed
from icvos.tasks.image.benchmark import ImageBenchmark
from icvos.tasks.runs import in_fold
from icvos.tasks.task import open_task
from leaderboard.reproduction.commands import Command, Places

DONE = "reproduced.json"  # in the folder of a command that has come to its end: the command
MAKING = {
    "IC-VOS": "icvos build --davis DAVIS --mose MOSE --lvos LVOS_V2 --coco COCO --curation rows.csv --out {out}",
    "all-coco": "icvos episodes all-coco --coco COCO --out {out}",
    "coco-20i": "icvos episodes coco-20i --coco COCO --out {out}",
    "pascal-5i": "icvos episodes pascal-5i --voc VOC2012 --sbd SBD --out {out}",
    "coco-to-pascal": "icvos episodes coco-to-pascal --voc VOC2012 --out {out}",
}


@dataclass(frozen=True, slots=True)
class Needs:
    """What a row needs to be run.

    Args:
        weights: Names or paths of the checkpoints that come from elsewhere.
        data: Names of the benchmarks.
        lacks: What is not there, and how to get it; empty where the row can run now.
    """

    weights: tuple[str, ...]
    data: tuple[str, ...]
    lacks: tuple[str, ...]


def is_done(command: Command) -> bool:
    """Whether this very command has come to its end in its folder."""
    path = command.out / DONE
    try:
        return path.is_file() and json.loads(read_text(path)) == {"command": list(command.arguments)}
    except (OSError, ValueError):
        return False


def mark_done(command: Command) -> None:
    """Remember that a command has come to its end."""
    write_json(command.out / DONE, {"command": list(command.arguments)})


def needs_of(commands: Sequence[Command], places: Places) -> Needs:
    """What the commands need; what is done lacks nothing any more."""
    weights = dict.fromkeys(name for command in commands for name in weights_of(command, places.out))
    data = dict.fromkeys(command.benchmark for command in commands)
    left = [command for command in commands if not is_done(command)]
    names = dict.fromkeys(name for command in left for name in weights_of(command, places.out))
    lacks = [_told(name, way) for name in names if (way := way_to(name))]
    lacks += dict.fromkeys(lack for command in left for lack in _missing(command, places))
    return Needs(tuple(weights), tuple(data), tuple(lacks))


def _told(name: str, way: str) -> str:
    """How to get a checkpoint; of one that cannot be fetched, which command says more."""
    more = f"; {FETCH}{name} says where" if name in checkpoints() and not way.startswith(FETCH) else ""
    return way + more


def weights_of(command: Command, out: Path) -> list[str]:
    """The checkpoints that a command loads and none of the commands makes."""
    factory = method_class(command.method)
    chosen = settings_for(command.method, in_fold(command.settings, 0))
    names = (
        factory.needs(chosen) if command.recipe else checkpoints_of(factory, chosen)
    )  # training begins without its own
    if command.benchmark != "IC-VOS" and getattr(chosen, "encoder", "") != "sam2":
        names = [name for name in names if name != getattr(chosen, "sam2", None)]  # which is for videos alone
    return [name for name in names if out not in Path(name).parents]


def _missing(command: Command, places: Places) -> Iterable[str]:
    packages = missing_packages(method_class(command.method))
    if command.recipe:
        packages += [name for name in ("accelerate", "tensorboard") if not is_installed(name)]
    if packages:
        yield f"packages {' '.join(packages)}: pip install 'icvos[models,train]'"
    yield from _missing_data(command, places.benchmark(command.benchmark))
    if command.recipe and places.gpus != 0 and gpus_here() < command.processes:
        wanted = f"{command.processes} CUDA GPUs" if command.processes > 1 else "a CUDA GPU"
        yield f"{wanted} to train on ({gpus_here()} here); --gpus 1 or --gpus 0 (the processor) make do with less"


def _missing_data(command: Command, root: Path) -> Iterable[str]:
    name = command.benchmark
    if not root.is_dir():
        yield f"benchmark {name} at {root}: --benchmark FOLDER names it, {MAKING[name].format(out=root)} makes it"
        return
    try:
        task = open_task(root)
        trained_on = ImageBenchmark.open(root) if command.recipe else None
    except IcvosError as error:
        yield str(error)
        return
    if trained_on and not trained_on.training_digest:
        yield f"{root}: has no pictures to train on; {MAKING[name].format(out=root)} makes it whole"
    if task.name != name:
        yield f"{root}: is {task.name}, not {name}; name the right folder by --benchmark"


def gpus_here() -> int:
    """How many CUDA GPUs there are."""
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0
