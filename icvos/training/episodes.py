"""Episodes of an image benchmark to train from, drawn as a recipe says, and its frozen ones to validate with.

A training episode follows from the seed, the epoch and its index alone, so that any number of processes and workers
make the same ones. Published programs draw the same episodes on every GPU; here every one is drawn once.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import chain, zip_longest

import numpy as np
import torch
from torch import Tensor

from icvos.errors import IcvosError
from icvos.method import Image
from icvos.tasks.image.benchmark import IGNORED, Episode, ImageBenchmark, Picture
from icvos.training.recipe import Recipe
from icvos.training.squares import training_square, tube_views, validation_square
from icvos.training.trainable import EpisodeBatch

DRAW, ORDER = range(2)  # what a generator is for
NO_CLASS = -1  # in `EpisodeBatch.classes`, when a base learner is trained
Square = tuple[Tensor, Tensor]  # a picture, (3, S, S) float32, and its label, (S, S) int64


class TrainingEpisodes:
    """A benchmark's episodes as a recipe draws them: `icvos.training.trainable.Episodes`.

    Args:
        benchmark: Has pictures to train on.
        recipe: What is trained, and how episodes are drawn and prepared.

    Attributes:
        rare: Classes of the fold, numbered from 1, with too few pictures to be drawn.

    Raises `IcvosError` where the recipe is for another benchmark, or the benchmark holds too little for it.
    """

    def __init__(self, benchmark: ImageBenchmark, recipe: Recipe) -> None:
        check_name(benchmark, recipe)
        fold = benchmark.fold(recipe.fold)
        self.recipe = recipe
        self.learned: tuple[int, ...] = tuple(kind - 1 for kind in sorted(fold.train))  # the base learner's order
        self.digest = f"train {benchmark.training_digest}, val {benchmark.digest}"
        self.pictures, self.rows, self.rare = _choose(benchmark, recipe)
        if not self.pictures:
            raise IcvosError(
                f"{benchmark.root}: fold {recipe.fold} has no class with {_least(recipe)} pictures to train on"
            )
        self.frozen = _frozen(benchmark, recipe)
        asked = sorted({episode.kind for episode in self.frozen[: recipe.validation_episodes]})
        self.classes: tuple[int, ...] = tuple(kind - 1 for kind in asked)
        self._base = np.zeros(256, dtype=np.uint8)  # class number -> place among the learned ones, from 1
        self._base[IGNORED] = IGNORED
        for place, kind in enumerate(self.learned, start=1):
            self._base[kind + 1] = place

    def __len__(self) -> int:
        """How many training pictures there are."""
        return len(self.pictures)

    def training(self, epoch: int, index: int) -> EpisodeBatch:
        """One training episode, as a batch of one; the same for the same epoch and index."""
        recipe = self.recipe
        random = np.random.default_rng([recipe.seed, DRAW, epoch, index])
        kind, query, supports = self.draw(epoch, index, random)
        if recipe.labels == "classes":
            label = self._base[query.class_map()]
            return batch_of(training_square(query.image(), label, recipe, random), [], NO_CLASS)
        asked = self.tube(query, kind, random) if recipe.tubes else [(query.image(), query.label(kind))]
        shown = [(picture.image(), picture.label(kind)) for picture in supports]
        squares = [training_square(image, label, recipe, random) for image, label in (*asked, *shown)]
        return batch_of(squares[0], squares[len(asked) :], kind - 1, squares[1 : len(asked)])

    @staticmethod
    def tube(query: Picture, kind: int, random: np.random.Generator) -> list[tuple[Image, np.ndarray]]:
        """The mask tube of a query: its five views in a random order, each with its label."""
        views = tube_views(query.image(), query.label(kind), random)
        return [views[place] for place in random.permutation(len(views))]

    def draw(self, epoch: int, index: int, random: np.random.Generator) -> tuple[int, Picture, list[Picture]]:
        """Class number, query and supports of a training episode.

        Args:
            epoch: From 0; with ``index`` it decides the query where every picture is drawn once an epoch.
            index: Place of the episode in its epoch.
            random: Where every other choice comes from.
        """
        if self.recipe.sampling == "class":
            kind = int(random.choice(list(self.rows)))
            row = self.rows[kind]
            place = int(random.integers(len(row)))
        else:
            turn, within = divmod(index, len(self.pictures))
            number = int(_order(self.recipe.seed, epoch, turn, len(self.pictures))[within])
            listed = self.pictures[number].listed
            kind = int(random.choice([kind for kind in listed if kind in self.rows]))
            row = self.rows[kind]
            place = int(np.searchsorted(row, number))
        query = self.pictures[row[place]]
        if self.recipe.labels == "classes":
            return kind, query, []
        # from all pictures of the class but the query; the published VRP-SAM and DC-SAM may show one twice
        again = self.recipe.sampling == "class"
        others = random.choice(len(row) - 1, self.recipe.shots, replace=again)
        return kind, query, [self.pictures[row[other + (other >= place)]] for other in others]

    def validation(self, index: int) -> EpisodeBatch:
        """One frozen episode, as a batch of one; its pictures are not varied."""
        episode = self.frozen[index]
        squares = [
            validation_square(picture.image(), picture.label(episode.kind), self.recipe)
            for picture in (episode.query, *episode.supports)
        ]
        return batch_of(squares[0], squares[1:], episode.kind - 1)


def check_name(benchmark: ImageBenchmark, recipe: Recipe) -> None:
    """Raise `IcvosError` where the recipe is for another benchmark."""
    if benchmark.name != recipe.benchmark:
        raise IcvosError(
            f"{benchmark.root}: is {benchmark.name}, the recipe is for {recipe.benchmark}; "
            f"give such a folder to --data, or another recipe"
        )


def _least(recipe: Recipe) -> int:
    """Pictures that a class must have."""
    if recipe.labels == "classes":
        return 1
    return 2 if recipe.sampling == "class" else 1 + recipe.shots


def _choose(benchmark: ImageBenchmark, recipe: Recipe) -> tuple[list[Picture], dict[int, np.ndarray], tuple[int, ...]]:
    """The pictures to train on, where those of each class stand among them, and the classes with too few.

    Args:
        benchmark: Whose training pictures are chosen from.
        recipe: ``drop_novel`` leaves some out; a class needs as many as `_least` says.
    """
    fold = benchmark.fold(recipe.fold)
    novel = set(fold.test) - set(fold.train)

    def drops(picture: Picture) -> bool:
        shown = {"no": (), "listed": picture.listed, "shown": picture.outlines}[recipe.drop_novel]
        return not novel.isdisjoint(shown)

    kept = [picture for picture in benchmark.training.values() if not drops(picture)]
    counts = dict.fromkeys(sorted(fold.train), 0)
    for kind in chain.from_iterable(picture.listed for picture in kept):
        if kind in counts:
            counts[kind] += 1
    rare = tuple(kind for kind, count in counts.items() if count < _least(recipe))
    enough = counts.keys() - set(rare)
    pictures = [picture for picture in kept if not enough.isdisjoint(picture.listed)]
    rows: dict[int, list[int]] = {kind: [] for kind in sorted(enough)}
    for number, picture in enumerate(pictures):
        for kind in enough.intersection(picture.listed):
            rows[kind].append(number)
    return pictures, {kind: np.array(row) for kind, row in rows.items()}, rare


def _frozen(benchmark: ImageBenchmark, recipe: Recipe) -> list[Episode]:
    """The frozen episodes to validate with: the fold's own, or those of classes that the base learner knows.

    The latter lie in the other folds, and are taken from each in turn.
    """
    if not recipe.validation_episodes:
        return []
    if recipe.labels == "episode":
        found = list(benchmark.episodes(recipe.fold, recipe.shots))
    else:
        learned = set(benchmark.fold(recipe.fold).train)
        folds: list[Sequence[Episode]] = [
            [episode for episode in benchmark.episodes(number) if episode.kind in learned]
            for number in range(len(benchmark.folds))
        ]
        found = [episode for row in zip_longest(*folds) for episode in row if episode is not None]
    if len(found) < recipe.validation_episodes:
        raise IcvosError(
            f"{benchmark.root}: has {len(found)} episodes to validate with, the recipe takes "
            f"{recipe.validation_episodes}; add --set validation_episodes={len(found)}"
        )
    return found


@lru_cache(maxsize=2)
def _order(seed: int, epoch: int, turn: int, count: int) -> np.ndarray:
    """The numbers of all pictures once, in an order of the epoch's own."""
    return np.random.default_rng([seed, ORDER, epoch, turn]).permutation(count)


def batch_of(query: Square, supports: Sequence[Square], kind: int, later: Sequence[Square] = ()) -> EpisodeBatch:
    """A batch of one episode of the class ``kind``, from 0; ``later`` follows the query in its tube."""
    picture, label = query
    shown = torch.stack([found for found, _ in supports]) if supports else picture.new_empty(0, *picture.shape)
    labels = torch.stack([found for _, found in supports]) if supports else label.new_empty(0, *label.shape)
    batch = EpisodeBatch(picture[None], label[None], shown[None], labels[None], torch.tensor([kind]))
    if not later:
        return batch
    frames, frame_labels = (torch.stack(parts)[None] for parts in zip(*later, strict=True))
    return replace(batch, later=frames, later_labels=frame_labels)
