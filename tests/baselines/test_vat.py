"""VAT and VAT-HM against the recorded outputs of the published programs."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from baselines.parts.correlation_network import CorrelationNetwork
from baselines.parts.four_axes import over_query, over_support, vote
from baselines.vat import VAT, VATHM
from baselines.vat.method import VATSettings
from baselines.vat.network import Aggregated, VATNetwork, pooled
from baselines.vat.windows import WindowAttention
from icvos.errors import IcvosError
from icvos.models.backbones.taps import build_tapped
from icvos.models.maps import aligned
from tests import parity
from tests.baselines import recorded
from tests.baselines.drawn import random_batch, supports

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
        asked = network.on_grids(network.backbone(given.query))
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


@pytest.mark.parametrize("shifted", [False, True])
@pytest.mark.parametrize(("sizes", "window"), [((8, 4, 4, 8), 4), ((16, 24), 8)])
def test_attention_within_windows(sizes: tuple[int, ...], window: int, shifted: bool) -> None:
    """Against every pair of tokens: apart in two windows, or brought together by a roll."""
    torch.manual_seed(0)
    axes, half = len(sizes), window // 2 if shifted else 0
    layer = WindowAttention(8, axes, window, shifted=shifted)
    nn.init.normal_(layer.relative_position_bias_table)
    x = torch.randn(1, *sizes, 8)
    places = torch.cartesian_prod(*(torch.arange(size) for size in sizes))
    # a grid of windows that begins at half a window: what lies in one cell of it may look at each other
    cell = torch.div(places - half, window, rounding_mode="floor")
    together = (cell[:, None] == cell[None]).all(2)
    span = 2 * window - 1
    apart = (places[:, None] - places[None] + window - 1).clamp(0, span - 1)
    bias = layer.relative_position_bias_table[(apart * span ** torch.arange(axes - 1, -1, -1)).sum(2)]
    q, k, v = layer.qkv(x.flatten(1, -2)[0]).unflatten(1, (3, 4, 2)).permute(1, 2, 0, 3)
    score = q @ k.transpose(1, 2) / 2**0.5 + bias.permute(2, 0, 1)
    mixed = score.masked_fill(~together, -torch.inf).softmax(2) @ v
    wanted = layer.proj(mixed.transpose(0, 1).flatten(1)).reshape(x.shape)
    torch.testing.assert_close(layer(x), wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("axis", [2, 4])
def test_pooling_one_pair_of_axes(axis: int) -> None:
    x = torch.randn(1, 3, 4, 6, 4, 2)
    over = over_query if axis == 2 else over_support
    assert torch.equal(pooled(x, 2, axis), over(lambda planes: functional.max_pool2d(planes, 2), x))
    assert pooled(x, 1, axis) is x


@pytest.fixture(scope="module")
def made() -> Iterator[VAT]:
    """VAT on grids of half the side, and on what EfficientNet-Lite0 sees, both for the sake of time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("baselines.vat.network.GRIDS", (64, 32, 16, 8))
        settings: Any = {"backbone": "efficientnet-lite0", "guided": 2, "size": 64}
        patch.setattr("baselines.vat.method.VATSettings.__post_init__", lambda self: None)
        yield VAT(VATSettings(sam2="affinity", device="cpu", **settings))


@pytest.mark.parametrize("hybrid", [False, True])
def test_frames_of_any_size(tmp_path: Path, made: VAT, hybrid: bool) -> None:
    made.network.hybrid = hybrid
    mask = made.prompt(supports(tmp_path, 2), parity.image(9, 47, 61)).mask
    made.network.hybrid = False
    assert mask is not None
    assert mask.shape == (47, 61)
    with pytest.raises(IcvosError, match="vat needs a support"):
        made.prompt([], parity.image(9, 47, 61))


def test_hybrid_masking_is_a_method_of_its_own() -> None:
    assert (VATHM.name, VATHM.hybrid, VAT.hybrid) == ("vat-hm", True, False)


def test_training_moves_what_learns_alone(made: VAT) -> None:
    trainable = made.trainable([])
    learner = made.network.hpn_learner
    assert trainable.leaves_unused
    batch = random_batch([0], side=64)
    before = {name: tensor.clone() for name, tensor in trainable.network.state_dict().items()}
    optimiser = torch.optim.AdamW(trainable.parameter_groups(1e-3), weight_decay=0)
    trainable.train()
    trainable.losses(batch)["total"].backward()
    optimiser.step()
    closing = (f"hpn_learner.ours.transformer.{place}.transformer.norm." for place in range(3))
    idle = ("backbone.", "hpn_learner.ours.proj_query_feat.0.", *closing)
    for name, tensor in trainable.network.state_dict().items():
        assert torch.equal(tensor, before[name]) == name.startswith(idle), name
    learner.eval()
    with torch.inference_mode():
        assert torch.equal(trainable.logits(batch), trainable.logits(batch))


@pytest.mark.parametrize("guided", [1, 2, 3])
def test_a_checkpoint_for_another_data_set_is_told(made: VAT, guided: int) -> None:
    state = VATNetwork(build_tapped("efficientnet-lite0"), guided).state_dict()
    if guided == made.settings.guided:
        assert made.own_state(state).keys() == state.keys()
    else:
        with pytest.raises(IcvosError, match=f"{guided} of its decoder's stages see the query, guided is 2; use --set"):
            made.own_state(state)
