"""Small checkpoints as they come with icvos: half precision, without the frozen backbone that has its own package."""

import functools
import json
from itertools import takewhile
from pathlib import Path

import torch
from torch import Tensor

from icvos.errors import IcvosError
from icvos.files.storage import atomic_file
from icvos.models.backbones.lite0_stages import NAME, WHOLE, Lite0Stages
from icvos.models.weights.header import read_header, read_training
from icvos.models.weights.load import BASE, BODY, LACKS, SHARES, State, read_state
from icvos.models.weights.registry import OWN, Checkpoint, checkpoint, checkpoints


def pack(source: Path, target: Path, base: str = "") -> None:
    """Write a checkpoint of `icvos train` again, in half precision and without EfficientNet-Lite0's own tensors.

    What it has in common with another checkpoint that comes with icvos is left out too.

    Raises `IcvosError` for a file of another backbone, and for values beyond half precision.

    Args:
        source: The checkpoint.
        target: The file to write, whole or not at all.
        base: The name of that other checkpoint; "" takes the one that it was trained on.
    """
    from safetensors.torch import save_file

    header = read_header(source)
    if header.get("made_by") != "icvos train":
        raise IcvosError(f"{source}: is no checkpoint of icvos train; give a best.safetensors")
    other = _inside(base) if base else _began_with(source)
    frozen = published_bodies()
    kept = {}
    for name, tensor in read_state(source).items():
        found = BODY.search(name)
        own = frozen.get(name[found.start() :].lstrip(".")) if found else ()
        if own is None:
            raise IcvosError(f"{source}: {name} is not of {NAME}; only that can be left out")
        if not any(torch.equal(tensor, one) for one in own):
            kept[name] = _half(tensor, f"{source}: {name}")
    header = {key: text for key, text in header.items() if key not in (BASE, SHARES)}
    header |= {LACKS: NAME, "precision": "float16"}
    shares = in_common(kept, read_state(OWN / other.inside)) if other else {}
    if other and shares:
        header |= {BASE: f"{other.name} {other.sha256}", SHARES: json.dumps(shares)}
    with atomic_file(target, lasting=True) as temporary:
        save_file({name: tensor for name, tensor in kept.items() if name not in shares}, temporary, header)


def _inside(name: str) -> Checkpoint:
    """A checkpoint that comes with icvos; raises `IcvosError` for another."""
    known = checkpoint(name)
    if not known.inside:
        names = [one.name for one in checkpoints().values() if one.inside]
        raise IcvosError(f"{name}: does not come with icvos; choose from {', '.join(names)}")
    return known


def _began_with(source: Path) -> Checkpoint | None:
    """The checkpoint of icvos that another was trained on; None where it was none."""
    training = read_training(source)
    began = training.weights.values() if training else ()
    return next((known for known in checkpoints().values() if known.inside and known.sha256 in began), None)


def in_common(own: State, other: State) -> dict[str, str]:
    """The names of tensors that are the same in another state, each with its name there, the likest of several."""
    found = {}
    for name, tensor in own.items():
        alike = [theirs for theirs, known in other.items() if _same(tensor, known)]
        if alike:
            found[name] = max(alike, key=functools.partial(_common_ending, name))
    return found


def _common_ending(name: str, other: str) -> int:
    """How many characters at the end of two names are the same."""
    pairs = zip(reversed(name), reversed(other), strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _same(tensor: Tensor, other: Tensor) -> bool:
    return tensor.dtype == other.dtype and tensor.shape == other.shape and torch.equal(tensor, other)


@functools.cache
def published_bodies() -> dict[str, list[Tensor]]:
    """The frozen tensors that networks stand on, by their names there.

    Of few-shot networks, of those that correlate pictures densely, and of SAM 2's trunk.
    """
    found: dict[str, list[Tensor]] = {}
    bodies = (Lite0Stages(), Lite0Stages(standardised=()), Lite0Stages(standardised=(), ends=WHOLE))
    for prefix, body in zip(("", "", "trunk.body."), bodies, strict=True):
        body.load_published(NAME)
        state: State = body.state_dict()
        for name, tensor in state.items():
            found.setdefault(prefix + name, []).append(tensor)
    return found


def _half(tensor: Tensor, name: str) -> Tensor:
    if not tensor.is_floating_point():
        return tensor.contiguous()
    half = tensor.half().contiguous()
    if not bool(half.isfinite().all()):
        raise IcvosError(f"{name}: is beyond half precision; keep the checkpoint as it is")
    return half
