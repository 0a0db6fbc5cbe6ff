"""VAT and VAT-HM against the recorded outputs of the published programs."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from baselines.parts.correlation_network import CorrelationNetwork
from baselines.parts.four_axes import vote
from baselines.vat.network import Aggregated, VATNetwork
from icvos.models.backbones.taps import build_tapped
from icvos.models.maps import aligned
from tests import parity
from tests.baselines import recorded

GUIDED = {"coco": 1, "pascal": 2, "fss": 3}
LEARNABLE = {"coco": 3_006_490, "pascal": 3_180_954}
H = "hpn_learner.ours."
UNUSED = {  # of published files, with shapes that do not matter
    "backbone.fc.bias": np.zeros(1000, np.float32),
    H + "transformer.0.transformer.layer.blocks.1.attn.attn_mask": np.zeros((16, 2, 2), np.float32),
    H + "transformer.0.transformer.layer.blocks.0.attn.relative_position_index": np.zeros((2, 2), np.int64),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", parity.cases("vat-*"))
def test_recorded_outputs(name: str, tmp_path: Path) -> None:
    case, expected = parity.load(name)
    config, given = case["config"], recorded.episode(case)
    kind = config["benchmark"]
    network = VATNetwork(build_tapped("resnet50"), GUIDED[kind], hybrid=config["network"].endswith("-hm"))
    recorded.load_published(network, parity.state_dict(case) | UNUSED, tmp_path, convert=CorrelationNetwork.own_state)
    with torch.inference_mode():
        asked = network.on_grids(network.backbone.groups(given.query))
        correlations = network.correlate(asked, given.supports[:, 0], given.masks[:, 0])
        found: Aggregated = network.hpn_learner.ours(asked, correlations)
        others = network(given.query, given.supports[:, 1:], given.masks[:, 1:]) if config["shot"] > 1 else None
    low = found.low[:, None] if others is None else torch.cat([found.low[:, None], others], 1)
    logits = aligned(low[0], given.query.shape[-1])
    values = recorded.of_correlations(asked, correlations) | {
        "logits_low": low[:, 0],
        "logits": logits,
        "prediction": vote(logits[None]),
        "loss": functional.cross_entropy(logits[:1], given.label),
    }
    values = {key: value for key, value in values.items() if not key.startswith("query_features")}
    for group, encoded, aggregated in zip((4, 3, 2), found.encoded, found.aggregated, strict=True):
        for what, x in (("encoded", encoded), ("aggregated", aggregated)):
            values[f"{what}_{group}_support_mean"] = x.mean((1, 4, 5))[0]
            values[f"{what}_{group}_query_mean"] = x.mean((1, 2, 3))[0]
        values[f"aggregated_{group}_corner"] = aggregated[0, ::8, :4, :4, :4, :4]
    for stage in range(3):
        values[f"query_projection_{stage}_mean"] = found.projected[stage].mean(1)[0]
        values[f"decoder_{stage}_mean"] = found.decoded[stage].mean(1)[0]
    recorded.check_thinned(values, case, expected)
    assert recorded.parameters(network.hpn_learner) == LEARNABLE[kind]
