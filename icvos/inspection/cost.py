"""What a method costs: its parameters, multiply-accumulates, seconds for a frame, and memory.

The parts of a method are what its ``parts()`` gives, by name; without that, the networks among its attributes, those of
its propagator, and those one level below in plain objects, each named by the way to it (``sam.network``). A method
without torch has no parts, but takes time and memory.
"""

import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from icvos.errors import IcvosError
from icvos.inspection.memory import peak_resident_bytes
from icvos.inspection.trial import Trial
from icvos.method import AnyMethod, Image, Segmenter, Support, sees_truth, segment

if TYPE_CHECKING:
    from torch import nn

ENCODER = re.compile(r"(image_encoder|backbone|encoder|vision\w*|trunk|dino\w*|resnet\w*|vgg\w*|swin\w*|layer[0-4])$")
ENCODER_MODULES = {f"icvos.models.backbones.{name}" for name in ("lite0", "resnet", "vgg", "dinov2", "swin")}


@dataclass(frozen=True, slots=True)
class Part:
    """One network of a method, or a direct child of one.

    Args:
        name: Its attribute, or ``network.child``.
        parameters: Numbers in its parameters, each shared one once.
        learnable: Those of them that training changes; 0 for a method that is not trained.
        prompt_operators: Multiply-accumulates of everything up to the first mask: supports, prompt, first frame.
        prompt_modules: The same as thop counts it (`icvos.inspection.operations`).
        frame_operators: Multiply-accumulates of the last frame, when the memory is full.
        frame_modules: The same as thop counts it.
    """

    name: str
    parameters: int
    learnable: int
    prompt_operators: int
    prompt_modules: int
    frame_operators: int
    frame_modules: int


@dataclass(frozen=True, slots=True)
class Seconds:
    """Wall-clock seconds of a video: all image encoders, and what prompting and propagating take beside them.

    Args:
        frames: Frames of the video.
        prompt_encode: In image encoders while the prompt is made (supports and first frame).
        prompt: The rest of making the prompt.
        propagate_encode: In image encoders while the prompt is carried through the video.
        propagate: The rest of that.
    """

    frames: int
    prompt_encode: float
    prompt: float
    propagate_encode: float
    propagate: float

    def per_frame(self) -> dict[str, float]:
        """Seconds for a frame of this video: encode, prompt, propagate and their total."""
        parts = (self.prompt_encode + self.propagate_encode, self.prompt, self.propagate)
        named = dict(zip(("encode", "prompt", "propagate"), (part / self.frames for part in parts), strict=True))
        return named | {"total": sum(named.values())}


@dataclass(frozen=True, slots=True)
class Profile:
    """What a method costs.

    Args:
        parts: Each network, followed by its children.
        total: All networks together, and operators outside of them; its name is ``all``.
        seconds: None of it counts the reading of frames.
        peak_resident_bytes: The most memory that the process has had, libraries and weights included; 0 = unknown.
        peak_cuda_bytes: The most of a CUDA device's memory that tensors have taken; None without such a device.
        device: As the method describes it.
    """

    parts: tuple[Part, ...]
    total: Part
    seconds: Seconds
    peak_resident_bytes: int
    peak_cuda_bytes: int | None
    device: str


def profile(method: AnyMethod, trial: Trial, shots: int = 1) -> Profile:
    """Run a method over a trial twice, first with a clock, then counting operations.

    Raises `IcvosError` for fewer than two frames or more shots than the trial has supports.
    """
    frames = list(trial.frames())
    if len(frames) < 2:
        raise IcvosError("a profile needs a first frame and one to propagate to; give --frames 2 or more")
    if not 1 <= shots <= len(trial.supports):
        raise IcvosError(f"{shots} shots of {len(trial.supports)} supports; give --shots 1 or more")
    supports = (trial.truth,) if sees_truth(method) else trial.supports[:shots]
    for _ in segment(method, supports, frames[:2]):
        pass  # what a method loads or compiles at its first frame is not part of its speed
    networks = find_networks(method)
    encoders = find_encoders(networks)
    cuda = sys.modules["torch"].cuda if "torch" in sys.modules else None
    if cuda is not None and not cuda.is_available():
        cuda = None
    if cuda is not None:
        cuda.reset_peak_memory_stats()
    seconds = time_method(method, supports, frames, encoders)
    memory = None if cuda is None else cuda.max_memory_allocated()
    peak = peak_resident_bytes()
    parts, total = count_parts(method, supports, frames, networks)
    describe = getattr(method, "describe", None)
    device = str(describe().get("device", "cpu")) if describe else "cpu"
    return Profile(parts, total, seconds, peak, memory, device)


def find_networks(method: AnyMethod) -> dict[str, "nn.Module"]:
    """The networks of a method by name; none is a part of another."""
    torch = sys.modules.get("torch")
    if torch is None:
        return {}
    offered = getattr(method, "parts", None)
    if offered is not None:
        return dict(offered())
    owners: dict[str, Any] = {"": method}
    if not isinstance(method, Segmenter):
        owners["propagator."] = method.propagator()
    for prefix, owner in list(owners.items()):
        for name, value in _attributes(owner).items():
            plain = not isinstance(value, (torch.nn.Module, type)) and not callable(value)
            if plain and hasattr(value, "__dict__") and all(value is not known for known in owners.values()):
                owners[f"{prefix}{name.lstrip('_')}."] = value
    found: dict[str, nn.Module] = {}
    for prefix, owner in owners.items():
        for name, value in _attributes(owner).items():
            if isinstance(value, torch.nn.Module) and not any(value is known for known in found.values()):
                found[f"{prefix}{name.lstrip('_')}"] = value
    inner = {id(module) for network in found.values() for module in network.modules() if module is not network}
    return {name: network for name, network in found.items() if id(network) not in inner}


def _attributes(owner: Any) -> dict[str, Any]:
    """Attributes of an object, by name; those of classes with slots too."""
    slots = [name for kind in type(owner).__mro__ for name in getattr(kind, "__slots__", ())]
    named = {name: getattr(owner, name) for name in slots if isinstance(name, str) and hasattr(owner, name)}
    return named | dict(getattr(owner, "__dict__", {}))


def find_encoders(networks: dict[str, "nn.Module"]) -> dict[str, "nn.Module"]:
    """The outermost modules that encode images: backbones of `icvos.models`, and modules with such a name."""
    found: dict[str, nn.Module] = {}

    def look(name: str, module: "nn.Module") -> None:
        if type(module).__module__ in ENCODER_MODULES or ENCODER.match(name.rpartition(".")[2]):
            found[name] = module
            return
        for child, inner in module.named_children():
            look(f"{name}.{child}", inner)

    for name, network in networks.items():
        look(name, network)
    return found


def time_method(
    method: AnyMethod, supports: Sequence[Support], frames: Sequence[Image], encoders: dict[str, "nn.Module"]
) -> Seconds:
    """Seconds of each step over a whole video. For a method that segments in its own way all counts as propagating."""
    spent = dict.fromkeys(("prompt", "propagate"), 0.0)
    encoding = dict.fromkeys(("prompt", "propagate"), 0.0)
    stage = "propagate"

    def add(name: str, seconds: float) -> None:  # noqa: ARG001  # all encoders are one
        encoding[stage] += seconds

    @contextmanager
    def clock(name: str) -> Iterator[None]:
        nonlocal stage
        stage = name
        began = now()
        yield
        spent[name] += now() - began

    with _watching(encoders, add):
        if isinstance(method, Segmenter):
            with clock("propagate"):
                for _ in method.segment(supports, iter(frames)):
                    pass
        else:
            propagator = method.propagator()
            with clock("prompt"):
                prompt = method.prompt(supports, frames[0])
            with clock("propagate"):
                propagator.start(frames[0], prompt)
                for frame in frames[1:]:
                    propagator.step(frame)
    rest = {name: max(0.0, spent[name] - encoding[name]) for name in spent}
    return Seconds(len(frames), encoding["prompt"], rest["prompt"], encoding["propagate"], rest["propagate"])


def now() -> float:
    """Seconds of a clock, after all that a CUDA device has been given is done."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def _watching(encoders: dict[str, "nn.Module"], add: Callable[[str, float], None]) -> Any:
    if not encoders:
        return nullcontext()
    from icvos.inspection.operations import watched

    return watched(encoders, now, add)


def count_parts(
    method: AnyMethod, supports: Sequence[Support], frames: Sequence[Image], networks: dict[str, "nn.Module"]
) -> tuple[tuple[Part, ...], Part]:
    """Every network and its children with their operations up to the first mask and in the last frame, and all."""
    if not networks:
        return (), Part("all", 0, 0, 0, 0, 0, 0)
    from icvos.inspection.operations import ALL, count_operations

    groups = dict(networks)
    for name, network in networks.items():
        groups |= {f"{name}.{child}": module for child, module in network.named_children()}
    masks = segment(method, supports, iter(frames))
    with count_operations(groups) as first:
        next(masks)
    for _ in islice(masks, len(frames) - 2):
        pass
    with count_operations(groups) as last:
        next(masks)
    learned = learned_parameters(method)

    def part(name: str, modules: Sequence["nn.Module"], key: str) -> Part:
        own = {id(parameter): parameter.numel() for module in modules for parameter in module.parameters()}
        learnable = sum(count for found, count in own.items() if found in learned)
        counts = [found[key] for found in (first.operators, first.modules, last.operators, last.modules)]
        return Part(name, sum(own.values()), learnable, *counts)

    order = [key for name in networks for key in groups if key == name or key.startswith(f"{name}.")]
    parts = [part(name, [groups[name]], name) for name in dict.fromkeys(order)]
    used = [found for found in parts if found.parameters or found.prompt_operators or found.frame_operators]
    return tuple(used), part("all", list(networks.values()), ALL)


def learned_parameters(method: AnyMethod) -> dict[int, int]:
    """Numbers in each parameter that training changes, by the parameter's identity; none for an untrained method."""
    from icvos.training.trainable import Learns

    if not isinstance(method, Learns):
        return {}
    groups = method.trainable(()).parameter_groups(1.0)
    return {id(parameter): parameter.numel() for group in groups for parameter in group["params"]}
