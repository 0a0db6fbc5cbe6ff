"""The training loop of all methods that learn: episodes in, the best checkpoint by validation mIoU out.

Everything random follows from the seed, the epoch, the step and the process, so a run that was killed goes on as if it
had not been. What lies in the output folder: see `icvos.training.run_folder`.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from icvos.errors import AGAIN, IcvosError, stoppable
from icvos.metrics.fewshot import EpisodeCounts, few_shot_scores
from icvos.training.batches import training_batches, validation_batches
from icvos.training.learner import Learner, schedule
from icvos.training.model_card import CARD, describe_hardware, write_card
from icvos.training.recipe import Recipe
from icvos.training.report import Report, Silent, ValidationScores
from icvos.training.run_folder import BEST, LAST, LOG, STATE, Log, RunState, held, resume, save, write_checkpoint
from icvos.training.trainable import Episodes, Trainable

if TYPE_CHECKING:
    from accelerate import Accelerator


@dataclass(frozen=True, slots=True)
class Trained:
    """What a finished run came to.

    Args:
        checkpoint: The file of the best checkpoint.
        steps: Steps of the run.
        miou: The best validation mIoU, a fraction; None for a run without validation.
    """

    checkpoint: Path
    steps: int
    miou: float | None


def train(
    recipe: Recipe,
    trainable: Trainable,
    episodes: Episodes,
    out: Path,
    *,
    settings: Mapping[str, Any] | None = None,
    usage: Sequence[str] = (),
    workers: int = 0,
    report: Report | None = None,
) -> Trained:
    """Train to the end of the recipe, resuming what ``out`` holds of the same run.

    Args:
        recipe: How the network is trained.
        trainable: The network and its losses; trained in place.
        episodes: Training and validation episodes.
        out: The output folder.
        settings: What the method was built with, for the checkpoint's header.
        usage: Lines of commands that run the checkpoint, for its model card.
        workers: Processes that decode pictures, for each training process.
        report: Told how it goes, in the main process.

    Raises `IcvosError` for data too small for one step, for an ``out`` that holds another run, and for a loss that is
    not finite.
    """
    learner = Learner(recipe, trainable)
    accelerator = learner.accelerator
    told = report if report is not None and accelerator.is_main_process else Silent()
    steps = steps_of_epoch(recipe, episodes, accelerator.num_processes)
    with held(accelerator, out), stoppable(lambda: _kept(out, steps * recipe.epochs)):
        return _train(learner, episodes, out, settings or {}, usage, workers, told, steps)


def _train(
    learner: Learner,
    episodes: Episodes,
    out: Path,
    settings: Mapping[str, Any],
    usage: Sequence[str],
    workers: int,
    told: Report,
    steps: int,
) -> Trained:
    """`train` in a folder that is held; an epoch has ``steps``."""
    recipe, trainable, accelerator = learner.recipe, learner.trainable, learner.accelerator
    main = accelerator.is_main_process
    total = steps * recipe.epochs
    state = resume(learner, out, RunState.fresh(recipe, episodes, accelerator.num_processes), total)
    done, best = state.step, state.best
    began = time.monotonic() - state.seconds
    log = Log(out, main, done)
    if done:
        told.resumed(done, total)

    def card() -> None:
        hardware = describe_hardware(accelerator.device.type, accelerator.num_processes)
        write_card(out / BEST, out / LOG, (time.monotonic() - began) / 3600, hardware, usage)

    for epoch in range(done // steps, recipe.epochs):
        trainable.train()
        batches = training_batches(recipe, episodes, epoch, range(done % steps, steps), accelerator, workers)
        for step in range(done, (epoch + 1) * steps):
            factor = schedule(recipe.schedule, step, total, recipe.warmup)
            losses = learner.step(step, step % steps, factor, batches)
            done = step + 1
            log.write("train", done, losses | {"learning_rate": recipe.learning_rate * factor})
            told.trained(done, total, losses)
            if done % recipe.save_every == 0 and done % steps:
                learner.settle()
                save(learner, out, replace(state, step=done, best=best, seconds=time.monotonic() - began))
        learner.settle()
        if validates_after(recipe, epoch):
            scores = validate(recipe, trainable, episodes, accelerator, workers)
            log.write("validation", done, scores.to_json())
            told.validated(done, total, scores)
            if scores.miou > best:
                best = scores.miou
                if main:
                    write_checkpoint(out / BEST, trainable, recipe, episodes, done, scores, settings)
        if main and best >= 0:
            card()
        save(learner, out, replace(state, step=done, best=best, seconds=time.monotonic() - began))

    if not recipe.validation_episodes and main:
        write_checkpoint(out / BEST, trainable, recipe, episodes, done, None, settings)
        if done > state.step or not (out / CARD).is_file():  # a finished run keeps a card that was filled in
            card()
    accelerator.wait_for_everyone()
    accelerator.free_memory()
    return Trained(out / BEST, total, best if recipe.validation_episodes else None)


def _kept(out: Path, total: int) -> str:
    """What a run that is stopped has saved."""
    state = out / LAST / STATE
    if not state.is_file():
        return f"no step is saved yet; {AGAIN} to begin anew"
    return f"{RunState.read(state).step} of {total} steps are saved; {AGAIN} to go on"


def steps_of_epoch(recipe: Recipe, episodes: Episodes, processes: int) -> int:
    """Steps of one epoch, all processes together; raises `IcvosError` where there are too few episodes for one."""
    together = recipe.batch * recipe.accumulate * processes
    drawn = recipe.episodes or len(episodes)
    if drawn < together:
        raise IcvosError(f"{drawn} episodes are fewer than the {together} of one step; lower batch or accumulate")
    return drawn // together


def validates_after(recipe: Recipe, epoch: int) -> bool:
    """Whether the network is validated after this epoch, from 0; after the last one it always is."""
    last = epoch + 1 == recipe.epochs
    return bool(recipe.validation_episodes) and (last or (epoch + 1) % recipe.validate_every == 0)


def validate(
    recipe: Recipe, trainable: Trainable, episodes: Episodes, accelerator: "Accelerator", workers: int = 0
) -> ValidationScores:
    """mIoU and FB-IoU over the frozen validation episodes, shared among the processes."""
    trainable.network.eval()
    classes = episodes.classes
    counts = torch.zeros(len(classes), 4, dtype=torch.int64, device=accelerator.device)
    for batch in validation_batches(recipe, episodes, accelerator, workers):
        batch = batch.to(accelerator.device)
        with torch.no_grad(), accelerator.autocast():
            found = trainable.logits(batch) > 0
        for kind, truth, mask in zip(batch.classes.tolist(), batch.query_label, found, strict=True):
            counts[classes.index(kind)] += count(truth, mask)
    summed: list[list[int]] = accelerator.reduce(counts, "sum").tolist()
    seen = {kind: EpisodeCounts(*row) for kind, row in zip(classes, summed, strict=True) if any(row)}
    scores = few_shot_scores(seen.items(), list(seen))
    return ValidationScores(scores.miou, scores.fb_iou)


def count(label: Tensor, mask: Tensor) -> Tensor:
    """Intersections and unions of one episode: (4,) int64 in the order of `EpisodeCounts`.

    Args:
        label: (H, W) int64: 1 = the class, 0 = anything else, 255 = ignored.
        mask: (H, W) bool: where the class was found.
    """
    counted = label != 255
    truth, mask = (label == 1) & counted, mask & counted
    both, either = (truth & mask).sum(), (truth | mask).sum()
    area = counted.sum()
    return torch.stack([area - either, both, area - both, either])
