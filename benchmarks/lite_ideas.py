"""Ideas of other training-free methods in `lite`: do they tell the cells of the target apart better, and find masks?

    icvos episodes all-coco --coco COCO --train-split none --rule union --episodes 300 --max-shots 1 --out pairs
    python -m benchmarks.lite_ideas pairs [--episodes 75]

Every idea changes how the first look at a picture scores its cells, and nothing else; all see the same features, which
are computed once. It prints, as means over classes with the difference to `lite` as it is (95 %, paired bootstrap over
classes): the average precision of the cells' scores, the IoU of cells at the best threshold of each picture, and at the
threshold that an idea has, from sums over episodes as image benchmarks are scored. The outline is not cut.
"""

import argparse
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from baselines.insid3.grouping import debiased, positional_basis
from baselines.lite import GRAPH_BLOCKS, GRAPH_STRIDE, Lite, LiteSettings, cover, cut_object, direction_of, graph_side
from icvos.method import Image, Mask, Support
from icvos.models.affinity import fuse_blocks
from icvos.models.backbones.lite0 import EfficientNetLite0, lite0, lite0_input, lite0_weights
from icvos.models.prior import walk
from icvos.models.weights.load import read_state
from icvos.tasks.image.benchmark import ImageBenchmark

LEVELS, HEAD = (4, 10, 14, 15), 16  # blocks of the backbone; what the classifier sees
RESIDUAL = range(11, 15)  # blocks that add up to the output of block 14
BLACK = np.zeros((480, 640, 3), np.uint8)
SEMANTIC = (4, 10, 14)
DRAWS = 10_000


@dataclass(frozen=True, slots=True)
class Idea:
    """What is changed of `lite`.

    Args:
        head: Whether the features before the classifier are compared beside those of the block.
        directions: INSID3: how many directions of position are taken from the features.
        votes: INSID3: whether a cell counts for more where the support's cell that it resembles most is the object's.
        nearest: GF-SAM: how many of the most similar cells of object and of background are compared; 0: their means.
        power: Power of the scores, the negative ones 0, before they spread; 0: as they are.
        graph: Blocks by which cells look alike.
        extent: Whether as many cells are taken as stand out when features are compared with what is usual in ImageNet,
            not with the picture's own mean, in which a large object vanishes.
    """

    head: bool = False
    directions: int = 0
    votes: bool = False
    nearest: int = 0
    power: int = 0
    graph: tuple[int, ...] = GRAPH_BLOCKS
    extent: bool = False


IDEAS = {
    "`lite`": Idea(),
    "INSID3: 3 directions of position removed": Idea(directions=3),
    "INSID3: 10 directions": Idea(directions=10),
    "INSID3: 20 directions": Idea(directions=20),
    "INSID3: votes of the support's cells": Idea(votes=True),
    "GF-SAM: 3 nearest cells": Idea(nearest=3),
    "a: the classifier's features too": Idea(head=True),
    "b: scores cubed": Idea(power=3),
    "c: block 14 in the graph": Idea(graph=SEMANTIC),
    "b and c": Idea(power=3, graph=SEMANTIC),
    "a, b and c": Idea(head=True, power=3, graph=SEMANTIC),
    "a, b, c and the extent": Idea(head=True, power=3, graph=SEMANTIC, extent=True),
}


class Remembering:
    """A backbone that computes what ideas share once for each episode.

    Args:
        network: The backbone.
    """

    def __init__(self, network: EfficientNetLite0) -> None:
        self.network = network
        state = read_state(lite0_weights())
        self.usual = sum((state[f"_blocks.{block}._bn2.bias"] for block in RESIDUAL), torch.zeros(()))
        self.maps: dict[bytes, tuple[Tensor, ...]] = {}
        self.walks: dict[tuple[int, ...], tuple[Tensor, Tensor, Tensor]] = {}

    def features(self, x: Tensor, levels: Sequence[int]) -> tuple[Tensor, ...]:
        """As `EfficientNetLite0.features`, of `LEVELS` and, as `HEAD`, of the head."""
        key = hashlib.sha256(x.numpy().tobytes()).digest()
        if key not in self.maps:
            maps = self.network.features(x, LEVELS)
            self.maps[key] = *maps, self.network._conv_head(maps[-1]).clamp(0, 6)
        return tuple(self.maps[key][(*LEVELS, HEAD).index(level)] for level in levels)

    def spread(self, score: Tensor, frame: Image, graph: tuple[int, ...], settings: LiteSettings) -> Tensor:
        """(h, w): scores after the walk of `lite` over a graph of the blocks ``graph``."""
        if graph not in self.walks:
            cells = fuse_blocks(self.features(lite0_input(frame, graph_side(frame)), graph), tuple(score.shape))
            step, root = walk(cells, alike=settings.contrast, reach=settings.reach, share=settings.spread)
            self.walks[graph] = *torch.linalg.lu_factor(torch.eye(len(root)) - step), root
        factors, pivots, root = self.walks[graph]
        return (torch.linalg.lu_solve(factors, pivots, (score.flatten() * root)[:, None])[:, 0] / root).view_as(score)


class Trial(Lite):
    """`lite` with an idea.

    Args:
        idea: The idea.
        shared: The backbone, which other ideas have too.
        usual: Whether features are compared with what is usual in ImageNet.
    """

    def __init__(self, idea: Idea, shared: Remembering, *, usual: bool = False) -> None:
        super().__init__(LiteSettings(device="cpu"))
        self.idea = idea
        self.shared = shared
        self.usual = usual
        self.basis: Tensor | None = None
        if idea.directions:
            (black,) = shared.features(lite0_input(BLACK, self.settings.support_side), [self.settings.block])
            self.basis = positional_basis(black[0], idea.directions)
        self.for_extent = Trial(idea, shared, usual=True) if idea.extent and not usual else None

    def scored(self, supports: Sequence[Support], frame: Image) -> np.ndarray:
        """(h, w) float32: the score of every cell of a picture, after it spread."""
        idea = self.idea
        shown = [seen for support in supports if (seen := self._support_of(support)) is not None]
        score = self._nearest(supports, frame) if idea.nearest else self._score(direction_of(shown), frame)
        if idea.votes:
            score = score.clamp(min=0) * (0.5 + self._votes(supports, frame))
        if idea.power:
            score = score.clamp(min=0) ** idea.power
        spread = self.shared.spread(score, frame, idea.graph, self.settings)
        return (spread.clamp(min=0).sqrt() if idea.power else spread).numpy()

    def chosen(self, score: np.ndarray, supports: Sequence[Support], frame: Image) -> Mask:
        """(h, w) bool: the cells that are taken for the target."""
        if self.for_extent is None:
            return score > self.settings.foreground * max(float(np.quantile(score, 0.99)), 1e-9)
        standing_out = self.for_extent.scored(supports, frame)
        count = max(1, int(np.count_nonzero(standing_out > otsu(standing_out))))
        return score >= np.sort(score.ravel())[-count]

    def _features_of(self, image: Image, side: int) -> Tensor:
        block = self.settings.block
        maps = self.shared.features(lite0_input(image, side), [block, HEAD] if self.idea.head else [block])
        if self.usual:
            return functional.normalize(maps[0][0] - self.shared.usual[:, None, None], dim=0)
        fused = fuse_blocks(maps, (maps[0].shape[2], maps[0].shape[3]))
        return fused if self.basis is None else debiased(fused, self.basis)

    def _over_sides(self, frame: Image, function: Callable[[Tensor], Tensor]) -> Tensor:
        """(h, w) on the graph's cells: the mean, over the sides at which a picture is compared, of (N,) of (N, C)."""
        height, width = lite0_input(frame, graph_side(frame)).shape[2:]
        grid = (height // GRAPH_STRIDE, width // GRAPH_STRIDE)
        found = []
        for side in self.settings.prompt_sides:
            cells = self._features(frame, side)
            scores = function(cells.flatten(1).T).view(1, 1, *cells.shape[1:])
            found.append(functional.interpolate(scores, size=grid, mode="bilinear", align_corners=False))
        return torch.cat(found).mean(dim=(0, 1))

    def _cells(self, image: Image, mask: Mask, side: int) -> tuple[Tensor, Tensor]:
        """(N, C) of all cells of a picture, and (N,) the share of each that the mask covers."""
        found = self._features(image, side)
        return found.flatten(1).T, cover(mask, (found.shape[1], found.shape[2])).flatten()

    def _nearest(self, supports: Sequence[Support], frame: Image) -> Tensor:
        on, off = [], []
        for support in supports:
            image, mask = support.image(), support.mask()
            cut = cut_object(image, mask, self.settings.object_side, self.settings.margin)
            for view in ((image, mask, self.settings.support_side), cut):
                cells, share = self._cells(*view)
                on.append(cells[(share > 0.5) | (share >= share.max())])
                off.append(cells[share <= 0.1])

        def likeness(asked: Tensor, shown: Tensor) -> Tensor:
            return (asked @ shown.T).topk(min(self.idea.nearest, len(shown)), dim=1)[0].sum(1) / self.idea.nearest

        return self._over_sides(frame, lambda asked: likeness(asked, torch.cat(on)) - likeness(asked, torch.cat(off)))

    def _votes(self, supports: Sequence[Support], frame: Image) -> Tensor:
        side = self.settings.support_side
        parts = [self._cells(support.image(), support.mask(), side) for support in supports]
        cells, share = (torch.cat(some) for some in zip(*parts, strict=True))
        return self._over_sides(frame, lambda asked: share[(asked @ cells.T).argmax(1)])


def otsu(values: np.ndarray) -> float:
    """The threshold that parts values into two groups of least variance within."""
    ordered = np.sort(values.ravel())
    below, total = np.cumsum(ordered)[:-1], ordered.sum()
    count = np.arange(1, ordered.size)
    apart = below / count - (total - below) / (ordered.size - count)
    return float(ordered[(count * (ordered.size - count) * apart**2).argmax()])


def precision_and_best(score: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """The average precision of (h, w) scores for a (h, w) bool truth, not empty, and the IoU at the best threshold."""
    hits = truth.ravel()[np.argsort(-score.ravel(), kind="stable")]
    found, asked, wanted = np.cumsum(hits), np.arange(1, hits.size + 1), hits.sum()
    return float((found / asked)[hits].mean()), float((found / (asked + wanted - found)).max())


def measured(trial: Trial, supports: Sequence[Support], frame: Image, mask: Mask) -> np.ndarray:
    """(4,): average precision, best IoU, and the cells in intersection and union of what is taken for the target."""
    with torch.inference_mode():
        score = trial.scored(supports, frame)
        found = trial.chosen(score, supports, frame)
    share = cv2.resize(mask.astype(np.float32), score.shape[::-1], interpolation=cv2.INTER_AREA)
    told = precision_and_best(score, share >= min(0.5, float(share.max())))
    return np.array([*told, np.minimum(found, share).sum(), np.maximum(found, share).sum()])


def by_class(rows: np.ndarray, kinds: np.ndarray) -> np.ndarray:
    """(classes, 3), in per cent: mean average precision, mean best IoU, and IoU from sums, of (episodes, 4)."""
    found = []
    for kind in np.unique(kinds):
        some = rows[kinds == kind]
        found.append([*some[:, :2].mean(0), some[:, 2].sum() / some[:, 3].sum()])
    return 100 * np.array(found)


def main() -> None:
    """Print a row of a table for each idea."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("benchmark", type=Path)
    parser.add_argument("--episodes", type=int, default=75)
    given = parser.parse_args()
    torch.set_num_threads(1)
    episodes = ImageBenchmark.open(given.benchmark).episodes(0)[: given.episodes]
    shared = Remembering(lite0())
    trials = {name: Trial(idea, shared) for name, idea in IDEAS.items()}
    rows: dict[str, list[np.ndarray]] = {name: [] for name in trials}
    for episode in episodes:
        shared.maps.clear()
        shared.walks.clear()
        frame, mask = episode.query.image(), episode.query.mask(episode.kind)
        for name, trial in trials.items():
            rows[name].append(measured(trial, episode.shown(), frame, mask))
    kinds = np.array([episode.kind for episode in episodes])
    print(f"{len(episodes)} episodes of {len(set(kinds))} classes\n")
    print("| idea | average precision | best IoU | IoU |\n| --- | --- | --- | --- |")
    plain = by_class(np.array(rows["`lite`"]), kinds)
    drawn = np.random.default_rng(0).integers(0, len(plain), (DRAWS, len(plain)))
    for name, found in rows.items():
        values = by_class(np.array(found), kinds)
        low, high = np.quantile((values - plain)[drawn].mean(1), [0.025, 0.975], axis=0)
        cells = [
            f"{mean:.1f}, {mean - before:+.1f} ({a:+.1f} to {b:+.1f})"
            for mean, before, a, b in zip(values.mean(0), plain.mean(0), low, high, strict=True)
        ]
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
