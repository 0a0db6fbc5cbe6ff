"""The two stages as pictures, as in Figure 3 of the paper: priors, what heads keep, coarse mask, where prompts look.

The network records nothing: hooks take what its attentions are given, which is computed with once more.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from dcsam.attention import CyclicAttention
from dcsam.prompt_generator import Branch, PromptGenerator
from dcsam.prompts import Prompts
from icvos.method import Panel, Step

Looks = Mapping[nn.Module, tuple[Tensor, ...]]  # what each attention was given
SINGLE = 3  # prompts of a branch that are shown beside the mean of all
TEXTS = (
    (
        "Where does the picture resemble the support?",
        "The priors: each place's greatest likeness (cosine of deep features) to the object, and to its background.",
    ),
    (
        "From which places of the support do the prompts learn?",
        "A head keeps the places from which the way to the prompt that fits best, and on to the place that fits this "
        "prompt best, ends on the same side of the object's outline: the cycle.",
    ),
    (
        "A coarse mask, and what agrees with it",
        "SAM decodes the prompts so far. By this mask heads keep places again: the share of them that keep a place.",
    ),
    (
        "Where do the prompts look?",
        "Attention among the kept places, the mean of all prompts of a branch and some that differ. 1 is an even look.",
    ),
)


@contextmanager
def watched(generator: PromptGenerator) -> Iterator[Looks]:
    """Inside, what every cyclic attention of ``generator`` is given is kept."""
    looks: dict[nn.Module, tuple[Tensor, ...]] = {}

    def keep(layer: nn.Module, given: tuple[Tensor, ...], _: Tensor) -> None:
        looks[layer] = given

    hooks = [layer.register_forward_hook(keep) for layer in generator.modules() if isinstance(layer, CyclicAttention)]
    try:
        yield looks
    finally:
        for hook in hooks:
            hook.remove()


@torch.inference_mode()
def steps(generator: PromptGenerator, found: Prompts, looks: Looks) -> list[Step]:
    """What a batch of one gave, in the order in which it was computed; ``looks`` are those of `watched`."""
    coarse = Panel("coarse mask", np.asarray(found.coarse.cpu()[0, 0] > 0), "mask")
    priors, learned, agreed, looked = [], [], [coarse], []
    if found.rough is not None:
        agreed.insert(0, _heat("mask prompt", found.rough[0, 0].sigmoid()))
    for name, branch in (("positive", found.branches.positive), ("negative", found.branches.negative)):
        if branch is None:
            continue
        strays = name == "negative" and generator.fidelity == "published"
        shot = branch.support.shape[1] - 1 if strays else None  # which support stage 2 looks at, if any
        decoder = generator.neg_transformer_decoder if name == "negative" else generator.transformer_decoder
        first, second = decoder.transformer_cross_attention_layers_0[0], decoder.transformer_cross_attention_layers[0]
        what = "object" if name == "positive" else "background"
        priors.append(_heat(f"{name}: like the {what}", branch.prior[0, 0]))
        learned += _kept(name, affinity(first, looks), branch)
        now = affinity(second, looks).unflatten(2, branch.query.shape[-2:])  # H N h w
        agreed.append(
            _heat(f"share of {name} heads{', as published' * strays}", now[:, 0].isfinite().float().mean(0), shot)
        )
        looked += _looked(name, now, shot)
    return [Step(*texts, panels) for texts, panels in zip(TEXTS, (priors, learned, agreed, looked), strict=True)]


def affinity(layer: nn.Module, looks: Looks) -> Tensor:
    """(H, N, M) of a batch of one, -inf at the cells that a head does not keep."""
    assert isinstance(layer, CyclicAttention)
    tokens, places, features, positions, mask = looks[layer]
    return layer.affinity(tokens + places, features + positions, features, mask)[0][0]


def _kept(name: str, found: Tensor, branch: Branch) -> list[Panel]:
    """Which cells of the supports each head keeps in stage 1; as published that is of the last support alone."""
    kept = found[:, 0].isfinite().cpu().unflatten(1, (-1, *branch.support.shape[-2:]))  # H K h w
    skipped = branch.support.shape[1] - kept.shape[1]
    return [
        Panel(f"{name}, head {head}: {100 * cells.float().mean():.0f} %", np.asarray(cells), "kept", skipped + shot)
        for shot in range(kept.shape[1])
        for head, cells in enumerate(kept[:, shot], 1)
    ]


def _looked(name: str, found: Tensor, shot: int | None) -> list[Panel]:
    """Where the prompts look in stage 2, the mean of the heads: all of them together, and the few that differ most."""
    weights = found.flatten(2).softmax(2).mean(0)  # N M
    times = (weights * weights.shape[1]).unflatten(1, found.shape[2:])
    maps = {f"mean of {len(times)}": times.mean(0)} | {f"prompt {n + 1}": times[n] for n in _apart(weights)}
    return [_heat(f"{name}, {label}", one, shot) for label, one in maps.items()]


def _apart(weights: Tensor) -> list[int]:
    """Rows of (N, M) that differ most: the farthest from the mean, then always the farthest from those chosen."""
    chosen: list[int] = []
    distance = torch.cdist(weights, weights.mean(0, keepdim=True), 1)[:, 0]
    while len(chosen) < min(SINGLE, len(weights)):
        chosen.append(int(distance.argmax()))
        distance = torch.cdist(weights, weights[chosen], 1).amin(1)
    return chosen


def _heat(label: str, values: Tensor, shot: int | None = None) -> Panel:
    return Panel(
        f"{label} ({float(values.min()):.3g} to {float(values.max()):.3g})", np.asarray(values.cpu()), "heat", shot
    )
