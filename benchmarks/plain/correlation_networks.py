"""HSNet and VAT in plain words, for `benchmarks.networks`: shot by shot, tap by tap, one attention head at a time.

    python -m benchmarks.correlation_networks [--published] [--memory]    # these two of benchmarks.networks alone

Channels come first in memory, as torch has them unless told otherwise; attention writes its masks out for every window.
"""

import sys
from collections.abc import Sequence
from itertools import product
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from baselines.vat.network import GRIDS
from icvos.models.maps import aligned


def cosines(query: Tensor, support: Tensor) -> Tensor:
    """(Qh, Qw, Ph, Pw) of (C, Qh, Qw) and (C, Ph, Pw), at least 0."""
    q, s = (x.flatten(1) / (x.flatten(1).norm(dim=0) + 1e-5) for x in (query, support))
    return (q.T @ s).clamp(min=0).reshape(*query.shape[1:], *support.shape[1:])


def hypercorrelation(network: Any, query: Tensor, support: Tensor, mask: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    """The query's taps, and the correlations of every group, (1, L, Qh, Qw, Ph, Pw), of one query and one support."""
    asked, shown = network.on_grids(network.backbone(query)), network.on_grids(network.backbone(support))
    found = []
    for q, s in zip(asked[-3:], shown[-3:], strict=True):
        m = aligned(mask[:, None], (s.shape[3], s.shape[4]))[0]
        found.append(torch.stack([cosines(a, b * m) for a, b in zip(q[0], s[0], strict=True)])[None])
    return asked, found


def by_query(layer: Any, x: Tensor) -> Tensor:
    """A 2D layer on the query's plane of every support position."""
    y = layer(x.permute(0, 4, 5, 1, 2, 3).flatten(0, 2))
    return y.unflatten(0, (len(x), *x.shape[4:])).permute(0, 3, 4, 5, 1, 2)


def by_support(layer: Any, x: Tensor) -> Tensor:
    """A 2D layer on the support's plane of every query position."""
    y = layer(x.permute(0, 2, 3, 1, 4, 5).flatten(0, 2))
    return y.unflatten(0, (len(x), *x.shape[2:4])).permute(0, 3, 1, 2, 4, 5)


def normalised(norm: Any, x: Tensor) -> Tensor:
    """A group norm and a ReLU."""
    return functional.group_norm(x.contiguous(), norm.num_groups, norm.weight, norm.bias, norm.eps).relu()


def squeeze(layers: Any, x: Tensor) -> Tensor:
    """HSNet's 4D layers."""
    for convolution, norm in zip(layers[::3], layers[1::3], strict=True):
        kept = x[..., :: convolution.stride, :: convolution.stride]
        x = normalised(norm, by_query(convolution.conv1, kept) + by_support(convolution.conv2, x))
    return x


def enlarged(x: Tensor, side: int) -> Tensor:
    """A map with another side of its query."""
    return by_query(lambda planes: aligned(planes, side), x)


def each_shot(one: Any, network: Any, query: Tensor, supports: Tensor, masks: Tensor) -> list[Tensor]:
    """Low logits, (B, K, 2, l, l), one episode and one shot after the other."""
    episodes = zip(query[:, None], supports, masks, strict=True)
    shots = [[one(network, q, s[None], m[None]) for s, m in zip(ss, ms, strict=True)] for q, ss, ms in episodes]
    return [torch.stack([torch.cat(found)[None] for found in shots]).squeeze(1)]


def plain_hsnet(network: Any, query: Tensor, supports: Tensor, masks: Tensor) -> list[Tensor]:
    """Squeeze three scales, mix them from coarse to fine, decode."""
    return each_shot(one_hsnet, network, query, supports, masks)


def one_hsnet(network: Any, query: Tensor, support: Tensor, mask: Tensor) -> Tensor:
    """(1, 2, l, l)."""
    learner = network.hpn_learner
    _, (second, third, fourth) = hypercorrelation(network, query, support, mask)
    s4 = squeeze(learner.encoder_layer4, fourth)
    s3 = squeeze(learner.encoder_layer3, third)
    s2 = squeeze(learner.encoder_layer2, second)
    m = squeeze(learner.encoder_layer4to3, enlarged(s4, s3.shape[2]) + s3)
    m = squeeze(learner.encoder_layer3to2, enlarged(m, s2.shape[2]) + s2)
    d = learner.decoder1(m.mean((4, 5)))
    found: Tensor = learner.decoder2(aligned(d, 2 * m.shape[3]))
    return found


def embed(layers: Any, x: Tensor) -> Tensor:
    """VAT's 4D layers."""
    for convolution, norm, _ in layers:
        query, support = convolution.strides
        a = x if support == 1 else by_support(lambda y, by=support: functional.max_pool2d(y, by), x)
        b = x if query == 1 else by_query(lambda y, by=query: functional.max_pool2d(y, by), x)
        x = normalised(norm, by_query(convolution.query_conv, a) + by_support(convolution.supp_conv, b))
    return x


def cut(x: Tensor, window: int) -> Tensor:
    """(W, N, C): the windows of (n_1, ..., C)."""
    axes = x.dim() - 1
    for axis in range(axes):
        x = x.unflatten(2 * axis, (-1, window))
    return x.permute(*range(0, 2 * axes, 2), *range(1, 2 * axes, 2), -1).flatten(axes, -2).flatten(0, axes - 1)


def attend(layer: Any, x: Tensor) -> Tensor:
    """Attention within the windows of (n_1, ..., C), a mask for every window, one head after the other."""
    sizes, window, axes = x.shape[:-1], layer.window, layer.axes
    over, half = tuple(range(axes)), layer.window // 2 if layer.shifted else 0
    x = x.roll((-half,) * axes, over)
    windows = cut(x, window)
    apart: Tensor | float = 0.0
    if half:
        labels = torch.zeros(*sizes, 1)
        spans = [(slice(0, n - window), slice(n - window, n - half), slice(n - half, n)) for n in sizes]
        for number, place in enumerate(product(*spans)):
            labels[place] = number
        of_tokens = cut(labels, window)
        apart = -100.0 * (of_tokens != of_tokens.transpose(1, 2))
    bias = layer.relative_position_bias_table[layer.index]
    heads = []
    parts = (y.chunk(4, 2) for y in layer.qkv(windows).chunk(3, 2))
    for head, (q, k, v) in enumerate(zip(*parts, strict=True)):
        heads.append((q @ k.transpose(1, 2) / q.shape[2] ** 0.5 + bias[..., head] + apart).softmax(2) @ v)
    y = layer.proj(torch.cat(heads, 2))
    counts = [n // window for n in sizes]
    y = y.unflatten(1, (window,) * axes).unflatten(0, counts)
    y = y.permute(*(part * axes + axis for axis in range(axes) for part in (0, 1)), -1).reshape(x.shape)
    return y.roll((half,) * axes, over)


def transform(blocks: Any, x: Tensor) -> Tensor:
    """Swin's blocks on (1, C, n_1, ...), and back."""
    y = x[0].movedim(0, -1)
    for block in blocks:
        y = y + attend(block.attn, block.norm1(y))
        y = y + block.mlp(block.norm2(y))
    return y.movedim(-1, 0)[None]


def plain_vat(network: Any, query: Tensor, supports: Tensor, masks: Tensor) -> list[Tensor]:
    """Embed three scales, aggregate them from coarse to fine, decode."""
    return each_shot(one_vat, network, query, supports, masks)


def one_vat(network: Any, query: Tensor, support: Tensor, mask: Tensor) -> Tensor:
    """(1, 2, 128, 128)."""
    learner = network.hpn_learner.ours
    asked, correlations = hypercorrelation(network, query, support, mask)
    c: Tensor | None = None
    for encoder, aggregation, correlation in zip(
        learner.encoders, learner.transformer, reversed(correlations), strict=True
    ):
        own = embed(encoder.conv4d, correlation)
        c = own if c is None else own + enlarged(c, own.shape[2])
        c = c + transform(aggregation.transformer.layer.blocks, c)
    assert c is not None
    x = c.mean((4, 5))
    projected: Sequence[Tensor] = [
        project(taps[:, -1]) for project, taps in zip(learner.proj_query_feat, asked[2::-1], strict=True)
    ]
    for stage, (decoder, side) in enumerate(zip(learner.swin_decoder, GRIDS[2::-1], strict=True)):
        x = aligned(x, side)
        x = torch.cat([x, projected[stage]], 1) if learner.sees(stage) else x
        swin = decoder[0].transformer
        refined = swin.norm(transform(swin.layers[0].blocks, x).movedim(1, -1)).movedim(-1, 1)
        x = decoder[1:](x + refined)
    found: Tensor = learner.decoder(x)
    return found


def main(arguments: Sequence[str]) -> None:
    """Compare these two networks alone."""
    from benchmarks.networks import main as compare  # late: it imports this module

    compare(["--networks", "hsnet", "vat", *arguments])


if __name__ == "__main__":
    main(sys.argv[1:])
