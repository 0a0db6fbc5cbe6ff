"""DC-SAM as exported programs: the recorded outputs of the published program, and the method's own mask."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from dcsam.model import DCSAM, DCSAMSettings
from icvos.errors import IcvosError
from icvos.method import Support
from icvos.models.export import export
from icvos.models.squares import squash, squash_mask
from icvos.models.weights.registry import random_weights_allowed
from icvos.smallworld import World
from tests import parity
from tests.baselines.drawn import saved
from tests.dcsam.test_model import published, support


def run(folder: Path, shown: list[Support], frame: np.ndarray, side: int) -> Tensor:
    """The mask's logits, by the three files alone."""
    features, prompts, mask = (
        torch.export.load(folder / f"{name}.pt2").module() for name in ("features", "prompts", "mask")
    )
    query = squash(frame, side)[None]
    supports = torch.stack([squash(one.image(), side) for one in shown])[None]
    masks = torch.stack([squash_mask(one.mask(), side) for one in shown])[None]
    of_query = features(query)
    each = [features(one[None]) for one in supports[0]]
    handed = prompts(query, supports, masks, *of_query, *(torch.cat(maps) for maps in zip(*each, strict=True)))
    found: Tensor = mask(*handed, *of_query)
    return found


@pytest.mark.slow
def test_recorded_first_frame(tmp_path: Path) -> None:
    case, expected = parity.load("dcsam-sam2.1-hiera-t-video")
    checkpoint = published(parity.state_dict(case), tmp_path / "video.pth")
    settings = {"checkpoint": checkpoint, "device": "cpu"}
    for file in export("dcsam", tmp_path / "out", settings=settings, moving=True):
        assert file.difference == 0, file
    frame = parity.image(case["inputs"]["query_video"]["seed"], 512, 512)
    low = run(tmp_path / "out", [support(case, tmp_path)], frame, 512)
    parity.assert_close(low.numpy(), expected["first_frame_low_res_logits"], case["tolerance"], "first frame")


@pytest.mark.slow
@pytest.mark.parametrize("mask_prompt", [False, True])
def test_two_shots_give_the_mask_of_the_method(tmp_path: Path, mask_prompt: bool) -> None:
    small: dict[str, Any] = {
        "backbone": "efficientnet-lite0",
        "width": 128,
        "sam2": "nano",
        "size": 128,
        "fidelity": "paper",
        "mask_prompt": mask_prompt,
        "device": "cpu",
    }
    world = World(5, (96, 128), ("dog", "horse"))
    pictures = [world.picture(number, ("dog",)) for number in range(3)]
    shown = [saved(tmp_path, one.image, one.ids > 0, str(number)) for number, one in enumerate(pictures[1:])]
    frame = pictures[0].image
    for file in export("dcsam", tmp_path / "out", settings=small, shots=2, random_weights=True):
        assert file.difference < 1e-5, file
    with random_weights_allowed():
        wanted = DCSAM(DCSAMSettings(**small)).segment_image(shown, frame)
    low = run(tmp_path / "out", shown, frame, 128)
    full = functional.interpolate(low, size=frame.shape[:2], mode="bilinear", align_corners=True)[0, 0] > 0
    assert np.array_equal(full.numpy(), wanted)
    assert 0 < wanted.mean() < 1


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "method dcsam is not trained; add --set checkpoint=PATH"),
        ({"checkpoint": "none.safetensors"}, "none.safetensors"),
    ],
)
def test_what_is_not_trained_is_not_exported(given: dict[str, str], said: str, tmp_path: Path) -> None:
    with pytest.raises(IcvosError, match=said):
        export("dcsam", tmp_path / "out", settings=given)
    assert not (tmp_path / "out").exists()


def test_as_published_there_are_no_programs_of_several_shots(tmp_path: Path) -> None:
    small = {"backbone": "efficientnet-lite0", "width": 128, "sam2": "nano", "size": 64, "device": "cpu"}
    with pytest.raises(IcvosError, match="one shot, not 2; give --shots 1, or add --set fidelity=paper"):
        export("dcsam", tmp_path / "out", settings=small, shots=2, random_weights=True)
    assert not (tmp_path / "out").exists()
