"""The training loop of all methods that learn: episodes in, the best checkpoint by validation mIoU out.

It runs on `accelerate`: one CPU or GPU as it is, many by ``accelerate launch`` or ``torchrun``. Everything random
follows from the seed, the epoch, the step and the process, so a run that was killed goes on as if it had not been.

In the output folder: ``best.safetensors`` (the network's own names, with a provenance header), ``last/`` (all that a
resumed run needs), ``log.jsonl`` (every step's losses, every validation), and TensorBoard's event files.
"""

import itertools
import json
import math
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from icvos.errors import IcvosError
from icvos.metrics.fewshot import EpisodeCounts, few_shot_scores
from icvos.recipe import Recipe
from icvos.runs import versions
from icvos.storage import atomic_file, atomic_folder, read_json, write_json
from icvos.trainable import EpisodeBatch, TakesTurns, Trainable

STATE_FORMAT = 1
Report = Callable[[int, int, dict[str, float]], None]


class Episodes(Protocol):
    """Where episodes come from: training ones by (epoch, index), validation ones by index; always the same ones."""

    classes: tuple[int, ...]  # of the validation episodes
    digest: str

    def __len__(self) -> int:
        """Training pictures."""
        ...

    def training(self, epoch: int, index: int) -> EpisodeBatch:
        """One training episode, as a batch of one."""
        ...

    def validation(self, index: int) -> EpisodeBatch:
        """One frozen validation episode, as a batch of one; its pictures are not varied."""
        ...


class _Slice(Dataset):
    """The episodes of one process in one epoch, from the step at which it goes on."""

    def __init__(self, make: Callable[[int], EpisodeBatch], indices: list[int]) -> None:
        self.make = make
        self.indices = indices

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, position: int) -> EpisodeBatch:
        return self.make(self.indices[position])


class _Losses(nn.Module):
    """The losses as a module, so that gradients of many processes are averaged and precision is mixed around them."""

    def __init__(self, trainable: Trainable) -> None:
        super().__init__()
        self.network = trainable.network
        self.trainable = trainable

    def forward(self, batch: EpisodeBatch) -> dict[str, Tensor]:
        return self.trainable.losses(batch)


def train(
    recipe: Recipe, trainable: Trainable, episodes: Episodes, out: Path, report: Report, workers: int = 0
) -> Path:
    """Train, resuming what ``out`` holds of the same recipe; the path of the best checkpoint.

    Args:
        recipe: What is trained.
        trainable: The network and its losses; trained in place.
        episodes: Training and validation episodes.
        out: The output folder.
        report: Called after every step with the step, their total, and the step's figures.
        workers: Processes that decode pictures, for each training process.
    """
    from accelerate import Accelerator
    from accelerate.utils import DistributedDataParallelKwargs

    accelerator = Accelerator(
        cpu=not (
            torch.cuda.is_available() or torch.backends.mps.is_available()
        ),  # else torchrun's processes stay apart
        mixed_precision=recipe.precision,
        gradient_accumulation_steps=recipe.accumulate,
        kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=isinstance(trainable, TakesTurns))],
    )
    device = accelerator.device
    trainable.network.to(device)
    optimisers = {turn: accelerator.prepare(made) for turn, made in make_optimisers(recipe, trainable).items()}
    losses = accelerator.prepare(_Losses(trainable))
    rates = {turn: [group["lr"] for group in optimiser.param_groups] for turn, optimiser in optimisers.items()}

    together = recipe.batch * accelerator.num_processes  # episodes of one step
    steps = (recipe.episodes or len(episodes)) // together  # of one epoch
    if steps == 0:
        raise IcvosError(
            f"{recipe.episodes or len(episodes)} episodes are fewer than one batch of {together}; lower batch"
        )
    total = steps * recipe.epochs
    done, best = resume(accelerator, out, recipe, episodes, accelerator.num_processes)
    log = Log(out, accelerator.is_main_process, done)

    for epoch in range(done // steps, recipe.epochs):
        trainable.train()
        for step, batch in enumerate(
            training_batches(recipe, episodes, epoch, range(done % steps, steps), accelerator, workers), start=done
        ):
            torch.manual_seed(hash_of(recipe.seed, step, accelerator.process_index))  # dropout
            turn = trainable.turn(step % steps) if isinstance(trainable, TakesTurns) else "total"
            factor = schedule(recipe.schedule, step, total)
            for group, rate in zip(optimisers[turn].param_groups, rates[turn], strict=True):
                group["lr"] = rate * factor
            with accelerator.accumulate(losses):
                found = losses(to_device(batch, device))
                accelerator.backward(found[turn])
                optimisers[turn].step()
                for optimiser in optimisers.values():
                    optimiser.zero_grad()
            done = step + 1
            figures = {name: float(accelerator.reduce(value.detach(), "mean")) for name, value in found.items()}
            if not math.isfinite(figures[turn]):
                raise IcvosError(
                    f"{out}: the loss of step {done} is {figures[turn]}; lower learning_rate in a new --out"
                )
            log.write("train", done, figures | {"learning_rate": recipe.learning_rate * factor})
            report(done, total, figures)
            if done % recipe.save_every == 0 and done % steps:
                save(accelerator, out, recipe, episodes, done, best)
        last = epoch + 1 == recipe.epochs
        if recipe.validation_episodes and ((epoch + 1) % recipe.validate_every == 0 or last):
            scores = validate(recipe, trainable, episodes, accelerator)
            log.write("validation", done, scores)
            if scores["miou"] > best:
                best = scores["miou"]
                if accelerator.is_main_process:
                    write_checkpoint(out / "best.safetensors", trainable.network, recipe, episodes, done, scores)
        save(accelerator, out, recipe, episodes, done, best)
    if not recipe.validation_episodes and accelerator.is_main_process:
        write_checkpoint(out / "best.safetensors", trainable.network, recipe, episodes, done, {})
    accelerator.wait_for_everyone()
    accelerator.free_memory()
    return out / "best.safetensors"


def make_optimisers(recipe: Recipe, trainable: Trainable) -> dict[str, torch.optim.Optimizer]:
    """The recipe's optimiser for each turn, over the parameters learned in it; all other parameters are frozen."""
    trainable.network.requires_grad_(False)
    turns: dict[str, list[dict[str, Any]]] = {}
    for group in trainable.parameter_groups(recipe.learning_rate):
        learned = list(group["params"])
        for parameter in learned:
            parameter.requires_grad_(True)
        turns.setdefault(group.get("turn", "total"), []).append({"params": learned, "lr": group["lr"]})
    if recipe.optimiser == "sgd":
        return {
            turn: torch.optim.SGD(groups, recipe.learning_rate, recipe.momentum, weight_decay=recipe.weight_decay)
            for turn, groups in turns.items()
        }
    return {
        turn: torch.optim.AdamW(groups, recipe.learning_rate, weight_decay=recipe.weight_decay)
        for turn, groups in turns.items()
    }


def schedule(kind: str, step: int, total: int) -> float:
    """The factor of the learning rate at ``step`` (from 0) of ``total``."""
    if kind == "cosine":
        return 0.5 * (1 + math.cos(math.pi * step / total))
    if kind == "poly":
        return (1 - (step + 1) / total) ** 0.9
    return 1.0


def training_batches(
    recipe: Recipe, episodes: Episodes, epoch: int, steps: range, accelerator: Any, workers: int
) -> Iterator[EpisodeBatch]:
    """This process's batches of some steps of an epoch: process p of P takes episodes p, p + P, ... of every step."""
    together = recipe.batch * accelerator.num_processes
    indices = [
        step * together + position * accelerator.num_processes + accelerator.process_index
        for step in steps
        for position in range(recipe.batch)
    ]
    data = _Slice(_Epoch(episodes, epoch), indices)
    yield from DataLoader(data, recipe.batch, num_workers=workers, collate_fn=stack)


class _Epoch:
    """`Episodes.training` of one epoch; a class because worker processes are sent it."""

    def __init__(self, episodes: Episodes, epoch: int) -> None:
        self.episodes, self.epoch = episodes, epoch

    def __call__(self, index: int) -> EpisodeBatch:
        return self.episodes.training(self.epoch, index)


def stack(batches: list[EpisodeBatch]) -> EpisodeBatch:
    """Several batches as one."""
    parts = ("query", "query_label", "supports", "support_labels", "classes")
    return EpisodeBatch(*(torch.cat([getattr(batch, part) for batch in batches]) for part in parts))


def to_device(batch: EpisodeBatch, device: torch.device) -> EpisodeBatch:
    """The batch on another device."""
    parts = (batch.query, batch.query_label, batch.supports, batch.support_labels, batch.classes)
    return EpisodeBatch(*(part.to(device, non_blocking=True) for part in parts))


def hash_of(*numbers: int) -> int:
    """A seed that follows from some numbers."""
    seed = 0
    for number in numbers:
        seed = (seed * 6364136223846793005 + number + 1442695040888963407) % 2**63
    return seed


def validate(recipe: Recipe, trainable: Trainable, episodes: Episodes, accelerator: Any) -> dict[str, float]:
    """mIoU and FB-IoU, as fractions, over the frozen validation episodes, shared among the processes."""
    trainable.network.eval()
    classes = episodes.classes
    counts = torch.zeros(len(classes), 4, dtype=torch.int64, device=accelerator.device)
    mine = range(accelerator.process_index, recipe.validation_episodes, accelerator.num_processes)
    for index in mine:
        batch = to_device(episodes.validation(index), accelerator.device)
        with torch.no_grad(), accelerator.autocast():
            found = trainable.logits(batch) > 0
        for kind, truth, mask in zip(batch.classes.tolist(), batch.query_label, found, strict=True):
            counts[classes.index(kind)] += count(truth, mask)
    summed = accelerator.reduce(counts, "sum").tolist()
    scores = few_shot_scores(
        ((kind, EpisodeCounts(*row)) for kind, row in zip(classes, summed, strict=True) if any(row)),
        [kind for kind, row in zip(classes, summed, strict=True) if any(row)],
    )
    return {"miou": scores.miou, "fb_iou": scores.fb_iou}


def count(label: Tensor, mask: Tensor) -> Tensor:
    """(4,) int64 intersections and unions of one (H, W) episode, in the order of `EpisodeCounts`."""
    counted = label != 255
    truth, mask = (label == 1) & counted, mask & counted
    both, either = (truth & mask).sum(), (truth | mask).sum()
    area = counted.sum()
    return torch.stack([area - either, both, area - both, either])


def write_checkpoint(
    path: Path, network: nn.Module, recipe: Recipe, episodes: Episodes, step: int, scores: dict[str, float]
) -> None:
    """The network's state dictionary as safetensors; its header says how it came about."""
    from safetensors.torch import save_file

    state = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in network.state_dict().items()}
    header = {
        "made_by": "icvos train",
        "recipe": json.dumps(recipe.to_json()),
        "episodes": episodes.digest,
        "step": str(step),
        "validation": json.dumps(scores),
        "versions": json.dumps(versions()),
    }
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


def resume(accelerator: Any, out: Path, recipe: Recipe, episodes: Episodes, processes: int) -> tuple[int, float]:
    """Steps done and the best validation mIoU so far of the run in ``out``; (0, -1) for a new one.

    Raises `IcvosError` where ``out`` holds another run.
    """
    path = out / "last" / "state.json"
    if not path.is_file():
        return 0, -1.0
    state = read_json(path, "the state of a training run")
    wanted = {"recipe": json.loads(json.dumps(recipe.to_json())), "episodes": episodes.digest, "processes": processes}
    for key, value in wanted.items():
        if state.get(key) != value:
            other = [name for name in value if state[key].get(name) != value[name]] if key == "recipe" else [key]
            raise IcvosError(f"{path}: holds a run with another {', '.join(other)}; choose another --out to start anew")
    accelerator.load_state(str(out / "last"))
    return int(state["step"]), float(state["best"])


class Log:
    """``log.jsonl`` and TensorBoard's files, written by one process; lines behind the resumed step are dropped."""

    def __init__(self, out: Path, writes: bool, done: int) -> None:
        self.path = out / "log.jsonl"
        self.writes = writes
        if not writes:
            return
        out.mkdir(parents=True, exist_ok=True)
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
