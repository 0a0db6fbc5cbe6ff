"""The training loop of all methods that learn: episodes in, the best checkpoint by validation mIoU out.

It runs on `accelerate`: one CPU or GPU as it is, many by ``accelerate launch`` or ``torchrun``. Everything random
follows from the seed, the epoch, the step and the process, so a run that was killed goes on as if it had not been.
What lies in the output folder: see `icvos.training.run_folder`.
"""

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from icvos.errors import IcvosError
from icvos.metrics.fewshot import EpisodeCounts, few_shot_scores
from icvos.training.recipe import Recipe
from icvos.training.run_folder import Log, resume, save, write_checkpoint
from icvos.training.trainable import EpisodeBatch, Episodes, TakesTurns, Trainable

Report = Callable[[str, int, int, dict[str, float]], None]
PARTS = ("query", "query_label", "supports", "support_labels", "classes")
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


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
        report: Called with ``resumed`` before the first step of a resumed run, ``train`` after every step and
            ``validation`` after every validation; the steps done, their total, and the figures of that.
        workers: Processes that decode pictures, for each training process.
    """
    learner = Learner(recipe, trainable)
    accelerator = learner.accelerator
    together = recipe.batch * recipe.accumulate * accelerator.num_processes  # episodes of one step
    drawn = recipe.episodes or len(episodes)
    steps = drawn // together  # of one epoch
    if steps == 0:
        raise IcvosError(f"{drawn} episodes are fewer than the {together} of one step; lower batch or accumulate")
    total = steps * recipe.epochs
    done, best = resume(accelerator, out, recipe, episodes)
    log = Log(out, accelerator.is_main_process, done)
    if done:
        report("resumed", done, total, {})

    for epoch in range(done // steps, recipe.epochs):
        trainable.train()
        batches = training_batches(recipe, episodes, epoch, range(done % steps, steps), accelerator, workers)
        for step in range(done, (epoch + 1) * steps):
            figures = learner.step(step, steps, total, batches)
            done = step + 1
            log.write("train", done, figures)
            report("train", done, total, figures)
            if done % recipe.save_every == 0 and done % steps:
                learner.settle()
                save(accelerator, out, recipe, episodes, done, best)
        learner.settle()
        last = epoch + 1 == recipe.epochs
        if recipe.validation_episodes and ((epoch + 1) % recipe.validate_every == 0 or last):
            scores = validate(recipe, trainable, episodes, accelerator, workers)
            log.write("validation", done, scores)
            report("validation", done, total, scores)
            if scores["miou"] > best:
                best = scores["miou"]
                if accelerator.is_main_process:
                    write_checkpoint(out / "best.safetensors", trainable, recipe, episodes, done, scores)
        save(accelerator, out, recipe, episodes, done, best)
    if not recipe.validation_episodes and accelerator.is_main_process:
        write_checkpoint(out / "best.safetensors", trainable, recipe, episodes, done, {})
    accelerator.wait_for_everyone()
    accelerator.free_memory()
    return out / "best.safetensors"


class Learner:
    """The network, its losses and its optimisers on this process's device, and one step of them."""

    def __init__(self, recipe: Recipe, trainable: Trainable) -> None:
        from accelerate import Accelerator
        from accelerate.utils import DistributedDataParallelKwargs

        self.recipe = recipe
        self.trainable = trainable
        # Every process keeps the batch norm statistics of its own batches; `settle` averages them.
        spread = DistributedDataParallelKwargs(
            broadcast_buffers=False, find_unused_parameters=isinstance(trainable, TakesTurns)
        )
        self.accelerator = Accelerator(
            cpu=_on_cpu(),
            mixed_precision=recipe.precision,
            gradient_accumulation_steps=recipe.accumulate,
            kwargs_handlers=[spread],
        )
        trainable.network.to(self.accelerator.device)
        self.optimisers = {
            turn: self.accelerator.prepare(made) for turn, made in make_optimisers(recipe, trainable).items()
        }
        self.losses = self.accelerator.prepare(_Losses(trainable))
        self.rates = {turn: [group["lr"] for group in made.param_groups] for turn, made in self.optimisers.items()}

    def step(self, number: int, of_epoch: int, total: int, batches: Iterator[EpisodeBatch]) -> dict[str, float]:
        """Move the turn's optimiser by the next batches; the losses, averaged over them and over all processes.

        Args:
            number: Of the step, from 0.
            of_epoch: Steps of an epoch.
            total: Steps of the run.
            batches: Gives ``accumulate`` of them.
        """
        recipe, trainable = self.recipe, self.trainable
        turn = trainable.turn(number % of_epoch) if isinstance(trainable, TakesTurns) else "total"
        factor = schedule(recipe.schedule, number, total)
        for group, rate in zip(self.optimisers[turn].param_groups, self.rates[turn], strict=True):
            group["lr"] = rate * factor
        sums: dict[str, Tensor] = {}
        for part in range(recipe.accumulate):
            batch = to_device(next(batches), self.accelerator.device)
            torch.manual_seed(hash_of(recipe.seed, number, part, self.accelerator.process_index))  # dropout
            with self.accelerator.accumulate(self.losses):
                found = self.losses(batch)
                self.accelerator.backward(found[turn])
                self.optimisers[turn].step()
                for optimiser in self.optimisers.values():
                    optimiser.zero_grad()
            for name, value in found.items():
                sums[name] = sums.get(name, 0) + value.detach() / recipe.accumulate
        averaged = self.accelerator.reduce(torch.stack(list(sums.values())), "mean").tolist()
        figures = dict(zip(sums, averaged, strict=True))
        if not math.isfinite(figures[turn]):
            raise IcvosError(
                f"the loss of step {number + 1} is {figures[turn]}; lower learning_rate and begin in a new --out"
            )
        return figures | {"learning_rate": recipe.learning_rate * factor}

    def settle(self) -> None:
        """Average the statistics of batch norms in training mode over all processes, for validation and saving.

        They are running means and stand in no gradient: averaged now or after every step, they come out the same.
        """
        if self.accelerator.num_processes == 1:
            return
        drifting = [module for module in self.trainable.network.modules() if isinstance(module, NORMS)]
        found = [
            buffer
            for module in drifting
            if module.training
            for buffer in (module.running_mean, module.running_var)
            if buffer is not None
        ]
        if found:
            mean = self.accelerator.reduce(torch.cat([buffer.reshape(-1) for buffer in found]), "mean")
            for buffer, part in zip(found, mean.split([buffer.numel() for buffer in found]), strict=True):
                buffer.copy_(part.reshape(buffer.shape))


def begin() -> tuple[torch.device, bool]:
    """This process's device, and whether it is the main one; to be called before anything is put on a device.

    Raises `IcvosError` where the packages of training are not installed.
    """
    try:
        import tensorboard  # noqa: F401  # else the lack of it shows after the first epoch
        from accelerate import PartialState
    except ModuleNotFoundError as error:
        raise IcvosError(f"training needs the package {error.name}; run: pip install 'icvos[models,train]'") from error
    state = PartialState(cpu=_on_cpu())
    return state.device, state.is_main_process


def _on_cpu() -> bool:
    """What accelerate has to be told, or torchrun's processes stay apart."""
    return not (torch.cuda.is_available() or torch.backends.mps.is_available())


def make_optimisers(recipe: Recipe, trainable: Trainable) -> dict[str, torch.optim.Optimizer]:
    """The recipe's optimiser for each turn, over the parameters learned in it; all other parameters are frozen.

    A group's ``optimiser`` takes the place of the recipe's for its whole turn.
    """
    trainable.network.requires_grad_(False)
    turns: dict[str, list[dict[str, Any]]] = {}
    kinds: dict[str, str] = {}
    for group in trainable.parameter_groups(recipe.learning_rate):
        learned = list(group["params"])
        for parameter in learned:
            parameter.requires_grad_(True)
        turn = group.get("turn", "total")
        turns.setdefault(turn, []).append({"params": learned, "lr": group["lr"]})
        kinds[turn] = group.get("optimiser", recipe.optimiser)
    decay: dict[str, Any] = {"lr": recipe.learning_rate, "weight_decay": recipe.weight_decay}
    make: dict[str, Callable[..., torch.optim.Optimizer]] = {
        "sgd": lambda groups: torch.optim.SGD(groups, momentum=recipe.momentum, **decay),
        "adam": lambda groups: torch.optim.Adam(groups, **decay),
        "adamw": lambda groups: torch.optim.AdamW(groups, **decay),
    }
    return {turn: make[kinds[turn]](groups) for turn, groups in turns.items()}


def schedule(kind: str, step: int, total: int) -> float:
    """The factor of the learning rate at ``step`` (from 0) of ``total``."""
    if kind == "cosine":
        return 0.5 * (1 + math.cos(math.pi * step / total))
    if kind == "poly":
        return (1 - (step + 1) / total) ** 0.9
    return 1.0


class _Slice(Dataset[EpisodeBatch]):
    """Some of the episodes, in order."""

    def __init__(self, make: Callable[[int], EpisodeBatch], indices: list[int]) -> None:
        self.make = make
        self.indices = indices

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, position: int) -> EpisodeBatch:
        return self.make(self.indices[position])


class _Epoch:
    """`Episodes.training` of one epoch; a class because worker processes are sent it."""

    def __init__(self, episodes: Episodes, epoch: int) -> None:
        self.episodes, self.epoch = episodes, epoch

    def __call__(self, index: int) -> EpisodeBatch:
        return self.episodes.training(self.epoch, index)


def training_batches(
    recipe: Recipe, episodes: Episodes, epoch: int, steps: range, accelerator: Any, workers: int
) -> Iterator[EpisodeBatch]:
    """This process's batches of some steps of an epoch: process p of P takes episodes p, p + P, ... of every step."""
    each = recipe.batch * recipe.accumulate
    indices = [
        (step * each + position) * accelerator.num_processes + accelerator.process_index
        for step in steps
        for position in range(each)
    ]
    return load(_Slice(_Epoch(episodes, epoch), indices), recipe.batch, workers)


def load(episodes: Dataset[EpisodeBatch], batch: int, workers: int) -> Iterator[EpisodeBatch]:
    """Batches of episodes in their order, made by ``workers`` processes, or by this one."""
    import cv2

    cv2.setNumThreads(1)  # before workers are forked: one that changes it waits for ever for its parent's threads
    loader = DataLoader(episodes, batch, num_workers=workers, collate_fn=stack)
    try:
        yield from loader
    except IcvosError as error:  # a worker's message comes below its traceback
        raise IcvosError(str(error).strip().rpartition("IcvosError: ")[2]) from error


def stack(batches: list[EpisodeBatch]) -> EpisodeBatch:
    """Several batches as one."""
    return EpisodeBatch(*(torch.cat([getattr(batch, part) for batch in batches]) for part in PARTS))


def to_device(batch: EpisodeBatch, device: torch.device) -> EpisodeBatch:
    """The batch on another device."""
    return EpisodeBatch(*(getattr(batch, part).to(device, non_blocking=True) for part in PARTS))


def hash_of(*numbers: int) -> int:
    """A seed that follows from some numbers."""
    seed = 0
    for number in numbers:
        seed = (seed * 6364136223846793005 + number + 1442695040888963407) % 2**63
    return seed


def validate(
    recipe: Recipe, trainable: Trainable, episodes: Episodes, accelerator: Any, workers: int = 0
) -> dict[str, float]:
    """mIoU and FB-IoU, as fractions, over the frozen validation episodes, shared among the processes."""
    trainable.network.eval()
    classes = episodes.classes
    counts = torch.zeros(len(classes), 4, dtype=torch.int64, device=accelerator.device)
    mine = list(range(accelerator.process_index, recipe.validation_episodes, accelerator.num_processes))
    for batch in load(_Slice(episodes.validation, mine), 1, workers):
        batch = to_device(batch, accelerator.device)
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
