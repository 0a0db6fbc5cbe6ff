"""The output folder of a training run: its log, what resuming needs, and its best checkpoint.

``best.safetensors`` holds the network under its own names, with a header that says how it came about; ``last/`` all
that a resumed run needs; ``log.jsonl`` every step's losses and every validation; TensorBoard's event files lie beside.
"""

import itertools
import json
import shutil
from pathlib import Path
from typing import Any

from icvos.errors import IcvosError
from icvos.files.storage import atomic_file, atomic_folder, read_json, write_json
from icvos.tasks.runs import versions
from icvos.training.recipe import Recipe
from icvos.training.trainable import Episodes, Trainable

STATE_FORMAT = 1


class Log:
    """``log.jsonl`` and TensorBoard's files, written by one process; lines behind the resumed step are dropped."""

    def __init__(self, out: Path, writes: bool, done: int) -> None:
        self.path = out / "log.jsonl"
        self.writes = writes
        if not writes:
            return
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise IcvosError(f"{out}: cannot be made ({error.strerror}); choose another --out") from error
        kept = []
        if self.path.is_file():
            lines = self.path.read_text(encoding="utf-8").splitlines(keepends=True)
            kept = list(
                itertools.takewhile(lambda line: line.endswith("\n") and json.loads(line)["step"] <= done, lines)
            )
        self.path.write_text("".join(kept), encoding="utf-8")
        from torch.utils.tensorboard import SummaryWriter

        self.board = SummaryWriter(str(out), purge_step=done + 1)

    def write(self, kind: str, step: int, figures: dict[str, float]) -> None:
        """One line and one point of every curve."""
        if not self.writes:
            return
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"kind": kind, "step": step} | figures) + "\n")
        for name, value in figures.items():
            self.board.add_scalar(f"{kind}/{name}", value, step)


def write_checkpoint(
    path: Path, trainable: Trainable, recipe: Recipe, episodes: Episodes, step: int, scores: dict[str, float]
) -> None:
    """The network's state dictionary as safetensors; its header says how it came about, in texts of JSON."""
    from safetensors.torch import save_file

    state = {
        name: tensor.detach().cpu().contiguous().clone() for name, tensor in trainable.network.state_dict().items()
    }
    facts: dict[str, Any] = {
        "recipe": recipe.to_json(),
        "episodes": episodes.digest,
        "classes": list(episodes.learned),
        "step": step,
        "validation": scores,
        "weights": [loaded.to_json() for loaded in trainable.loaded],
        "random_weights": any(loaded.random for loaded in trainable.loaded),
        "versions": versions(),
    }
    header = {"made_by": "icvos train"} | {name: json.dumps(fact) for name, fact in facts.items()}
    with atomic_file(path) as temporary:
        save_file(state, temporary, header)


def save(accelerator: Any, out: Path, recipe: Recipe, episodes: Episodes, step: int, best: float) -> None:
    """Put all that a resumed run needs into ``last/``, whole or not at all."""
    accelerator.wait_for_everyone()
    partial = out / ".partial-last"
    if accelerator.is_main_process:
        shutil.rmtree(partial, ignore_errors=True)
    accelerator.wait_for_everyone()
    accelerator.save_state(str(partial))
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        state = {"format": STATE_FORMAT, "recipe": recipe.to_json(), "episodes": episodes.digest, "step": step}
        state |= {"best": best, "processes": accelerator.num_processes}
        with atomic_folder(out / "last", out / ".partial") as folder:
            shutil.copytree(partial, folder, dirs_exist_ok=True)
            write_json(folder / "state.json", state)
        shutil.rmtree(partial)
        shutil.rmtree(out / ".partial")
    accelerator.wait_for_everyone()


def resume(accelerator: Any, out: Path, recipe: Recipe, episodes: Episodes) -> tuple[int, float]:
    """Steps done and the best validation mIoU so far of the run in ``out``; (0, -1) for a new one.

    Raises `IcvosError` where ``out`` holds another run.
    """
    path = out / "last" / "state.json"
    if not path.is_file():
        return 0, -1.0
    state = read_json(path, "the state of a training run")
    wanted = {
        "format": STATE_FORMAT,
        "recipe": json.loads(json.dumps(recipe.to_json())),
        "episodes": episodes.digest,
        "processes": accelerator.num_processes,
    }
    for key, value in wanted.items():
        if state.get(key) != value:
            other = [name for name in value if state[key].get(name) != value[name]] if key == "recipe" else [key]
            raise IcvosError(f"{path}: holds a run with another {', '.join(other)}; choose another --out to start anew")
    accelerator.load_state(str(out / "last"))
    return int(state["step"]), float(state["best"])
