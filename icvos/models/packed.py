"""Small checkpoints as they come with icvos: half precision, without the frozen backbone that has its own package."""

from pathlib import Path

import torch
from torch import Tensor

from icvos.errors import IcvosError
from icvos.files.storage import atomic_file
from icvos.models.backbones.lite0_stages import NAME, WHOLE, Lite0Stages
from icvos.models.sam.sam2 import BASE, BESIDE
from icvos.models.weights.header import read_header, read_training
from icvos.models.weights.load import BODY, LACKS, State, read_state
from icvos.models.weights.registry import OWN, checkpoints


def pack(source: Path, target: Path) -> None:
    """Write a checkpoint of `icvos train` again, in half precision and without EfficientNet-Lite0's own tensors.

    What it has in common with the SAM 2 of icvos that it was trained on is left out too.

    Raises `IcvosError` for a file whose backbone is another or was trained, and for values beyond half precision.

    Args:
        source: The checkpoint.
        target: The file to write, whole or not at all.
    """
    from safetensors.torch import save_file

    header = read_header(source)
    if header.get("made_by") != "icvos train":
        raise IcvosError(f"{source}: is no checkpoint of icvos train; give a best.safetensors")
    state = read_state(source)
    frozen = published_bodies()
    base, known = _base(source)
    kept = {}
    for name, tensor in state.items():
        if (found := BODY.search(name)) is None:
            half = _half(tensor, f"{source}: {name}")
            shared = known.get(name.removeprefix(BESIDE)) if name.startswith(BESIDE) else None
            if shared is None or not torch.equal(half, shared):
                kept[name] = half
        elif not any(torch.equal(tensor, own) for own in frozen.get(name[found.start() :].lstrip("."), ())):
            raise IcvosError(f"{source}: {name} is not {NAME}'s; only a frozen {NAME} can be left out")
    with atomic_file(target, lasting=True) as temporary:
        save_file(kept, temporary, {**header, **base, LACKS: NAME, "precision": "float16"})


def _base(source: Path) -> tuple[dict[str, str], State]:
    """For the header, the SAM 2 of icvos that a checkpoint was trained on, and its tensors; {} where it is another."""
    training = read_training(source)
    for name, digest in training.weights.items() if training else ():
        known = checkpoints().get(name.removesuffix(".safetensors"))
        if known and known.inside and known.sha256 == digest:
            return {BASE: f"{known.name} {known.sha256}"}, read_state(OWN / known.inside)
    return {}, {}


def published_bodies() -> dict[str, list[Tensor]]:
    """The frozen tensors that networks stand on, by their names there: few-shot networks and SAM 2's trunk."""
    found: dict[str, list[Tensor]] = {}
    few_shot, trunk = Lite0Stages(), Lite0Stages(standardised=(), ends=WHOLE)
    for prefix, body in (("", few_shot), ("trunk.body.", trunk)):
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
