"""PerSAM-F's fit and Matcher's choice as icvos computes them, beside the literal formulation of the published programs.

    python benchmarks/training_free.py [--side 256] [--epochs 200] [--proposals 150]

Both sides run in turn on the same random weights and the same picture; the script stops where their results differ.
"""

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from baselines.matcher.matching import SIDE, match, target_patches, unit_features
from baselines.matcher.merging import Merging, choose, measure, pool
from baselines.persam.fit import combine, fit_weights
from icvos.models.sam.sam1 import Embedded, Encoder, Sam1, build_sam
from icvos.models.weights.load import Loaded, fill_randomly


def timed(function: Callable[[], Any]) -> tuple[Any, float]:
    """What a function gives, and its processor time in seconds."""
    began = time.process_time()
    return function(), time.process_time() - began


def picture(height: int, width: int) -> np.ndarray:
    """A smooth (H, W, 3) uint8 picture."""
    y, x = np.mgrid[:height, :width]
    waves = [127 + 120 * np.sin(x / (17 + 9 * c)) * np.cos(y / (23 - 4 * c)) for c in range(3)]
    return np.stack(waves, axis=-1).astype(np.uint8)


def decode_at(sam: Sam1, image: Embedded, point: np.ndarray) -> torch.Tensor:
    low, _ = sam.decode(image, point, np.ones((1, 1), dtype=np.int64), multimask=True)
    return sam.upscale(image, low[0].clone())


def literal_loss(logits: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """The sum of both losses as published."""
    shown = logits.sigmoid()
    dice = 1 - (2 * (shown * mask).sum() + 1) / (shown.sum() + mask.sum() + 1)
    entropy = functional.binary_cross_entropy_with_logits(logits, mask, reduction="none")
    truth = shown * mask + (1 - shown) * (1 - mask)
    return dice + ((0.25 * mask + 0.75 * (1 - mask)) * (1 - truth) ** 2 * entropy).mean()


def literal_fit(
    sam: Sam1, image: Embedded, point: np.ndarray, mask: torch.Tensor, epochs: int, rate: float
) -> torch.Tensor:
    """PerSAM-F's training as published: the prompt is decoded and enlarged again in every epoch."""
    weights = torch.full((2,), 1 / 3, requires_grad=True)
    optimiser = torch.optim.AdamW([weights], rate, eps=1e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs)
    for _ in range(epochs):
        logits = combine(decode_at(sam, image, point).clone().flatten(1), weights)
        optimiser.zero_grad()
        literal_loss(logits, mask.flatten().float()).backward()
        optimiser.step()
        schedule.step()
    return weights.detach()


def persam_f(side: int, epochs: int) -> None:
    network = build_sam(Encoder(96, 4, 4, (3,), side=side))
    fill_randomly(network)
    sam = Sam1(network, Loaded("random", None))
    image = sam.embed(picture(480, 640))
    mask = torch.zeros(480, 640, dtype=torch.bool)
    mask[100:300, 200:420] = True
    point = np.array([[[310, 200]]])
    literal, slow = timed(lambda: literal_fit(sam, image, point, mask, epochs, 1e-3))
    ours, fast = timed(lambda: fit_weights([(decode_at(sam, image, point), mask)], epochs, 1e-3).weights)
    torch.testing.assert_close(ours, literal, rtol=1e-5, atol=1e-6)
    print(f"PerSAM-F, {epochs} epochs at 480 x 640: {slow:.1f} s literal, {fast:.1f} s, {slow / fast:.1f} x")


def run_lengths(mask: np.ndarray) -> list[int]:
    """A mask as run lengths, column by column, in a Python list."""
    flat = mask.T.ravel()
    changes = np.flatnonzero(np.diff(flat)) + 1
    runs = np.diff(np.concatenate([[0], changes, [flat.size]])).tolist()
    return [0, *runs] if flat[0] else list(runs)


def painted(runs: list[int]) -> np.ndarray:
    """The mask of run lengths."""
    flat = np.zeros(SIDE * SIDE, dtype=bool)
    start, value = 0, False
    for length in runs:
        flat[start : start + length] = value
        start, value = start + length, not value
    return flat.reshape(SIDE, SIDE).T


def literal_choice(masks: np.ndarray, points: np.ndarray, cost: np.ndarray, merging: Merging) -> np.ndarray:
    """Matcher's choice with every mask through run lengths, and the distance for every proposal, one by one."""
    import ot

    stored: list[list[int]] = []
    for mask in masks:
        stored = [list(runs) for runs in stored] if len(stored) % 64 == 63 else stored  # batches are copied together
        stored.append(run_lengths(mask))
    rows = []
    for runs in stored:
        mask = painted(runs)
        covered = pool(mask)
        inside = sum(bool(mask[y, x]) for x, y in points)
        block = np.ascontiguousarray(cost[:, covered.ravel()], dtype=np.float64)
        uniform = np.full(len(block), 1 / len(block)), np.full(block.shape[1], 1 / block.shape[1])
        rows.append((inside / covered.sum() + 1e-6, inside / len(points) + 1e-6, 1 - float(ot.emd2(*uniform, block))))
    purity, coverage, emd = np.array(rows, dtype=np.float32).T
    everything = measure(masks, points, cost)
    everything.moved = {everything.pooled[i].ravel().tobytes(): float(emd[i]) for i in range(len(masks))}
    np.testing.assert_allclose(everything.purity, purity, rtol=1e-6)
    np.testing.assert_allclose(everything.coverage, coverage, rtol=1e-6)
    return choose(everything, merging)


def matcher(proposals: int) -> None:
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:SIDE, :SIDE]
    target = (x - 250) ** 2 + (y - 260) ** 2 < 100**2
    supports, query = (rng.standard_normal((1369, 64)).astype(np.float32) for _ in range(2))
    for features in (supports, query):
        features[pool(target).ravel()] += 1
    mask = torch.from_numpy(target)[None].float()
    matched = match(*(unit_features(torch.from_numpy(part)) for part in (supports, query)), target_patches(mask))
    places = rng.integers(60, 460, (proposals, 3))
    places[::6] = (250, 260, 90)  # prompts of one object give the same mask again and again
    masks = np.stack([(x - a) ** 2 + (y - b) ** 2 < (20 + r / 4) ** 2 for a, b, r in places])
    for name, merging in (
        ("COCO", Merging()),
        ("FSS", Merging(0.8, 0.2, 1.0, 0, 0, 0, False, least_share=0.7, most=10)),
    ):
        literal, slow = timed(lambda merging=merging: literal_choice(masks, matched.points, matched.cost, merging))
        ours, fast = timed(lambda merging=merging: choose(measure(masks, matched.points, matched.cost), merging))
        np.testing.assert_array_equal(ours, literal)
        print(f"Matcher, {proposals} proposals, {name}: {slow:.2f} s literal, {fast:.2f} s, {slow / fast:.1f} x")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=256, help="SAM's input, whose encoder is not timed")
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument("--proposals", type=int, default=150)
    given = parser.parse_args()
    torch.set_num_threads(1)
    persam_f(given.side, given.epochs)
    matcher(given.proposals)


if __name__ == "__main__":
    main()
