"""Which device a network runs on."""

import torch

from icvos.errors import IcvosError


def pick_device(name: str) -> torch.device:
    """The device called ``name``; ``auto`` is CUDA, then Apple's MPS, then the CPU, whichever is there first."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    if name.split(":")[0] not in ("cpu", "cuda", "mps"):
        raise IcvosError(f"unknown device {name!r}; choose from auto, cpu, cuda, mps")
    return torch.device(name)
