"""Which cells of the supports the query attends to: a random sample, half of it of the object if it is large enough."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from icvos.models.maps import nearest

Permute = Callable[[int], Tensor]  # of a number n a random (n,) int64 order of 0 to n - 1, on the CPU

EACH = 300  # keys of either kind for a support


@dataclass(frozen=True, slots=True)
class Keys:
    """n keys for each of B episodes.

    Args:
        index: (B, n) int64: their places among all cells of an episode's supports, shot by shot, row by row.
        shows: (B, n) bool: whether they count as object.
        padded: (B, n) bool: whether they count as padding.
    """

    index: Tensor
    shows: Tensor
    padded: Tensor

    def of(self, tokens: Tensor) -> Tensor:
        """(B, n, C) of all (B, K f f, C) tokens of the supports."""
        return tokens.gather(1, self.index[..., None].expand(-1, -1, tokens.shape[2]))


def seeded(seed: int, supports: Sequence[str]) -> Permute:
    """Orders that follow from a seed and the names of an episode's supports, on whatever machine and device."""
    text = json.dumps([seed, *supports])
    number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 1
    generator = torch.Generator().manual_seed(number)
    return lambda count: torch.randperm(count, generator=generator)


def object_cells(labels: Tensor, side: int) -> Tensor:
    """(B, K, f, f) bool: cells of (B, K, S, S) labels that show the object.

    Neither kind is ever missing: without an object the four cells in the middle are one, without background the four
    corners are.
    """
    shows = nearest(labels.float(), (side, side)) == 1
    middle = torch.zeros_like(shows[0, 0])
    middle[side // 2 - 1 : side // 2 + 1, side // 2 - 1 : side // 2 + 1] = True
    corners = torch.zeros_like(middle)
    corners[:: side - 1, :: side - 1] = True
    shows = shows | (middle & ~shows.any(3, keepdim=True).any(2, keepdim=True))
    return shows & ~(corners & shows.all(3, keepdim=True).all(2, keepdim=True))


def draw(shows: Tensor, padded: Tensor, each: int, permute: Permute, own_flags: bool = False) -> Keys:
    """Keys of every episode: ``each`` of either kind; where one has fewer, all of it, and more of the other.

    Args:
        shows: (B, M) bool, which of an episode's M support cells are object.
        padded: (B, M) bool, which are padding.
        each: Keys of either kind.
        permute: Where the random choice comes from; called episode by episode, for the object first.
        own_flags: Whether a key has the flags of its own cell. As published, a key that was drawn at random has those
            of another: its number among its kind is looked up as if it were its place among all cells.
    """
    if shows.is_meta:  # no values to choose by, when operations are counted
        return Keys(*(x[:, : 2 * each] for x in (shows.long(), shows, padded)))
    episodes = [_draw(one, each, permute) for one in shows]
    index = torch.stack([keys for keys, _ in episodes])
    looked_up = index if own_flags else torch.stack([places for _, places in episodes])
    return Keys(index, shows.gather(1, looked_up), padded.gather(1, looked_up))


def _draw(shows: Tensor, each: int, permute: Permute) -> tuple[Tensor, Tensor]:
    """Places of the keys of one episode, and the places whose flags they have as published."""
    kinds = [kind.nonzero()[:, 0] for kind in (shows, ~shows)]
    whole = next((number for number, kind in enumerate(kinds) if len(kind) < each), None)
    most = each if whole is None else 2 * each - len(kinds[whole])
    keys, places = [], []
    for number, kind in enumerate(kinds):
        drawn = None if number == whole else permute(len(kind))[:most].to(kind.device)
        keys.append(kind if drawn is None else kind[drawn])
        places.append(kind if drawn is None else drawn)
    return torch.cat(keys), torch.cat(places)
