"""The few-shot networks beside a plain formulation of what their papers say: equal outputs, time and memory.

    python -m benchmarks.networks [--networks vrp-sam pfenet hdmnet amnet hsnet vat] [--side 233] [--episodes 1x1 8x1]
    python -m benchmarks.networks --published    # the papers' sizes, such as 512 for VRP-SAM
    python -m benchmarks.networks --memory       # peak resident memory instead, every point in its own process

Episodes are BATCHxSHOTS. The plain formulation goes shot by shot and episode by episode, with whole tensors of
normalised correlations and one attention head after the other; it uses the modules of the same network, so that the
backbone (and the base learner of HDMNet and AMNet) costs the same on both sides, and is shown apart. Both sides run in
turn in one process on random weights; the script stops where their outputs differ. Times are of the processor.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from baselines.amnet.network import AMNetwork, first_guess
from baselines.hdmnet.network import HDMNetwork
from baselines.hsnet.network import HSNetwork
from baselines.parts.ensemble import something_else
from baselines.parts.mix_transformer import Encoder, EncoderBlock, MatchBlock
from baselines.pfenet import PFENetwork
from baselines.vat.network import VATNetwork
from baselines.vrp_sam import PromptEncoder
from benchmarks.plain.correlation_networks import plain_hsnet, plain_vat
from icvos.inspection.operations import watched
from icvos.models.backbones.build import build_backbone
from icvos.models.backbones.taps import build_tapped
from icvos.models.maps import aligned, map_of, masked_average, nearest, tokens_of
from icvos.models.weights.load import fill_randomly

FROZEN = ("backbone", "layer0", "layer1", "layer2", "layer3", "layer4", "ppm", "cls", "base_learnear")


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
    priors, vectors = [], []
    for support, mask in zip(supports.unbind(1), masks.unbind(1), strict=True):
        s2 = network.layer2(network.layer1(network.layer0(support)))
        s3 = network.layer3(s2)
        m = aligned(mask[:, None], f)
        s4 = network.layer4(s3 * m)
        vectors.append(masked_average(network.down_supp(torch.cat([s3, s2], 1)), m))
        for greatest in similarity(s4 * aligned(mask[:, None], s4.shape[-1]), q4):
            priors.append((greatest - greatest.min()) / (greatest.max() - greatest.min() + 1e-7))
    prior = torch.stack(priors).reshape(len(vectors), len(query), 1, f, f).mean(0)
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


# Measuring

Run = Callable[[], list[Tensor]]
PUBLISHED = {"vrp-sam": 512, "pfenet": 473, "hdmnet": 473, "amnet": 473, "hsnet": 400, "vat": 417}
PLAIN = {
    "vrp-sam": plain_vrp_sam,
    "pfenet": plain_pfenet,
    "hdmnet": plain_hdmnet,
    "amnet": plain_amnet,
    "hsnet": plain_hsnet,
    "vat": plain_vat,
}
OUTPUTS: dict[str, Callable[[Any], list[Tensor]]] = {
    "vrp-sam": lambda found: [found.prompts],
    "pfenet": lambda found: [found.logits],
    "hdmnet": lambda found: [found.final, found.meta],
    "amnet": lambda found: [found.final, *found.logits],
    "hsnet": lambda found: [found],
    "vat": lambda found: [found],
}


def build(name: str, shots: int) -> nn.Module:
    """A network on ResNet-50 with random weights."""
    body = build_backbone("resnet50-v2", "torchvision" if name == "vrp-sam" else "whole")
    makers: dict[str, Callable[[], nn.Module]] = {
        "vrp-sam": lambda: PromptEncoder(body),
        "pfenet": lambda: PFENetwork(body),
        "hdmnet": lambda: HDMNetwork(body, 60, shots),
        "amnet": lambda: AMNetwork(body, 60, shots),
        "hsnet": lambda: HSNetwork(build_tapped("resnet50")),
        "vat": lambda: VATNetwork(build_tapped("resnet50")),
    }
    network = makers[name]()
    fill_randomly(network)
    return network.eval()


def sides(name: str, side: int, batch: int, shots: int, share: float) -> tuple[nn.Module, Run, Run]:
    """A network, and its plain and its own forward pass on drawn episodes whose masks, ellipses, cover a share."""
    generator = torch.Generator().manual_seed(0)
    pictures = torch.randn(batch, shots + 1, 3, side // 8, side // 8, generator=generator)
    pictures = functional.interpolate(pictures.flatten(0, 1), size=(side, side), mode="bicubic").unflatten(
        0, (batch, -1)
    )
    query, supports = pictures[:, 0], pictures[:, 1:]
    grid = torch.linspace(-1, 1, side)
    radius = torch.rand(batch, shots, 1, 1, generator=generator) * 0.4 + 0.8
    inside = (grid[:, None] / radius) ** 2 + (grid[None] * radius) ** 2
    masks = (inside <= 4 * share / torch.pi).float() if share < 1 else torch.ones(batch, shots, side, side)
    network = build(name, shots)

    def ours() -> list[Tensor]:
        return OUTPUTS[name](network(query, supports, masks))

    return network, lambda: PLAIN[name](network, query, supports, masks), ours


@dataclass(frozen=True, slots=True)
class Timed:
    """CPU seconds of both sides, medians: of the whole pass, then of it without the frozen parts.

    Args:
        plain: Of the plain formulation.
        ours: Of icvos.
        ratios: Medians of the ratios of each round.
        outputs: What both gave last.
    """

    plain: list[float]
    ours: list[float]
    ratios: list[float]
    outputs: dict[str, Any]


def in_turn(frozen: nn.Module, plain: Callable[[], Any], ours: Callable[[], Any], rounds: int) -> Timed:
    """Run both sides in turn, in one process."""
    spent = 0.0

    def add(_: str, seconds: float) -> None:
        nonlocal spent
        spent += seconds

    times: dict[str, list[tuple[float, float]]] = {"plain": [], "ours": []}
    outputs = {}
    with torch.inference_mode(), watched({"frozen": frozen}, time.process_time, add):
        for index in range(rounds):
            for key, run in (("plain", plain), ("ours", ours))[:: 1 if index % 2 else -1]:
                spent, began = 0.0, time.process_time()
                outputs[key] = run()
                whole = time.process_time() - began
                times[key].append((whole, whole - spent))
    middle = {key: [median(column) for column in zip(*values, strict=True)] for key, values in times.items()}
    ratios = [median(a[part] / b[part] for a, b in zip(times["plain"], times["ours"], strict=True)) for part in (0, 1)]
    return Timed(middle["plain"], middle["ours"], ratios, outputs)


def measure(name: str, side: int, batch: int, shots: int, share: float, rounds: int) -> str:
    """A row of the table."""
    network, plain, ours = sides(name, side, batch, shots, share)
    frozen = nn.ModuleList([getattr(network, part) for part in FROZEN if hasattr(network, part) and part != "cls"])
    if name in ("hdmnet", "amnet"):
        frozen.append(network.cls)  # PFENet's own part of this name is learned
    timed = in_turn(frozen, plain, ours, rounds)
    for one, other in zip(timed.outputs["plain"], timed.outputs["ours"], strict=True):
        torch.testing.assert_close(other, one, rtol=1e-3, atol=1e-4 * float(one.abs().max()))
    (whole, rest), (fast, lean), ratios = timed.plain, timed.ours, timed.ratios
    cells = f"{name} | {side} | {batch} | {shots} | {whole:.2f} | {fast:.2f} | {ratios[0]:.2f} x"
    return f"| {cells} | {rest:.2f} | {lean:.2f} | {ratios[1]:.1f} x | {1 - lean / fast:.0%} |"


def peak(name: str, side: int, batch: int, shots: int, share: float, which: str) -> float:
    """Peak resident MiB of a process with one forward pass."""
    given = ["child", name, which, *map(str, (side, batch, shots, share))]
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.networks", *given])
    _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status):
        sys.exit(f"{name}: a pass failed")
    return usage.ru_maxrss / 1024


def child(name: str, which: str, side: str, batch: str, shots: str, share: str) -> None:
    """One forward pass."""
    torch.set_num_threads(1)
    _, plain, ours = sides(name, int(side), int(batch), int(shots), float(share))
    with torch.inference_mode():
        {"plain": plain, "ours": ours, "nothing": list}[which]()


def main(arguments: Sequence[str]) -> None:
    if arguments[:1] == ["child"]:
        child(*arguments[1:])
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", default=list(PLAIN), choices=list(PLAIN))
    parser.add_argument("--side", type=int, default=233, help="of the square input")
    parser.add_argument("--published", action="store_true", help="the papers' input sizes")
    parser.add_argument("--episodes", nargs="+", default=["1x1", "8x1", "1x5"], metavar="BATCHxSHOTS")
    parser.add_argument("--share", type=float, default=0.13, help="of a support that its mask covers")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--memory", action="store_true", help="peak resident memory instead of time")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    if given.memory:
        print("| network | side | batch | shots | weights and inputs, MiB | plain, MiB | icvos, MiB |")
        print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    else:
        print(
            "| network | side | batch | shots | plain, s | icvos, s | ratio | without frozen: plain, s | icvos, s |",
            end="",
        )
        print(" ratio | frozen features' share |\n| --- |" + " ---: |" * 10)
    for name in given.networks:
        side = PUBLISHED[name] if given.published else given.side
        for episode in given.episodes:
            batch, shots = map(int, episode.split("x"))
            if given.memory:
                found = [peak(name, side, batch, shots, given.share, which) for which in ("nothing", "plain", "ours")]
                shown = " | ".join(f"{mebibytes:.0f}" for mebibytes in found)
                print(f"| {name} | {side} | {batch} | {shots} | {shown} |", flush=True)
            else:
                print(measure(name, side, batch, shots, given.share, given.rounds), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
