"""HSNet and HSNet-HM against the recorded outputs of the published programs."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from baselines.hsnet import HSNet, HSNetHM
from baselines.hsnet.method import HSNetSettings
from baselines.hsnet.network import CentrePivotConv, HSNetwork, Squeezed
from baselines.parts.correlation_network import CorrelationNetwork
from baselines.parts.four_axes import vote
from icvos.errors import IcvosError
from icvos.models.backbones.taps import build_tapped
from icvos.models.maps import aligned
from tests import parity
from tests.baselines import recorded
from tests.baselines.drawn import random_batch, supports

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
        asked = network.on_grids(network.backbone(given.query))
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


def test_a_centre_pivot_convolution_is_two_planes_of_a_4d_one() -> None:
    layer = CentrePivotConv(2, 3, 3, 2)
    x = torch.randn(1, 2, 4, 5, 5, 6, generator=torch.Generator().manual_seed(0))
    found = layer(x)
    assert found.shape == (1, 3, 4, 5, 3, 3)
    y, x0, row, column = 2, 3, 1, 2
    over_query = functional.conv2d(x[..., 2 * row, 2 * column], layer.conv1.weight, layer.conv1.bias, padding=1)
    over_support = functional.conv2d(x[:, :, y, x0], layer.conv2.weight, layer.conv2.bias, stride=2, padding=1)
    wanted = over_query[0, :, y, x0] + over_support[0, :, row, column]
    torch.testing.assert_close(found[0, :, y, x0, row, column], wanted, rtol=1e-5, atol=1e-5)


def method(kind: type[HSNet] = HSNet) -> HSNet:
    return kind(HSNetSettings(backbone="efficientnet-lite0", size=64, sam2="affinity", device="cpu"))


@pytest.mark.parametrize("kind", [HSNet, HSNetHM])
@pytest.mark.parametrize("shots", [1, 3])
def test_frames_of_any_size(tmp_path: Path, kind: type[HSNet], shots: int) -> None:
    made, shown = method(kind), supports(tmp_path, shots)
    mask = made.prompt(shown, parity.image(9, 47, 61)).mask
    assert mask is not None
    assert mask.shape == (47, 61)
    assert made.describe()["settings"]["backbone"] == "efficientnet-lite0"
    with pytest.raises(IcvosError, match=f"{kind.name} needs a support"):
        made.prompt([], parity.image(9, 47, 61))


def test_several_shots_vote_each_by_itself(tmp_path: Path) -> None:
    made, shown, picture = method(), supports(tmp_path, 3), parity.image(9, 64, 64)
    each = torch.stack([torch.from_numpy(made.segment_image([one], picture)) for one in shown]).sum(0)
    together = torch.from_numpy(made.segment_image(shown, picture))
    assert torch.equal(together, 2 * each >= each.max().clamp(min=1))


def test_training_moves_what_learns_alone() -> None:
    trainable = method().trainable([])
    batch = random_batch([0, 1], side=64)
    batch.query_label[:, :4] = 255
    before = {name: tensor.clone() for name, tensor in trainable.network.state_dict().items()}
    optimiser = torch.optim.Adam(trainable.parameter_groups(1e-3))
    trainable.train()
    losses = trainable.losses(batch)
    low = trainable.network(batch.query, batch.supports, (batch.support_labels == 1).float())[:, 0]
    wanted = functional.cross_entropy(aligned(low, 64), (batch.query_label == 1).long())
    torch.testing.assert_close(losses["total"], wanted)  # ignored pixels count as background
    losses["total"].backward()
    optimiser.step()
    after = trainable.network.state_dict()
    moved = {name for name, tensor in after.items() if not torch.equal(tensor, before[name])}
    learns = dict(trainable.network.named_parameters())
    assert moved == {name for name, one in learns.items() if one.grad is not None and one.grad.any()}
    assert {name.partition(".")[0] for name in moved} == {"hpn_learner"}
    assert {name for name, one in learns.items() if one.grad is None} == {
        name for name in learns if name.startswith("backbone.")
    }
    found = trainable.logits(batch)
    assert found.shape == (2, 64, 64)
    assert set(found.unique().tolist()) <= {-0.5, 0.5}


@pytest.mark.parametrize("kind", [HSNet, HSNetHM])
def test_what_is_remembered_changes_nothing(kind: type[HSNet]) -> None:
    trainable, batch = method(kind).trainable([]), random_batch([0, 1], side=64)
    masks = (batch.support_labels == 1).float()
    with torch.inference_mode():
        plain = trainable.network(batch.query, batch.supports, masks)
        trainable.remember(4)
        first, again = (trainable.network(batch.query, batch.supports, masks) for _ in range(2))
    assert float(plain.std()) > 0
    assert torch.allclose(plain, first, atol=1e-5)
    assert torch.equal(first, again)


def test_a_narrow_network_has_the_published_layers_with_fewer_channels() -> None:
    backbone = build_tapped("efficientnet-lite0")
    wide, narrow = (HSNetwork(backbone, width).hpn_learner for width in (128, 16))
    assert wide.state_dict().keys() == narrow.state_dict().keys()
    assert recorded.parameters(narrow) < recorded.parameters(wide) / 40
    made = HSNet(HSNetSettings(backbone="efficientnet-lite0", size=64, width=16, sam2="affinity", device="cpu"))
    assert made.trainable([]).logits(random_batch([0], side=64)).shape == (1, 64, 64)


@pytest.mark.parametrize(
    ("backbone", "size", "fits"),
    [
        ("vgg16", 400, True),
        ("vgg16", 288, True),
        ("vgg16", 417, True),
        ("vgg16", 520, False),
        ("resnet50", 273, True),
        ("efficientnet-lite0", 256, True),
        ("efficientnet-lite0", 400, False),
    ],
)
def test_sizes_whose_scales_fit_together(backbone: Any, size: int, fits: bool) -> None:
    if fits:
        assert HSNetSettings(backbone=backbone, size=size).size == size
    else:
        with pytest.raises(IcvosError, match=f"setting size={size}"):
            HSNetSettings(backbone=backbone, size=size)
