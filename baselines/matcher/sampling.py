"""From matched points to many prompts, each of a few points."""

from itertools import combinations
from random import Random

import numpy as np
import torch
from torch import Tensor

ALL_COMBINATIONS = 8  # of up to this many points every combination is a prompt
LLOYD_ROUNDS = 100


def centres(points: np.ndarray, count: int, generator: torch.Generator) -> np.ndarray:
    """(K, 2) int64 k-means++ centres of (n, 2) points, cut to whole pixels; K = min(count, n)."""
    x = torch.from_numpy(points.astype(np.float32))
    count = min(count, len(x))
    while True:
        found, assigned = _lloyd(x, _first_centres(x, count, generator))
        if len(assigned.unique()) == count:
            return found.numpy().astype(np.int64)


def _first_centres(x: Tensor, count: int, generator: torch.Generator) -> Tensor:
    chosen = [x[int(torch.randint(len(x), (1,), generator=generator))]]
    while len(chosen) < count:
        nearest = torch.cdist(x, torch.stack(chosen)).min(1).values + 1e-6
        share = nearest**2 / (nearest**2).sum()
        chosen.append(x[int(torch.multinomial(share, 1, generator=generator))])
    return torch.stack(chosen)


def _lloyd(x: Tensor, centre: Tensor) -> tuple[Tensor, Tensor]:
    assigned = torch.cdist(x, centre).argmin(1)
    for _ in range(LLOYD_ROUNDS):
        moved = centre.clone()
        for index in range(len(centre)):
            if bool((assigned == index).any()):
                moved[index] = x[assigned == index].mean(0)
        if torch.equal(moved, centre):
            break
        centre = moved
        assigned = torch.cdist(x, centre).argmin(1)
    return centre, assigned


def prompts(pool: np.ndarray, sizes: tuple[int, int], iterations: int, random: Random) -> list[np.ndarray]:
    """One (M, k, 2) int64 array for every size k: M prompts of k points each.

    Args:
        pool: (n, 2) int64 points.
        sizes: Least and largest number of points of a prompt.
        iterations: Prompts of every size, drawn at random; up to eight points, all combinations instead.
        random: The generator.
    """
    least, largest = (min(size, len(pool)) for size in sizes)
    groups = []
    for size in range(least, largest + 1):
        if len(pool) > ALL_COMBINATIONS:
            chosen = [random.sample(range(len(pool)), size) for _ in range(iterations)]
        else:
            chosen = [list(some) for some in combinations(range(len(pool)), size)]
        groups.append(pool[np.array(chosen, dtype=np.int64)])
    return groups
