"""HSNet and HSNet-HM against the recorded outputs of the published programs."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from baselines.hsnet.network import HSNetwork, Squeezed
from baselines.parts.correlation_network import CorrelationNetwork
from baselines.parts.four_axes import vote
from icvos.models.backbones.taps import build_tapped
from icvos.models.maps import aligned
from tests import parity
from tests.baselines import recorded

CLASSIFIERS = {"resnet50": "backbone.fc.weight", "vgg16": "backbone.classifier.6.weight"}
COUNTS = {"resnet50": (2_573_794, 23_508_032), "vgg16": (2_570_018, 14_714_688)}


@pytest.mark.parametrize("name", parity.cases("hsnet-*", slow="*-5shot *-hm-* *vgg16*"))
def test_recorded_outputs(name: str, tmp_path: Path) -> None:
    case, expected = parity.load(name)
    config, given = case["config"], recorded.episode(case)
    network = HSNetwork(build_tapped(config["backbone"]), hybrid=config["network"].endswith("-hm"))
    state = parity.state_dict(case) | {CLASSIFIERS[config["backbone"]]: np.zeros((1000, 8), np.float32)}
    recorded.load_published(network, state, tmp_path, convert=CorrelationNetwork.own_state)
    with torch.inference_mode():
        asked = network.on_grids(network.backbone.groups(given.query))
        correlations = network.correlate(asked, given.supports[:, 0], given.masks[:, 0])
        found: Squeezed = network.hpn_learner(correlations)
        low = network(given.query, given.supports, given.masks)
    logits = aligned(low[0], given.query.shape[-1])
    values = recorded.of_correlations(asked, correlations) | {
        "squeezed_4_mean": found.squeezed[0].mean(1)[0],
        "squeezed_3_mean": found.squeezed[1].mean(1)[0],
        "squeezed_2_mean": found.squeezed[2].mean(1)[0],
        "mixed_43_mean": found.mixed[0].mean(1)[0],
        "mixed_432_mean": found.mixed[1].mean(1)[0],
        "encoded": found.encoded[:, ::4],
        "logits_low": low[:, 0],
        "logits": logits,
        "prediction_each": logits[:, 1] > logits[:, 0],
        "prediction": vote(logits[None]),
        "loss": functional.cross_entropy(logits[:1], given.label),
    }
    if "original_size" in config:
        values["prediction_original_size"] = vote(aligned(low[0], tuple(config["original_size"]))[None])
    recorded.check_thinned(values, case, expected)
    assert (recorded.parameters(network.hpn_learner), recorded.parameters(network.backbone)) == COUNTS[
        config["backbone"]
    ]
