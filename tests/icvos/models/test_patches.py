"""Encoders of patches: a feature for every patch of the square, whichever encoder it is."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from icvos.errors import IcvosError
from icvos.models.backbones.patches import SIDE, load_patch_encoder
from icvos.models.squares import squash
from icvos.smallworld import World


def test_lite0_gives_patches_where_dinov2_would() -> None:
    encoder, loaded = load_patch_encoder("efficientnet-lite0")
    picture = World(3, (240, 320), ("elephant",)).picture(3, ("elephant",))
    with torch.inference_mode():
        found = encoder(squash(picture.image, SIDE)[None])
    assert found.shape == (1, 37 * 37, 304)
    assert loaded.sha256
    shown = torch.from_numpy(np.ascontiguousarray(picture.ids > 0))[None, None].float()
    cells = functional.interpolate(shown, size=(37, 37), mode="area").flatten()
    unit = functional.normalize(found[0], dim=1)
    likeness = unit @ unit[cells > 0.99].mean(0)
    assert likeness[cells > 0.99].mean() > likeness[cells < 0.01].mean() + 0.2  # row by row, as the picture is


@pytest.mark.parametrize(
    ("name", "checkpoint", "message"),
    [
        ("dinov2", None, "dinov2: no such encoder; choose from dinov2-vits14, .*, efficientnet-lite0"),
        ("efficientnet-lite0", "own.pth", "own.pth: is for another encoder, .* leave it out"),
    ],
)
def test_what_cannot_be_loaded_is_refused(name: str, checkpoint: str | None, message: str) -> None:
    with pytest.raises(IcvosError, match=message):
        load_patch_encoder(name, checkpoint=checkpoint)
