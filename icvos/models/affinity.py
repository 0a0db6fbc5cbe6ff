"""Mask propagation by feature affinity: every cell of a new frame takes the labels of the cells it resembles most.

The memory is the first frame, which is never wrong, and the last few frames, which look most like the new one. Nothing is
trained: the features are those of a frozen image backbone.
"""

from collections import deque
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from icvos.errors import IcvosError
from icvos.method import Image, Mask, Prompt
from icvos.models.backbones import EfficientNetLite0, lite0_input


@dataclass(frozen=True, slots=True)
class Affinity:
    """How labels travel from frame to frame.

    Args:
        short_side: Frames are scaled to about this short side, in pixels, before the backbone.
        blocks: Backbone blocks whose features are compared; each is normalised, then all are concatenated.
        stride: Pixels of the scaled frame per cell.
        recent: How many of the last frames are remembered beside the first.
        radius: How far a label may travel in one step, in cells along each axis.
        first_radius: The same for labels of the first frame.
        nearest: How many of the most similar cells vote.
        temperature: Softmax temperature of their votes; lower is sharper.
    """

    short_side: int = 480
    blocks: tuple[int, ...] = (10,)
    stride: int = 16
    recent: int = 4
    radius: int = 12
    first_radius: int = 12
    nearest: int = 20
    temperature: float = 0.07


@dataclass(frozen=True, slots=True)
class Remembered:
    """One remembered frame: (C, N) unit features and (N,) soft labels of its N cells."""

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
        self.distance = torch.zeros(0)

    def start(self, frame: Image, prompt: Prompt) -> Mask:
        """The prompt's mask, (H, W) bool; forgets any earlier video. Raises `IcvosError` without a mask of the frame's size."""
        height, width = frame.shape[:2]
        if prompt.mask is None or prompt.mask.shape != (height, width):
            found = "none" if prompt.mask is None else f"{prompt.mask.shape[1]}x{prompt.mask.shape[0]}"
            raise IcvosError(f"affinity propagation needs a prompt mask of {width}x{height}, got {found}; give a mask")
        self.frame_size = (height, width)
        mask = prompt.mask if prompt.mask.dtype == bool else prompt.mask >= 0.5
        features, self.grid = self._features(frame)
        self.first = Remembered(features, self._labels(mask))
        self.recent.clear()
        self.distance = cell_distances(self.grid).to(self.device)
        return mask

    def step(self, frame: Image) -> Mask:
        """The mask of the next frame, (H, W) bool. Raises `IcvosError` before `start` or when the frame's size changes."""
        if self.first is None:
            raise IcvosError("affinity propagation has no first frame; call start before step")
        if frame.shape[:2] != self.frame_size:
            height, width = self.frame_size
            raise IcvosError(
                f"frame of {frame.shape[1]}x{frame.shape[0]} in a video of {width}x{height}; resize the frames to one size"
            )
        features, _ = self._features(frame)
        labels = self._propagate(features)
        self.recent.append(Remembered(features, labels))
        soft = labels.reshape(self.grid).cpu().numpy()
        return cv2.resize(soft, self.frame_size[::-1], interpolation=cv2.INTER_LINEAR) > 0.5

    def held_bytes(self) -> int:
        """Bytes of features and labels remembered now; constant once ``1 + recent`` frames have been seen."""
        held = [self.first, *self.recent] if self.first is not None else []
        return sum(part.nbytes for frame in held for part in (frame.features, frame.labels))

    def _features(self, frame: Image) -> tuple[Tensor, tuple[int, int]]:
        with torch.inference_mode():
            picture = lite0_input(frame, self.affinity.short_side, self.device)
            maps = self.network.blocks(picture, self.affinity.blocks)
            grid = (picture.shape[2] // self.affinity.stride, picture.shape[3] // self.affinity.stride)
            return fuse_blocks(maps, grid).flatten(1), grid

    def _labels(self, mask: Mask) -> Tensor:
        """(N,) share of every cell that the mask covers; if no cell reaches a half, the fullest ones count as whole."""
        share = cv2.resize(mask.astype(np.float32), self.grid[::-1], interpolation=cv2.INTER_AREA)
        most = float(share.max())
        if 0 < most < 0.5:
            share = np.where(share >= most, 1.0, share).astype(np.float32)
        return torch.from_numpy(share.reshape(-1)).to(self.device)

    def _propagate(self, features: Tensor) -> Tensor:
        """(N,) soft labels of a frame's cells from all remembered frames."""
        assert self.first is not None
        memory = [self.first, *self.recent]
        with torch.inference_mode():
            similarity = torch.cat([features.T @ frame.features for frame in memory], dim=1)
            near = self.distance <= self.affinity.radius
            near_first = self.distance <= self.affinity.first_radius
            allowed = torch.cat([near_first] + [near] * len(self.recent), dim=1)
            similarity.masked_fill_(~allowed, -torch.inf)
            labels = torch.cat([frame.labels for frame in memory])
            best, where = similarity.topk(min(self.affinity.nearest, similarity.shape[1]), dim=1)
            weights = (best / self.affinity.temperature).softmax(dim=1)
            return (weights * labels[where]).sum(dim=1)


def fuse_blocks(maps: dict[int, Tensor], grid: tuple[int, int]) -> Tensor:
    """(C, h, w) float32: every map, centred over its cells and unit length, resampled to ``grid`` and concatenated.

    Centring takes away what all cells of a frame share, which would otherwise make every cell resemble every other.
    """
    parts = []
    for _, features in sorted(maps.items()):
        if features.shape[2] > grid[0]:
            features = functional.adaptive_avg_pool2d(features, grid)
        elif tuple(features.shape[2:]) != grid:
            features = functional.interpolate(features, size=grid, mode="bilinear", align_corners=False)
        features = features - features.mean(dim=(2, 3), keepdim=True)
        parts.append(functional.normalize(features[0], dim=0))
    return torch.cat(parts) / len(parts) ** 0.5


def cell_distances(grid: tuple[int, int]) -> Tensor:
    """(N, N) int16: the larger of the row and column distances between any two of a grid's N = h * w cells."""
    rows, columns = torch.meshgrid(torch.arange(grid[0]), torch.arange(grid[1]), indexing="ij")
    place = torch.stack([rows.reshape(-1), columns.reshape(-1)], dim=1).to(torch.int16)
    return (place[:, None] - place[None]).abs().amax(dim=2)
