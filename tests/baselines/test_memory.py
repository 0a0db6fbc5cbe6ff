"""The methods that are SAM 2 alone: `memory`, and `oracle` with SAM 2."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from baselines.memory import Memory, MemorySettings
from baselines.oracle import Oracle, OracleSettings
from icvos.errors import IcvosError
from icvos.files.masks import encode_binary
from icvos.method import Support, segment
from icvos.models.sam.sam2 import SAM2_MODELS
from icvos.models.weights.registry import random_weights_allowed
from tests import parity


@pytest.fixture(scope="module", autouse=True)
def small_images() -> Iterator[None]:
    """The real architectures on smaller images, which is faster."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("sam2-hiera-t", "sam2.1-hiera-t"):
            patch.setitem(SAM2_MODELS, name, replace(SAM2_MODELS[name], image_size=256))
        yield


@pytest.fixture(scope="module")
def memory(small_images: None) -> Memory:  # noqa: ARG001
    with random_weights_allowed():
        return Memory(MemorySettings(sam2="sam2.1-hiera-t", device="cpu"))


def support(folder: Path, seed: int, size: tuple[int, int]) -> Support:
    image, mask = folder / f"{seed}.png", folder / f"{seed}-mask.png"
    Image.fromarray(parity.image(seed, *size)).save(image)
    mask.write_bytes(encode_binary(parity.mask(seed, *size).astype(bool)))
    return Support(str(seed), image, mask)


@pytest.mark.parametrize("shots", [1, 2])
def test_memory_remembers_supports_of_any_size(tmp_path: Path, memory: Memory, shots: int) -> None:
    supports = [support(tmp_path, seed, (40 + seed, 60)) for seed in range(shots)]
    frames = [parity.image(9, 48, 64)] * 2
    masks = list(segment(memory, supports, iter(frames)))
    assert [mask.shape for mask in masks] == [(48, 64)] * 2
    assert all(mask.dtype == bool for mask in masks)
    assert sorted(memory.propagator.memory.prompted) == list(range(shots))
    assert np.array_equal(memory.segment_image(supports, frames[0]), masks[0])


def test_memory_says_what_it_is_made_of(memory: Memory) -> None:
    described = memory.describe()
    assert described["weights"] == [{"name": "sam2.1-hiera-t", "sha256": None, "random": True}]
    assert described["settings"]["resize"] == "pillow-bicubic"
    assert Memory.needs(memory.settings) == ("sam2.1-hiera-t",)
    with pytest.raises(IcvosError, match="needs a support"):
        next(memory.segment([], []))


def test_oracle_with_sam2(tmp_path: Path) -> None:
    with random_weights_allowed():
        oracle = Oracle(OracleSettings(sam2="sam2-hiera-t", device="cpu"))
    truth = support(tmp_path, 3, (48, 64))
    first, second = segment(oracle, [truth], iter([truth.image(), truth.image()]))
    overlap = (first & truth.mask()).sum() / (first | truth.mask()).sum()
    assert overlap > 0.9  # the mask has been through SAM 2's grid
    assert second.shape == (48, 64)
    assert oracle.describe()["settings"]["sam2"] == "sam2-hiera-t"
    assert Oracle.needs(oracle.settings) == ("sam2-hiera-t",)
