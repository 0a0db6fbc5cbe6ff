"""The small networks that come with icvos do what they learned, on drawn pictures of categories that they never saw."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from baselines.oracle import Oracle, OracleSettings
from icvos.errors import IcvosError
from icvos.method import load_method, method_class, method_names, segment
from icvos.smallworld import World
from icvos.training.drawn import DrawnEpisodes
from icvos.training.recipe import read_recipe
from tests.baselines.drawn import saved

EPISODES = 14  # two of each category


def test_sam2_nano_obeys_a_click() -> None:
    """Untrained it has 0.09, and discs around the clicks have 0.34 at the best radius."""
    episodes = DrawnEpisodes(read_recipe("nano-sam2-image"))
    trainable = Oracle(OracleSettings("sam2-nano", "cpu")).trainable(())
    found = []
    for index in range(EPISODES):
        batch = episodes.validation(index)
        with torch.inference_mode():
            mask, truth = trainable.logits(batch)[0] > 0, batch.query_label[0] == 1
        found.append(float((mask & truth).sum() / (mask | truth).sum()))
    assert np.mean(found) > 0.6


def test_what_was_trained_on_pictures_alone_carries_nothing_through_a_video(tmp_path: Path) -> None:
    """In silence it would give nonsense."""
    picture = World(5, (96, 128), ("dog",)).picture(0, ("dog",))
    given = [saved(tmp_path, picture.image, picture.ids > 0)]
    method = load_method("oracle", {"sam2": "sam2-nano", "device": "cpu"})
    prompt = method.prompt(given, picture.image)
    with pytest.raises(IcvosError, match=r"sam2-nano: .* add --set sam2=affinity, or take another SAM 2"):
        method.propagator().start(picture.image, prompt)


def test_dcsam_nano_finds_what_a_support_shows() -> None:
    """Of two objects in a picture it finds the one that was asked for, each in its turn."""
    method = load_method("dcsam", {"checkpoint": "dcsam-nano", "sam2": "affinity", "device": "cpu"})
    trainable = method.trainable(())
    episodes = DrawnEpisodes(dataclasses.replace(read_recipe("nano-dcsam-image"), pictures=0))
    found = []
    for index in range(EPISODES):
        batch = episodes.validation(index)
        with torch.inference_mode():
            mask, truth = trainable.logits(batch)[0] > 0, batch.query_label[0] == 1
        found.append(float((mask & truth).sum() / (mask | truth).sum()))
    assert np.mean(found) > 0.6, np.mean(found)


@pytest.mark.parametrize("method", [name for name in method_names() if getattr(method_class(name), "small", {})])
def test_a_method_at_its_small_size_follows_an_object_that_it_never_saw(method: str, tmp_path: Path) -> None:
    """Its whole way: the support, the first frame, and the frames after it."""
    world = World(5, (240, 320), ("elephant",))
    picture, clip = world.picture(3, ("elephant",)), world.clip(3, 5, ("elephant",))
    given = [saved(tmp_path, picture.image, picture.ids > 0)]
    made = load_method(method, dict(method_class(method).small) | {"short_side": 240, "device": "cpu"})
    frames = [clip.frame(number) for number in range(5)]
    masks = list(segment(made, given, [image for image, _ in frames]))
    overlap = [
        (mask & (ids > 0)).sum() / (mask | (ids > 0)).sum() for mask, (_, ids) in zip(masks, frames, strict=True)
    ]
    assert np.mean(overlap) > 0.8, overlap
