"""VRP-SAM, PFENet, HDMNet and AMNet in plain words: shot by shot, one attention head at a time."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from baselines.amnet.network import first_guess
from baselines.parts.ensemble import something_else
from baselines.parts.mix_transformer import Encoder, EncoderBlock, MatchBlock
from benchmarks.plain.similarities import gram, priors, similarity
from icvos.models.maps import aligned, map_of, masked_average, nearest, tokens_of

# VRP-SAM


def attend(attention: Any, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Multi-head attention, one head after the other, with the projections of a `torch.nn.MultiheadAttention`."""
    projected = [
        functional.linear(x, weight, bias)
        for x, weight, bias in zip(
            (query, key, value), attention.in_proj_weight.chunk(3), attention.in_proj_bias.chunk(3), strict=True
        )
    ]
    heads = []
    for q, k, v in zip(*(x.chunk(attention.num_heads, 2) for x in projected), strict=True):
        heads.append((q @ k.transpose(1, 2) / q.shape[2] ** 0.5).softmax(2) @ v)
    found: Tensor = attention.out_proj(torch.cat(heads, 2))
    return found


def positions(side: int) -> Tensor:
    """(1, side side, 256): the sine encoding, feature by feature."""
    maps = torch.zeros(256, side, side)
    place = torch.arange(1, side + 1, dtype=torch.float32) / (side + 1e-6) * 2 * torch.pi
    for feature in range(128):
        angle = place / 10000 ** (2 * (feature // 2) / 128)
        wave = angle.cos() if feature % 2 else angle.sin()
        maps[feature], maps[128 + feature] = wave[:, None], wave[None]
    return maps.flatten(1).T[None]


def plain_vrp_sam(network: Any, query: Tensor, supports: Tensor, masks: Tensor) -> list[Tensor]:
    """Every support is encoded on its own with the same query; prompts are put behind each other."""
    decoder, prompts = network.transformer_decoder, []

    def taps(x: Tensor) -> tuple[Tensor, Tensor]:
        second = network.layer2(network.layer1(network.layer0(x)))
        third = network.layer3(second)
        return third, torch.cat([aligned(second, third.shape[-1]), third], 1)

    for support, mask in zip(supports.unbind(1), masks.unbind(1), strict=True):
        q3, query_features = taps(query)
        s3, support_features = taps(support)
        m = functional.interpolate(mask[:, None], size=s3.shape[2:], mode="nearest")
        prior = similarity(network.layer4(s3 * m) * m, network.layer4(q3))
        query_reduced, support_reduced = (network.downsample_query(x) for x in (query_features, support_features))
        prototype = masked_average(support_reduced, m).expand_as(support_reduced)
        support_fused = tokens_of(network.merge_1(torch.cat([support_reduced, prototype, 10 * m], 1)))
        query_fused = tokens_of(network.merge_1(torch.cat([query_reduced, prototype, 10 * prior], 1)))
        tokens, places = decoder.supp_q_feat.weight.expand(len(query), -1, -1), positions(s3.shape[-1])
        for features, cross, own in (
            (support_fused, decoder.transformer_cross_attention_layers_0, decoder.transformer_self_attention_layers_0),
            (query_fused, decoder.transformer_cross_attention_layers, decoder.transformer_self_attention_layers),
        ):
            seen = attend(cross[0].multihead_attn, tokens, features + places, features)
            tokens = cross[0].norm(tokens + seen)
            tokens = own[0].norm(tokens + attend(own[0].self_attn, tokens, tokens, tokens))
        prompts.append(tokens)
    return [torch.cat(prompts, 1)]


# PFENet


def plain_pfenet(network: Any, query: Tensor, supports: Tensor, masks: Tensor) -> list[Tensor]:
    """Priors and prototypes shot by shot, then the pyramid."""
    q2 = network.layer2(network.layer1(network.layer0(query)))
    q3 = network.layer3(q2)
    q4 = network.layer4(q3)
    f = q3.shape[-1]
    reduced = network.down_query(torch.cat([q3, q2], 1))
    found, vectors = [], []
    for support, mask in zip(supports.unbind(1), masks.unbind(1), strict=True):
        s2 = network.layer2(network.layer1(network.layer0(support)))
        s3 = network.layer3(s2)
        m = aligned(mask[:, None], f)
        s4 = network.layer4(s3 * m)
        vectors.append(masked_average(network.down_supp(torch.cat([s3, s2], 1)), m))
        found.append(priors(s4 * aligned(mask[:, None], s4.shape[-1]), q4))
    prior = torch.stack(found).mean(0)
    v = torch.stack(vectors).mean(0)
    levels: list[Tensor] = []
    for i, share in enumerate(network.bins):
        side = int(f * share)
        parts = [functional.adaptive_avg_pool2d(reduced, side), v.expand(-1, -1, side, side), aligned(prior, side)]
        x = network.init_merge[i](torch.cat(parts, 1))
        if levels:
            x = network.alpha_conv[i - 1](torch.cat([x, aligned(levels[-1], side)], 1)) + x
        x = network.beta_conv[i](x) + x
        network.inner_cls[i](x)  # the auxiliary heads run on both sides
        levels.append(aligned(x, f))
    y = network.res1(torch.cat(levels, 1))
    y = network.res2(y) + y
    return [aligned(network.cls(y), query.shape[-1])]


# HDMNet


def encode_block(block: EncoderBlock, x: Tensor, size: tuple[int, int]) -> Tensor:
    """Self-attention, one head after the other, and the feed-forward part."""
    own, normal = block.attn, block.norm1(x)
    source = own.norm(tokens_of(own.sr(map_of(normal, size)))) if own.reduces else normal
    heads = []
    q, k, v = own.attn.linear_q(normal), own.attn.linear_k(source), own.attn.linear_v(source)
    for query, key, value in zip(*(part.chunk(own.heads, 2) for part in (q, k, v)), strict=True):
        heads.append((query @ key.transpose(1, 2) / (query.shape[2] ** 0.5 + 1e-9)).softmax(2) @ value)
    x = x + own.attn.linear_o(torch.cat(heads, 2))
    return x + block.ffn(block.norm2(x), size)


def encode(transformer: Encoder, x: Tensor) -> list[tuple[Tensor, tuple[int, int]]]:
    """Tokens and map sizes of the three stages."""
    stages = []
    for embed, first, second, norm in transformer.down_sample_layers:
        tokens, size = embed(x)
        tokens = norm(encode_block(second, encode_block(first, tokens, size), size))
        stages.append((tokens, size))
        x = map_of(tokens, size)
    return stages


def match(block: MatchBlock, x: Tensor, source: Tensor, mask: Tensor, size: tuple[int, int]) -> Tensor:
    """Cross-attention over the query axis, cleared where the mask is 0, one head after the other."""
    parts, queries, keys = block.attn.attn, block.norm1(x), block.norm1(source)
    heads, maps = [], []
    projected = parts.linear_q(queries), parts.linear_k(keys), parts.linear_v(keys)
    for query, key, value in zip(*(part.chunk(2, 2) for part in projected), strict=True):
        score = functional.normalize(query, dim=2) @ functional.normalize(key, dim=2).transpose(1, 2) / 0.1
        heads.append(torch.where(mask[:, None] == 0, 0.0, score.softmax(1)) @ value)
        maps.append((score * mask[:, None]).sum(2) / (mask.sum(1, keepdim=True) + 1e-9))
    x = x + parts.linear_o(torch.cat(heads, 2))
    torch.stack(maps).mean(0)  # the correlation map, which training learns from; on both sides
    return x + block.ffn(block.norm2(x), size)


def compare(network: Any, query: Tensor, supports: Tensor, masks: Tensor) -> dict[str, Tensor]:
    """What HDMNet and AMNet compute before their transformers, shot by shot."""
    q2, q3, q4, q5 = network.taps(query)
    f = q3.shape[-1]
    reduced = network.down_query(torch.cat([q3, q2], 1))
    fives, fours, vectors, merged, distances = [], [], [], [], []
    for support, mask in zip(supports.unbind(1), masks.unbind(1), strict=True):
        s2, s3, s4, s5 = network.taps(support * mask[:, None])
        m = nearest(mask[:, None], (f, f))
        fives.append(similarity(s5 * m, q5))
        fours.append(similarity(s4 * m, q4))
        shown = network.down_supp(torch.cat([s3, s2], 1))
        vectors.append(masked_average(shown, aligned(mask[:, None], f)))
        merged.append(network.supp_merge(torch.cat([shown, vectors[-1].expand_as(shown)], 1)))
        apart = [(gram(a) - gram(b)).norm() / len(a) for a, b in zip(q2, s2, strict=True)]
        distances.append(torch.stack(apart))
    similar = torch.cat([torch.stack(fives).mean(0), torch.stack(fours).mean(0)], 1)
    prototype = torch.stack(vectors).mean(0)
    parts = [reduced, prototype.expand_as(reduced), 10 * similar]
    d = torch.stack(distances, 1)
    return {
        "query": network.query_merge(torch.cat(parts, 1)),
        "supports": torch.stack(merged, 1),
        "similar": similar,
        "reduced": reduced,
        "prototype": prototype,
        "base": something_else(network.base_learnear(q5), None),
        "distance": (network.ranked(d)[0].softmax(1) * d).sum(1)[:, None, None, None].expand(-1, 1, f, f),
    }


def ensemble(network: Any, logits: Tensor, found: dict[str, Tensor]) -> Tensor:
    """Background and foreground of the meta and the base learner together."""
    p = logits.softmax(1)
    foreground = network.gram_merge(torch.cat([p[:, 1:], found["distance"]], 1))
    background = network.gram_merge(torch.cat([p[:, :1], found["distance"]], 1))
    return torch.cat([network.cls_merge(torch.cat([background, found["base"]], 1)), foreground], 1)


def join(y: Tensor | None, o: Tensor, parse: nn.Module) -> Tensor:
    """The next finer level's feature."""
    if y is None:
        return parse(o)
    y = functional.interpolate(y, size=o.shape[2:], mode="bilinear", align_corners=False)
    return y + parse(o + y)


def plain_hdmnet(network: Any, query: Tensor, supports: Tensor, masks: Tensor) -> list[Tensor]:
    """Encode the query and every support, match from coarse to fine."""
    found, transformer = compare(network, query, supports, masks), network.transformer.mix_transformer
    queries = encode(transformer, found["query"])
    shots = [encode(transformer, support) for support in found["supports"].unbind(1)]
    y: Tensor | None = None
    for level in (2, 1, 0):
        tokens, size = queries[level]
        source = torch.cat([shot[level][0] for shot in shots], 1)
        mask = torch.cat([nearest(mask[:, None], size).flatten(1) for mask in masks.unbind(1)], 1)
        block, merge = transformer.match_layers[level]
        o = map_of(match(block, tokens, source, mask, size), size)
        y = join(y, merge(torch.cat([o, aligned(found["similar"], size)], 1)), transformer.parse_layers[level])
    logits = transformer.cls(y)
    return [ensemble(network, logits, found), logits]


# AMNet


def plain_amnet(network: Any, query: Tensor, supports: Tensor, masks: Tensor) -> list[Tensor]:
    """Encode the query, match it with itself from coarse to fine, refine twice."""
    found, transformer = compare(network, query, supports, masks), network.transformer.mix_transformer
    guess = first_guess(found["reduced"], found["prototype"])
    y: Tensor | None = None
    for (tokens, size), (block, merge), parse in zip(
        encode(transformer, found["query"])[::-1], transformer.match_layers1, transformer.parse_layers, strict=True
    ):
        o = map_of(match(block, tokens, tokens, aligned(guess, size).flatten(1), size), size)
        y = join(y, merge(torch.cat([o, aligned(found["similar"], size)], 1)), parse)
    assert y is not None
    logits = [transformer.cls(y)]
    for number in (1, 2):
        background, foreground = ensemble(network, logits[-1], found).chunk(2, 1)
        mask = (torch.where(background > foreground, 0.0, foreground) > 0.5).float()
        block, merge = getattr(transformer, f"match_layers_r{number}")[0]
        tokens, size = tokens_of(y), (y.shape[2], y.shape[3])
        o = map_of(match(block, tokens, tokens, mask.flatten(1), size), size)
        y = getattr(transformer, f"parse_layer_r{number}")(merge(torch.cat([o, found["similar"]], 1)))
        logits.append(getattr(transformer, f"cls_r{number}")(y))
    return [ensemble(network, logits[-1], found), *logits]
