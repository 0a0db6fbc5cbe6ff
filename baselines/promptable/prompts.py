"""Prompts for the regions of labelled pictures: clicks, boxes and rough masks, as they are drawn in training."""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from icvos.method import Mask

LEAST_PX = 48  # of a region that is asked for
COUNTS = (1, 2, 4, 8, 16)  # points of the prompts of one batch
NO_POINT = -1
Points = list[tuple[float, float, int]]  # x, y, and SAM's label: 1 in the region, 0 outside, 2 and 3 corners of a box


@dataclass(frozen=True, slots=True)
class Prompts:
    """Prompts for M regions.

    Args:
        points: (M, N, 2) float32, (x, y) in pixels.
        labels: (M, N) int32 as SAM has them: 1 in the region, 0 outside, 2 and 3 corners of a box, -1 no point.
        drawn: (M, 1, S, S) float32 of 0 and 1, the prompt drawn as a mask.
        has_drawn: (M,) bool: whether SAM is given ``drawn`` too.
        targets: (M, S, S) float32 of 0 and 1, the regions.
        pictures: (M,) int64, the picture of each.
    """

    points: Tensor
    labels: Tensor
    drawn: Tensor
    has_drawn: Tensor
    targets: Tensor
    pictures: Tensor


def draw_prompts(labels: Tensor, each: int, drawn: float, random: np.random.Generator) -> Prompts:
    """Some prompts for every picture.

    Args:
        labels: (B, S, S) int64: 0 = background, else the number of an object; 255 is never asked for.
        each: Prompts for a picture.
        drawn: The share of prompts that SAM is given as a mask too.
        random: Where the choices come from.
    """
    count = int(random.choice(COUNTS))
    regions, points, pictures = [], [], []
    for number, label in enumerate(labels.cpu().numpy()):
        for _ in range(each):
            region = choose_region(label, random)
            regions.append(region)
            points.append(choose_points(region, label, count, random))
            pictures.append(number)
    side = labels.shape[-1]
    full = np.full((len(points), count, 3), NO_POINT, dtype=np.float32)
    for row, found in zip(full, points, strict=True):
        row[: len(found)] = found
    also = random.random(len(points)) < drawn
    masks = [_draw(found, region, random) for found, region in zip(points, regions, strict=True)]
    return Prompts(
        torch.from_numpy(full[..., :2]),
        torch.from_numpy(full[..., 2].astype(np.int32)),
        torch.from_numpy(np.stack(masks).reshape(-1, 1, side, side).astype(np.float32)),
        torch.from_numpy(also),
        torch.from_numpy(np.stack(regions).astype(np.float32)),
        torch.tensor(pictures),
    )


def choose_region(label: np.ndarray, random: np.random.Generator) -> Mask:
    """(S, S) bool: mostly an object, at times several together or what is no object at all."""
    areas = np.bincount(label.ravel(), minlength=256)
    objects = [number for number in range(1, 255) if areas[number] >= LEAST_PX]
    chance = random.random()
    if not objects or (chance < 0.12 and areas[0] >= LEAST_PX):
        return label == 0
    if chance < 0.25 and len(objects) > 1:
        return np.isin(label, random.choice(objects, int(random.integers(2, len(objects) + 1)), replace=False))
    return label == random.choice(objects)


def choose_points(region: Mask, label: np.ndarray, count: int, random: np.random.Generator) -> Points:
    """At most ``count`` points: a box, or clicks, the first of them in the region and others about it too."""
    ys, xs = np.nonzero(region)
    if count > 1 and random.random() < 0.35:
        jitter = random.normal(0, 0.03, 4) * np.array([np.ptp(xs), np.ptp(ys)] * 2)
        left, top, right, bottom = np.array([xs.min(), ys.min(), xs.max(), ys.max()]) + jitter
        return [(left, top, 2), (right, bottom, 3)]
    inner = cv2.distanceTransform(np.pad(region, 1).astype(np.uint8), cv2.DIST_L2, 3)[1:-1, 1:-1]
    y, x = np.unravel_index(inner.argmax(), inner.shape) if random.random() < 0.3 else _any(region, random)
    found: Points = [(float(x), float(y), 1)]
    outside = ~region & (label != 255)
    others = outside & (label > 0)
    for _ in range(int(random.integers(count)) if random.random() < 0.5 else count - 1):
        where, kind = (region, 1) if random.random() < 0.6 or not outside.any() else (outside, 0)
        if kind == 0 and others.any() and random.random() < 0.5:
            where = others
        y, x = _any(where, random)
        found.append((float(x), float(y), kind))
    return found


def _any(where: Mask, random: np.random.Generator) -> tuple[int, int]:
    place = int(random.choice(np.flatnonzero(where)))
    return divmod(place, where.shape[1])


def _draw(points: Points, region: Mask, random: np.random.Generator) -> Mask:
    """A prompt as a mask: a box filled, clicks as discs, and now and then the region itself, roughly."""
    if random.random() < 0.25:
        radius = int(random.integers(1, 8))
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
        change = cv2.dilate if random.random() < 0.6 else cv2.erode
        rough = change(region.astype(np.uint8), kernel) > 0
        return rough if rough.any() else region
    canvas = np.zeros(region.shape, np.uint8)
    corners = [(round(x), round(y)) for x, y, kind in points if kind > 1]
    if corners:
        cv2.rectangle(canvas, corners[0], corners[1], 1, -1)
    for x, y, kind in points:
        if kind == 1:
            cv2.circle(canvas, (round(x), round(y)), 8, 1, -1)
    for x, y, kind in points:
        if kind == 0:
            cv2.circle(canvas, (round(x), round(y)), 8, 0, -1)
    return canvas > 0
