"""The small SAM 2 that comes with icvos does what it was trained to, on drawn pictures of categories it never saw."""

import numpy as np
import torch

from baselines.oracle import Oracle, OracleSettings
from icvos.training.drawn import DrawnEpisodes
from icvos.training.recipe import read_recipe

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
