"""Similarities of all cells with all cells in plain words: whole tensors of normalised correlations, map by map."""

import torch
from torch import Tensor


def correlation(support: Tensor, query: Tensor) -> Tensor:
    """(h w, h w): every support cell with every query cell of (C, h, w), over the product of their norms."""
    s, q = support.flatten(1), query.flatten(1)
    return s.T @ q / (s.norm(dim=0)[:, None] * q.norm(dim=0)[None] + 1e-7)


def gram(features: Tensor) -> Tensor:
    """(C, C): every channel with every channel, over the cells of (C, h, w)."""
    channels = features.flatten(1).T
    return correlation(channels, channels)


def similarity(support: Tensor, query: Tensor) -> Tensor:
    """(B, 1, h, w): of every query cell the greatest correlation, one episode after the other."""
    maps = [correlation(s, q).max(0).values.reshape(q.shape[1:]) for s, q in zip(support, query, strict=True)]
    return torch.stack(maps)[:, None]


def priors(support: Tensor, query: Tensor) -> Tensor:
    """(B, 1, h, w): `similarity`, moved and scaled to [0, 1], one episode after the other."""
    found = [(one - one.min()) / (one.max() - one.min() + 1e-7) for one in similarity(support, query)]
    return torch.stack(found)
