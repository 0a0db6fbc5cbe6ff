"""Colours of training pictures as VAT varies them."""

import cv2
import numpy as np
import pytest
import torch

from icvos.models.squares import stretch, stretch_mask
from icvos.training import colours
from icvos.training.recipe import Recipe
from icvos.training.squares import training_square, validation_square
from tests import parity

PICTURE = parity.image(3, 40, 56)


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_changes_without_a_choice() -> None:
    found = {
        change: getattr(colours, change)(PICTURE, generator())
        for change in ("grey", "posterise", "equalise", "solarise")
    }
    assert {(x.shape, x.dtype.name) for x in found.values()} == {((40, 56, 3), "uint8")}
    assert np.array_equal(found["grey"], np.repeat(cv2.cvtColor(PICTURE, cv2.COLOR_RGB2GRAY)[..., None], 3, 2))
    assert np.array_equal(found["posterise"], PICTURE // 16 * 16)
    assert np.array_equal(found["solarise"], np.where(PICTURE < 128, PICTURE, 255 - PICTURE))
    for channel in cv2.split(found["equalise"]):
        assert abs(float(np.median(channel)) - 127) < 8


@pytest.mark.parametrize(("name", "most"), [("sharpen", 50), ("relight", 71), ("jitter", 44)])
def test_changes_with_a_choice_stay_near(name: str, most: int) -> None:
    change = getattr(colours, name)
    seen = {change(PICTURE, generator(seed)).tobytes() for seed in range(5)}
    assert len(seen) == 5
    flat = np.full((8, 8, 3), 100, np.uint8)
    found = np.stack([change(flat, generator(seed)) for seed in range(20)]).astype(int)
    assert 0 < np.abs(found - 100).max() <= most


def test_a_fifth_of_each_change() -> None:
    """0.8 to the seventh of pictures stay as they are."""
    same = np.mean([np.array_equal(colours.vary_colours(PICTURE, generator(seed)), PICTURE) for seed in range(400)])
    assert same == pytest.approx(0.8**7, abs=0.06)


def test_the_place_is_never_changed_and_validation_is_not_varied() -> None:
    recipe = Recipe(method="vat", preparation="colour", size=33)
    label = parity.mask(3, 40, 56)
    picture, kept = training_square(PICTURE, label, recipe, generator(1))
    assert torch.equal(kept.float(), stretch_mask(label == 1, 33))
    plain, same = validation_square(PICTURE, label, recipe)
    assert torch.equal(same, kept)
    assert torch.equal(plain, stretch(PICTURE, 33))
    assert not torch.equal(picture, plain)
