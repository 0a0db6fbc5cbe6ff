"""How much memory something holds: what can be reached from it, what lives in the process, what the system sees."""

import gc
import sys
import types
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

Memory = tuple[int, int]  # address and bytes
_CODE = (types.ModuleType, type, types.CodeType, types.BuiltinFunctionType, types.FrameType)


def held_bytes(*roots: object) -> int:
    """Bytes of all that can be reached from ``roots``: objects, and the memory behind tensors and arrays, each once.

    Modules, classes and the global names of functions are not followed. A waiting generator is followed to its local
    variables.
    """
    shared = {id(vars(module)) for module in list(sys.modules.values()) if isinstance(module, types.ModuleType)}
    seen: set[int] = set()
    storages: dict[int, int] = {}
    total = 0
    waiting: list[object] = list(roots)
    while waiting:
        found = waiting.pop()
        if id(found) in seen or id(found) in shared or isinstance(found, _CODE):
            continue
        seen.add(id(found))
        storage = _storage(found)
        if storage is None:
            total += sys.getsizeof(found)
        else:
            storages[storage[0]] = storage[1]
        waiting += gc.get_referents(found)
    return total + sum(storages.values())


def live_tensor_bytes() -> int:
    """Bytes of all torch tensors that live in this process; 0 where torch has not been imported."""
    if "torch" not in sys.modules:
        return 0
    return storage_bytes(gc.get_objects())


def storage_bytes(objects: Iterable[object]) -> int:
    """Bytes of the tensors and arrays among ``objects``; memory that several share counts once."""
    return sum(dict(storage for found in objects if (storage := _storage(found)) is not None).values())


def _storage(found: Any) -> Memory | None:
    """The memory behind a tensor or array; None for other objects and tensors without memory."""
    if type(found) is np.ndarray:
        owner = found
        while isinstance(owner.base, np.ndarray):
            owner = owner.base
        return owner.__array_interface__["data"][0], owner.nbytes
    torch = sys.modules.get("torch")
    if torch is None or not issubclass(type(found), torch.Tensor) or found.layout != torch.strided:
        return None
    if found.device.type == "meta" or type(found).__module__.startswith("torch._subclasses."):
        return None  # the latter stand in for tensors where a network was exported
    memory = found.untyped_storage()
    return memory.data_ptr(), memory.nbytes()


def resident_bytes() -> int:
    """Bytes of memory that the process has now; where the system does not say, the most it has had; else 0."""
    status = Path("/proc/self/statm")
    if not status.is_file():
        return peak_resident_bytes()
    import resource

    return int(status.read_text().split()[1]) * resource.getpagesize()


def peak_resident_bytes() -> int:
    """The most bytes of memory that the process has had; 0 where the system does not say."""
    try:
        import resource
    except ModuleNotFoundError:  # Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
