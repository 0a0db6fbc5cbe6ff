"""BAM in plain words, for `benchmarks.networks`: shot by shot, every support through the backbone on its own."""

from typing import Any

import torch
from torch import Tensor

from benchmarks.plain.similarities import gram, priors
from icvos.models.maps import aligned, masked_average


def plain_bam(network: Any, query: Tensor, supports: Tensor, masks: Tensor) -> list[Tensor]:
    """Final probabilities and meta logits, (B, 2, f, f), of (B, 3, S, S), (B, K, 3, S, S) and (B, K, S, S)."""
    q2 = network.layer2(network.layer1(network.layer0(query)))
    q3 = network.layer3(q2)
    q4 = network.layer4(q3)
    f = q3.shape[-1]
    q2 = aligned(q2, f)
    reduced = network.down_query(torch.cat([q3, q2], 1))
    vectors, found, distances = [], [], []
    for support, mask in zip(supports.unbind(1), masks.unbind(1), strict=True):
        s2 = network.layer2(network.layer1(network.layer0(support)))
        s3 = network.layer3(s2)
        s2 = aligned(s2, f)
        m = aligned(mask[:, None], f)
        s4 = network.layer4(s3 * m)
        vectors.append(masked_average(network.down_supp(torch.cat([s3, s2], 1)), m))
        found.append(priors(s4 * m, q4))
        apart = [(gram(q) - gram(s)).norm() / len(q) for q, s in zip(q2, s2, strict=True)]
        distances.append(torch.stack(apart))
    shares = trust(network, distances)
    prototype = sum(w[:, None, None, None] * v for w, v in zip(shares, vectors, strict=True))
    prior = sum(w[:, None, None, None] * r for w, r in zip(shares, found, strict=True))
    e = sum(w * d for w, d in zip(shares, distances, strict=True))[:, None, None, None].expand(-1, 1, f, f)
    x = network.init_merge(torch.cat([reduced, prototype.expand_as(reduced), prior], 1))
    y = network.res1_meta(pyramid(network.ASPP_meta, x))
    y = network.res2_meta(y) + y
    meta = network.cls_meta(y)
    p, b = meta.softmax(1), network.learner_base(q4).softmax(1)
    foreground = network.gram_merge(torch.cat([p[:, 1:], e], 1))
    background = network.gram_merge(torch.cat([p[:, :1], e], 1))
    background = network.cls_merge(torch.cat([background, b[:, 1:].sum(1, keepdim=True)], 1))
    return [torch.cat([background, foreground], 1), meta]


def trust(network: Any, distances: list[Tensor]) -> list[Tensor]:
    """Of every shot the weight, (B,): that of its rank among the distances, (B,) each."""
    if len(distances) == 1:
        return [torch.ones_like(distances[0])]
    episodes = []
    for one in torch.stack(distances, 1):
        order = sorted(range(len(one)), key=one.tolist().__getitem__)
        scores = network.kshot_rw(one[order][None, :, None, None])[0, :, 0, 0]
        own = torch.zeros_like(one)
        for rank, shot in enumerate(order):
            own[shot] = scores[rank]
        episodes.append(own.softmax(0))
    return list(torch.stack(episodes).unbind(1))


def pyramid(parts: Any, x: Tensor) -> Tensor:
    """(B, 5 C, f, f): the five branches of the atrous pyramid."""
    whole = parts.layer6_0(x.mean((2, 3), keepdim=True)).expand_as(x)
    return torch.cat([whole, *(getattr(parts, f"layer6_{number}")(x) for number in (1, 2, 3, 4))], 1)
