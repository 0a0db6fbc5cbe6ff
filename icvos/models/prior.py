"""Prior masks: where the cells of a query resemble those that the masks of its supports show."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from icvos.models.maps import aligned, in_float32

EPSILON = 1e-7  # added to the product of two lengths
LARGEST = 2**22  # similarities that are computed at a time
ALIKE, REACH = 0.05, 0.25  # similarity, and share of a picture's height, by which two cells count less
SPREAD, STEPS = 0.8, 20  # share of a cell's score that comes from others, and steps of the walk


@in_float32
def prior(query: Tensor, supports: Tensor, masks: Tensor) -> Tensor:
    """(B, K, h, w): the greatest cosine similarity of every query cell with any cell of each masked support.

    The cells off a mask are 0 and all give similarity 0, so that one of them is enough; all shots meet the query in one
    matrix product, which is split along the query cells to stay small.

    Args:
        query: (B, C, h, w).
        supports: (B, K, C, h, w), not masked yet.
        masks: (B, K, 1, h, w), from 0 to 1.
    """
    batch, shots = supports.shape[:2]
    weights = masks.flatten(2)
    shown = shown_cells(weights.flatten(0, 1)).unflatten(0, (batch, shots))
    cells = supports.flatten(3).transpose(2, 3).gather(2, shown[..., None].expand(-1, -1, -1, query.shape[1]))
    cells = (cells * weights.gather(2, shown)[..., None]).flatten(1, 2)  # B (K n) C
    length = cells.norm(dim=2, keepdim=True)
    greatest = []
    for some in query.flatten(2).split(max(1, LARGEST // length.numel()), dim=2):
        similar = (cells @ some) / (length * some.norm(dim=1, keepdim=True) + EPSILON)
        greatest.append(similar.unflatten(1, (shots, -1)).amax(2))
    return torch.cat(greatest, 2).unflatten(2, query.shape[2:])


def contrast(query: Sequence[Tensor], supports: Sequence[Tensor], masks: Tensor, grid: int) -> Tensor:
    """(B, K, grid, grid), in [0, 1]: how much more the query's cells resemble the object than what is around it.

    Likeness is cosine similarity: at every level the greatest with a cell of the object less the greatest with one of
    the background, and at the last level that with the mean of the object's cells less that with the mean of the
    background's. The maps are standardised, averaged, spread over cells of the query that look alike, and stretched.
    What all cells of a picture share is taken from them first, or all resemble one another. Cells that the outline runs
    through are neither object nor background.

    Args:
        query: Maps of some levels, (B, C, h, w) each.
        supports: The supports' maps, (B K, C, h, w) each.
        masks: (B, K, S, S) of 0 and 1.
        grid: The side of what is wanted.
    """
    by_episode = masks.shape[:2]
    found = []
    for asked, shown in zip(query, supports, strict=True):
        asked, shown = (x - x.mean((2, 3), keepdim=True) for x in (asked, shown))
        seen = shown.unflatten(0, by_episode)
        on, off = (where[:, :, None] for where in certain(masks.float(), shown.shape[-1]))
        found.append(aligned(prior(asked, seen, on) - prior(asked, seen, off), grid))
    asked, seen = (functional.normalize(x, dim=-3) for x in (asked, seen))
    of_object, around = (functional.normalize((seen * where).sum((3, 4)), dim=2) for where in (on, off))
    found.append(aligned(torch.einsum("bchw,bkc->bkhw", asked, of_object - around), grid))
    scores = torch.stack([standardised(x) for x in found]).mean(0)
    return stretched(spread(scores, aligned(query[0], grid)))


@in_float32
def spread(scores: Tensor, maps: Tensor) -> Tensor:
    """(B, K, h, w) scores after a random walk with restart over cells that look alike and lie near, as in ``lite``.

    Args:
        scores: (B, K, h, w).
        maps: (B, C, h, w), what the cells look like.
    """
    cells = functional.normalize(maps - maps.mean((2, 3), keepdim=True), dim=1)
    step, root = walk(cells, alike=ALIKE, reach=REACH, share=SPREAD)
    start = scores.flatten(2).mT * root[..., None]  # B N K
    found = start
    for _ in range(STEPS):
        found = start + step @ found
    return (found / root[..., None]).mT.unflatten(2, maps.shape[2:])


def walk(cells: Tensor, *, alike: float, reach: float, share: float) -> tuple[Tensor, Tensor]:
    """A step among N = h w cells that look alike and lie near, (..., N, N), and the roots of their degrees, (..., N).

    With scores s, y = (1 - step)^-1 (s root) / root is where a walk ends that starts over with 1 - ``share``, but for
    that factor.

    Args:
        cells: (..., C, h, w), of length 1.
        alike: Similarity by which two cells count less by e.
        reach: The same for how far apart they lie, as a share of the height.
        share: Of a cell's score, what comes from others.
    """
    height, width = cells.shape[-2:]
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    place = torch.stack([rows.flatten(), columns.flatten()], dim=1).float().to(cells.device) / height
    flat = cells.flatten(-2)
    weights = torch.exp((flat.mT @ flat - 1) / alike - torch.cdist(place, place) ** 2 / (2 * reach**2))
    weights = weights * (1 - torch.eye(height * width, device=cells.device))
    root = weights.sum(-1).clamp(min=1e-9).sqrt()
    return share * weights / (root[..., :, None] * root[..., None, :]), root


def certain(masks: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """(B, K, side, side) of 0 and 1: cells of which most, and hardly any, belongs to the object of (B, K, S, S) masks.

    Where no cell is of the first kind, the fullest are.
    """
    share = functional.interpolate(masks, size=(side, side), mode="area")
    fullest = share.amax((2, 3), keepdim=True)
    on = share >= torch.where(fullest > 0, fullest.clamp(max=0.5), 2)
    return on.float(), (share <= 0.1).float()


def shown_cells(masks: Tensor) -> Tensor:
    """(B, n) int64: which cells of (B, N) masks are not 0, in their order.

    n is one more than the most of any mask, but at most N; what a mask lacks is filled up with cells that are 0, at
    least one where there is one. The meta device and exported programs have no values to choose by: there, all cells.
    """
    if masks.is_meta or torch.compiler.is_compiling():
        return torch.arange(masks.shape[1], device=masks.device).expand(len(masks), -1)
    shows = masks != 0
    count = min(int(shows.sum(1).max()) + 1, masks.shape[1])
    return shows.byte().argsort(dim=1, descending=True, stable=True)[:, :count]


def standardised(x: Tensor) -> Tensor:
    """(B, K, h, w) less their mean, over their standard deviation, each map on its own."""
    centred = x - x.mean((2, 3), keepdim=True)
    return centred / (centred.square().mean((2, 3), keepdim=True).sqrt() + EPSILON)


def stretched(x: Tensor) -> Tensor:
    """(B, K, h, w) moved and scaled to [0, 1], each map on its own."""
    low, high = x.amin((2, 3), keepdim=True), x.amax((2, 3), keepdim=True)
    return (x - low) / (high - low + EPSILON)
