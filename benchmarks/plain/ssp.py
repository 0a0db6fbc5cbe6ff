"""SSP in plain words, for `benchmarks.networks`: shot by shot, with the similarity of all cells to all chosen ones."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from icvos.models.maps import aligned


def plain_ssp(network: Any, query: Tensor, supports: Tensor, masks: Tensor) -> list[Tensor]:
    """Refined logits, (B, 2, h, w), of (B, 3, S, S), (B, K, 3, S, S) and (B, K, S, S), one episode after the other."""
    episodes = zip(query[:, None], supports, masks, strict=True)
    return [torch.cat([one_ssp(network, q, ss[:, None], ms) for q, ss, ms in episodes])]


def feature(network: Any, x: Tensor) -> Tensor:
    """(C, h, w) of a (1, 3, H, W) picture."""
    found: Tensor = network.layer3(network.layer2(network.layer1(network.layer0(x))))[0]
    return found


def average(x: Tensor, mask: Tensor) -> Tensor:
    """(C, 1, 1): the mean of (C, h, w) under a (H, W) mask."""
    m = aligned(mask[None, None].float(), (x.shape[1], x.shape[2]))[0]
    return ((x * m).sum((1, 2)) / (m.sum() + 1e-5))[:, None, None]


def match(x: Tensor, foreground: Tensor, background: Tensor) -> Tensor:
    """(2, h, w): ten times the cosines with what may vary over cells."""
    cosines = [(x * kind).sum(0) / (x.norm(dim=0) * kind.norm(dim=0)) for kind in (background, foreground)]
    return 10 * torch.stack(cosines)


def chosen(probability: Tensor, threshold: float) -> Tensor:
    """(n,): the cells of (N,) above a threshold, or the best twelve."""
    above = (probability > threshold).nonzero()[:, 0]
    return above if len(above) else probability.topk(12).indices


def self_support(x: Tensor, logits: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Means of the certain cells, (C, 1, 1) each, and for every cell a mean of the background's, (C, h, w)."""
    background, foreground = logits.softmax(0).flatten(1)
    cells = x.flatten(1).T  # N C
    of_object, of_background = cells[chosen(foreground, 0.7)], cells[chosen(background, 0.6)]
    unit, units = functional.normalize(cells, dim=1), functional.normalize(of_background, dim=1)
    adaptive = (2 * unit @ units.T).softmax(1) @ of_background
    own, around = (those.mean(0)[:, None, None] for those in (of_object, of_background))
    return own, around, adaptive.T.reshape(x.shape)


def one_ssp(network: Any, query: Tensor, supports: Tensor, masks: Tensor) -> Tensor:
    """(1, 2, h, w) of (1, 3, H, W), (K, 1, 3, H, W) and (K, H, W)."""
    x = feature(network, query)
    shown = [feature(network, support) for support in supports]
    fp = torch.stack([average(s, mask == 1) for s, mask in zip(shown, masks, strict=True)]).mean(0)
    bp = torch.stack([average(s, mask == 0) for s, mask in zip(shown, masks, strict=True)]).mean(0)
    own, around, adaptive = self_support(x, match(x, fp, bp))
    fp_1, bp_1 = 0.5 * fp + 0.5 * own, 0.3 * around + 0.7 * adaptive
    out_1 = match(x, fp_1, bp_1)
    own, around, adaptive = self_support(x, out_1)
    fp_2 = 0.5 * fp + 0.2 * fp_1 + 0.3 * (0.5 * fp + 0.5 * own)
    bp_2 = 0.5 * bp + 0.2 * bp_1 + 0.3 * (0.3 * around + 0.7 * adaptive)
    return (0.7 * match(x, fp_2, bp_2) + 0.3 * out_1)[None]
