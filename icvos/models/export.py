"""Networks as files that run without icvos: what `icvos export` writes, as `torch.export` and ONNX programs."""

import importlib.util
import logging
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

from icvos.errors import IcvosError
from icvos.files.storage import atomic_folder, require_writable, write_json
from icvos.guard import description_of
from icvos.method import load_method, method_class, methods_with
from icvos.models.needs import require_usable
from icvos.models.squares import IMAGENET_MEAN, IMAGENET_STD
from icvos.models.weights.registry import random_weights_allowed

Format = Literal["pt2", "onnx"]
PROGRAMS = "programs.json"
ONNX_PACKAGES = ("onnx", "onnxscript", "onnxruntime")


@dataclass(frozen=True, slots=True)
class Program:
    """A network as a function of float32 tensors of fixed shapes.

    Args:
        name: That of its files.
        call: What is exported; takes tensors, gives one or a tuple of them. Of its networks the file has what it uses.
        inputs: Tensors to trace it with, by name, in the order of its arguments.
        outputs: What its outputs are called.
    """

    name: str
    call: Callable[..., Tensor | tuple[Tensor, ...]]
    inputs: Mapping[str, Tensor]
    outputs: Sequence[str]


@dataclass(frozen=True, slots=True)
class Exported:
    """A file of a program.

    Args:
        path: Where it is.
        difference: The greatest absolute difference of any output from the network's, on inputs that it was not
            traced with.
    """

    path: Path
    difference: float


@runtime_checkable
class Exports(Protocol):
    """A method whose networks can be exported."""

    def programs(self, shots: int, *, moving: bool) -> Sequence[Program]:
        """Its programs in the order in which they run, each given what the ones before it give.

        Args:
            shots: Supports of an episode.
            moving: Whether the picture asked about is the first frame of a video.
        """
        ...


def export(
    method: str,
    out: Path | str,
    *,
    settings: Mapping[str, Any] | None = None,
    shots: int = 1,
    moving: bool = False,
    formats: Sequence[Format] = ("pt2",),
    random_weights: bool = False,
) -> list[Exported]:
    """Write a method's networks as programs that need torch alone (``pt2``) or ONNX Runtime alone (``onnx``).

    Every file is opened again and run on other inputs than it was traced with, beside the network itself. Shapes are
    fixed, and the batch is of one episode. ``programs.json`` names inputs, outputs and shapes.

    Args:
        method: One that can be exported, such as dcsam.
        out: The folder, new or one that an export wrote before.
        settings: Over the method's defaults.
        shots: Supports of an episode.
        moving: Whether the prompts are for the first frame of a video, and not for single pictures.
        formats: Which files are written.
        random_weights: Whether random weights may take the place of checkpoints that are not there.

    Raises `IcvosError` for a method that cannot be exported, a package that is missing, and an ``out`` that holds
    something else.

    Example, of a model whose weights are random::

        import icvos

        for file in icvos.export("dcsam", "exported", settings={"sam2": "sam2.1-hiera-t"}, random_weights=True):
            print(file.path, file.difference)
    """
    folder = Path(out)
    _require_place(folder)
    _require_packages(formats)
    if not callable(getattr(method_class(method), "programs", None)):
        able = ", ".join(methods_with("programs")) or "none here"
        raise IcvosError(f"method {method} cannot be exported; --method can be {able}")
    with random_weights_allowed(random_weights):
        require_usable(method, settings or {}, moving=moving)
        built = load_method(method, settings)
        assert isinstance(built, Exports)
        programs = built.programs(shots, moving=moving)
        description = description_of(built, method)
    found = []
    with atomic_folder(folder, folder.absolute().parent) as scratch, torch.no_grad():
        for program in programs:
            for name, difference in _write(program, formats, scratch).items():
                found.append(Exported(folder / name, difference))
        write_json(scratch / PROGRAMS, _described(method, shots, moving, programs, found, description))
    return found


def _require_place(folder: Path) -> None:
    """An export takes the place of a whole folder: it must be one of an export, and hold nothing beside it."""
    require_writable(folder, folder=True)
    if not folder.is_dir():
        return
    own, strange = (folder / PROGRAMS).is_file(), [path for path in sorted(folder.iterdir()) if not _is_ours(path)]
    if strange or (not own and any(folder.iterdir())):
        what = strange[0].name if strange else f"programs without {PROGRAMS}"
        raise IcvosError(f"{folder}: holds {what}, which would be lost; give --out a new folder")


def _is_ours(path: Path) -> bool:
    return path.name == PROGRAMS or path.name.endswith((".pt2", ".onnx", ".onnx.data"))


def _require_packages(formats: Sequence[Format]) -> None:
    missing = [name for name in ONNX_PACKAGES if importlib.util.find_spec(name) is None]
    if "onnx" in formats and missing:
        raise IcvosError(
            f"ONNX files need the package {missing[0]}; run: pip install 'icvos[onnx]', or leave out --format onnx"
        )


class _Called(nn.Module):
    """What `torch.export` takes. Networks behind ``call`` are no parts of it, so that only what is used is traced."""

    def __init__(self, call: Callable[..., Any]) -> None:
        super().__init__()
        self.call = call

    def forward(self, *given: Tensor) -> Any:
        return self.call(*given)


def _write(program: Program, formats: Sequence[Format], folder: Path) -> dict[str, float]:
    """Trace, write, open again, compare: by file, the greatest difference."""
    given = {name: tensor.flip(-1) for name, tensor in program.inputs.items()}
    wanted = _tuple(program.call(*given.values()))
    found = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what torch will change in later versions
        traced = torch.export.export(_Called(program.call), tuple(program.inputs.values()), strict=False)
        for kind in formats:
            path = folder / f"{program.name}.{kind}"
            if kind == "pt2":
                torch.export.save(traced, path)
                got = _tuple(torch.export.load(path).module()(*given.values()))
            else:
                _write_onnx(traced, program, path)
                got = _run_onnx(path, given)
            pairs = zip(got, wanted, strict=True)
            found[path.name] = max(float((one.cpu() - other.cpu()).abs().max()) for one, other in pairs)
    return found


def _write_onnx(traced: ExportedProgram, program: Program, path: Path) -> None:
    logging.getLogger("onnxscript").setLevel(logging.ERROR)  # it tells what it leaves as it is
    names = {"input_names": list(program.inputs), "output_names": list(program.outputs)}
    made = torch.onnx.export(traced, (), **names, verbose=False)  # type: ignore[arg-type]
    assert made is not None
    made.save(path)


def _run_onnx(path: Path, given: Mapping[str, Tensor]) -> tuple[Tensor, ...]:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    used = [one.name for one in session.get_inputs()]  # what has no effect is left out
    return tuple(torch.from_numpy(out) for out in session.run(None, {name: given[name].cpu().numpy() for name in used}))


def _tuple(found: Any) -> tuple[Tensor, ...]:
    return found if isinstance(found, tuple) else (found,)


def _described(
    method: str,
    shots: int,
    moving: bool,
    programs: Sequence[Program],
    files: Sequence[Exported],
    description: Mapping[str, Any],
) -> dict[str, Any]:
    """What `PROGRAMS` holds."""
    return {
        "method": method,
        "shots": shots,
        "moving": moving,
        "mean": list(IMAGENET_MEAN),
        "std": list(IMAGENET_STD),
        "programs": [
            {
                "name": program.name,
                "inputs": {name: list(tensor.shape) for name, tensor in program.inputs.items()},
                "outputs": list(program.outputs),
                "files": {one.path.name: one.difference for one in files if one.path.stem == program.name},
            }
            for program in programs
        ],
        "device": description.get("device"),
        "settings": description.get("settings", {}),
        "weights": description.get("weights", []),
    }
