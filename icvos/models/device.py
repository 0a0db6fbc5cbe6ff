"""Which device a network runs on."""

from typing import Annotated

import torch

from icvos.errors import IcvosError
from icvos.settings import refusal


def pick_device(name: str) -> torch.device:
    """The device called ``name``; ``auto`` is CUDA, then Apple's MPS, then the CPU, whichever is there first.

    Raises `IcvosError` for another name, and for a device that this machine does not have.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    kind, colon, number = name.partition(":")
    if kind not in ("cpu", "cuda", "mps") or (colon and not (number.isascii() and number.isdecimal())):
        raise refusal("device", name, "one of auto, cpu, cuda, mps, or cuda:N for one of several")
    index = int(number or 0)
    there = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}[kind]
    if index >= there:
        what = f"has {there} of this kind" if there else f"finds no {kind.upper()} device on this machine"
        raise IcvosError(f"setting device={name}: torch {what}; use --set device=auto, which takes what is there")
    return torch.device(name)


Device = Annotated[str, pick_device]
