"""Drawn supports and batches for the methods, and a SAM 2 of small pictures."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest
import torch
from PIL import Image

from icvos.files.masks import encode_binary
from icvos.method import Support
from icvos.models.sam.sam2 import SAM2_MODELS
from icvos.models.weights.registry import random_weights_allowed
from icvos.training.trainable import EpisodeBatch
from tests import parity

R = TypeVar("R")


def saved(folder: Path, image: np.ndarray, mask: np.ndarray, name: str = "own") -> Support:
    """A support of (H, W, 3) uint8 and an (H, W) mask, as files."""
    paths = folder / f"{name}.png", folder / f"{name}-mask.png"
    Image.fromarray(image).save(paths[0])
    paths[1].write_bytes(encode_binary(mask.astype(bool)))
    return Support(name, *paths)


def drawn(folder: Path, seed: int, mask: np.ndarray) -> Support:
    """A support of a drawn picture as large as its mask."""
    return saved(folder, parity.image(seed, *mask.shape), mask, str(seed))


def supports(folder: Path, shots: int) -> list[Support]:
    """Of two sizes; the first shows nothing."""
    masks = [np.zeros((40, 60)), *(parity.mask(seed, 50, 30) for seed in range(1, shots))]
    return [drawn(folder, seed, mask) for seed, mask in enumerate(masks)]


def random_batch(classes: Sequence[int], side: int = 65) -> EpisodeBatch:
    """Noise with a shot and a label for every class."""
    generator = torch.Generator().manual_seed(0)
    label = (torch.rand(len(classes), side, side, generator=generator) > 0.5).long()
    pictures = torch.randn(2, len(classes), 3, side, side, generator=generator)
    return EpisodeBatch(pictures[0], label, pictures[1][:, None], label[:, None], torch.tensor(classes))


def remembering(work: Callable[[np.ndarray], R]) -> Callable[[np.ndarray], R]:
    """``work``, done once for every picture: networks of full size are asked about the same ones again and again."""
    found: dict[tuple[tuple[int, ...], bytes], R] = {}

    def once(image: np.ndarray) -> R:
        key = image.shape, image.tobytes()
        if key not in found:
            found[key] = work(image)
        return found[key]

    return once


@contextmanager
def small_sam2() -> Iterator[None]:
    """The tiny SAM 2 models with random weights on pictures of 256 x 256: the same networks, sooner done."""
    with pytest.MonkeyPatch.context() as patch, random_weights_allowed():
        for name in ("sam2-hiera-t", "sam2.1-hiera-t"):
            patch.setitem(SAM2_MODELS, name, dataclasses.replace(SAM2_MODELS[name], image_size=256))
        yield
