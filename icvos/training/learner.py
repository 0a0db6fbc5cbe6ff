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
            turn: self.accelerator.prepare(made) for turn, made in make_optimisers(recipe, trainable).items()
        }
        self.losses = self.accelerator.prepare(_Losses(trainable))
        self.rates = {turn: [group["lr"] for group in made.param_groups] for turn, made in self.optimisers.items()}

    def step(self, number: int, iteration: int, factor: float, batches: Iterator[EpisodeBatch]) -> dict[str, float]:
        """Move the turn's optimiser by the next batches; the losses, averaged over them and over all processes.

        Args:
            number: Number of the step in the run, from 0; the dropout follows from it.
            iteration: Number of the step in its epoch, from 0; whose turn it is follows from it.
            factor: Scales every learning rate.
            batches: As many as the recipe's ``accumulate`` are taken from it.

        Raises `IcvosError` where the loss is not a finite number.
        """
        recipe, trainable = self.recipe, self.trainable
        turn = trainable.turn(iteration) if isinstance(trainable, TakesTurns) else "total"
        for group, rate in zip(self.optimisers[turn].param_groups, self.rates[turn], strict=True):
            group["lr"] = rate * factor
        sums: dict[str, Tensor] = {}
        for part in range(recipe.accumulate):
            batch = next(batches).to(self.accelerator.device)
            torch.manual_seed(hash_of(recipe.seed, number, part, self.accelerator.process_index))  # dropout
            with self.accelerator.accumulate(self.losses):
                found = self.losses(batch)
                self.accelerator.backward(found[turn])
                if recipe.gradient_clip and self.accelerator.sync_gradients:
                    moved = [parameter for group in self.optimisers[turn].param_groups for parameter in group["params"]]
                    self.accelerator.clip_grad_norm_(moved, recipe.gradient_clip)
                self.optimisers[turn].step()
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
    """The recipe's optimiser for each turn, over the parameters learned in it; all other parameters are frozen.

    A group's ``optimiser`` takes the place of the recipe's for its whole turn.
    """
    trainable.network.requires_grad_(False)
    turns: dict[str, list[dict[str, Any]]] = {}  # groups as torch takes them
    kinds: dict[str, str] = {}
    for group in trainable.parameter_groups(recipe.learning_rate):
        for parameter in group["params"]:
            parameter.requires_grad_(True)
        turn = group.get("turn", "total")
        turns.setdefault(turn, []).append({"params": group["params"], "lr": group["lr"]})
        kinds[turn] = group.get("optimiser", recipe.optimiser)
    rate, decay = recipe.learning_rate, recipe.weight_decay
    make: dict[str, Callable[[list[dict[str, Any]]], torch.optim.Optimizer]] = {
        "sgd": lambda groups: torch.optim.SGD(groups, lr=rate, momentum=recipe.momentum, weight_decay=decay),
        "adam": lambda groups: torch.optim.Adam(groups, lr=rate, weight_decay=decay),
        "adamw": lambda groups: torch.optim.AdamW(groups, lr=rate, weight_decay=decay),
    }
    return {turn: make[kinds[turn]](groups) for turn, groups in turns.items()}


def schedule(kind: str, step: int, total: int, warmup: int = 0) -> float:
    """The factor of the learning rate at ``step`` (from 0) of ``total``; see `Recipe.schedule` and `Recipe.warmup`."""
    if step < warmup:
        return (step + 1) / warmup * schedule(kind, step, total)
    if kind == "cosine":
        return 0.5 * (1 + math.cos(math.pi * step / total))
    if kind == "poly":
        return (1 - (step + 1) / total) ** 0.9
    return 1.0


def hash_of(*numbers: int) -> int:
    """A seed that follows from some numbers."""
    seed = 0
    for number in numbers:
        seed = (seed * 6364136223846793005 + number + 1442695040888963407) % 2**63
    return seed
