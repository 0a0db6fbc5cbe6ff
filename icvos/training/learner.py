"""One step of training: losses, gradients and optimisers of a network, on this process's device.

It runs on `accelerate`: one CPU or GPU as it is, many by ``accelerate launch`` or ``torchrun``.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from icvos.errors import IcvosError
from icvos.training.recipe import Recipe
from icvos.training.trainable import EpisodeBatch, LeavesUnused, TakesTurns, Trainable

NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def begin() -> tuple[torch.device, bool]:
    """This process's device, and whether it is the main one; to be called before anything is put on a device.

    Raises `ModuleNotFoundError` where a package of training is not installed.
    """
    import tensorboard  # noqa: F401  # else the lack of it shows after the first epoch
    from accelerate import PartialState

    state = PartialState(cpu=_on_cpu())
    return state.device, state.is_main_process


def _on_cpu() -> bool:
    """What accelerate has to be told, or torchrun's processes stay apart."""
    return not (torch.cuda.is_available() or torch.backends.mps.is_available())


class Learner:
    """A network, its losses and its optimisers on this process's device.

    Args:
        recipe: How it learns.
        trainable: What learns; trained in place, and moved to the device.
    """

    def __init__(self, recipe: Recipe, trainable: Trainable) -> None:
        from accelerate import Accelerator
        from accelerate.state import AcceleratorState
        from accelerate.utils import DistributedDataParallelKwargs

        self.recipe = recipe
        self.trainable = trainable
        # Every process keeps the batch norm statistics of its own batches; `settle` averages them.
        unused = isinstance(trainable, TakesTurns) or (isinstance(trainable, LeavesUnused) and trainable.leaves_unused)
        spread = DistributedDataParallelKwargs(broadcast_buffers=False, find_unused_parameters=unused)
        AcceleratorState._reset_state()  # it keeps the precision of the last run in this process
        self.accelerator = Accelerator(
            cpu=_on_cpu(),
            mixed_precision=recipe.precision,
            gradient_accumulation_steps=recipe.accumulate,
            kwargs_handlers=[spread],
        )
        trainable.network.to(self.accelerator.device)
        self.optimisers = {
            name: self.accelerator.prepare(made) for name, made in make_optimisers(recipe, trainable).items()
        }
        self.losses = self.accelerator.prepare(_Losses(trainable))
        self.rates = {name: [group["lr"] for group in made.param_groups] for name, made in self.optimisers.items()}

    def step(self, number: int, iteration: int, factor: float, batches: Iterator[EpisodeBatch]) -> dict[str, float]:
        """Move the turn's optimisers by the next batches; the losses, averaged over them and over all processes.

        Args:
            number: Number of the step in the run, from 0; the dropout follows from it.
            iteration: Number of the step in its epoch, from 0; whose turn it is follows from it.
            factor: Scales every learning rate.
            batches: As many as the recipe's ``accumulate`` are taken from it.

        Raises `IcvosError` where the loss is not a finite number.
        """
        recipe, trainable = self.recipe, self.trainable
        turn = trainable.turn(iteration) if isinstance(trainable, TakesTurns) else "total"
        moving = [name for name in self.optimisers if name.partition("/")[0] == turn]
        groups = [group for name in moving for group in self.optimisers[name].param_groups]
        for group, rate in zip(groups, [rate for name in moving for rate in self.rates[name]], strict=True):
            group["lr"] = rate if group["constant"] else rate * factor
        sums: dict[str, Tensor] = {}
        for part in range(recipe.accumulate):
            batch = next(batches).to(self.accelerator.device)
            torch.manual_seed(hash_of(recipe.seed, number, part, self.accelerator.process_index))  # dropout
            with self.accelerator.accumulate(self.losses):
                found = self.losses(batch)
                self.accelerator.backward(found[turn])
                if recipe.gradient_clip and self.accelerator.sync_gradients:
                    moved = [parameter for group in groups for parameter in group["params"]]
                    self.accelerator.clip_grad_norm_(moved, recipe.gradient_clip)
                for name in moving:
                    self.optimisers[name].step()
                for optimiser in self.optimisers.values():
                    optimiser.zero_grad()
            for name, value in found.items():
                sums[name] = sums.get(name, 0) + value.detach() / recipe.accumulate
        averaged = self.accelerator.reduce(torch.stack(list(sums.values())), "mean").tolist()
        losses = dict(zip(sums, averaged, strict=True))
        if not math.isfinite(losses[turn]):
            raise IcvosError(
                f"the loss of step {number + 1} is {losses[turn]}; lower learning_rate and begin in a new --out"
            )
        return losses

    def settle(self) -> None:
        """Average the statistics of batch norms in training mode over all processes, for validation and saving.

        They are running means and stand in no gradient: averaged now or after every step, they come out the same.
        """
        if self.accelerator.num_processes == 1:
            return
        found = [
            buffer
            for module in self.trainable.network.modules()
            if isinstance(module, NORMS) and module.training
            for buffer in (module.running_mean, module.running_var)
            if buffer is not None
        ]
        if found:
            mean = self.accelerator.reduce(torch.cat([buffer.reshape(-1) for buffer in found]), "mean")
            for buffer, part in zip(found, mean.split([buffer.numel() for buffer in found]), strict=True):
                buffer.copy_(part.reshape(buffer.shape))


class _Losses(nn.Module):
    """The losses as a module, so that gradients of many processes are averaged and precision is mixed around them."""

    def __init__(self, trainable: Trainable) -> None:
        super().__init__()
        self.network = trainable.network
        self.trainable = trainable

    def forward(self, batch: EpisodeBatch) -> dict[str, Tensor]:
        return self.trainable.losses(batch)


def make_optimisers(recipe: Recipe, trainable: Trainable) -> dict[str, torch.optim.Optimizer]:
    """The optimisers over the parameters learned in each turn; all other parameters are frozen.

    They are named by their turn; where one has several kinds, as ``total/adamw``.
    """
    trainable.network.requires_grad_(False)
    turns: dict[str, dict[str, list[dict[str, Any]]]] = {}  # groups as torch takes them, by turn and kind
    for group in trainable.parameter_groups(recipe.learning_rate):
        for parameter in group["params"]:
            parameter.requires_grad_(True)
        kinds = turns.setdefault(group.get("turn", "total"), {})
        decay = group.get("weight_decay", recipe.weight_decay)
        made = {"params": group["params"], "lr": group["lr"], "weight_decay": decay}
        made["constant"] = group.get("constant", False)
        kinds.setdefault(group.get("optimiser", recipe.optimiser), []).append(made)
    make: dict[str, Callable[[list[dict[str, Any]]], torch.optim.Optimizer]] = {
        "sgd": lambda groups: torch.optim.SGD(groups, lr=recipe.learning_rate, momentum=recipe.momentum),
        "adam": lambda groups: torch.optim.Adam(groups, lr=recipe.learning_rate),
        "adamw": lambda groups: torch.optim.AdamW(groups, lr=recipe.learning_rate),
    }
    return {
        turn if len(kinds) == 1 else f"{turn}/{kind}": make[kind](groups)
        for turn, kinds in turns.items()
        for kind, groups in kinds.items()
    }


def schedule(kind: str, step: int, total: int, warmup: int = 0) -> float:
    """The factor of the learning rate at ``step`` (from 0) of ``total``; see `Recipe.schedule` and `Recipe.warmup`."""
    if step < warmup:
        return (step + 1) / warmup * schedule(kind, step, total)
    if kind == "cosine":
        return 0.5 * (1 + math.cos(math.pi * step / total))
    if kind == "poly":
        return (1 - (step + 1) / total) ** 0.9
    if kind == "thirds":
        return float(0.1 ** (3 * step // total))
    return 1.0


def hash_of(*numbers: int) -> int:
    """A seed that follows from some numbers."""
    seed = 0
    for number in numbers:
        seed = (seed * 6364136223846793005 + number + 1442695040888963407) % 2**63
    return seed
