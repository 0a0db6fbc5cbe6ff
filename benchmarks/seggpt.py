"""SegGPT beside a plain formulation of its equations: equal colours of the query, time of the processor.

    python -m benchmarks.seggpt [--prompts 1 5] [--rounds 1]

Both sides use the same network of the published size with random weights, in turn in one process. The plain formulation
holds the logits of all heads, and decodes both squares of every prompt.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor

from baselines.painter.network import Attention, SegGPTNetwork, relative
from icvos.models.weights.load import fill_randomly

SIDE = 448


def plain_attention(attention: Attention, x: Tensor) -> Tensor:
    """(B, H, W, C) to the same, the logits of all heads at once."""
    batch, rows, columns, width = x.shape
    query, key, value = attention.qkv(x).reshape(batch, rows * columns, 3, attention.heads, -1).permute(2, 0, 3, 1, 4)
    logits = (query * query.shape[-1] ** -0.5) @ key.transpose(-2, -1)
    asking = query.unflatten(2, (rows, columns))
    of_rows = torch.einsum("bnyxd,yrd->bnyxr", asking, relative(attention.rel_pos_h, rows))
    of_columns = torch.einsum("bnyxd,xcd->bnyxc", asking, relative(attention.rel_pos_w, columns))
    logits = logits.view(batch, attention.heads, rows, columns, rows, columns)
    logits = logits + of_rows[..., None] + of_columns[..., None, :]
    mixed = logits.flatten(4).flatten(2, 3).softmax(-1) @ value
    joined: Tensor = attention.proj(mixed.transpose(1, 2).reshape(batch, rows, columns, width))
    return joined


def plain(network: SegGPTNetwork, images: Tensor, targets: Tensor) -> Tensor:
    """(3, S, S): the first prompt's answer."""
    with patch.object(Attention, "forward", plain_attention):
        return network(images, targets, ensemble=0)[0, :, images.shape[3] :]


def timed(work: Callable[[], Tensor]) -> tuple[Tensor, float]:
    """What a function gives, and its processor time in seconds."""
    began = time.process_time()
    return work(), time.process_time() - began


def compare(network: SegGPTNetwork, prompts: int, rounds: int) -> None:
    """Print the times of both with so many prompts; raises AssertionError where they differ."""
    generator = torch.Generator().manual_seed(prompts)
    images, targets = torch.randn(2, prompts, 3, 2 * SIDE, SIDE, generator=generator)
    images[:, :, SIDE:] = images[:1, :, SIDE:]
    slow, fast = [], []
    for _ in range(rounds):
        expected, seconds = timed(lambda: plain(network, images, targets))
        slow.append(seconds)
        found, seconds = timed(lambda: network.repaint(images, targets, together=True)[0])
        fast.append(seconds)
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-4 * float(expected.abs().max()))
    first, second = statistics.median(slow), statistics.median(fast)
    print(f"{prompts} prompts: {first:.1f} s plain, {second:.1f} s, {first / second:.2f} x", flush=True)


def main(arguments: list[str] | None = None) -> None:
    """Compare with each number of prompts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompts", type=int, nargs="+", default=[1, 5])
    parser.add_argument("--rounds", type=int, default=1)
    given: Any = parser.parse_args(arguments)
    torch.set_num_threads(1)
    network = SegGPTNetwork()
    fill_randomly(network)
    with torch.inference_mode():
        for prompts in given.prompts:
            compare(network.eval(), prompts, given.rounds)


if __name__ == "__main__":
    main()
