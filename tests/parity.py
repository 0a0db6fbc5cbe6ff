"""Deterministic weights and inputs for checking a network against recorded reference outputs.

A reference case is a folder with two files:

* ``case.json`` - what was run: the published parameter names with their shapes and dtypes
  (``state_dict``), the configuration (``config``), and how each input is made (``inputs``);
* ``expected.npz`` - the outputs that the published implementation gave for exactly those
  weights and inputs, float32 on the CPU, in evaluation mode.

No weights are stored. ``fill`` derives every tensor from its published *name*, so the same
weights can be made again anywhere: a network that maps the published names onto its own and
then gives the recorded outputs both loads the published checkpoints and computes the same
function. ``numpy.random.RandomState`` is used because NumPy promises that its stream is frozen.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np
import pytest

IMAGENET_MEAN = np.array([0.485, 0.456, 0.406], dtype=np.float32)
IMAGENET_STD = np.array([0.229, 0.224, 0.225], dtype=np.float32)
CHUNK = 1 << 16  # numbers


def _rng(name: str) -> np.random.RandomState:
    return np.random.RandomState(int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "little"))


def fill(name: str, shape: tuple[int, ...], dtype: str = "float32") -> np.ndarray:
    """The tensor called ``name``: the same values everywhere, in ranges that keep a deep net finite."""
    shape = tuple(shape)
    if not dtype.startswith(("float", "bfloat")):
        return np.zeros(shape, dtype=dtype)
    leaf = name.rsplit(".", 1)[-1]
    rng, found = _rng(name), np.empty(math.prod(shape), np.float32)
    for start in range(0, found.size, CHUNK):  # what fits a cache: several times as fast as whole arrays
        part = found[start : start + CHUNK]
        part[:] = _scaled(rng.standard_normal(part.size).astype(np.float32), leaf, shape)
    return found.reshape(shape)


def _scaled(normal: np.ndarray, leaf: str, shape: tuple[int, ...]) -> np.ndarray:
    """Normal numbers, (N,) float32, in the range of a tensor of that name and shape."""
    if leaf == "running_var":
        return 0.75 + 0.5 * (1 / (1 + np.exp(-normal)))
    if leaf == "running_mean":
        return 0.1 * normal
    if leaf == "bias":
        return 0.02 * normal
    if len(shape) <= 1:  # the scale of a normalisation layer, or a lone scalar
        return 1 + 0.1 * normal
    fan_in = int(np.prod(shape[1:]))
    return normal / np.sqrt(fan_in)


def state_dict(case: dict) -> dict[str, np.ndarray]:
    """The weights of a case, ``{published name: array}``.

    A case's ``override`` replaces (``values``) or shifts (``add``) single tensors, where the plain filling
    would leave a part of the network idle.
    """
    tensors = {
        name: fill(name, spec["shape"], spec.get("dtype", "float32")) for name, spec in case["state_dict"].items()
    }
    for name, change in case.get("override", {}).items():
        if "values" in change:
            tensors[name] = np.asarray(change["values"], dtype=np.float32).reshape(tensors[name].shape)
        tensors[name] = tensors[name] + np.float32(change.get("add", 0))
    return tensors


def image(seed: int, height: int, width: int) -> np.ndarray:
    """A smooth RGB picture with some grain, (H, W, 3) uint8."""
    rng = np.random.RandomState(seed)
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    out = np.zeros((height, width, 3))
    for channel in range(3):
        for _ in range(6):
            fy, fx = rng.uniform(0.5, 8, 2)
            phase = rng.uniform(0, 2 * np.pi)
            out[..., channel] += np.sin(2 * np.pi * (fy * y / height + fx * x / width) + phase)
    out = (out - out.min()) / (out.max() - out.min()) * 230 + 12
    out += rng.standard_normal(out.shape) * 4
    return np.clip(np.round(out), 0, 255).astype(np.uint8)


def mask(seed: int, height: int, width: int) -> np.ndarray:
    """A union of two ellipses, (H, W) uint8 of 0 and 1; never empty and never full."""
    rng = np.random.RandomState(seed + 7919)
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    out = np.zeros((height, width), dtype=bool)
    for _ in range(2):
        cy, cx = rng.uniform(0.3, 0.7, 2) * (height, width)
        ry, rx = rng.uniform(0.1, 0.25, 2) * (height, width)
        out |= ((y - cy) / ry) ** 2 + ((x - cx) / rx) ** 2 <= 1
    return out.astype(np.uint8)


def normalise(rgb: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 to (3, H, W) float32, scaled to [0, 1] and standardised with ImageNet's mean and std."""
    scaled = rgb.astype(np.float32) / np.float32(255)
    return ((scaled - IMAGENET_MEAN) / IMAGENET_STD).transpose(2, 0, 1).copy()


def drawn(text: str) -> np.ndarray:
    """The picture or mask that a case gives in words: ``reference.image(11, 84, 112), RGB uint8``."""
    found = re.search(r"reference\.(image|mask)\((\d+), (\d+), (\d+)\)", text)
    assert found, text
    return {"image": image, "mask": mask}[found[1]](int(found[2]), int(found[3]), int(found[4]))


def number(pattern: str, text: str) -> int:
    """The number in a case's words, where ``pattern`` has ``#``."""
    found = re.search(re.escape(pattern).replace(r"\#", r"(\d+)"), text)
    assert found, f"no {pattern} in: {text}"
    return int(found[1])


def _folder() -> Path:
    return Path(os.environ.get("ICVOS_PARITY") or "no recorded outputs")


def _read(name: str) -> dict:
    found: dict = json.loads((_folder() / name / "case.json").read_text())
    return found


def _names(pattern: str) -> list[str]:
    return sorted(path.parent.name for path in _folder().glob(f"{pattern}/case.json"))


def cases(pattern: str, slow: str = "") -> list[Any]:
    """The names of the cases that match ``pattern``, as parameters of a test; ``slow`` holds patterns of slow ones.

    Without any, the pattern itself, which ``load`` skips.
    """
    names = _names(pattern) or [pattern]
    return [
        pytest.param(name, marks=[pytest.mark.slow] if any(fnmatch(name, one) for one in slow.split()) else [])
        for name in names
    ]


def runs(pattern: str) -> list[tuple[str, str]]:
    """``(case, run)`` for every run of the cases that match; without any, a pair that ``load`` skips."""
    found = [(name, run) for name in _names(pattern) for run in _read(name)["config"]["runs"]]
    return found or [(pattern, "")]


def load(name: str) -> tuple[dict, dict[str, np.ndarray]]:
    """``(case, expected)`` of one case; skips the test where the recorded outputs are not at hand."""
    if name not in _names(name):
        pytest.skip(f"recorded outputs of {name} are not here; set ICVOS_PARITY to their folder")
    with np.load(_folder() / name / "expected.npz") as archive:
        return _read(name), dict(archive)


def assert_close(found: np.ndarray, expected: np.ndarray, tolerance: dict, name: str = "") -> None:
    """``|a - b| <= atol + rtol |b|`` by the tolerance of ``name`` or of the case; integers and booleans are equal."""
    bound = tolerance.get(name, tolerance)
    if expected.dtype.kind in "biu":
        np.testing.assert_array_equal(found, expected, err_msg=name)
    else:
        np.testing.assert_allclose(found, expected, rtol=bound["rtol"], atol=bound["atol"], err_msg=name)
