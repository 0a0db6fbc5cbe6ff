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
from icvos.sharing import FrameCache, seen_by

TILE = 8  # cells on a side of the squares of cells that are matched together
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
    """One remembered frame: (h, w, C) unit features and (h, w) soft labels; h and w are multiples of `TILE`."""

    features: Tensor
    labels: Tensor


class AffinityPropagator:
    """An `icvos.method.Propagator` by feature affinity; remembers ``1 + recent`` frames however long the video is.

    Args:
        network: The backbone.
        affinity: How labels travel.
        frames: Whether frames are shared with others that follow something in the same video: where this is on,
            features and votes are kept for all that do so by the same network.
    """

    def __init__(self, network: EfficientNetLite0, affinity: Affinity, frames: FrameCache | None = None) -> None:
        self.network = network
        self.affinity = affinity
        self.frames = seen_by(network) if frames and frames.on else FrameCache(on=False)
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
        labels = self._propagate(frame, features)
        self.recent.append(Remembered(features, labels))
        soft = labels[: self.grid[0], : self.grid[1]].cpu().numpy()
        return cv2.resize(soft, self.frame_size[::-1], interpolation=cv2.INTER_CUBIC) > 0.5

    def remembered(self) -> dict[str, np.ndarray]:
        """The remembered frames, the first before the last ones, and the sizes; see `icvos.method.Resumable`."""
        held = [self.first, *self.recent] if self.first is not None else []
        found = {"sizes": np.array([self.frame_size, self.grid])}
        for number, frame in enumerate(held):
            found[f"features{number}"] = frame.features.permute(2, 0, 1).cpu().numpy()
            found[f"labels{number}"] = frame.labels.cpu().numpy()
        return found

    def recall(self, memory: Mapping[str, np.ndarray]) -> None:
        """Be as when `remembered` gave ``memory``."""
        (height, width), (rows, columns) = memory["sizes"].tolist()
        count = sum(name.startswith("features") for name in memory)
        tensors = {name: torch.tensor(array, device=self.device) for name, array in memory.items()}
        held = [
            Remembered(tensors[f"features{number}"].permute(1, 2, 0).contiguous(), tensors[f"labels{number}"])
            for number in range(count)
        ]
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
        """(h, w, C) features, padded to whole tiles, and the (rows, columns) that are not padding."""
        chosen = self.affinity
        seen_as = ("affinity", chosen.short_side, chosen.blocks, chosen.stride)
        return self.frames.get(frame, seen_as, lambda: self._features_of(frame))

    def _features_of(self, frame: Image) -> tuple[Tensor, tuple[int, int]]:
        with torch.inference_mode():
            picture = lite0_input(frame, self.affinity.short_side, self.device)
            maps = self.network.features(picture, self.affinity.blocks)
            grid = (picture.shape[2] // self.affinity.stride, picture.shape[3] // self.affinity.stride)
            return pad_to_tiles(fuse_blocks(maps, grid)).permute(1, 2, 0).contiguous(), grid

    def _labels(self, mask: Mask) -> Tensor:
        """(h, w) share of every cell that the mask covers; if none reaches a half, the fullest count as whole."""
        share = cv2.resize(mask.astype(np.float32), self.grid[::-1], interpolation=cv2.INTER_AREA)
        most = float(share.max())
        if 0 < most < 0.5:
            share = np.where(share >= most, 1.0, share).astype(np.float32)
        return pad_to_tiles(torch.from_numpy(share).to(self.device))

    def _propagate(self, frame: Image, features: Tensor) -> Tensor:
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
            weights, places = self._votes(frame, features, memory, radii).of(tiles)
            seen = [pick_windows(windows(one.labels, radius), tiles) for one, radius in zip(memory, radii, strict=True)]
            voters = torch.cat(seen, dim=1)[:, None].expand(-1, TILE * TILE, -1)
            votes = (weights * voters.gather(2, places)).sum(dim=2)
            squares = labels.reshape(labels.shape[0] // TILE, TILE, labels.shape[1] // TILE, TILE)
            squares[tiles[:, 0], :, tiles[:, 1], :] = votes.reshape(-1, TILE, TILE)
        labels[self.grid[0] :] = 0
        labels[:, self.grid[1] :] = 0
        return labels

    def _votes(self, frame: Image, features: Tensor, memory: Sequence[Remembered], radii: Sequence[int]) -> "Votes":
        """Who votes, shared by all who remember the same frames, whatever they saw in them."""
        held = tuple(one.features for one in memory)
        chosen = self.affinity
        return self.frames.get(
            frame,
            (chosen, tuple(map(id, held))),
            lambda: Votes(features, held, radii, chosen.nearest, chosen.temperature),
        )

    def _tiles_near(self, labels: Tensor) -> Tensor:
        """(T, 2) rows and columns of the tiles within ``reach`` of visible cells; all once the object is lost."""
        visible = labels > VISIBLE if float(labels.max()) > LOST else torch.ones_like(labels, dtype=torch.bool)
        reach = self.affinity.reach
        near = functional.max_pool2d(visible[None, None].float(), 2 * reach + 1, stride=1, padding=reach)
        return functional.max_pool2d(near, TILE)[0, 0].nonzero()


class Votes:
    """Which cells of remembered frames vote for the cells of a new one, and how much: it does not depend on labels.

    It is the same whoever asks first and for which tiles: on a processor it is found tile by tile, each on its own when
    it is asked for; elsewhere, where many small steps take longer, for all tiles at once.

    Args:
        features: (h, w, C) of the new frame.
        memory: The same of the remembered frames. They are held, since votes are known by which frames these are.
        radii: How far a label of each may travel, in cells.
        nearest: How many of the most similar cells vote.
        temperature: Softmax temperature of their votes.
    """

    def __init__(
        self, features: Tensor, memory: Sequence[Tensor], radii: Sequence[int], nearest: int, temperature: float
    ) -> None:
        self.features = features
        self.memory = memory
        self.radii = radii
        self.nearest = nearest
        self.temperature = temperature
        self._around = [functional.pad(one, (0, 0, *(radius,) * 4)) for one, radius in zip(memory, radii, strict=True)]
        self._found: dict[tuple[int, int], tuple[Tensor, Tensor]] = {}
        self._whole: tuple[Tensor, Tensor] | None = None  # of all tiles, row by row

    def of(self, tiles: Tensor) -> tuple[Tensor, Tensor]:
        """Weights, and places in the concatenated windows of all remembered frames, (T, TILE * TILE, nearest) each.

        Args:
            tiles: (T, 2) rows and columns of tiles.
        """
        if self.features.device.type != "cpu":
            self._whole = self._whole or self.of_all()
            chosen = tiles[:, 0] * (self.features.shape[1] // TILE) + tiles[:, 1]
            return self._whole[0][chosen], self._whole[1][chosen]
        found = [self._of(row, column) for row, column in tiles.tolist()]
        return torch.stack([weights for weights, _ in found]), torch.stack([places for _, places in found])

    def of_all(self) -> tuple[Tensor, Tensor]:
        """The same of all tiles, row by row, in a few large steps."""
        cells = self.features.unfold(0, TILE, TILE).unfold(1, TILE, TILE).flatten(3).flatten(0, 1).mT
        keys = [
            around.unfold(0, TILE + 2 * radius, TILE).unfold(1, TILE + 2 * radius, TILE).flatten(3).flatten(0, 1)
            for around, radius in zip(self._around, self.radii, strict=True)
        ]
        return self._chosen(torch.cat([cells @ key for key in keys], dim=2))

    def _of(self, row: int, column: int) -> tuple[Tensor, Tensor]:
        place = row, column
        if place not in self._found:
            self._found[place] = self._chosen(self._similarity(row * TILE, column * TILE))
        return self._found[place]

    def _chosen(self, similarity: Tensor) -> tuple[Tensor, Tensor]:
        """Weights and places, (..., nearest), of the most similar of (..., places)."""
        best, where = similarity.topk(min(self.nearest, similarity.shape[-1]), dim=-1)
        return (best / self.temperature).softmax(dim=-1), where

    def _similarity(self, top: int, left: int) -> Tensor:
        """(TILE * TILE, places) similarity of a tile's cells to those of all windows around it."""
        cells = self.features[top : top + TILE, left : left + TILE].flatten(0, 1)
        windows = [
            around[top : top + TILE + 2 * radius, left : left + TILE + 2 * radius].flatten(0, 1)
            for around, radius in zip(self._around, self.radii, strict=True)
        ]
        return torch.cat([cells @ window.T for window in windows], dim=1)


def windows(cells: Tensor, radius: int) -> Tensor:
    """(rows, columns, side, side) view of a (h, w) map: its tiles with ``radius`` cells around; 0 outside it."""
    side = TILE + 2 * radius
    return functional.pad(cells, (radius,) * 4).unfold(0, side, TILE).unfold(1, side, TILE)


def pick_windows(squares: Tensor, tiles: Tensor) -> Tensor:
    """(T, side * side) of some tiles' windows."""
    return squares[tiles[:, 0], tiles[:, 1]].flatten(1)


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
