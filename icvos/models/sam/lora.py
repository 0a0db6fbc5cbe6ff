"""The LoRA variant of the second video step: SAM 2 frozen, and small adapters of it that learn, by the package `peft`.

Checkpoints have peft's names. For inference the adapters are added to the weights that they adapt: nothing else knows.
"""

import re
from pathlib import Path

import torch
from torch import Tensor, nn

from icvos.errors import IcvosError
from icvos.models.weights.load import State, fresh_layers

RANK, ALPHA, DROPOUT = 8, 16, 0.05
ADAPTED = ("q_proj", "v_proj", "conv_s0", "conv_s1")  # in memory attention and mask decoder
WRAPPED = "base_model.model."  # peft's, before every name of SAM 2
FACTOR = re.compile(r"(.+)\.lora_([AB])(?:\.default)?\.weight")  # without "default" as peft itself saves an adapter


def with_adapter(network: nn.Module) -> nn.Module:
    """SAM 2 with a new adapter, as peft wraps it; the network is changed in place."""
    try:
        from peft import LoraConfig, get_peft_model
    except ModuleNotFoundError as error:
        raise IcvosError(f"tuned=lora needs the package {error.name}; run: pip install 'icvos[train]'") from error
    with fresh_layers():
        return get_peft_model(
            network,
            LoraConfig(r=RANK, lora_alpha=ALPHA, lora_dropout=DROPOUT, bias="none", target_modules=list(ADAPTED)),
        )


def split(state: State, source: str | Path) -> tuple[State, State]:
    """SAM 2's own weights ({}: the adapter alone) and what the adapter adds to them, both by SAM 2's own names.

    Raises `IcvosError` for an adapter that is no pair of two rank-8 factors for each weight.
    """
    own: State = {}
    factors: dict[str, dict[str, Tensor]] = {}
    for name, tensor in state.items():
        plain = name.removeprefix(WRAPPED).replace(".base_layer.", ".")
        factor = FACTOR.fullmatch(plain)
        if factor:
            factors.setdefault(f"{factor[1]}.weight", {})[factor[2]] = tensor.float()
        else:
            own[plain] = tensor
    return own, {name: _product(name, pair, source) for name, pair in factors.items()}


def _product(name: str, pair: dict[str, Tensor], source: str | Path) -> Tensor:
    if len(pair) == 1:
        raise IcvosError(f"{source}: its adapter of {name} is half missing (lora_A or lora_B); save both")
    first, second = pair["A"], pair["B"]
    if not (len(first.shape) == len(second.shape) > 1 and len(first) == second.shape[1] == RANK):
        shapes = f"{tuple(first.shape)} and {tuple(second.shape)}"
        raise IcvosError(
            f"{source}: its adapter of {name} has factors of {shapes}, not of rank {RANK}; merge it into SAM 2 by "
            "peft's merge_and_unload and save that"
        )
    first, second = first.flatten(1), second.flatten(1)
    if not (first.isfinite().all() and second.isfinite().all()):
        raise IcvosError(f"{source}: its adapter of {name} holds NaN or infinite numbers; train it again")
    return (ALPHA / RANK * second @ first).reshape(len(second), *pair["A"].shape[1:])


def merge(network: nn.Module, added: State, source: str | Path, base: str) -> None:
    """Add an adapter to SAM 2's weights, in place; raises `IcvosError` where it belongs to another SAM 2.

    Args:
        network: SAM 2.
        added: What is added to its weights, see `split`.
        source: The adapter's file.
        base: The name of SAM 2's weights.
    """
    weights = dict(network.named_parameters())
    for name, update in added.items():
        there = tuple(weights[name].shape) if name in weights else "no such weight"
        if there != update.shape:
            raise IcvosError(
                f"{source}: its adapter has {name} of {tuple(update.shape)}, {base} has {there}; "
                "give the SAM 2 that it was trained on as --set sam2=NAME or PATH"
            )
    with torch.no_grad():
        for name, update in added.items():
            weights[name].add_(update.to(weights[name]))
