"""Batches of episodes, shared among the processes that train together and made by their workers."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Protocol

from torch.utils.data import DataLoader, Dataset

from icvos.errors import IcvosError
from icvos.training.recipe import Recipe
from icvos.training.trainable import EpisodeBatch, Episodes


class Process(Protocol):
    """One of the processes that train together; accelerate's `Accelerator` is one."""

    process_index: int
    num_processes: int


class ChosenEpisodes(Dataset[EpisodeBatch]):
    """Some episodes in their order, made one by one."""

    def __init__(self, make: Callable[[int], EpisodeBatch], indices: Sequence[int]) -> None:
        self.make = make
        self.indices = indices

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, position: int) -> EpisodeBatch:
        return self.make(self.indices[position])


def training_batches(
    recipe: Recipe, episodes: Episodes, epoch: int, steps: range, process: Process, workers: int
) -> Iterator[EpisodeBatch]:
    """This process's batches for some steps of an epoch: process p of P takes episodes p, p + P, ... of every step."""
    each = recipe.batch * recipe.accumulate
    indices = [
        (step * each + position) * process.num_processes + process.process_index
        for step in steps
        for position in range(each)
    ]
    return load(ChosenEpisodes(partial(episodes.training, epoch), indices), recipe.batch, workers)


def validation_batches(recipe: Recipe, episodes: Episodes, process: Process, workers: int) -> Iterator[EpisodeBatch]:
    """This process's share of the validation episodes, each as a batch of one."""
    indices = range(process.process_index, recipe.validation_episodes, process.num_processes)
    return load(ChosenEpisodes(episodes.validation, indices), 1, workers)


def load(episodes: Dataset[EpisodeBatch], batch: int, workers: int) -> Iterator[EpisodeBatch]:
    """Batches of ``batch`` episodes in their order, made by ``workers`` processes, or by this one where that is 0."""
    import cv2

    cv2.setNumThreads(1)  # before workers are forked: one that changes it waits for ever for its parent's threads
    loader = DataLoader(episodes, batch, num_workers=workers, collate_fn=EpisodeBatch.stack)
    try:
        yield from loader
    except IcvosError as error:  # a worker's message comes below its traceback
        raise IcvosError(str(error).strip().rpartition("IcvosError: ")[2]) from error
