"""The networks of methods beside a plain formulation of what their papers say: equal outputs, time and memory.

    python -m benchmarks.networks [--networks vrp-sam pfenet bam ...] [--side 233] [--episodes 1x1 8x1]
    python -m benchmarks.networks --published    # the papers' sizes, such as 512 for VRP-SAM
    python -m benchmarks.networks --memory       # peak resident memory instead, every point in its own process

Episodes are BATCHxSHOTS, and seconds are those of one query. The plain formulation goes shot by shot and episode by
episode, with whole tensors of normalised correlations and one attention head after the other; it uses the modules of
the same network, so that the backbone (and the base learner of BAM, HDMNet and AMNet) costs the same on both sides, and
is shown apart. Both sides run in turn in one process on random weights; the script stops where their outputs differ by
more than 0.001 of a number and 0.0001 of the largest, or masks in more than 0.0001 of their pixels. Times are of the
processor; ratios are medians of those of the rounds, with the least and the greatest of them.

The frames of SANSA, GF-SAM and INSID3 follow one another and share their supports. There the plain formulation sees
every support anew for every frame, and goes point by point and cluster by cluster. Their encoders, which take most of
the time and are the same on both sides, have but a few blocks unless ``--whole`` asks for all.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from baselines.amnet.network import AMNetwork
from baselines.bam.network import BAMNetwork
from baselines.cyctr.keys import seeded
from baselines.cyctr.network import CyCTRNetwork
from baselines.hdmnet.network import HDMNetwork
from baselines.hsnet.network import HSNetwork
from baselines.pfenet import PFENetwork
from baselines.ssp import SSPNetwork
from baselines.vat.network import VATNetwork
from baselines.vrp_sam import PromptEncoder
from benchmarks.plain.bam import plain_bam
from benchmarks.plain.correlation_networks import plain_hsnet, plain_vat
from benchmarks.plain.cyctr import plain_cyctr
from benchmarks.plain.matching_networks import plain_amnet, plain_hdmnet, plain_pfenet, plain_vrp_sam
from benchmarks.plain.methods import METHODS, method_sides
from benchmarks.plain.ssp import plain_ssp
from icvos.inspection.operations import watched
from icvos.models.backbones.build import build_backbone
from icvos.models.backbones.taps import build_tapped
from icvos.models.weights.load import fill_randomly

FROZEN = ("backbone", "layer0", "layer1", "layer2", "layer3", "layer4", "ppm", "base_learnear", "learner_base")

Run = Callable[[], list[Tensor]]


def outside(masks: Tensor) -> Tensor:
    """Of (..., S, S) masks the padding: the last quarter of the rows, as where pictures are 4 by 3."""
    padding = torch.zeros_like(masks, dtype=torch.bool)
    padding[..., masks.shape[-1] * 3 // 4 :, :] = True
    return padding


def padded(run: Callable[..., Any]) -> Callable[..., Any]:
    """CyCTR's pass of pictures that do not fill their squares, with the same choice of keys every time."""
    return lambda network, query, supports, masks: run(
        network, query, supports, masks, outside(masks[:, 0]), outside(masks), seeded(0, ["drawn"])
    )


PUBLISHED = {"vrp-sam": 512, "hsnet": 400, "vat": 417, "sansa": 640, "gf-sam": 1024, "insid3": 1024}  # else 473
FLIPPED = 1e-4  # share of a mask's pixels that rounding may change
PLAIN: dict[str, Callable[..., list[Tensor]]] = {
    "vrp-sam": plain_vrp_sam,
    "pfenet": plain_pfenet,
    "bam": plain_bam,
    "hdmnet": plain_hdmnet,
    "amnet": plain_amnet,
    "cyctr": padded(plain_cyctr),
    "ssp": plain_ssp,
    "hsnet": plain_hsnet,
    "vat": plain_vat,
}
CALLS: dict[str, Callable[..., Any]] = {  # where it is not the network with query, supports and masks
    "cyctr": padded(lambda network, *given: network(*given)),
    "ssp": lambda network, query, supports, masks: network(query, supports.unbind(1), masks.unbind(1)),
}
OUTPUTS: dict[str, Callable[[Any], list[Tensor]]] = {
    "vrp-sam": lambda found: [found.prompts],
    "pfenet": lambda found: [found.logits],
    "bam": lambda found: [found.final, found.meta],
    "hdmnet": lambda found: [found.final, found.meta],
    "amnet": lambda found: [found.final, *found.logits],
    "cyctr": lambda found: [found.low],
    "ssp": lambda found: [found.outcomes[-1]],
    "hsnet": lambda found: [found],
    "vat": lambda found: [found],
}


def build(name: str, shots: int) -> nn.Module:
    """A network on ResNet-50 with random weights."""
    body = build_backbone("resnet50-v2", "torchvision" if name in ("vrp-sam", "cyctr", "ssp") else "whole")
    makers: dict[str, Callable[[], nn.Module]] = {
        "vrp-sam": lambda: PromptEncoder(body),
        "pfenet": lambda: PFENetwork(body),
        "bam": lambda: BAMNetwork(body, 60, shots),
        "hdmnet": lambda: HDMNetwork(body, 60, shots),
        "amnet": lambda: AMNetwork(body, 60, shots),
        "cyctr": lambda: CyCTRNetwork(body),
        "ssp": lambda: SSPNetwork(body),
        "hsnet": lambda: HSNetwork(build_tapped("resnet50")),
        "vat": lambda: VATNetwork(build_tapped("resnet50")),
    }
    network = makers[name]()
    fill_randomly(network)
    with torch.no_grad():
        liven(name, network.eval())
    return network


def liven(name: str, network: Any) -> None:
    """Change random weights that would leave a part idle: features too small to matter, or alike in all cells."""
    if name in ("bam", "cyctr"):
        network.layer2[-1].bn3.weight += 8
        network.layer3[-1].bn3.weight += 8
    if name == "ssp":
        seen = network.feature(drawn(torch.Generator().manual_seed(1), (1,), 233))
        network.layer3[-1].bn3.bias -= seen.mean((0, 2, 3))


def drawn(generator: torch.Generator, counts: tuple[int, ...], side: int) -> Tensor:
    """(*counts, 3, side, side): smooth pictures."""
    coarse = torch.randn(*counts, 3, side // 8, side // 8, generator=generator).flatten(0, -4)
    return functional.interpolate(coarse, size=(side, side), mode="bicubic").unflatten(0, counts)


@dataclass(frozen=True, slots=True)
class Case:
    """What is compared.

    Args:
        name: Of the network or the method.
        side: Of the square input, in pixels; methods have their own.
        batch: Queries: episodes of a network at once, frames of a method one after the other, which share supports.
        shots: Supports.
        share: Of a support that its mask covers.
        whole: Whether a method's image encoders have all their blocks, see `few_blocks`.
    """

    name: str
    side: int
    batch: int
    shots: int
    share: float
    whole: bool


def sides(case: Case) -> tuple[nn.Module, Run, Run]:
    """What is frozen, and the plain and the own forward pass on drawn episodes whose masks are ellipses."""
    name, side, batch, shots, share = case.name, case.side, case.batch, case.shots, case.share
    if name in METHODS:
        return method_sides(name, batch, shots, share, case.whole)
    generator = torch.Generator().manual_seed(0)
    pictures = drawn(generator, (batch, shots + 1), side)
    query, supports = pictures[:, 0], pictures[:, 1:]
    grid = torch.linspace(-1, 1, side)
    radius = torch.rand(batch, shots, 1, 1, generator=generator) * 0.4 + 0.8
    inside = (grid[:, None] / radius) ** 2 + (grid[None] * radius) ** 2
    masks = (inside <= 4 * share / torch.pi).float() if share < 1 else torch.ones(batch, shots, side, side)
    network = build(name, shots)
    call = CALLS.get(name, lambda network, *given: network(*given))

    def ours() -> list[Tensor]:
        return OUTPUTS[name](call(network, query, supports, masks))

    frozen = nn.ModuleList([getattr(network, part) for part in FROZEN if hasattr(network, part)])
    if name in ("hdmnet", "amnet"):
        frozen.append(network.cls)  # of the base learner; PFENet's own part of this name is learned
    return frozen, lambda: PLAIN[name](network, query, supports, masks), ours


@dataclass(frozen=True, slots=True)
class Timed:
    """CPU seconds of both sides, medians: of the whole pass, then of it without the frozen parts.

    Args:
        plain: Of the plain formulation.
        ours: Of icvos.
        ratios: Medians of the ratios of each round.
        spreads: The least and the greatest of them.
        outputs: What both gave last.
    """

    plain: list[float]
    ours: list[float]
    ratios: list[float]
    spreads: list[tuple[float, float]]
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
    pairs = list(zip(times["plain"], times["ours"], strict=True))
    ratios = [[a[part] / b[part] for a, b in pairs] for part in (0, 1)]
    spreads = [(min(some), max(some)) for some in ratios]
    return Timed(middle["plain"], middle["ours"], [median(some) for some in ratios], spreads, outputs)


def measure(case: Case, rounds: int) -> str:
    """A row of the table."""
    frozen, plain, ours = sides(case)
    timed = in_turn(frozen, plain, ours, rounds)
    for one, other in zip(timed.outputs["plain"], timed.outputs["ours"], strict=True):
        if one.dtype == torch.bool:
            assert one.shape == other.shape
            assert float((one != other).float().mean()) <= FLIPPED, "the masks differ"
        else:
            torch.testing.assert_close(other, one, rtol=1e-3, atol=1e-4 * float(one.abs().max()))
    (whole, rest), (fast, lean) = ([seconds / case.batch for seconds in times] for times in (timed.plain, timed.ours))
    first, second = (
        f"{ratio:.2f} x ({least:.2f} to {most:.2f})"
        for ratio, (least, most) in zip(timed.ratios, timed.spreads, strict=True)
    )
    cells = f"{shown(case)} | {whole:.2f} | {fast:.2f} | {first}"
    return f"| {cells} | {rest:.2f} | {lean:.2f} | {second} | {1 - lean / fast:.0%} |"


def shown(case: Case) -> str:
    """The first cells of a row."""
    return f"{case.name} | {case.side} | {case.batch} | {case.shots}"


def peak(case: Case, which: str) -> float:
    """Peak resident MiB of a process with one forward pass."""
    given = json.dumps(asdict(case))
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.networks", "child", which, given])
    _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status):
        sys.exit(f"{case.name}: a pass failed")
    return usage.ru_maxrss / 1024


def child(which: str, given: str) -> None:
    """One forward pass."""
    torch.set_num_threads(1)
    _, plain, ours = sides(Case(**json.loads(given)))
    with torch.inference_mode():
        {"plain": plain, "ours": ours, "nothing": list}[which]()


def main(arguments: Sequence[str]) -> None:
    if arguments[:1] == ["child"]:
        child(*arguments[1:])
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = [*PLAIN, *METHODS]
    parser.add_argument("--networks", nargs="+", default=names, choices=names)
    parser.add_argument("--side", type=int, default=233, help="of the square input")
    parser.add_argument("--published", action="store_true", help="the papers' input sizes, which methods always have")
    parser.add_argument("--whole", action="store_true", help="all blocks of the encoders of sansa, gf-sam and insid3")
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
    for name, episode in product(given.networks, given.episodes):
        published = given.published or name in METHODS
        side = PUBLISHED.get(name, 473) if published else given.side
        case = Case(name, side, *map(int, episode.split("x")), given.share, given.whole)
        if given.memory:
            peaks = " | ".join(f"{peak(case, which):.0f}" for which in ("nothing", "plain", "ours"))
            print(f"| {shown(case)} | {peaks} |", flush=True)
        else:
            print(measure(case, given.rounds), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
