"""Weights of networks: from a checkpoint's name or path into a module, without ever running what a file says.

A checkpoint is a state dictionary in safetensors or in torch's own format; the latter is read with ``weights_only``, so
that a file holding any other object is refused.
"""

import argparse
import contextlib
import hashlib
import json
import pickle
import re
import struct
import tarfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from icvos.errors import IcvosError
from icvos.files.storage import sha256
from icvos.models.weights import registry
from icvos.models.weights.header import given_file, read_header, read_training, require_alike
from icvos.models.weights.integrity import damage, require_checkpoint

State = dict[str, Tensor]
LACKS = "lacks"  # of a header: the checkpoint whose frozen tensors were left out of the file
BASE = "base"  # of a header: name and SHA-256 of the file of icvos in which are others that were left out
SHARES = "shares"  # of a header: the names of those, each with its name in that file
BESIDE = "sam2."  # before the names of SAM 2 in the checkpoint of a method that is trained together with it
_LOADED = "_icvos_loaded"  # an attribute of modules
BODY = re.compile(r"(?:^|\.)(?:layer[0-4]|trunk\.body)\.")  # in the names of those
_DAMAGE = (  # what torch's restricted unpickler raises on a damaged file, beside UnpicklingError
    RuntimeError,
    EOFError,
    OSError,
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    AssertionError,
    OverflowError,
    MemoryError,
    struct.error,
)


@dataclass(frozen=True, slots=True)
class Loaded:
    """What was loaded, for the record of a run.

    Args:
        name: The checkpoint's name in the registry, or its file name.
        sha256: SHA-256 of the file; None for random weights.
        trained_from_random: Whether the file was trained on top of random weights.
        pictures_only: Whether a SAM 2 in it has a memory that never learned, and cannot carry a mask through a video.
    """

    name: str
    sha256: str | None
    trained_from_random: bool = False
    pictures_only: bool = False

    @property
    def random(self) -> bool:
        """Whether the weights are random, or stand on random ones, and every result of them is meaningless."""
        return self.sha256 is None or self.trained_from_random

    def to_json(self) -> dict[str, Any]:
        """As `icvos.method.Described` wants it."""
        marks = {"random": self.random, "pictures_only": self.pictures_only}
        return {"name": self.name, "sha256": self.sha256} | {mark: True for mark, holds in marks.items() if holds}

    @classmethod
    def of(cls, path: Path, digest: str, name: str | None = None) -> "Loaded":
        """A file, by its SHA-256, with what its header says; ``name`` is the registry's."""
        training = read_training(path)
        from_random = read_header(path).get("random_weights") == "true"
        return cls(name or path.name, digest, from_random, training is not None and training.pictures_only)


def load_weights(
    network: nn.Module, checkpoint: str, convert: Callable[[State], State] = lambda state: state
) -> Loaded:
    """Load a checkpoint, by registry name or path, into ``network``, every name of it and of the file.

    Args:
        network: Takes the weights in place.
        checkpoint: A name of the registry, or a path.
        convert: From the names of the file to those of the network.

    Raises `IcvosError` where the file is missing, is not a plain state dictionary, or does not fit.
    """
    path = find_weights(checkpoint)
    if path is None:
        fill_randomly(network)
        return Loaded(checkpoint, None)
    digest = sha256(path)
    known = registry.find(checkpoint)
    fault = damage(path, known, digest) if known else ""
    if known and fault:
        raise IcvosError(f"{path}: is not {known.name}: {fault}; remove it and run: icvos weights fetch {known.name}")
    fit_state(network, convert(read_state(path)), path)
    return Loaded.of(path, digest, known.name if known else None)


def load_trained(
    network: nn.Module,
    checkpoint: str,
    method: str,
    settings: object,
    names: Sequence[str],
    convert: Callable[[State], State] = lambda state: state,
) -> Loaded:
    """`load_weights` of a network that `icvos train` may have made.

    Its error says whose the file is where it is another method's, and which settings differ.

    Args:
        network: Takes the weights in place.
        checkpoint: A name of the registry, or a path.
        method: The method's name.
        settings: What the method is built with.
        names: The settings that shape the network.
        convert: From the names of the file to those of the network.
    """
    path = find_weights(checkpoint)
    if path is not None:
        training = read_training(path)
        if training and training.method not in (method, "oracle"):  # that is a SAM 2 by itself: its names say so
            raise IcvosError(
                f"{checkpoint}: is a checkpoint of {training.method}; run it with --method {training.method}"
            )
        require_alike(path, settings, names)
    return load_weights(network, checkpoint, convert)


def fit_state(network: nn.Module, state: Mapping[str, Tensor], source: Path | str) -> None:
    """Load a state dictionary strictly; raises `IcvosError` that names what is missing, extra or of another shape.

    What a small file leaves out, see `lacks`, stays as it is in the network.
    """
    wanted = network.state_dict()
    left = BODY.search if isinstance(source, Path) and lacks(source) else lambda name: False
    own = {name: tensor for name, tensor in wanted.items() if name.endswith(".num_batches_tracked") or left(name)}
    unloaded = [name for name in own if name not in state and left(name) and not _is_loaded(network, name)]
    state = own | dict(state)  # older files lack the counters, and nothing is computed from them
    missing = sorted(wanted.keys() - state.keys())
    extra = sorted(state.keys() - wanted.keys())
    shapes = [name for name in wanted if name in state and wanted[name].shape != state[name].shape]
    for faults, what in ((missing, "lacks"), (extra, "has unknown"), (shapes, "has another shape of")):
        if faults:
            more = f" and {len(faults) - 3} more" if len(faults) > 3 else ""
            raise IcvosError(
                f"{source}: {what} {', '.join(faults[:3])}{more}; this is not a checkpoint of {type(network).__name__} "
                "in the chosen configuration"
            )
    for name, tensor in wanted.items():
        fault = _misfit(state[name], tensor)
        if fault:
            raise IcvosError(f"{source}: {name} {fault}")
    if unloaded:
        raise IcvosError(f"{source}: leaves {lacks(Path(source))} out; {type(network).__name__} has to load that first")
    network.load_state_dict(dict(state))
    for module in network.modules():
        vars(module)[_LOADED] = True


def _is_loaded(network: nn.Module, name: str) -> bool:
    """Whether the module that a tensor belongs to has been loaded from a file, perhaps as a part of another network."""
    return _LOADED in vars(network.get_submodule(name.rpartition(".")[0]))


def lacks(path: Path) -> str:
    """The checkpoint whose frozen tensors were left out of a file, and are loaded before it; "" for a whole one."""
    return read_header(path).get(LACKS, "")


def without_body(checkpoint: str, backbone: str) -> bool:
    """Whether a network's backbone needs its published weights first: there is no checkpoint, or it leaves them out."""
    path = given_file(checkpoint) if checkpoint else None
    return not checkpoint or (path is not None and lacks(path) == backbone)


def _misfit(found: Tensor, wanted: Tensor) -> str:
    """Why a tensor of the right shape has no place in a network, and the remedy; "" where it has."""
    if wanted.is_floating_point() and not found.is_floating_point():
        return f"holds {_kind(found)} where numbers with fractions belong; save the weights as they were trained"
    if not wanted.is_floating_point() and found.is_floating_point() and wanted.dim():  # counters may be anything
        return f"holds {_kind(found)} where {_kind(wanted)} belongs; save the weights as they were trained"
    if found.is_floating_point() and bool(wanted.isfinite().all()) and not bool(found.float().isfinite().all()):
        return "holds NaN or infinite numbers; its training diverged, or the file is damaged: fetch or train it again"
    return ""


def _kind(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def find_weights(checkpoint: str) -> Path | None:
    """The file of a checkpoint, a path or a name of the registry; None where random weights are to take its place.

    A name is looked up as `weights.registry` says; nothing is ever fetched here. Raises `IcvosError` that says
    what is missing and how to get it.
    """
    path = Path(checkpoint).expanduser()
    if path.is_file():
        return path
    known = registry.find(checkpoint)
    found = registry.locate(known) if known else None
    if found or registry.random_weights():
        return found
    if known is None:
        raise IcvosError(
            f"{checkpoint}: neither a file nor a checkpoint's name ({registry.hint(checkpoint)}); give the path of one"
        )
    raise registry.absent(known)


def read_state(path: Path) -> State:
    """The tensors of a checkpoint file by name; wrappings like ``{"model": {...}}`` and ``module.`` are taken off.

    What a small file leaves out because another that comes with icvos has it, see `SHARES`, is among them.

    Raises `IcvosError` for a file that is something else, is damaged, or holds objects that are not tensors.
    """
    require_checkpoint(path)
    found = _read_safetensors(path) if path.suffix == ".safetensors" else _read_torch(path)
    for key in ("model", "state_dict"):
        if isinstance(found, dict) and isinstance(found.get(key), dict):
            found = found[key]
    if not isinstance(found, dict) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in found.items()
    ):
        raise IcvosError(f"{path}: is not a state dictionary; save the state_dict of the network alone")
    for name, value in found.items():
        if odd := _odd(value):
            raise IcvosError(f"{path}: {name} is {odd}; save plain dense tensors of real numbers, not {odd} ones")
    if found and all(name.startswith("module.") for name in found):
        found = {name.removeprefix("module."): tensor for name, tensor in found.items()}
    return _shared(path, found) | found


def _shared(path: Path, own: State) -> State:
    """What a small file leaves out because another has it, by the names that it would have here; {} for a whole one.

    Files of earlier versions share all of SAM 2, and do not say so.
    """
    header = read_header(path)
    name, _, digest = header.get(BASE, "").partition(" ")
    if not name or (SHARES not in header and not any(mine.startswith(BESIDE) for mine in own)):
        return {}
    known = registry.find(name)
    if known is None or not known.inside or known.sha256 != digest:
        raise IcvosError(
            f"{path}: was made small for another {name}; take the icvos that it came with, or pack it again"
        )
    there = read_state(registry.OWN / known.inside)
    try:
        names = json.loads(header[SHARES]) if SHARES in header else {BESIDE + theirs: theirs for theirs in there}
        return {str(mine): there[theirs] for mine, theirs in names.items()}
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise IcvosError(f"{path}: its header is not as icvos weights pack writes it; pack it again") from error


def _odd(tensor: Tensor) -> str:
    """What kind of tensor no network here holds; "" for a plain one."""
    if tensor.is_quantized:
        return "quantised"
    if tensor.layout != torch.strided or tensor.is_nested:
        return "sparse" if not tensor.is_nested else "nested"
    return "complex" if tensor.is_complex() else "empty (on the device meta)" if tensor.is_meta else ""


def _read_safetensors(path: Path) -> State:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return dict(load_file(path))
    except (SafetensorError, OSError) as error:
        raise IcvosError(f"{path}: is not a readable checkpoint; fetch it again") from error


def _read_torch(path: Path) -> Any:
    """What a file of ``torch.save`` holds, of either format; nothing in it is run.

    A namespace of options, which programs save beside their weights, is a bare record and is let in.
    Archives of ``tar``, as torch wrote them before 2017, are refused: until 2.6 torch lets them run code all the same.
    """
    torch.serialization.add_safe_globals([argparse.Namespace])
    if tarfile.is_tarfile(path):
        raise IcvosError(f"{path}: holds Python objects, which could run code when read; save the state_dict alone")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about unusual pickles, which are refused or are state dictionaries
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if "GLOBAL" not in str(error).upper():  # of a class or function, which is what makes a pickle dangerous
            raise IcvosError(f"{path}: is not a readable checkpoint; fetch it again") from error
        raise IcvosError(
            f"{path}: holds Python objects beside tensors, which could run code when read; save the state_dict alone"
        ) from error
    except _DAMAGE as error:
        raise IcvosError(f"{path}: is not a readable checkpoint; fetch it again") from error


def fill_randomly(network: nn.Module) -> None:
    """Give every float tensor the random values its name stands for: the same everywhere, in ranges that stay finite.

    Counters and tables of indices stay as they are.
    """
    for name, tensor in network.state_dict().items():
        if not tensor.is_floating_point():
            continue
        seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little") >> 1
        normal = torch.randn(tensor.shape, generator=torch.Generator().manual_seed(seed))
        leaf = name.rpartition(".")[2]
        if leaf == "bias":
            normal *= 0.02
        elif leaf == "running_mean":
            normal *= 0.1
        elif leaf == "running_var":
            normal = 0.75 + 0.5 * normal.sigmoid()
        elif tensor.dim() <= 1:
            normal = 1 + 0.1 * normal
        else:
            normal /= tensor[0].numel() ** 0.5
        tensor.copy_(normal)


@contextlib.contextmanager
def fresh_layers(seed: int = 321) -> Iterator[None]:
    """Inside, new layers get the same values every time, and the program's own random numbers are left alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
