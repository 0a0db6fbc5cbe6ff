"""Does a method look at its supports? One picture with two things in it, and asked for one, then for the other.

    python -m benchmarks.supports lite
    python -m benchmarks.supports dcsam checkpoint=runs/novel/dcsam-image/best.safetensors

Pictures and supports are drawn; the first line is of categories that the `nano-` recipes train on, the second of those
that they hold out. It prints mean IoU with what was asked for, with the other thing, and of the two answers with each
other: a method that draws whatever stands out has the same for the first two, and 1 for the last.
"""

import argparse
from dataclasses import dataclass
from typing import Any

import numpy as np

from icvos.method import ImageSegmenter, Mask, load_method
from icvos.smallworld import NAMES, Picture, World, held_out

FOLD = 0
SEED = 5
LEAST_PX = 600
SIZE = (240, 320)


@dataclass(frozen=True, slots=True)
class Shown:
    """A support."""

    picture: Picture
    category: str

    def image(self) -> Any:
        """(H, W, 3) uint8 RGB."""
        return self.picture.image

    def mask(self) -> Mask:
        """(H, W) bool."""
        return where(self.picture, self.category)


def main() -> None:
    """Print both lines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("method")
    parser.add_argument("settings", nargs="*", metavar="NAME=VALUE")
    parser.add_argument("--pairs", type=int, default=60, help="Pictures of each line.")
    given = parser.parse_args()
    method = load_method(given.method, dict(pair.split("=", 1) for pair in given.settings))
    trained = tuple(name for name in NAMES if name not in held_out(FOLD))
    for title, categories in (("trained", trained), ("held out", held_out(FOLD))):
        world = World(SEED, SIZE, categories)
        found = [pair(method, world, categories, number) for number in range(given.pairs)]
        asked, other, each = np.mean([values for values in found if values], 0)
        print(f"{title:9} asked {100 * asked:.1f}, other {100 * other:.1f}, each other {100 * each:.1f}", flush=True)


def pair(method: Any, world: World, categories: tuple[str, ...], number: int) -> tuple[float, float, float] | None:
    """The three means of one picture; None where it does not show both."""
    random = np.random.default_rng([SEED, number])
    names = [str(name) for name in random.choice(categories, 2, replace=False)]
    picture = world.picture(3 * number, tuple(names), least_px=LEAST_PX)
    truth = [where(picture, name) for name in names]
    if min(mask.sum() for mask in truth) < LEAST_PX:
        return None
    answers = []
    for place, name in enumerate(names, start=1):
        support = Shown(world.picture(3 * number + place, (name,), least_px=LEAST_PX), name)
        if isinstance(method, ImageSegmenter):
            answers.append(method.segment_image([support], picture.image))
        else:
            answers.append(method.propagator().start(picture.image, method.prompt([support], picture.image)))
    asked = np.mean([iou(answer, mask) for answer, mask in zip(answers, truth, strict=True)])
    other = np.mean([iou(answer, mask) for answer, mask in zip(answers, truth[::-1], strict=True)])
    return float(asked), float(other), iou(*answers)


def where(picture: Picture, category: str) -> Mask:
    """(H, W) bool: every instance of the category."""
    return np.isin(picture.ids, [one.id for one in picture.instances if one.category.name == category])


def iou(one: Mask, other: Mask) -> float:
    """1 where both are empty."""
    either = int((one | other).sum())
    return int((one & other).sum()) / either if either else 1.0


if __name__ == "__main__":
    main()
