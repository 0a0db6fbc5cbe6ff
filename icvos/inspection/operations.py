"""Multiply-accumulates of networks, counted in the two ways that papers use, for groups of modules at once.

*Operators*: every matrix product and convolution that runs, wherever it is called, attention included; a product of
(n, k) and (k, m) is n k m. *Modules*: what the tool thop 0.1.1 counts, which most papers quote as FLOPs; it sees calls
of modules alone, so that matrix products called as functions, and everything inside `torch.nn.MultiheadAttention`, are
missing from it, while norms and poolings count. The two are never to be mixed in one table.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry, sdpa_flop_count
from torch.utils.hooks import RemovableHandle

ALL = ""  # the name of the count of everything


@dataclass(slots=True)
class Operations:
    """Multiply-accumulates by the names of the groups; `ALL` names the count of everything, grouped or not.

    Args:
        operators: Every operator counts.
        modules: Counted in thop's way.
    """

    operators: dict[str, int] = field(default_factory=dict)
    modules: dict[str, int] = field(default_factory=dict)


@contextlib.contextmanager
def count_operations(groups: Mapping[str, nn.Module]) -> Iterator[Operations]:
    """Count what runs inside the block; complete when the block has ended. It works on the meta device, too.

    An operator belongs to a group while any module of the group's tree runs; groups may overlap. Attention is computed
    by plain matrix products meanwhile, since a CPU's fused kernels would count as nothing.

    Args:
        groups: Names (not `ALL`), each with the root of a tree of modules.
    """
    names = (ALL, *groups)
    found = Operations(dict.fromkeys(names, 0), dict.fromkeys(names, 0))
    counter = _OperatorCounter()

    def add(name: str, flops: float) -> None:
        found.operators[name] += int(flops) // 2

    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with (
            _modules_counted(groups, found.modules),
            watched(groups, lambda: counter.flops, add),
            sdpa_kernel(SDPBackend.MATH),
            counter,
        ):
            yield found
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
    found.operators[ALL] = counter.flops // 2


@contextlib.contextmanager
def watched(
    groups: Mapping[str, nn.Module], now: Callable[[], float], add: Callable[[str, float], None]
) -> Iterator[None]:
    """Measure groups of modules by a clock or counter while the block runs; calls inside calls count once.

    A group is measured even where only parts of its root are called.

    Args:
        groups: Names, each with the root of a tree of modules.
        now: Reads the clock or counter.
        add: Given a group's name, and how far ``now`` went on while modules of its tree ran; called again and again.
    """
    handles: list[RemovableHandle] = []
    try:
        for name, root in groups.items():
            watch = _Watch(name, now, add)
            for module in root.modules():
                handles.append(module.register_forward_pre_hook(watch.enter))
                handles.append(module.register_forward_hook(watch.leave, always_call=True))
        yield
    finally:
        for handle in handles:
            handle.remove()


class _Watch:
    """Measures from where the computation enters a group to where it leaves it."""

    def __init__(self, name: str, now: Callable[[], float], add: Callable[[str, float], None]) -> None:
        self.name = name
        self.now = now
        self.add = add
        self.depth = 0
        self.began = 0.0

    def enter(self, module: nn.Module, inputs: Any) -> None:  # noqa: ARG002  # torch's signature
        if self.depth == 0:
            self.began = self.now()
        self.depth += 1

    def leave(self, module: nn.Module, inputs: Any, output: Any) -> None:  # noqa: ARG002
        self.depth -= 1
        if self.depth == 0:
            self.add(self.name, self.now() - self.began)


@contextlib.contextmanager
def _modules_counted(groups: Mapping[str, nn.Module], counts: dict[str, int]) -> Iterator[None]:
    """Add to ``counts``, while the block runs, what `module_operations` says of every call of a module."""
    owners: dict[nn.Module, list[str]] = {}
    for name, root in groups.items():
        for module in root.modules():
            owners.setdefault(module, [ALL]).append(name)

    def count(module: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any], output: Any) -> None:
        first = inputs[0] if inputs else next(iter(named.values()))
        operations = module_operations(module, first, output)
        for name in owners[module]:
            counts[name] += operations

    counted = [module for module in owners if type(module) in _RULES]
    handles = [module.register_forward_hook(count, with_kwargs=True) for module in counted]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def module_operations(module: nn.Module, first: Tensor, output: Tensor) -> int:
    """What thop counts for one call of a module, going by its exact type: classes derived from these count nothing.

    Convolutions (transposed ones too) count output elements x input channels / groups x kernel elements, without
    the bias; linear layers output elements x inputs; batch, instance and layer norms 4 for an input element, or 2
    without learned scale; poolings, softmax and upsampling a few for an element; activations nothing.

    Args:
        module: The module that is called.
        first: Its first input, of any shape.
        output: What it gave.
    """
    rule = _RULES.get(type(module))
    return rule(module, first, output) if rule else 0


def _convolution(module: Any, first: Tensor, output: Tensor) -> int:
    return output.numel() * (first.shape[1] // module.groups) * prod(module.weight.shape[2:])


def _linear(module: Any, first: Tensor, output: Tensor) -> int:  # noqa: ARG001  # all rules are called alike
    return int(module.in_features) * output.numel()


def _norm(module: Any, first: Tensor, output: Tensor) -> int:  # noqa: ARG001
    learned = getattr(module, "affine", False) or getattr(module, "elementwise_affine", False)
    return first.numel() * (4 if learned else 2)


def _each_input(module: Any, first: Tensor, output: Tensor) -> int:  # noqa: ARG001
    return first.numel()


def _each_output(module: Any, first: Tensor, output: Tensor) -> int:  # noqa: ARG001
    return output.numel()


def _adaptive_pooling(module: Any, first: Tensor, output: Tensor) -> int:  # noqa: ARG001
    cell = prod(inner / outer for inner, outer in zip(first.shape[2:], output.shape[2:], strict=True))
    return int((cell + 1) * output.numel())


def _softmax(module: Any, first: Tensor, output: Tensor) -> int:  # noqa: ARG001
    length = first.shape[module.dim]
    return first.numel() // length * (3 * length - 1)


def _upsampling(module: Any, first: Tensor, output: Tensor) -> int:  # noqa: ARG001
    return output.numel() * {"nearest": 1, "linear": 5, "bilinear": 11, "bicubic": 259}.get(module.mode, 0)


_RULES: dict[type[nn.Module], Callable[[Any, Tensor, Tensor], int]] = {
    **dict.fromkeys([nn.Conv1d, nn.Conv2d, nn.Conv3d], _convolution),
    **dict.fromkeys([nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d], _convolution),
    **dict.fromkeys([nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm, nn.LayerNorm], _norm),
    **dict.fromkeys([nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d], _norm),
    **dict.fromkeys([nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d], _each_output),
    **dict.fromkeys([nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d], _adaptive_pooling),
    **dict.fromkeys([nn.Upsample, nn.UpsamplingBilinear2d, nn.UpsamplingNearest2d], _upsampling),
    nn.Linear: _linear,
    nn.PReLU: _each_input,
    nn.Softmax: _softmax,
}


class _OperatorCounter(TorchDispatchMode):
    """Adds up torch's own formulas for the operators that run, in ``flops``: two for a multiply-accumulate.

    `torch.utils.flop_counter.FlopCounterMode` does the same, but follows modules for the backward pass in a way that
    fails in inference mode where an input is a view of a parameter.
    """

    def __init__(self) -> None:
        super().__init__()
        self.flops = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        named = kwargs or {}
        operator = getattr(func, "_overloadpacket", None)
        if operator is _FUSED_ON_CPU:
            output = func(*args, **named)
            self.flops += sdpa_flop_count(args[0].shape, args[1].shape, args[2].shape)
            return output
        formula = flop_registry.get(operator)
        if formula is None and isinstance(func, torch._ops.OpOverload) and func is not torch.ops.prim.device.default:
            with self:  # in inference mode compound operators arrive whole
                output = func.decompose(*args, **named)
            if output is not NotImplemented:
                return output
        output = func(*args, **named)
        if formula is not None:
            self.flops += formula(*args, **named, out_val=output)
        return output


_FUSED_ON_CPU = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
