"""What breaks scores elsewhere, measured: the figures of docs/traps.md.

    python -m benchmarks.traps --masks FOLDER --benchmark BENCHMARK

FOLDER has real masks: ``gt`` and ``osvos``, each with ``<sequence>/<frame>.png``, the DAVIS annotations at 480p and the
results of OSVOS that the DAVIS 2017 evaluation code brings; BENCHMARK is a built one, of any data. Each line says what
a common program gets and what icvos gets. J and F are in percent.
"""

import argparse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from icvos.errors import IcvosError
from icvos.files.masks import read_binary, read_ids, resize_nearest
from icvos.metrics import count
from icvos.metrics.boundary import harmonic, share, tolerance_px
from icvos.metrics.summary import decay
from icvos.tasks.video.benchmark import Benchmark

Pair = tuple[np.ndarray, np.ndarray]  # truth and prediction, (H, W) bool
Sequences = dict[str, list[Pair]]
Score = Callable[[Pair], float]
SEED = 0


@dataclass(frozen=True, slots=True)
class Figure:
    """A trap in figures: what was measured, as a common program has it, and as icvos has it."""

    what: str
    elsewhere: str
    here: str

    def row(self) -> str:
        """A row of a table in Markdown."""
        return f"| {self.what} | {self.elsewhere} | {self.here} |"


def read(folder: Path) -> Sequences:
    """The masks of every sequence in a folder of samples."""
    return {
        sequence.name: [
            (read_binary(path), read_binary(folder / "osvos" / sequence.name / path.name))
            for path in sorted(sequence.glob("*.png"))
        ]
        for sequence in sorted((folder / "gt").iterdir())
    }


def measure(folder: Path) -> Iterator[Figure]:
    """Every figure that needs real masks."""
    found = read(folder)
    j, f = scores(found, lambda pair: count(*pair).j), scores(found, lambda pair: count(*pair).f)
    yield from of_decay(np.concatenate(list(j.values())))
    yield from of_ends(j, f)
    yield from of_size(found, f)
    yield of_disk(found, f)
    yield Figure("J: mean over frames, not over sequences", percent(np.concatenate(list(j.values()))), overall(j))
    yield of_names(found, j)
    yield from of_palette(folder)


def scores(found: Sequences, score: Score) -> dict[str, np.ndarray]:
    """(T,) values of every sequence."""
    return {name: np.array([score(pair) for pair in pairs]) for name, pairs in found.items()}


def percent(values: np.ndarray) -> str:
    return f"{100 * float(np.mean(values)):.2f}"


def overall(values: dict[str, np.ndarray]) -> str:
    """The mean over sequences of their means over frames."""
    return percent(np.array([np.mean(one) for one in values.values()]))


def of_decay(j: np.ndarray) -> Iterator[Figure]:
    """J of the first frames of all sequences strung together, as if they were one long video."""
    for frames in (255, 300, 400):
        wrapped, right = decay(j[:frames], published_uint8_edges=True), decay(j[:frames])
        yield Figure(f"decay of J over {frames} frames", f"{100 * wrapped:.2f}", f"{100 * right:.2f}")


def of_ends(j: dict[str, np.ndarray], f: dict[str, np.ndarray]) -> Iterator[Figure]:
    """Without the first and the last frame, as the DAVIS code counts."""
    for name, values in (("J", j), ("F", f)):
        cut = {sequence: one[1:-1] for sequence, one in values.items()}
        yield Figure(f"{name}: first and last frame dropped", overall(cut), overall(values))
    most = max(j, key=lambda name: abs(np.mean(j[name]) - np.mean(j[name][1:-1])))
    yield Figure(f"J of `{most}` alone, the same", percent(j[most][1:-1]), percent(j[most]))


def of_size(found: Sequences, f: dict[str, np.ndarray]) -> Iterator[Figure]:
    """F of masks that were resized before they were compared, nearest."""
    for name, size in (("512 x 512", (512, 512)), ("240 x 427", (240, 427)), ("120 x 214", (120, 214))):

        def resized(pair: Pair, size: tuple[int, int] = size) -> float:
            truth, prediction = (resize_nearest(mask, size) for mask in pair)
            return count(truth, prediction).f

        other = scores(found, resized)
        yield Figure(f"F: masks compared at {name}", overall(other), overall(f))
        if size == (120, 214):
            gain = {name: other[name] - f[name] for name in f}
            most = max(gain, key=lambda name: float(np.max(np.abs(gain[name]))))
            at = int(np.argmax(np.abs(gain[most])))
            yield Figure(f"F of one frame, the same (`{most}`, {at})", percent(other[most][at]), percent(f[most][at]))


def of_disk(found: Sequences, f: dict[str, np.ndarray]) -> Figure:
    """F with OpenCV's ellipse in the place of a disk."""
    return Figure("F: tolerance of `cv2.MORPH_ELLIPSE`", overall(scores(found, elliptic)), overall(f))


def elliptic(pair: Pair) -> float:
    """F of a pair, its boundaries matched within OpenCV's ellipse."""
    radius = tolerance_px(*pair[0].shape)
    ellipse = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    edges = [boundary(mask) for mask in pair]
    near = [cv2.dilate(edge.astype(np.uint8), ellipse) > 0 for edge in edges]
    totals = [int(edge.sum()) for edge in edges]
    matched = [int((edges[0] & near[1]).sum()), int((edges[1] & near[0]).sum())]
    return harmonic(share(matched[1], totals[1], totals[0]), share(matched[0], totals[0], totals[1]))


def boundary(mask: np.ndarray) -> np.ndarray:
    """(H, W) bool: where a pixel differs from its right, its lower or its lower right neighbour."""
    padded = np.pad(mask, ((0, 1), (0, 1)), mode="edge")
    found = (mask != padded[:-1, 1:]) | (mask != padded[1:, :-1])
    found[:-1, :-1] |= mask[:-1, :-1] != mask[1:, 1:]
    return np.asarray(found)


def of_names(found: Sequences, j: dict[str, np.ndarray]) -> Figure:
    """Predictions saved as 0.png, 1.png, ..., 10.png, and taken in the order of their names as text."""
    moved = {}
    for name, pairs in found.items():
        order = sorted(range(len(pairs)), key=str)
        moved[name] = np.array([count(pairs[at][0], pairs[other][1]).j for at, other in enumerate(order)])
    return Figure("J: frames `0.png` ... `10.png` in text order", overall(moved), overall(j))


def of_palette(folder: Path) -> Iterator[Figure]:
    """The value by which a palette PNG shows object 1, as three ways of reading it have it."""
    path = sorted((folder / "osvos").glob("*/*.png"))[0]
    right = int(read_ids(path).max())
    with Image.open(path) as image:
        grey = int(np.asarray(image.convert("L")).max())
    yield Figure('object 1 of a palette PNG, by Pillow\'s `convert("L")`', str(grey), str(right))
    yield Figure(
        "the same by `cv2.imread(..., cv2.IMREAD_GRAYSCALE)`",
        str(int(np.asarray(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)).max())),
        str(right),
    )


def other_supports(benchmark: Path) -> Figure:
    """How many clips get another support where clips and pictures are listed in another order, the seed the same.

    ``benchmark`` is a built one. The draw is the usual one: a seed, then a choice for one clip after the other.
    """
    opened = Benchmark.open(benchmark)
    if opened.choices is None:
        raise IcvosError(f"{benchmark}: has no supports; build it with --coco")
    clips, classes = [clip.id for clip in opened.clips], opened.choices.classes
    drawn = [draw(clips, classes, listed) for listed in (sorted, lambda names: sorted(names, reverse=True))]
    changed = sum(drawn[0][clip] != drawn[1][clip] for clip in clips)
    return Figure("clips with another support, if files are listed backwards", f"{changed} of {len(clips)}", "none")


def draw(clips: list[str], classes: Mapping[str, tuple[str, ...]], listed: Callable[..., list[str]]) -> dict[str, str]:
    """A support for every clip, clips and pictures taken in the order that ``listed`` puts them in."""
    random = np.random.RandomState(SEED)
    return {clip: str(random.choice(listed(classes[clip.rpartition("/")[2]]))) for clip in listed(clips)}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--masks", type=Path, metavar="FOLDER")
    parser.add_argument("--benchmark", type=Path)
    given = parser.parse_args()
    for figure in measure(given.masks) if given.masks else ():
        print(figure.row(), flush=True)
    if given.benchmark:
        print(other_supports(given.benchmark).row())


if __name__ == "__main__":
    main()
