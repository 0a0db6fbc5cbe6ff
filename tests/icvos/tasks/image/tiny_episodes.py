"""A tiny image benchmark of coloured ellipses, and a method that finds them, for tests."""

import hashlib
import json
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
from PIL import Image as Pillow

from icvos import method as registry
from icvos.files.rle import encode_rle
from icvos.method import Image, Mask, Support
from icvos.tasks.image.benchmark import ImageBenchmark, Picture
from icvos.tasks.image.manifest import MANIFEST, pictures_text
from tests import Json
from tests.golden.masks import build

NAMES = {1: "plum", 2: "lime", 3: "teal", 4: "rust", 5: "gold", 6: "navy"}
COLOURS = {
    1: (142, 69, 133),
    2: (120, 200, 40),
    3: (0, 128, 128),
    4: (183, 65, 14),
    5: (250, 200, 30),
    6: (20, 30, 120),
}
FOLDS = ((1, 2, 3), (4, 5, 6))
NEVER = 3  # a class of fold 0 that no episode asks for
PICTURES = 4  # of each class
EPISODES = 10  # of each fold


def write_images(root: Path, *, ignored: bool = True) -> ImageBenchmark:
    """The benchmark, with pictures of many sizes and, where ``ignored``, borders that count nowhere."""
    random = np.random.RandomState(7)
    (root / "pictures").mkdir(parents=True)
    pictures = []
    for kind, name in NAMES.items():
        for number in range(PICTURES):
            size = (48 + 4 * kind, 64 + 8 * number)
            mask = build(f"ellipses:{10 * kind + number}", *size)
            border = build("ring:2", *size) if ignored and number % 2 else np.zeros(size, dtype=bool)
            pixels = random.randint(0, 90, (*size, 3))
            pixels[mask] = np.array(COLOURS[kind]) + random.randint(-40, 40, (int(mask.sum()), 3))
            path = root / "pictures" / f"{name}{number}.png"
            Pillow.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path)
            outlines = {kind: str(encode_rle(mask & ~border)["counts"])}
            void = str(encode_rle(border)["counts"]) if border.any() else ""
            pictures.append(Picture(path.name, path, size, outlines, (kind,), void))
    (root / "val.json").write_text(pictures_text(picture.entry() for picture in pictures))
    folds: list[Json] = []
    for test in FOLDS:
        asked = [kind for kind in test if kind != NEVER]
        episodes = []
        for index in range(EPISODES):
            kind = asked[index % len(asked)]
            order = random.permutation(PICTURES)
            query, *supports = (f"{NAMES[kind]}{number}.png" for number in order)
            episodes.append([kind, query, supports])
        folds.append({"test": test, "train": [k for k in NAMES if k not in test], "episodes": episodes})
    value = {
        "format": 1,
        "name": "tiny",
        "rule": "ellipses",
        "digest": {"val": f"sha256:{hashlib.sha256(str(ignored).encode()).hexdigest()}"},
        "splits": {"val": "val"},
        "images": {"val": "pictures"},
        "classes": {str(kind): name for kind, name in NAMES.items()},
        "folds": folds,
    }
    (root / MANIFEST).write_text(json.dumps(value))
    return ImageBenchmark.open(root)


@dataclass(frozen=True, slots=True)
class ColourSettings:
    """How far from the supports' mean colour, and how long to sleep for an image, in seconds."""

    distance: float = 90.0
    sleep: float = 0.0
    checkpoint: str = ""


class Colour:
    """Everything that has about the mean colour of the supports' objects; as `segment_image`, its rows from the third.

    So a test sees which of the two was asked.
    """

    Settings = ColourSettings

    def __init__(self, settings: ColourSettings) -> None:
        self.settings = settings

    def segment(self, supports: Sequence[Support], frames: Iterable[Image]) -> Iterator[Mask]:
        pixels = np.concatenate([support.image()[support.mask()] for support in supports])
        for frame in frames:
            time.sleep(self.settings.sleep)
            yield np.linalg.norm(frame - pixels.mean(axis=0), axis=2) < self.settings.distance

    def describe(self) -> Json:
        weights = [{"name": self.settings.checkpoint, "sha256": "ab" * 32}] if self.settings.checkpoint else []
        return {"settings": asdict(self.settings), "weights": weights}


class OwnColour(Colour):
    """`Colour` with a published image output of its own."""

    def segment_image(self, supports: Sequence[Support], image: Image) -> Mask:
        (mask,) = self.segment(supports, [image])
        mask[:2] = False
        return mask


class Wrong:
    """A method whose masks are of another size."""

    def segment(self, supports: Sequence[Support], frames: Iterable[Image]) -> Iterator[Mask]:  # noqa: ARG002
        for _ in frames:
            yield np.zeros((3, 3), dtype=bool)


class Peek(Colour):
    """`Colour`, given the true mask."""

    sees_truth = True


POINTS = [
    EntryPoint(name, f"{__name__}:{kind}", "icvos.methods")
    for name, kind in (("colour", "Colour"), ("own", "OwnColour"), ("wrong", "Wrong"), ("peek", "Peek"))
]


if __name__ == "__main__":  # icvos with these methods, in a process of its own
    from icvos.cli import main

    POINTS = [EntryPoint("colour", "tests.icvos.tasks.image.tiny_episodes:Colour", "icvos.methods")]
    registry.entry_points = lambda group: POINTS  # type: ignore[assignment, misc]
    main(sys.argv[1:])
