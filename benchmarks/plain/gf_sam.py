"""GF-SAM in plain words, for `benchmarks.networks`: point by point and cluster by cluster, supports anew every time."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image as PillowImage
from torch import Tensor
from torch.nn import functional

from benchmarks.plain.pictures import Drawn
from icvos.method import Image
from icvos.models.squares import squash_mask, standardise

GRID, SIDE = 37, 518


def plain_gf_sam(method: Any, supports: Sequence[Drawn], frames: Sequence[Image]) -> list[Tensor]:
    """(L, L) bool of every frame."""
    return [one_frame(method, supports, frame) for frame in frames]


def resized(x: Tensor, aligned: bool = False) -> Tensor:
    """(37, 37), bilinear, of (L, L)."""
    given = x[None, None].float()
    return functional.interpolate(given, size=(GRID, GRID), mode="bilinear", align_corners=aligned)[0, 0]


def square(image: Image, side: int) -> Image:
    """(L, L, 3) uint8."""
    return np.array(PillowImage.fromarray(image).resize((side, side), PillowImage.Resampling.BILINEAR))


def features(method: Any, picture: Image) -> Tensor:
    """(N, C), every channel of length 1."""
    given = functional.interpolate(standardise(picture)[None], size=(SIDE, SIDE), mode="bilinear", align_corners=False)
    tokens = method.encoder(given)[0]
    return tokens / tokens.norm(dim=0).clamp(min=1e-12)


def compared(query: Tensor, shown: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """The mean and the greatest weighted cosine of every query patch, (N,) each, by (N,) weights of the shown."""
    alike = shown @ query.T / (shown.norm(dim=1)[:, None] * query.norm(dim=1)[None] + 1e-7)
    weighted = weight[:, None] * alike
    return weighted.mean(0) / (weight.mean() + 1e-7), weighted.amax(0)


def stretched(x: Tensor) -> Tensor:
    """From 0 to 1."""
    return (x - x.min()) / (x.max() - x.min() + 1e-6)


def one_frame(method: Any, supports: Sequence[Drawn], frame: Image) -> Tensor:
    """(L, L) bool."""
    side, picture = method.side, square(frame, method.side)
    query, maps = features(method, picture), []
    for support in supports:
        shown = features(method, square(support.image(), side))
        mask = squash_mask(support.mask(), side)
        on, off = (resized(m, aligned=True).flatten() for m in (mask, 1 - mask))
        mean, greatest = compared(query, shown, on)
        maps.append(torch.stack([mean, greatest, compared(query, shown, off)[0]]))
    mean, greatest, beside = torch.stack(maps).mean(0).reshape(3, GRID, GRID)
    inside, outside = stretched(mean * greatest), stretched(beside)
    points = points_of(torch.where(outside <= inside, inside, 0))
    embedded = method.sam.embed(picture)
    masks = []
    for x, y in points:
        click = np.array([[[x * side // GRID, y * side // GRID]]])
        low, _ = method.sam.decode(embedded, click, np.ones((1, 1), np.int64), multimask=False)
        masks.append(method.sam.upscale(embedded, low[0])[0] > 0)
    return chosen(points, masks, mean, beside, query)


def points_of(strength: Tensor) -> list[tuple[int, int]]:
    """x and y of the strongest patches, column by column."""
    count = min(int(strength.sum()), 128) or 1
    found = strength.flatten().topk(count).indices.tolist()
    return sorted((index % GRID, index // GRID) for index in found)


def clusters_of(points: list[tuple[int, int]], masks: list[Tensor]) -> list[list[int]]:
    """The weakly connected components of "the mask of this point covers that point", each in ascending order."""
    small = [functional.interpolate(m[None, None].float(), size=(GRID, GRID))[0, 0] > 0 for m in masks]
    count = len(points)
    covers = [[bool(small[i][y, x]) for x, y in points] for i in range(count)]
    found: list[list[int]] = []
    unseen = set(range(count))
    while unseen:
        waiting, members = [min(unseen)], []
        while waiting:
            one = waiting.pop()
            if one in unseen:
                unseen.remove(one)
                members.append(one)
                waiting += [other for other in unseen if covers[one][other] or covers[other][one]]
        found.append(sorted(members))
    return found


def chosen(points: list[tuple[int, int]], masks: list[Tensor], mean: Tensor, beside: Tensor, query: Tensor) -> Tensor:
    """(L, L) bool: the masks that pass both tests, or the best."""
    evidence = mean**2 - beside * (mean.max() + mean.min()) / 2
    soft, clusters = [resized(mask) for mask in masks], clusters_of(points, masks)
    gates, scores, agrees = {}, {}, {}
    unions = [
        compared(query, query, resized(torch.stack([masks[i] for i in own]).any(0)).flatten())[0] for own in clusters
    ]
    for number, own in enumerate(clusters):
        weights = torch.stack([(soft[i] * evidence).sum() / (soft[i].sum() + 1e-6) for i in own])
        inner = torch.zeros_like(evidence)
        for i in (own[place] for place in weights.argsort(descending=True).tolist()):
            added = soft[i] * (1 - inner)
            more, less = (added * (evidence > 0)).sum(), (added * (evidence <= 0)).sum()
            gates[i] = bool(more > less)
            if gates[i]:
                inner = inner + added
            last = float(more - less)
        scores.update(dict.fromkeys(own, last))
        consistent = {i: nearest(points, clusters, unions, i) == number for i in own}
        few = sum(consistent.values()) < len(own) - sum(consistent.values())
        agrees.update({i: found and not few for i, found in consistent.items()})
    labels = [1 if gates[i] and agrees[i] else 2 if gates[i] or agrees[i] else 0 for i in range(len(points))]
    answer = torch.zeros_like(masks[0])
    for mask, label in zip(masks, labels, strict=True):
        answer = answer | mask if label == 1 else answer
    if not bool(answer.any()):
        left = [scores[i] if label == 2 else 0.0 for i, label in enumerate(labels)]
        answer = masks[left.index(max(left))]
    return answer


def nearest(points: list[tuple[int, int]], clusters: list[list[int]], unions: list[Tensor], i: int) -> int:
    """The cluster that a point resembles most, for its distance."""
    x, y = points[i]
    values = []
    for own, union in zip(clusters, unions, strict=True):
        apart = min(((points[j][0] - x) ** 2 + (points[j][1] - y) ** 2) ** 0.5 for j in own)
        values.append(float(union[y * GRID + x]) / (apart or 1.0))
    return values.index(max(values))
