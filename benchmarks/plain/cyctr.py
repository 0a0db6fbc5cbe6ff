"""CyCTR in plain words, for `benchmarks.networks`: shot by shot, one attention head and one sampled point at a time."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.plain.similarities import priors
from icvos.models.maps import aligned, map_of, masked_average, nearest, tokens_of

Permute = Callable[[int], Tensor]


def plain_cyctr(
    network: Any, query: Tensor, supports: Tensor, masks: Tensor, padding: Tensor, shown: Tensor, permute: Permute
) -> list[Tensor]:
    """Low logits, (B, 2, f, f).

    Args:
        network: CyCTR's.
        query: (B, 3, S, S).
        supports: (B, K, 3, S, S).
        masks: (B, K, S, S).
        padding: (B, S, S) bool, of the query; ``shown`` (B, K, S, S) of the supports.
        shown: See ``padding``.
        permute: Where the choice of keys comes from.
    """
    episodes = zip(query[:, None], supports[:, :, None], masks, padding, shown, strict=True)
    return [torch.cat([one_cyctr(network, *episode, permute) for episode in episodes])]


def taps(network: Any, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """layer2, layer3 and layer4."""
    second = network.layer2(network.layer1(network.layer0(x)))
    third = network.layer3(second)
    return second, third, network.layer4(third)


def one_cyctr(
    network: Any, query: Tensor, supports: Tensor, masks: Tensor, padding: Tensor, shown: Tensor, permute: Permute
) -> Tensor:
    """(1, 2, f, f) of one episode."""
    q2, q3, q4 = taps(network, query)
    f = q3.shape[-1]
    asked = network.adjust_feature_qry(torch.cat([q2, q3], 1))
    vectors, found, tokens = [], [], []
    for support, mask in zip(supports, masks, strict=True):
        s2, s3, s4 = taps(network, support)
        a = network.adjust_feature_supp(torch.cat([s2, s3], 1))
        m = aligned(mask[None, None], f)
        vectors.append(masked_average(a, m))
        found.append(priors(s4 * m, q4))
        tokens.append(tokens_of(network.supp_merge_feat(torch.cat([a, vectors[-1].expand_as(a)], 1)))[0])
    prototype, prior = torch.stack(vectors).mean(0), torch.stack(found).mean(0)
    x = network.qry_merge_feat(torch.cat([asked, prototype.expand_as(asked), prior], 1))
    off = nearest(padding[None, None].float(), (f, f))[0, 0] == 1
    objects = [object_cells(nearest(mask[None, None], (f, f))[0, 0] == 1) for mask in masks]
    pads = [nearest(one[None, None].float(), (f, f))[0, 0] == 1 for one in shown]
    flags = (torch.stack(objects).flatten(), torch.stack(pads).flatten())
    index, looked_up = draw(flags[0], 300 * len(masks), permute)
    keys = (torch.cat(tokens)[index], flags[0][looked_up], flags[1][looked_up])
    y = transform(network.transformer, x, off, *keys)
    u = network.merge_multi_lvl_reduce(y)
    logits: Tensor = network.cls(network.merge_multi_lvl_sum(u) + u)
    return logits


def object_cells(cells: Tensor) -> Tensor:
    """(f, f) bool: neither kind is missing."""
    f, cells = len(cells), cells.clone()
    if not cells.any():
        cells[f // 2 - 1 : f // 2 + 1, f // 2 - 1 : f // 2 + 1] = True
    if cells.all():
        cells[:: f - 1, :: f - 1] = False
    return cells


def transform(parts: Any, x: Tensor, off: Tensor, keys: Tensor, shows: Tensor, padded: Tensor) -> Tensor:
    """(1, C, f, f): two layers over a (1, C, f, f) map with (f, f) bool padding, and n keys with their flags."""
    f, q = len(off), tokens_of(x)[0]
    places = positions(~off, q.shape[1]) + parts.level_embed[0]
    for layer in (0, 1):
        norms, ffns = parts.layer_norms[4 * layer :], parts.ffns[2 * layer :]
        q = norms[0](q + deform(parts.qry_self_layers[layer], q, places, off))
        q = norms[1](ffns[0](q))
        q = norms[2](q + cross(parts.cross_layers[layer], q, keys, shows, padded))
        q = norms[3](ffns[1](q))
    return map_of(q[None], (f, f))


def positions(shown: Tensor, width: int) -> Tensor:
    """(N, C): sines and cosines of a cell's number among the shown ones, rows first."""
    yy, xx = shown.float().cumsum(0), shown.float().cumsum(1)
    yy, xx = yy / (yy[-1:] + 1e-6) * 2 * torch.pi, xx / (xx[:, -1:] + 1e-6) * 2 * torch.pi
    found = []
    for u in (yy, xx):
        for c in range(width // 2):
            angle = u / 10000 ** (2 * (c // 2) / (width / 2))
            found.append(angle.cos() if c % 2 else angle.sin())
    return torch.stack(found, 2).flatten(0, 1)


def draw(shows: Tensor, each: int, permute: Permute) -> tuple[Tensor, Tensor]:
    """Which of the supports' cells are keys, and whose flags each of them has, as published."""
    of_object, others = shows.nonzero()[:, 0], (~shows).nonzero()[:, 0]
    if len(of_object) < each:
        e = permute(len(others))[: 2 * each - len(of_object)]
        return torch.cat([of_object, others[e]]), torch.cat([of_object, e])
    if len(others) < each:
        e = permute(len(of_object))[: 2 * each - len(others)]
        return torch.cat([of_object[e], others]), torch.cat([e, others])
    first, second = permute(len(of_object))[:each], permute(len(others))[:each]
    return torch.cat([of_object[first], others[second]]), torch.cat([first, second])


def deform(attention: Any, q: Tensor, places: Tensor, off: Tensor) -> Tensor:
    """(N, C): every cell's values at nine places, one head and one point after the other."""
    f, heads = len(off), attention.heads
    value = attention.value_proj(q)
    value[off.flatten()] = 0
    offsets = attention.sampling_offsets(q + places).reshape(f, f, heads, 9, 2)
    weights = attention.attention_weights(q + places).reshape(f, f, heads, 9).softmax(3)
    cells = (torch.arange(f) + 0.5) / f
    own = torch.stack([cells[None].expand(f, f), cells[:, None].expand(f, f)], 2)
    found = []
    for head, channels in enumerate(value.chunk(heads, 1)):
        plane = channels.T.reshape(1, -1, f, f)
        mixed = torch.zeros_like(plane)
        for point in range(9):
            at = 2 * (own + offsets[:, :, head, point] / f) - 1
            mixed += weights[:, :, head, point] * functional.grid_sample(plane, at[None], align_corners=False)
        found.append(tokens_of(mixed)[0])
    joined: Tensor = attention.output_proj(torch.cat(found, 1))
    return joined


def cross(attention: Any, q: Tensor, keys: Tensor, shows: Tensor, padded: Tensor) -> Tensor:
    """(N, C): attention to keys whose way leads back to their own kind, one head after the other."""
    found = []
    parts = (attention.q_fc(q), attention.k_fc(keys), attention.v_fc(keys))
    for query, key, value in zip(*(part.chunk(attention.heads, 1) for part in parts), strict=True):
        a = query @ key.T / query.shape[1] ** 0.5
        there = a.argmax(0)
        back = a.argmax(1)[there]
        blocked = padded | (shows != shows[back])
        found.append((a - 10000 * blocked.float()).softmax(1) @ value)
    joined: Tensor = attention.proj(torch.cat(found, 1))
    return joined
