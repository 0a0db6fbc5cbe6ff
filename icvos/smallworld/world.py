"""Pictures and clips of the small world by index: nothing is stored, and an index always gives the same bytes."""

from dataclasses import dataclass, replace

import numpy as np

from icvos.errors import IcvosError
from icvos.smallworld.catalogue import NAMES
from icvos.smallworld.inventions import is_kind, kind_of
from icvos.smallworld.places import PLACES
from icvos.smallworld.scene import Instance, Scene
from icvos.smallworld.staging import Traits, choose_cast, choose_place, compose

_ATTEMPTS = 12
_STREAMS = {"picture": 1, "clip": 2}


@dataclass(frozen=True, slots=True)
class Picture:
    """One still: ``image`` (H, W, 3) uint8 RGB, ``ids`` (H, W) uint8 with 0 = background, and what each id is."""

    image: np.ndarray
    ids: np.ndarray
    instances: tuple[Instance, ...]


@dataclass(frozen=True, slots=True)
class Clip:
    """A video whose frames are rendered when they are asked for, in any order, each on its own.

    Args:
        scene: What the frames are rendered from.
        traits: What happens in it.
    """

    scene: Scene
    traits: Traits

    def __len__(self) -> int:
        return self.scene.frames

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)."""
        return self.scene.size

    @property
    def instances(self) -> tuple[Instance, ...]:
        """The annotated objects, by id; some may be absent from some frames, the first included."""
        return self.scene.instances

    def frame(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Image (H, W, 3) uint8 RGB and ids (H, W) uint8 of the frame at ``index`` in 0..len - 1."""
        if not 0 <= index < len(self):
            raise IndexError(f"frame {index} of a clip of {len(self)}")
        return self.scene.render(index)


class World:
    """A seeded world. The same seed, index and arguments give the same pixels, in any order and any process.

    Args:
        seed: Which world.
        size: (height, width) of pictures and clips, unless a call says otherwise.
        categories: Names of the COCO classes that may occur, annotated or not, out of `icvos.smallworld.NAMES`.
    """

    def __init__(self, seed: int = 0, size: tuple[int, int] = (240, 320), categories: tuple[str, ...] = NAMES) -> None:
        _known(categories)
        self.seed = seed
        self.size = size
        self.categories = categories

    def picture(
        self,
        index: int,
        categories: tuple[str, ...] | None = None,
        size: tuple[int, int] | None = None,
        least_px: int = 0,
        place: str | None = None,
    ) -> Picture:
        """A still of 1..4 objects; ``categories`` names the class of each object, else chance does.

        ``place`` is one of `icvos.smallworld.places.PLACES`; None chooses one where the categories belong.
        Every instance that is listed is visible; the first takes about 4 % of the picture or more, and every category
        ``least_px`` pixels, as far as a few tries allow.
        """
        size = size or self.size
        best: tuple[float, Scene, np.ndarray, np.ndarray] | None = None
        for attempt in range(_ATTEMPTS):
            random = self._random("picture", index, attempt)
            traits = Traits(objects=int(random.choice([1, 2, 2, 3, 3, 4])), categories=3)
            where, cast = self._cast(categories, place, traits, random)
            scene = compose(size, 1, where, cast, traits, random, (0.75, 1.5), self.categories)
            image, ids = scene.render(0)
            area = np.bincount(ids.reshape(-1), minlength=len(cast) + 1)[1:] / ids.size
            merit = min(float(area[0]) / 0.04, float(area.min()) / 0.008)
            if least_px:
                share = min(sum(area[i] for i, name in enumerate(cast) if name == wanted) for wanted in set(cast))
                merit = min(merit, float(share) * ids.size / least_px)
            if best is None or merit > best[0]:
                best = (merit, scene, image, ids)
            if merit >= 1:
                break
        assert best is not None
        seen = set(np.unique(best[3]).tolist())
        return Picture(best[2], best[3], tuple(found for found in best[1].instances if found.id in seen))

    def clip(
        self,
        index: int,
        frames: int = 32,
        categories: tuple[str, ...] | None = None,
        size: tuple[int, int] | None = None,
        traits: Traits | None = None,
        place: str | None = None,
    ) -> Clip:
        """A video; ``categories``, ``place`` and ``traits`` say what it shows, where, what happens, else chance does.

        Every instance is visible in the first frame, except the last ``traits.late`` ones, which are not.
        """
        size = size or self.size
        best: tuple[float, Clip] | None = None
        for attempt in range(_ATTEMPTS):
            random = self._random("clip", index, attempt)
            plan = traits or _chance(random)
            where, cast = self._cast(categories, place, plan, random)
            plan = replace(plan, objects=len(cast), categories=len(set(cast)))
            made = Clip(compose(size, frames, where, cast, plan, random, allowed=self.categories), plan)
            area = np.bincount(made.frame(0)[1].reshape(-1), minlength=len(cast) + 1)[1:] / (size[0] * size[1])
            late = area[len(cast) - plan.late :]
            early = area[: len(cast) - plan.late]
            merit = float(early.min()) / 0.01 if len(early) else 1.0
            merit -= 10.0 * float(late.sum() > 0)
            if best is None or merit > best[0]:
                best = (merit, made)
            if merit >= 1:
                break
        assert best is not None
        return best[1]

    def _cast(
        self, categories: tuple[str, ...] | None, place: str | None, traits: Traits, random: np.random.Generator
    ) -> tuple[str, tuple[str, ...]]:
        """The place and the category of each instance."""
        if place is not None and place not in PLACES:
            raise IcvosError(f"the small world has no place {place!r}; choose from {', '.join(PLACES)}")
        if categories:
            _known(categories)
            return place or choose_place(categories, random), categories
        homes = [name for name in PLACES if any(name in kind_of(kind).habitats for kind in self.categories)]
        if place not in (None, *homes):
            raise IcvosError(f"none of {', '.join(self.categories)} lives at {place!r}; choose from {', '.join(homes)}")
        where = place or homes[int(random.integers(len(homes)))]
        return where, choose_cast(where, traits, self.categories, random)

    def _random(self, stream: str, index: int, attempt: int) -> np.random.Generator:
        return np.random.Generator(
            np.random.PCG64(np.random.SeedSequence([self.seed, _STREAMS[stream], index, attempt]))
        )


def _chance(random: np.random.Generator) -> Traits:
    objects = int(random.choice([1, 2, 2, 3, 3, 4]))
    draw = random.random(5)
    return Traits(
        objects=objects,
        categories=1 + int(random.integers(3)),
        leaving=int(draw[0] < 0.25),
        late=int(draw[1] < 0.2 and objects > 1),
        screens=int(draw[2] < 0.35),
        extras=int(draw[3] < 0.5) + int(draw[4] < 0.2),
    )


def _known(categories: tuple[str, ...]) -> None:
    unknown = [name for name in categories if not is_kind(name)]
    if unknown:
        raise IcvosError(f"the small world has no {', '.join(unknown)}; choose from {', '.join(NAMES)}")
