"""INSID3 in plain words, for `benchmarks.networks`: patch by patch and cluster by cluster, supports anew every time."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.plain.pictures import Drawn
from icvos.method import Image
from icvos.models.squares import squash, squash_mask


def plain_insid3(method: Any, supports: Sequence[Drawn], frames: Sequence[Image]) -> list[Tensor]:
    """Of every frame the (N,) similarity to the prototype and the (L, L) bool answer."""
    return [found for frame in frames for found in one_frame(method, supports, frame)]


def unit(x: Tensor) -> Tensor:
    """(C, N), every column of length 1."""
    return x / x.norm(dim=0).clamp(min=1e-12)


def features(method: Any, image: Image) -> Tensor:
    """(C, N) of unit length."""
    return unit(method.encoder(squash(image, method.settings.side)[None])[0].T)


def patch_mask(mask: Tensor, grid: int) -> Tensor:
    """(N,) bool of (L, L); the masks here are large enough for the first rule."""
    found = functional.interpolate(mask[None, None], size=(grid, grid), mode="bilinear", align_corners=False)
    return found.flatten() > 0.5


def clusters_of(found: Tensor, tau: float) -> list[list[int]]:
    """Patches of each cluster of (C, N) features, by average linkage."""
    from scipy.cluster.hierarchy import linkage
    from scipy.spatial.distance import squareform

    apart = (1 - (found.T @ found).clamp(-1, 1)).numpy()
    apart[range(len(apart)), range(len(apart))] = 0
    merged: dict[int, list[int]] = {patch: [patch] for patch in range(len(apart))}
    for step, (first, second, distance, _) in enumerate(linkage(squareform(apart, checks=False), "average")):
        if distance >= 1 - tau:
            break
        merged[len(apart) + step] = merged.pop(int(first)) + merged.pop(int(second))
    return list(merged.values())


def one_frame(method: Any, supports: Sequence[Drawn], frame: Image) -> list[Tensor]:
    """The similarity to the prototype and the answer."""
    settings, basis = method.settings, method.basis
    side, grid = settings.side, settings.side // 16

    def debiased(x: Tensor) -> Tensor:
        return unit(x - basis @ (basis.T @ x))

    original = features(method, frame)
    target = debiased(original)
    means, votes = [], torch.zeros(grid * grid)
    for support in supports:
        shown = debiased(features(method, support.image()))
        mask = patch_mask(squash_mask(support.mask(), side), grid)
        means.append(shown[:, mask].mean(1))
        votes += mask[(target.T @ shown).argmax(1)]
    p = torch.stack(means).mean(0)
    p = p / p.norm()
    similarity = p @ target
    forward = similarity > 0
    candidates = forward & (votes >= (len(supports) + 1) // 2)
    answer = torch.zeros(grid * grid)
    if candidates.any():
        for own in kept(
            clusters_of(original, settings.tau), candidates, similarity, p, original, target, settings.theta
        ):
            answer[own] = 1
    full = functional.interpolate(answer.reshape(1, 1, grid, grid), size=(side, side), mode="bilinear") > 0.5
    return [similarity, full[0, 0]]


def kept(
    clusters: list[list[int]],
    candidates: Tensor,
    similarity: Tensor,
    p: Tensor,
    original: Tensor,
    target: Tensor,
    theta: float,
) -> list[list[int]]:
    """The clusters whose combined score is above theta, cluster by cluster."""
    coverage = [float(candidates[own].float().mean()) for own in clusters]
    likeness = [float(p @ functional.normalize(target[:, own].mean(1), dim=0)) for own in clusters]
    whole = [functional.normalize(original[:, own].mean(1), dim=0) for own in clusters]
    seed = max((k for k in range(len(clusters)) if coverage[k] > 0), key=lambda k: likeness[k])
    found = []
    for k, own in enumerate(clusters):
        cross = float(similarity[own].mean())
        score = cross * float(whole[k] @ whole[seed]) * (1 if k == seed else coverage[k])
        if score > theta:
            found.append(own)
    return found
