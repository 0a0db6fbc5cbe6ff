"""Episodes of the small world, drawn when they are asked for: as many as wanted, and nothing on disk.

Every episode has pictures of its own, or, with ``pictures`` of the recipe, all choose among a few that are drawn once.

Categories of the fold are held out, as in the COCO-20i fold of that number: none is ever drawn in training, not even in
the background.
"""

from collections.abc import Sequence

import numpy as np

from icvos.categories import category
from icvos.errors import IcvosError
from icvos.method import Image
from icvos.smallworld import NAMES, World, held_out, invention
from icvos.training.episodes import DRAW, NO_CLASS, ORDER, Square, batch_of
from icvos.training.recipe import Recipe
from icvos.training.squares import training_square, tube_views, validation_square
from icvos.training.trainable import EpisodeBatch

SIZE = (240, 320)  # of a drawn frame
LEAST_PX = 600  # of an episode's class in a picture of that size
STRIDES = (1, 2, 3, 4)  # frames of a clip from one that is shown to the next
COMPANIONS = (0, 0, 1, 1, 2)  # objects beside an episode's own
KINDS = (1, 2, 2, 3, 3)  # classes of a picture that many episodes choose
FIRST_CHOSEN = 10**8  # number of the first such picture; those of single episodes stay far below
Labelled = tuple[Image, np.ndarray]


class DrawnEpisodes:
    """Episodes of the small world as a recipe draws them: `icvos.training.trainable.Episodes`.

    Args:
        recipe: What is trained; its ``fold`` is held out.

    Attributes:
        kinds: The classes of episodes: those to learn, then inventions, numbered behind all others.
        held_out: Names of the categories of the fold.
        classes: The classes of validation: the fold's, or with ``labels = "classes"`` those to learn.
        rare: Categories with too few pictures to be drawn; none.

    Raises `IcvosError` where the recipe's ``pictures`` are too few.
    """

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.held_out = held_out(recipe.fold)
        known = tuple(name for name in NAMES if name not in self.held_out)
        self.world = World(recipe.seed, SIZE, known)
        by_class = recipe.labels == "classes"  # validated with other pictures of what it learned
        self.validated = World(recipe.seed + 1, SIZE, known if by_class else self.held_out)
        invented = [invention(number).category for number in range(recipe.inventions)]
        self.learned = tuple(sorted(category(name).index - 1 for name in known))
        self.kinds = (*self.learned, *(found.index - 1 for found in invented))
        self.classes = tuple(sorted(category(name).index - 1 for name in self.validated.categories))
        self.names = {category(name).index - 1: name for name in NAMES} | {one.index - 1: one.name for one in invented}
        self._weights = {
            kind: 1 / (len(self.learned) if kind in self.learned else len(invented)) for kind in self.kinds
        }
        self.rare: tuple[int, ...] = ()
        self._places = np.zeros(1 + max(self.kinds) + 1, dtype=np.uint8)  # class number -> place among those learned
        self._places[[kind + 1 for kind in self.learned]] = np.arange(1, 1 + len(self.learned))
        self._casts = [self._chosen_cast(number) for number in range(recipe.pictures)]
        self._rows = self._rows_of_chosen() if recipe.pictures and recipe.labels == "episode" else {}
        self._drawn: dict[int, Labelled] = {}
        self._clips: dict[int, list[Labelled]] = {}
        more = f", and {recipe.inventions} inventions" if invented else ""
        self.digest = f"small world {recipe.seed}, without {', '.join(self.held_out)}{more}"

    def __len__(self) -> int:
        """Episodes of an epoch: no picture comes twice."""
        return self.recipe.episodes

    def training(self, epoch: int, index: int) -> EpisodeBatch:
        """One training episode, as a batch of one; the same for the same epoch and index."""
        recipe = self.recipe
        random = np.random.default_rng([recipe.seed, DRAW, epoch, index])
        number = 4 * (epoch * recipe.episodes + index)
        if recipe.labels == "objects":
            shown = self._chosen_clip(int(random.integers(recipe.pictures))) if recipe.pictures else None
            clip = shown or self._clip(self.world, number, random, self._any_cast(random))
            squares = [training_square(*frame, recipe, random) for frame in clip]
            return batch_of(squares[0], [], NO_CLASS, squares[1:])
        if recipe.labels == "classes":
            chosen = self._chosen(int(random.integers(recipe.pictures))) if recipe.pictures else None
            image, kinds = chosen or self._draw(number, self._several(random))
            return batch_of(training_square(image, self._places[kinds], recipe, random), [], NO_CLASS)
        if recipe.pictures:
            kind, pairs = self._choose(random)
            squares = [training_square(*pair, recipe, random) for pair in pairs]
            return batch_of(squares[0], squares[1:], kind)
        kind = self._some(self.kinds, 1, random)[0]
        asked = self._asked(self.world, number, kind, random)
        shown = [self._picture(self.world, number + 1 + shot, kind, random) for shot in range(recipe.shots)]
        squares = [training_square(*pair, recipe, random) for pair in (*asked, *shown)]
        return batch_of(squares[0], squares[len(asked) :], kind, squares[1 : len(asked)])

    def validation(self, index: int) -> EpisodeBatch:
        """One episode of `classes`, as a batch of one; the same for the same index."""
        random = np.random.default_rng([self.recipe.seed + 1, DRAW, index])
        kind = self.classes[index % len(self.classes)]
        shots = self.recipe.shots if self.recipe.labels == "episode" else 0
        pairs = [self._picture(self.validated, 4 * index + place, kind, random) for place in range(1 + shots)]
        if self.recipe.labels == "objects":  # one object of the class
            image, label = pairs[0]
            pairs = [(image, (label == label[label > 0].min()).astype(np.uint8))]
        squares: list[Square] = [validation_square(*pair, self.recipe) for pair in pairs]
        return batch_of(squares[0], squares[1:], kind)

    def _chosen_cast(self, number: int) -> tuple[int, ...]:
        """Which classes are on a picture that many episodes choose; at times the first of them twice."""
        return self._several(np.random.default_rng([self.recipe.seed, ORDER, number]))

    def _several(self, random: np.random.Generator) -> tuple[int, ...]:
        """Different classes; at times the first of them twice."""
        kinds = self._some(self.kinds, min(int(random.choice(KINDS)), len(self.kinds)), random)
        return (*kinds, *(kinds[:1] if random.random() < 0.2 else ()))

    def _some(self, kinds: Sequence[int], count: int, random: np.random.Generator) -> tuple[int, ...]:
        """Different ones of these classes; where there are inventions, one as likely as a word."""
        if not self.recipe.inventions:
            return tuple(int(kind) for kind in random.choice(kinds, count, replace=False))
        weights = np.array([self._weights[kind] for kind in kinds])
        return tuple(int(kind) for kind in random.choice(kinds, count, replace=False, p=weights / weights.sum()))

    def _chosen(self, number: int) -> Labelled:
        """Such a picture, with its classes' numbers from 1 where they are shown; drawn when it is first chosen."""
        if number not in self._drawn:
            self._drawn[number] = self._draw(FIRST_CHOSEN + number, self._casts[number])
        return self._drawn[number]

    def _draw(self, number: int, kinds_shown: Sequence[int]) -> Labelled:
        """A picture that shows these classes, with their numbers from 1 where they are."""
        found = self.world.picture(number, tuple(self.names[kind] for kind in kinds_shown), least_px=LEAST_PX)
        kinds = np.zeros(256, dtype=np.uint16)
        for instance in found.instances:
            kinds[instance.id] = instance.category.index
        return found.image, kinds[found.ids]

    def _chosen_clip(self, number: int) -> list[Labelled]:
        """One of the clips, or of the single pictures, that many episodes choose, with the numbers of its objects."""
        if number not in self._clips:
            random = np.random.default_rng([self.recipe.seed, ORDER, number])
            self._clips[number] = self._clip(self.world, FIRST_CHOSEN + number, random, self._any_cast(random))
        return self._clips[number]

    def _any_cast(self, random: np.random.Generator) -> tuple[str, ...] | None:
        """What is shown where no class is asked for; None leaves it to the world, which knows no inventions."""
        return tuple(self.names[kind] for kind in self._several(random)) if self.recipe.inventions else None

    def _choose(self, random: np.random.Generator) -> tuple[int, list[Labelled]]:
        """A class, a query that shows others beside it, and supports."""
        (kind,) = self._some([kind for kind, (_, several) in self._rows.items() if several], 1, random)
        shown, several = self._rows[kind]
        query = int(random.choice(several))
        others = [number for number in shown if number != query]
        numbers = [query, *(int(number) for number in random.choice(others, self.recipe.shots))]
        found = [self._chosen(number) for number in numbers]
        return kind, [(image, (kinds == kind + 1).astype(np.uint8)) for image, kinds in found]

    def _rows_of_chosen(self) -> dict[int, tuple[list[int], list[int]]]:
        """By class: the pictures that show it, and those of them that show others too; none where it has just one."""
        rows: dict[int, tuple[list[int], list[int]]] = {}
        for kind in self.kinds:
            shown = [number for number, cast in enumerate(self._casts) if kind in cast]
            several = [number for number in shown if len(set(self._casts[number])) > 1]
            rows[kind] = (shown, several if len(shown) > 1 else [])
        if not any(several for _, several in rows.values()):
            raise IcvosError(f"pictures={self.recipe.pictures}: too few to choose episodes from; give some hundreds")
        return rows

    def _asked(self, world: World, number: int, kind: int, random: np.random.Generator) -> list[Labelled]:
        """The query, and what follows it in its tube."""
        if self.recipe.frames > 1:
            return self._clip(world, number, random, self._cast(world, kind, random), self.names[kind])
        query = self._picture(world, number, kind, random)
        if not self.recipe.tubes:
            return [query]
        views = tube_views(*query, random)
        return [views[place] for place in random.permutation(len(views))]

    def _cast(self, world: World, kind: int, random: np.random.Generator) -> tuple[str, ...]:
        """The episode's class, at times twice, and others."""
        own = self.names[kind]
        others = random.choice(world.categories, int(random.choice(COMPANIONS)))
        return (own, *([own] if random.random() < 0.2 else []), *(str(name) for name in others))

    def _picture(self, world: World, number: int, kind: int, random: np.random.Generator) -> Labelled:
        """A picture in which the class is shown, and where."""
        found = world.picture(number, self._cast(world, kind, random), least_px=LEAST_PX)
        ids = [instance.id for instance in found.instances if instance.category.name == self.names[kind]]
        if self.recipe.labels == "objects":
            return found.image, np.where(np.isin(found.ids, ids), found.ids, 0).astype(np.uint8)
        return found.image, np.isin(found.ids, ids).astype(np.uint8)

    def _clip(
        self,
        world: World,
        number: int,
        random: np.random.Generator,
        cast: tuple[str, ...] | None = None,
        asked: str | None = None,
    ) -> list[Labelled]:
        """Frames of one clip with the numbers of its objects, or with where the class ``asked`` is."""
        frames, stride = self.recipe.frames, int(random.choice(STRIDES))
        if frames == 1 and asked is None:
            picture = world.picture(number, cast)
            return [(picture.image, picture.ids)]
        clip = world.clip(number, 1 + stride * (frames - 1), cast)
        shown = [clip.frame(stride * place) for place in range(frames)]
        if asked is None:
            return shown
        ids = [instance.id for instance in clip.instances if instance.category.name == asked]
        return [(image, np.isin(found, ids).astype(np.uint8)) for image, found in shown]
