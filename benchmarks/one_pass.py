"""Several draws of supports in one pass over a video, beside one draw, and beside as many separate runs.

    python benchmarks/one_pass.py --davis DAVIS [--methods lite oracle ...] [--clips dog:libby ...] [--frames N]

A clip is a sequence of DAVIS and another one, whose frames are the supports of its draws; `oracle`, which has none, is
given the true mask of the first frame and four halves of it instead. The three ways run in turn, frame by frame, in one
process, and the script stops where masks of the second and third differ. Each reads its frames, and encodes its masks
as PNG in memory. Times are of the processor, all threads of the process together. Shares are those of the pass with
all draws. ``sam2.1-hiera-t`` has random weights, which changes no time.
"""

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

from icvos.files.images import read_image
from icvos.files.masks import encode_binary, read_binary, write_binary
from icvos.inspection.networks import find_encoders, find_networks
from icvos.inspection.operations import watched
from icvos.method import Mask, SharesFrames, Support, load_method, segment, segment_in_step
from icvos.models import affinity
from icvos.models.weights.registry import random_weights_allowed

DRAWS = 5
METHODS: dict[str, tuple[str, dict[str, str]]] = {
    "lite": ("lite", {}),
    "oracle": ("oracle", {}),
    "memory, sam2-nano": ("memory", {"sam2": "sam2-nano"}),
    "dcsam-nano": ("dcsam", {"checkpoint": "dcsam-nano", "sam2": "affinity"}),
    "memory, sam2.1-hiera-t": ("memory", {"sam2": "sam2.1-hiera-t"}),
}
CLIPS = ("dog:libby", "libby:dog", "car-shadow:blackswan", "blackswan:goat")
PARTS = ("encoder", "votes or memory attention", "mask decoder", "memory encoder", "the rest")
MODULES = {
    "memory_attention": "votes or memory attention",
    "sam_mask_decoder": "mask decoder",
    "memory_encoder": "memory encoder",
}


@dataclass(slots=True)
class Way:
    """One way to the masks, frame by frame, and the seconds that it took so far."""

    masks: Iterator[Sequence[Mask]]
    seconds: float = 0.0
    first: float = 0.0  # of them for the first frame
    made: list[bytes] = field(default_factory=list)
    runs: bool = False

    def step(self) -> None:
        began, self.runs = time.process_time(), True
        self.made = [encode_binary(mask) for mask in next(self.masks)]
        taken, self.runs = time.process_time() - began, False
        self.first = self.first or taken
        self.seconds += taken


def built(name: str) -> SharesFrames:
    """A method of `METHODS`."""
    method, settings = METHODS[name]
    with random_weights_allowed("hiera" in name):
        found: Any = load_method(method, settings)
        if hasattr(found, "propagator") and callable(found.propagator):
            found.propagator()
    return found  # type: ignore[no-any-return]


def apart(methods: Sequence[SharesFrames], supports: Sequence[Support], paths: Sequence[Path]) -> Iterator[list[Mask]]:
    """As many runs as there are methods, each of which reads the frames itself."""
    runs = [
        segment(method.siblings(1)[0], [support], map(read_image, paths))
        for method, support in zip(methods, supports, strict=True)
    ]
    while True:
        yield [next(run) for run in runs]


def supports_of(davis: Path, clip: str, folder: Path, *, truth: bool) -> list[Support]:
    """Five supports: frames of another sequence, or the first frame with its true mask and halves of it."""
    name, _, other = clip.partition(":")
    if not truth:
        pictures = sorted((davis / "JPEGImages" / "480p" / other).glob("*.jpg"))
        chosen = pictures[:: len(pictures) // DRAWS][:DRAWS]
        masks = davis / "Annotations" / "480p" / other
        return [Support(f"{other} {path.stem}", path, masks / f"{path.stem}.png") for path in chosen]
    picture = min((davis / "JPEGImages" / "480p" / name).glob("*.jpg"))
    mask = read_binary(davis / "Annotations" / "480p" / name / f"{picture.stem}.png")
    rows, columns = (np.median(axis).astype(int) for axis in mask.nonzero())
    halves = [np.zeros_like(mask) for _ in range(4)]
    halves[0][:rows], halves[1][rows:], halves[2][:, :columns], halves[3][:, columns:] = 1, 1, 1, 1
    found = []
    for number, part in enumerate((np.ones_like(mask), *halves)):
        path = folder / f"{name}{number}.png"
        write_binary(path, mask & part)
        found.append(Support(path.stem, picture, path))
    return found


class Shares:
    """Where the seconds of a method go while the block runs."""

    def __init__(self, method: Any, way: Way) -> None:
        self.way = way
        self.found = dict.fromkeys(PARTS, 0.0)
        self.stack = ExitStack()
        networks = find_networks(method)
        for encoder in find_encoders(networks).values():
            self._watch("encoder", encoder)
        for network in networks.values():
            for module, part in MODULES.items():
                if hasattr(network, module):
                    self._watch(part, getattr(network, module))
        self.stack.callback(setattr, affinity.Votes, "of", affinity.Votes.of)
        affinity.Votes.of = self._timed(affinity.Votes.of)  # type: ignore[method-assign]

    def _watch(self, part: str, module: Any) -> None:
        self.stack.enter_context(watched({part: module}, time.process_time, self._add))

    def _add(self, part: str, seconds: float) -> None:
        self.found[part] += seconds

    def _timed(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def timed(votes: affinity.Votes, tiles: Any) -> Any:
            began = time.process_time()
            found = real(votes, tiles)
            if self.way.runs:
                self._add("votes or memory attention", time.process_time() - began)
            return found

        return timed

    def close(self) -> dict[str, float]:
        """The share of every part."""
        self.stack.close()
        self.found["the rest"] = self.way.seconds - sum(self.found.values())
        return {part: seconds / self.way.seconds for part, seconds in self.found.items()}


def measure(name: str, clip: str, options: argparse.Namespace, folder: Path) -> tuple[float, float, float, list[float]]:
    """The ratio of all draws to one, to separate runs, that without the first frame, and the shares of `PARTS`."""
    paths = sorted((options.davis / "JPEGImages" / "480p" / clip.partition(":")[0]).glob("*.jpg"))[: options.frames]
    supports = supports_of(options.davis, clip, folder, truth=name == "oracle")
    together = built(name)
    one = Way(apart([built(name)], supports[:1], paths))
    in_step = Way(segment_in_step(together, [[support] for support in supports], map(read_image, paths)))
    separate = Way(apart([built(name) for _ in supports], supports, paths))
    shares = Shares(together, in_step)
    for position in range(len(paths)):
        for way in (one, in_step, separate):
            way.step()
        if in_step.made != separate.made:
            raise SystemExit(f"{name} on {clip}: masks of frame {position} differ")
    found = shares.close()
    to_one, to_separate = in_step.seconds / one.seconds, in_step.seconds / separate.seconds
    later = (in_step.seconds - in_step.first) / (one.seconds - one.first)
    each = 1000 * one.seconds / len(paths)
    print(
        f"{name:24} {clip:22} {len(paths):4} frames  one draw {each:6.0f} ms a frame  to one {to_one:.2f} "
        f"(after the first frame {later:.2f})  to separate {to_separate:.2f}  "
        + "  ".join(f"{part} {share:.0%}" for part, share in found.items()),
        flush=True,
    )
    return to_one, to_separate, later, list(found.values())


def main() -> None:
    import tempfile

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--davis", type=Path, required=True, help="a folder of DAVIS: JPEGImages, Annotations")
    parser.add_argument(
        "--methods", nargs="+", choices=METHODS, default=[name for name in METHODS if "hiera" not in name]
    )
    parser.add_argument("--clips", nargs="+", default=CLIPS)
    parser.add_argument("--frames", type=int, help="only the first N of a clip")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        for name in options.methods:
            rows = [measure(name, clip, options, Path(folder)) for clip in options.clips]
            figures = [median(row[index] for row in rows) for index in range(3)]
            parts = [median(row[3][index] for row in rows) for index in range(len(PARTS))]
            print(
                f"| `{name}` | {figures[0]:.2f} | {figures[2]:.2f} | {figures[1]:.2f} | "
                + " | ".join(f"{part:.0%}" for part in parts)
                + " |",
                flush=True,
            )


if __name__ == "__main__":
    main()
