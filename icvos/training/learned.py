"""What a learner has learned so far, in files that hold numbers alone: no pickle, which could run code when it is read.

``model.safetensors`` has the network, ``optimiser.safetensors`` what the optimisers remember of each parameter, as
``<turn>.<parameter>.<name>``, and in its header the state of the gradients' scale. Random numbers need no file: they
follow from the seed and the step.
"""

import json
import re
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save
from torch import Tensor

from icvos.training.learner import Learner

MODEL, OPTIMISER = "model.safetensors", "optimiser.safetensors"
PICKLES = (".bin", ".pkl", ".pt", ".pth", ".ckpt")  # what earlier releases and other programs write
SCALE = "scale"
SCALES = {"scale", "growth_factor", "backoff_factor", "growth_interval", "_growth_tracker"}
REMEMBERED = {"momentum_buffer", "exp_avg", "exp_avg_sq", "step"}


def write_learned(learner: Learner, folder: Path) -> None:
    """Write the network and the optimisers into ``folder``."""
    model = learner.accelerator.unwrap_model(learner.losses).state_dict()
    (folder / MODEL).write_bytes(save({name: _plain(tensor) for name, tensor in model.items()}))
    remembered = {
        f"{turn}.{number}.{name}": _plain(torch.as_tensor(value))
        for turn, optimiser in learner.optimisers.items()
        for number, values in optimiser.state_dict()["state"].items()
        for name, value in values.items()
        if value is not None
    }
    scaler = learner.accelerator.scaler
    scale = {SCALE: json.dumps(scaler.state_dict() if scaler else {})}
    (folder / OPTIMISER).write_bytes(save(remembered, scale))


def _plain(tensor: Tensor) -> Tensor:
    return tensor.detach().cpu().contiguous().clone()


def read_learned(learner: Learner, folder: Path) -> None:
    """Put network and optimisers into the state that `write_learned` has written.

    Raises ValueError, or what safetensors and torch raise, for files that are damaged, missing or of another network;
    also for a folder with a pickle in it, which is not opened.
    """
    for path in sorted(folder.iterdir()):
        if path.suffix in PICKLES:
            raise ValueError(f"{path.name} is a pickle, as earlier releases wrote it, and could run code when read")
    remembered = load_file(folder / OPTIMISER)
    with safe_open(folder / OPTIMISER, "pt") as file:
        scale = json.loads((file.metadata() or {}).get(SCALE, "{}"))
    learner.accelerator.unwrap_model(learner.losses).load_state_dict(load_file(folder / MODEL))
    for turn, optimiser in learner.optimisers.items():
        parameters = [parameter for group in optimiser.param_groups for parameter in group["params"]]
        state: dict[int, dict[str, Tensor]] = {}
        for key in [key for key in remembered if key.startswith(f"{turn}.")]:
            tensor = remembered.pop(key)
            number, name = _place(key.removeprefix(f"{turn}."), len(parameters))
            if not tensor.is_floating_point() or tensor.shape != (() if name == "step" else parameters[number].shape):
                raise ValueError(f"{OPTIMISER} has another shape or type of {key}")
            state.setdefault(number, {})[name] = tensor
        optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
    if remembered:
        raise ValueError(f"{OPTIMISER} has {sorted(remembered)[0]}, which no optimiser of this run remembers")
    _set_scale(learner, scale)


def _place(key: str, parameters: int) -> tuple[int, str]:
    """The parameter's number and the name of what is remembered of it."""
    found = re.fullmatch(r"([0-9]{1,6})\.(\w+)", key)
    if not found or int(found[1]) >= parameters or found[2] not in REMEMBERED:
        raise ValueError(f"{OPTIMISER} has {key}, which no optimiser of this run remembers")
    return int(found[1]), found[2]


def _set_scale(learner: Learner, scale: object) -> None:
    scaler = learner.accelerator.scaler
    numbers = isinstance(scale, dict) and all(type(value) in (int, float) for value in scale.values())
    if not isinstance(scale, dict) or not numbers or not scale.keys() <= SCALES:
        raise ValueError(f"{OPTIMISER} has no state of a gradient's scale")
    if scaler and scale:
        scaler.load_state_dict(scale)
