"""What a method costs: its parameters, multiply-accumulates, seconds for a frame, and memory.

A method without torch has no parts (`icvos.inspection.networks`), but takes time and memory.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from icvos.errors import IcvosError
from icvos.inspection.memory import peak_resident_bytes
from icvos.inspection.networks import find_encoders, find_networks, learned_parameters
from icvos.inspection.trial import Trial, make_trial
from icvos.method import AnyMethod, Described, Image, Segmenter, Support, load_method, sees_truth, segment
from icvos.models.weights.registry import random_weights_allowed

if TYPE_CHECKING:
    from torch import nn


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
    """Wall-clock seconds of a video: in image encoders, and what prompting and propagating take beside them.

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
        """Seconds for a frame of this video: ``encode``, ``prompt``, ``propagate`` and their ``total``."""
        parts = (self.prompt_encode + self.propagate_encode, self.prompt, self.propagate)
        named = dict(zip(("encode", "prompt", "propagate"), (part / self.frames for part in parts), strict=True))
        return named | {"total": sum(named.values())}


@dataclass(frozen=True, slots=True)
class Profile:
    """What a method costs, and on what that was measured.

    Args:
        method: Its name.
        frames: Frames of the video that it ran on.
        size: Their (height, width).
        shots: Supports.
        parts: Each network, followed by its children.
        total: All networks together, and operators outside of them; its name is ``all``.
        seconds: Without the reading of frames.
        peak_resident_bytes: The most memory that the process has had, libraries and weights included; 0 = unknown.
        peak_cuda_bytes: The most of a CUDA device's memory that tensors have taken; None without such a device.
        device: As the method describes it.
    """

    method: str
    frames: int
    size: tuple[int, int]
    shots: int
    parts: tuple[Part, ...]
    total: Part
    seconds: Seconds
    peak_resident_bytes: int
    peak_cuda_bytes: int | None
    device: str

    def to_json(self) -> dict[str, Any]:
        """All of it as JSON values, ``size`` as [width, height], and ``seconds_per_frame``."""
        height, width = self.size
        return asdict(self) | {"size": [width, height], "seconds_per_frame": self.seconds.per_frame()}

    def lines(self) -> list[str]:
        """A table of the parts, then seconds and memory."""
        each = self.seconds.per_frame()
        named = ", ".join(f"{key} {each[key]:.3f}" for key in ("encode", "prompt", "propagate"))
        whole = self.seconds.prompt_encode + self.seconds.prompt
        cuda = "" if self.peak_cuda_bytes is None else f", {self.peak_cuda_bytes / 2**20:,.0f} MiB on CUDA"
        return [
            *self._table(),
            "operators: every matrix product and convolution; all: also those outside of the parts",
            "modules: as thop 0.1.1 counts, which sees torch's own layers alone, not classes made from them",
            f"seconds a frame: {each['total']:.3f} ({named}) over {self.seconds.frames} frames on {self.device}; "
            f"the prompt takes {whole:.3f} once",
            f"peak memory: {self.peak_resident_bytes / 2**20:,.0f} MiB resident{cuda}",
        ]

    def _table(self) -> Iterator[str]:
        width = max(len(part.name) for part in (self.total, *self.parts))
        yield f"{'':{width}}  {'':>12} {'':>12} {'MACs to the first mask':>25} {'MACs of a frame':>25}"
        yield f"{'part':{width}}  {'parameters':>12} {'learnable':>12}" + f" {'operators':>12} {'modules':>12}" * 2
        for part in (*self.parts, self.total):
            counts = (part.prompt_operators, part.prompt_modules, part.frame_operators, part.frame_modules)
            shown = " ".join(f"{count / 1e9:>10.3f} G" for count in counts)
            yield f"{part.name:{width}}  {part.parameters:>12,} {part.learnable:>12,} {shown}"


def profile(
    method: str | AnyMethod,
    *,
    settings: Mapping[str, Any] | None = None,
    frames: int = 10,
    size: tuple[int, int] = (480, 854),
    shots: int = 1,
    random_weights: bool = False,
) -> Profile:
    """Measure what a method costs on a drawn video: it runs twice, first with a clock, then counting operations.

    Args:
        method: The name of an installed method, or one that is built.
        settings: Over the method's defaults; they go with a name.
        frames: Frames of the video, 2 or more.
        size: (height, width) of its frames.
        shots: Supports, 1 or more.
        random_weights: Whether random weights may take the place of checkpoints that are not there.

    Raises `IcvosError` for too few frames or shots, and for a method that cannot be built.

    Example::

        found = profile("persam", frames=20, size=(480, 854))
        print(f"{found.total.parameters:,} parameters, {found.seconds.per_frame()['total']:.2f} s a frame")
    """
    if frames < 2:
        raise IcvosError("a profile needs a first frame and one to propagate to; give --frames 2 or more")
    if settings and not isinstance(method, str):
        raise IcvosError("settings go with the name of a method; this one is built already")
    with (
        tempfile.TemporaryDirectory(prefix="icvos-profile-") as folder,
        random_weights_allowed(random_weights),
    ):
        built = load_method(method, settings) if isinstance(method, str) else method
        name = method if isinstance(method, str) else type(method).__name__
        return measure(built, make_trial(Path(folder), size, frames, max(1, shots)), shots, name)


def measure(method: AnyMethod, trial: Trial, shots: int = 1, name: str = "") -> Profile:
    """`profile` of a method that is built, over a trial.

    Raises `IcvosError` for fewer than two frames and for more shots than the trial has supports.
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
    memory = None if cuda is None else int(cuda.max_memory_allocated())
    peak = peak_resident_bytes()
    parts, total = count_parts(method, supports, frames, networks)
    device = str(method.describe().get("device", "cpu")) if isinstance(method, Described) else "cpu"
    size = (frames[0].shape[0], frames[0].shape[1])
    return Profile(name, len(frames), size, shots, parts, total, seconds, peak, memory, device)


def time_method(
    method: AnyMethod,
    supports: Sequence[Support],
    frames: Sequence[Image],
    encoders: Mapping[str, "nn.Module"],
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


def _watching(encoders: Mapping[str, "nn.Module"], add: Callable[[str, float], None]) -> AbstractContextManager[None]:
    if not encoders:
        return nullcontext()
    from icvos.inspection.operations import watched

    return watched(encoders, now, add)


def count_parts(
    method: AnyMethod,
    supports: Sequence[Support],
    frames: Sequence[Image],
    networks: Mapping[str, "nn.Module"],
) -> tuple[tuple[Part, ...], Part]:
    """Operations up to the first mask and in the last frame: of every network and its children, and of all together."""
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
