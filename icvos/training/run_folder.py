"""The output folder of a training run: its log, what resuming needs, and its best checkpoint.

``best.safetensors`` holds the network under its own names, with a header that says how it came about; ``last/`` all
that a resumed run needs; ``log.jsonl`` every step's losses and every validation; ``README.md`` is the checkpoint's
model card (`icvos.training.model_card`); TensorBoard's event files lie beside.
"""

import contextlib
import dataclasses
import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from icvos.errors import IcvosError
from icvos.files.locks import lock_folder
from icvos.files.names import require_inside
from icvos.files.storage import (
    atomic_file,
    is_object,
    once_each,
    put_folder,
    recover_folder,
    sync,
    unwritable,
    write_json,
    write_text,
)
from icvos.files.text import read_text
from icvos.notices import notice
from icvos.tasks.runs import versions
from icvos.training.learned import read_learned, write_learned
from icvos.training.learner import Learner
from icvos.training.recipe import Recipe
from icvos.training.report import ValidationScores
from icvos.training.trainable import Episodes, Trainable

if TYPE_CHECKING:
    from accelerate import Accelerator

STATE_FORMAT = 1
SCRATCH = ".partial"  # what is being saved
BEST = "best.safetensors"
LOG = "log.jsonl"
LAST, STATE = "last", "state.json"
DAMAGE = (  # what torch and safetensors raise on files that are damaged, missing or of another network
    OSError,
    RuntimeError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    EOFError,
    SafetensorError,
)


@dataclass(frozen=True, slots=True)
class RunState:
    """Which run a folder holds, and how far it has come: ``last/state.json``.

    Args:
        recipe: All of it, as JSON values.
        episodes: The digest of the data.
        processes: How many train together.
        step: Steps done.
        best: The best validation mIoU so far, a fraction; -1 before the first validation.
        seconds: Spent on these steps, by all parts of a run that was stopped and resumed.
        format: Version of this layout.
    """

    recipe: dict[str, Any]
    episodes: str
    processes: int
    step: int = 0
    best: float = -1.0
    seconds: float = 0.0
    format: int = STATE_FORMAT

    @classmethod
    def fresh(cls, recipe: Recipe, episodes: Episodes, processes: int) -> "RunState":
        """The state of a run that has not begun."""
        return cls(json.loads(json.dumps(recipe.to_json())), episodes.digest, processes)

    @classmethod
    def read(cls, path: Path) -> "RunState":
        """The state in a file; raises `IcvosError` that names file, key and remedy where it does not fit."""
        remedy = f"remove {path.parent} to train from the start, or choose another --out"
        try:
            value = json.loads(read_text(path), object_pairs_hook=once_each)
        except (OSError, ValueError, RecursionError) as error:
            raise IcvosError(f"{path}: cannot be read as the state of a training run ({error}); {remedy}") from error
        if not isinstance(value, dict):
            raise IcvosError(f"{path}: is not a JSON object; {remedy}")
        if value.get("format") != STATE_FORMAT:
            raise IcvosError(f"{path}: format is {value.get('format')!r}, this icvos reads {STATE_FORMAT}; {remedy}")
        value.setdefault("seconds", 0.0)  # earlier versions did not count them
        kinds = {"recipe": dict, "episodes": str, "processes": int, "step": int, "best": float, "seconds": float}
        for key, kind in kinds.items():
            if type(value.get(key)) is not kind:
                what = f"is {value[key]!r}, not of type {kind.__name__}" if key in value else "is missing"
                raise IcvosError(f"{path}: {key} {what}; {remedy}")
        return cls(**{key: value[key] for key in kinds})

    def differences(self, other: "RunState") -> list[str]:
        """What makes two runs different ones, however far each has come: names of the recipe's fields among it."""
        fields = [name for name in self.recipe | other.recipe if self.recipe.get(name) != other.recipe.get(name)]
        return fields + [name for name in ("episodes", "processes") if getattr(self, name) != getattr(other, name)]


def resume(learner: Learner, out: Path, fresh: RunState, total: int) -> RunState:
    """The state of the run in ``out``, with which network and optimisers go on; or ``fresh``. ``total`` are its steps.

    Raises `IcvosError` where ``out`` holds another run, or one that cannot be read.
    """
    folder = out / LAST
    path = folder / STATE
    if not path.is_file():
        return fresh
    found = RunState.read(path)
    other = fresh.differences(found)
    if other:
        raise IcvosError(f"{path}: holds a run with another {', '.join(other)}; choose another --out to start anew")
    remedy = f"remove {folder} to train from the start, or choose another --out"
    if not (0 <= found.step <= total and -1 <= found.best <= 1):
        raise IcvosError(f"{path}: step is {found.step} of {total}, best is {found.best}; {remedy}")
    try:
        read_learned(learner, folder)
    except torch.cuda.OutOfMemoryError:
        raise
    except DAMAGE as error:
        reason = str(error).partition("\n")[0]
        raise IcvosError(
            f"{folder}: cannot be resumed ({reason}); remove it to train from the start, or choose another --out"
        ) from error
    return found


@contextlib.contextmanager
def held(accelerator: "Accelerator", out: Path) -> Iterator[None]:
    """Keep the folder of a run for the processes that train together, without what a killed run left half-written.

    Raises `IcvosError` where another run is training in it.
    """
    with contextlib.ExitStack() as stack:
        if accelerator.is_main_process:
            stack.enter_context(lock_folder(out))
            for scratch in (out / SCRATCH, out / f"{SCRATCH}-{LAST}"):
                require_inside(scratch, out)
                shutil.rmtree(scratch, ignore_errors=True)
            last = out / LAST
            require_inside(last, out)
            if recover_folder(last):
                text = "a process was killed while it replaced it; the one before is back, and training goes on from it"
                notice(str(last), "recovered", f"{last}: {text}")
        accelerator.wait_for_everyone()
        yield


def save(learner: Learner, out: Path, state: RunState) -> None:
    """Put all that a resumed run needs into ``last/``, whole or not at all, and on the disk with the log so far."""
    accelerator = learner.accelerator
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        partial = out / SCRATCH / LAST  # the folder of the run is this one's alone
        require_inside(partial, out)
        try:
            partial.mkdir(parents=True, exist_ok=True)
            write_learned(learner, partial)
            write_json(partial / STATE, dataclasses.asdict(state))
            if (out / LOG).is_file():
                sync(out / LOG)
            put_folder(partial, out / LAST, lasting=True)
            partial.parent.rmdir()
        except OSError as error:
            raise unwritable(out / LAST, error) from error
    accelerator.wait_for_everyone()


class Log:
    """``log.jsonl`` and TensorBoard's files, written by one process.

    Args:
        out: The folder of the run, made where it is not there.
        writes: Whether this is the process that writes; in others nothing happens.
        done: Steps done. Lines of later ones, and half a line, are dropped.

    Raises `IcvosError` where the folder cannot be made, or its log has a line that is none.
    """

    def __init__(self, out: Path, writes: bool, done: int) -> None:
        self.path = out / LOG
        self.writes = writes
        if not writes:
            return
        from torch.utils.tensorboard import SummaryWriter

        require_inside(self.path, out)
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise IcvosError(f"{out}: cannot be made ({error.strerror}); choose another --out") from error
        write_text(self.path, "".join(_lines_until(self.path, done)))
        self.board = SummaryWriter(str(out), purge_step=done + 1)

    def write(self, kind: Literal["train", "validation"], step: int, figures: Mapping[str, float]) -> None:
        """One line, and one point of every curve."""
        if not self.writes:
            return
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"kind": kind, "step": step, **figures}) + "\n")
        for name, value in figures.items():
            self.board.add_scalar(f"{kind}/{name}", value, step)


def _lines_until(path: Path, done: int) -> Iterator[str]:
    """The lines of a log up to a step; a killed process may have left half a line at its end."""
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    for number, line in enumerate(text.splitlines(keepends=True), start=1):
        if not line.endswith("\n"):
            if not is_object(line):
                return
            line += "\n"
        try:
            step = json.loads(line)["step"]
            late = step > done
        except (ValueError, LookupError, TypeError, RecursionError) as error:
            raise IcvosError(
                f"{path}: line {number} is not a JSON object with a step; remove the line, or choose another --out"
            ) from error
        if late:
            return
        yield line


def write_checkpoint(
    path: Path,
    trainable: Trainable,
    recipe: Recipe,
    episodes: Episodes,
    step: int,
    scores: ValidationScores | None,
    settings: Mapping[str, Any],
) -> None:
    """The network's state dictionary as safetensors; its header says how it came about, in texts of JSON.

    ``settings`` are those that the method was built with, defaults included; see `icvos.models.weights.header`.
    """
    state = {
        name: tensor.detach().cpu().contiguous().clone() for name, tensor in trainable.network.state_dict().items()
    }
    facts: dict[str, Any] = {
        "recipe": recipe.to_json(),
        "settings": dict(settings),
        "episodes": episodes.digest,
        "classes": list(episodes.learned),
        "step": step,
        "validation": scores.to_json() if scores else {},
        "weights": [loaded.to_json() for loaded in trainable.loaded],
        "random_weights": any(loaded.random for loaded in trainable.loaded),
        "versions": versions(),
    }
    header = {"made_by": "icvos train"} | {name: json.dumps(fact) for name, fact in facts.items()}
    with atomic_file(path, lasting=True) as temporary:
        save_file(state, temporary, header)
