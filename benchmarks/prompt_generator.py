"""DC-SAM's prompt generator beside a plain formulation of its equations: equal prompts, time of the processor.

    python -m benchmarks.prompt_generator [--batches 1 8] [--variants full prior] [--side 512]

Both sides use the same network on ResNet-50 with random weights, drawn pictures and drawn features of SAM, in turn in
one process. The plain formulation goes episode by episode and one attention head after the other. Two stages, with a
drawn coarse mask between them; SAM itself is not part of it.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.networks import FROZEN, in_turn
from benchmarks.plain.matching_networks import attend, positions
from benchmarks.plain.similarities import similarity
from dcsam.prompt_generator import PromptGenerator
from icvos.models.backbones.build import build_backbone
from icvos.models.maps import aligned, masked_average
from icvos.models.weights.load import fill_randomly

ROUNDS = 5
Run = Callable[[], Tensor]


def cyclic(attention: Any, tokens: Tensor, places: Tensor, cells: Tensor, where: Tensor, mask: Tensor) -> Tensor:
    """(N, C) of (N, C) tokens that look at (M, C) cells which agree with the (M,) mask, one head after the other."""
    parts = zip(
        (tokens + places, cells + where, cells),
        attention.in_proj_weight.chunk(3),
        attention.in_proj_bias.chunk(3),
        strict=True,
    )
    projected = [functional.linear(x, weight, bias).chunk(attention.num_heads, 1) for x, weight, bias in parts]
    heads = []
    for q, k, v in zip(*projected, strict=True):
        affinity = q @ k.T / q.shape[1] ** 0.5
        back = affinity.argmax(1)[affinity.argmax(0)]
        heads.append(affinity.masked_fill(mask != mask[back], -torch.inf).softmax(1) @ v)
    found: Tensor = attention.out_proj(torch.cat(heads, 1))
    return found


def plain(
    network: Any, query: Tensor, support: Tensor, mask: Tensor, sam: tuple[Tensor, Tensor], coarse: Tensor
) -> Tensor:
    """(2 N, C) of one episode with one support; every argument has a batch of one."""

    def taps(x: Tensor) -> tuple[Tensor, Tensor]:
        second = network.layer2(network.layer1(network.layer0(x)))
        third = network.layer3(second)
        return third, torch.cat([aligned(second, third.shape[-1]), third], 1)

    (q3, q_taps), (s3, s_taps) = taps(query), taps(support)
    grid = s3.shape[-1]
    asked, shown = (aligned(x, grid) for x in sam)
    branches = []
    for merge, decoder, kind in (
        (network.merge_1, network.transformer_decoder, mask),
        (network.merge_2, network.neg_transformer_decoder, 1 - mask),
    ):
        m = functional.interpolate(kind[:, None], size=(grid, grid), mode="nearest")
        prior = similarity(network.layer4(s3 * m) * m, network.layer4(q3))
        if network.variant == "full":
            q, s = network.downsample_query(q_taps), network.downsample_query(s_taps)
            others = ([asked], [shown])
        else:
            q, s, others = asked, shown, ([], [])
        mean = masked_average(s, m).expand_as(s)
        branches.append(
            (
                decoder,
                merge(torch.cat([q, mean, *others[0], 10 * prior], 1)),
                merge(torch.cat([s, mean, *others[1], 10 * m], 1)),
                m,
            )
        )
    u = functional.interpolate(coarse[:, None], size=(grid, grid), mode="nearest")
    where, prompts = positions(grid)[0], []
    for (decoder, q, s, m), seen in zip(branches, (u, 1 - u), strict=True):
        places = decoder.q_embed.weight
        first, second = decoder.transformer_cross_attention_layers_0[0], decoder.transformer_cross_attention_layers[0]
        own = decoder.transformer_self_attention_layers[0]
        tokens = decoder.supp_q_feat.weight
        cells = s[0].flatten(1).T
        tokens = first.norm(tokens + cyclic(first.multihead_attn, tokens, places, cells, where, m.flatten()))
        cells = q[0].flatten(1).T
        tokens = second.norm(tokens + cyclic(second.multihead_attn, tokens, places, cells, where, seen.flatten()))
        placed = (tokens + places)[None]
        prompts.append(own.norm(tokens + attend(own.self_attn, placed, placed, tokens[None])[0]))
    return torch.cat(prompts)


def sides(variant: Any, batch: int, side: int) -> tuple[nn.Module, Run, Run]:
    """A network, and its plain and its own forward pass on drawn episodes of one support."""
    network = PromptGenerator(build_backbone("resnet50-v2", "torchvision"), variant, 1, fidelity="paper")
    fill_randomly(network)
    network.eval()
    generator = torch.Generator().manual_seed(0)
    small = torch.randn(2 * batch, 3, side // 8, side // 8, generator=generator)
    query, support = functional.interpolate(small, size=(side, side), mode="bicubic").chunk(2)
    grid = torch.linspace(-1, 1, side)
    mask = ((grid[:, None] ** 2 + grid[None] ** 2) <= 0.17).float().expand(batch, -1, -1)
    coarse = torch.roll(mask, side // 5, 2)
    sam = torch.randn(2 * batch, 256, side // 8, side // 8, generator=generator).chunk(2)

    def ours() -> Tensor:
        seen = network.backdrop(query, support[:, None], mask[:, None])
        branches = network.fuse(seen, *sam)
        return torch.cat(network.refine(network.look(branches), branches, coarse), 1)

    def one_by_one() -> Tensor:
        rows = range(batch)
        return torch.stack(
            [plain(network, query[[b]], support[[b]], mask[[b]], (sam[0][[b]], sam[1][[b]]), coarse[[b]]) for b in rows]
        )

    return network, one_by_one, ours


def measure(variant: str, batch: int, side: int) -> str:
    """A row of the table."""
    network, one_by_one, ours = sides(variant, batch, side)
    frozen = nn.ModuleList([getattr(network, part) for part in FROZEN if hasattr(network, part)])
    timed = in_turn(frozen, one_by_one, ours, ROUNDS)
    torch.testing.assert_close(timed.outputs["ours"], timed.outputs["plain"], rtol=1e-3, atol=1e-3)
    cells = [variant, str(batch)]
    for part in (0, 1):
        cells += [f"{timed.plain[part]:.2f}", f"{timed.ours[part]:.2f}", f"{timed.ratios[part]:.2f} x"]
    return f"| {' | '.join(cells)} |"


def main(arguments: Sequence[str]) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--variants", nargs="+", default=["full", "prior"], choices=["full", "prior"])
    parser.add_argument("--side", type=int, default=512)
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    print("| variant | batch | plain, s | icvos, s | ratio | without backbone: plain, s | icvos, s | ratio |")
    print("| --- |" + " ---: |" * 7)
    for variant in given.variants:
        for batch in given.batches:
            print(measure(variant, batch, given.side), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
