"""Mask propagation by feature affinity: every cell of a new frame takes the labels of the cells it resembles most.

The memory is the first frame, which is never wrong, and the last few frames, which look most like the new one.
Nothing is trained: the features are those of a frozen image backbone.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from icvos.errors import IcvosError
from icvos.method import Image, Mask, Prompt
from icvos.models.backbones.lite0 import EfficientNetLite0, lite0_input
from icvos.settings import Checked, Side, Whole

TILE = 8  # cells on a side of the squares of cells that are matched together
TILES_AT_ONCE = 8
VISIBLE = 0.1  # soft label from which a cell may hold some of the object
LOST = 0.3  # highest soft label below which the object is taken as out of sight, and looked for everywhere


@dataclass(frozen=True, slots=True)
class Affinity(Checked):
    """How labels travel from frame to frame.

    Args:
        short_side: Frames are scaled to about this short side, in pixels, before the backbone.
        blocks: Backbone blocks whose features are compared; each is normalised, then all are concatenated.
        stride: Pixels of the scaled frame per cell.
        recent: How many of the last frames are remembered beside the first.
        radius: How far a label of a recent frame may travel, in cells along each axis.
        first_radius: The same for labels of the first frame.
        reach: How far from where the object was in the last frame it is looked for, in cells.
        nearest: How many of the most similar cells vote.
        temperature: Softmax temperature of their votes; lower is sharper.
    """

    short_side: Side = 480
    blocks: tuple[int, ...] = (4, 10)
    stride: int = 8
    recent: Whole = 2
    radius: int = 8
    first_radius: int = 12
    reach: int = 6
    nearest: int = 40
    temperature: float = 0.1


@dataclass(frozen=True, slots=True)
class Remembered:
    """One remembered frame: (C, h, w) unit features and (h, w) soft labels; h and w are multiples of `TILE`."""

    features: Tensor
    labels: Tensor


class AffinityPropagator:
    """An `icvos.method.Propagator` by feature affinity; remembers ``1 + recent`` frames however long the video is."""

    def __init__(self, network: EfficientNetLite0, affinity: Affinity) -> None:
        self.network = network
        self.affinity = affinity
        self.device = next(network.parameters()).device
        self.first: Remembered | None = None
        self.recent: deque[Remembered] = deque(maxlen=affinity.recent)
        self.frame_size = (0, 0)
        self.grid = (0, 0)

    def start(self, frame: Image, prompt: Prompt) -> Mask:
        """The prompt's mask, (H, W) bool; forgets any earlier video.

        Raises `IcvosError` without a prompt mask of the frame's size.
        """
        height, width = frame.shape[:2]
        if prompt.mask is None or prompt.mask.shape != (height, width):
            found = "none" if prompt.mask is None else f"{prompt.mask.shape[1]}x{prompt.mask.shape[0]}"
            raise IcvosError(f"affinity propagation needs a prompt mask of {width}x{height}, got {found}; give a mask")
        self.frame_size = (height, width)
        mask = prompt.mask if prompt.mask.dtype == bool else prompt.mask >= 0.5
        features, self.grid = self._features(frame)
        self.first = Remembered(features, self._labels(mask))
        self.recent.clear()
        return mask

    def step(self, frame: Image) -> Mask:
        """The mask of the next frame, (H, W) bool.

        Raises `IcvosError` before `start` or for a frame of another size.
        """
        if self.first is None:
            raise IcvosError("affinity propagation has no first frame; call start before step")
        if frame.shape[:2] != self.frame_size:
            height, width = self.frame_size
            found = f"{frame.shape[1]}x{frame.shape[0]}"
            raise IcvosError(f"frame of {found} in a video of {width}x{height}; resize the frames to one size")
        features, _ = self._features(frame)
        labels = self._propagate(features)
        self.recent.append(Remembered(features, labels))
        soft = labels[: self.grid[0], : self.grid[1]].cpu().numpy()
        return cv2.resize(soft, self.frame_size[::-1], interpolation=cv2.INTER_CUBIC) > 0.5

    def remembered(self) -> dict[str, np.ndarray]:
        """The remembered frames, the first before the last ones, and the sizes; see `icvos.method.Resumable`."""
        held = [self.first, *self.recent] if self.first is not None else []
        found = {"sizes": np.array([self.frame_size, self.grid])}
        for number, frame in enumerate(held):
            found[f"features{number}"] = frame.features.cpu().numpy()
            found[f"labels{number}"] = frame.labels.cpu().numpy()
        return found

    def recall(self, memory: Mapping[str, np.ndarray]) -> None:
        """Be as when `remembered` gave ``memory``."""
        (height, width), (rows, columns) = memory["sizes"].tolist()
        count = sum(name.startswith("features") for name in memory)
        tensors = {name: torch.tensor(array, device=self.device) for name, array in memory.items()}
        held = [Remembered(tensors[f"features{number}"], tensors[f"labels{number}"]) for number in range(count)]
        if not 1 <= count <= 1 + self.affinity.recent:
            raise ValueError(f"a memory of {count} frames, at most {1 + self.affinity.recent} are remembered")
        self.frame_size, self.grid = (height, width), (rows, columns)
        self.first = held[0]
        self.recent.clear()
        self.recent.extend(held[1:])

    def held_bytes(self) -> int:
        """Bytes of features and labels remembered now; constant once ``1 + recent`` frames have been seen."""
        held = [self.first, *self.recent] if self.first is not None else []
        return sum(part.nbytes for frame in held for part in (frame.features, frame.labels))

    def _features(self, frame: Image) -> tuple[Tensor, tuple[int, int]]:
        with torch.inference_mode():
            picture = lite0_input(frame, self.affinity.short_side, self.device)
            maps = self.network.features(picture, self.affinity.blocks)
            grid = (picture.shape[2] // self.affinity.stride, picture.shape[3] // self.affinity.stride)
            return pad_to_tiles(fuse_blocks(maps, grid)), grid

    def _labels(self, mask: Mask) -> Tensor:
        """(h, w) share of every cell that the mask covers; if none reaches a half, the fullest count as whole."""
        share = cv2.resize(mask.astype(np.float32), self.grid[::-1], interpolation=cv2.INTER_AREA)
        most = float(share.max())
        if 0 < most < 0.5:
            share = np.where(share >= most, 1.0, share).astype(np.float32)
        return pad_to_tiles(torch.from_numpy(share).to(self.device))

    def _propagate(self, features: Tensor) -> Tensor:
        """(h, w) soft labels of a frame's cells from all remembered frames; 0 far from where the object was last."""
        assert self.first is not None
        memory = [self.first, *reversed(self.recent)]
        radii = [self.affinity.first_radius] + [self.affinity.radius] * len(self.recent)
        if not bool(self.first.labels.any()):
            return torch.zeros_like(self.first.labels)
        last = self.recent[-1] if self.recent else self.first
        tiles = self._tiles_near(last.labels)
        labels = torch.zeros_like(last.labels)
        with torch.inference_mode():
            queries = windows(features, 0)
            keys = [windows(frame.features, radius) for frame, radius in zip(memory, radii, strict=True)]
            values = [windows(frame.labels[None], radius) for frame, radius in zip(memory, radii, strict=True)]
            votes = torch.cat([self._vote(queries, keys, values, some) for some in tiles.split(TILES_AT_ONCE)])
            squares = labels.reshape(labels.shape[0] // TILE, TILE, labels.shape[1] // TILE, TILE)
            squares[tiles[:, 0], :, tiles[:, 1], :] = votes.reshape(-1, TILE, TILE)
        labels[self.grid[0] :] = 0
        labels[:, self.grid[1] :] = 0
        return labels

    def _tiles_near(self, labels: Tensor) -> Tensor:
        """(T, 2) rows and columns of the tiles within ``reach`` of visible cells; all once the object is lost."""
        visible = labels > VISIBLE if float(labels.max()) > LOST else torch.ones_like(labels, dtype=torch.bool)
        reach = self.affinity.reach
        near = functional.max_pool2d(visible[None, None].float(), 2 * reach + 1, stride=1, padding=reach)
        return functional.max_pool2d(near, TILE)[0, 0].nonzero()

    def _vote(self, queries: Tensor, keys: list[Tensor], values: list[Tensor], tiles: Tensor) -> Tensor:
        """(T, TILE * TILE) soft labels of the cells of some tiles, from the `windows` of all remembered frames."""
        cells = pick_windows(queries, tiles).transpose(1, 2)
        similarity = torch.cat([cells @ pick_windows(squares, tiles) for squares in keys], dim=2)
        labels = torch.cat([pick_windows(squares, tiles) for squares in values], dim=2)
        best, where = similarity.topk(min(self.affinity.nearest, similarity.shape[2]), dim=2)
        weights = (best / self.affinity.temperature).softmax(dim=2)
        return (weights * labels.expand_as(similarity).gather(2, where)).sum(dim=2)


def windows(cells: Tensor, radius: int) -> Tensor:
    """(C, rows, columns, side, side) view of a (C, h, w) map: its tiles with ``radius`` cells around; 0 outside it."""
    side = TILE + 2 * radius
    return functional.pad(cells, (radius,) * 4).unfold(1, side, TILE).unfold(2, side, TILE)


def pick_windows(squares: Tensor, tiles: Tensor) -> Tensor:
    """(T, C, side * side) of some tiles' windows."""
    return squares[:, tiles[:, 0], tiles[:, 1]].transpose(0, 1).flatten(2)


def pad_to_tiles(cells: Tensor) -> Tensor:
    """(..., h, w) with zeros below and right so that h and w are multiples of `TILE`."""
    return functional.pad(cells, (0, -cells.shape[-1] % TILE, 0, -cells.shape[-2] % TILE))


def fuse_blocks(maps: Sequence[Tensor], grid: tuple[int, int]) -> Tensor:
    """(C, h, w) float32: every map, centred over its cells and unit length, resampled to ``grid`` and concatenated.

    Centring takes away what all cells of a frame share, which would otherwise make every cell resemble every other.
    """
    parts = []
    for features in maps:
        if features.shape[2] > grid[0]:
            features = functional.adaptive_avg_pool2d(features, grid)
        elif tuple(features.shape[2:]) != grid:
            features = functional.interpolate(features, size=grid, mode="bilinear", align_corners=False)
        features = features - features.mean(dim=(2, 3), keepdim=True)
        parts.append(functional.normalize(features[0], dim=0))
    return torch.cat(parts) / len(parts) ** 0.5
