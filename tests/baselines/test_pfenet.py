"""PFENet against the recorded outputs of the published program."""

from pathlib import Path

import pytest
import torch
from torch.nn import functional

from baselines.pfenet import PFENet, PFENetSettings, PFENetTrainable, PFENetwork, pfenet_losses
from icvos.errors import IcvosError
from icvos.models.backbones.build import build_backbone
from icvos.models.squares import fit_size
from tests import parity
from tests.baselines import recorded
from tests.baselines.drawn import random_batch, small_sam2, supports


@pytest.mark.parametrize("name", parity.cases("pfenet-*"))
def test_recorded_outputs(name: str, tmp_path: Path) -> None:
    case, expected = parity.load(name)
    config, given = case["config"], recorded.episode(case)
    network = PFENetwork(build_backbone(recorded.BACKBONES[config["backbone"]], "whole"), config["ppm_scales"])
    recorded.load_published(network, parity.state_dict(case), tmp_path)
    with torch.inference_mode():
        found = network(given.query, given.supports, given.masks)
        losses = pfenet_losses(found, given.label)
    second, third, fourth = (tap.mean(1, keepdim=True) for tap in found.taps)
    levels = found.pyramid.unflatten(1, (-1, 256)).mean(2)
    values = {
        "query_layer2_mean": functional.interpolate(second, third.shape[2:], mode="bilinear", align_corners=True),
        "query_layer3_mean": third,
        "query_layer4_mean": fourth,
        "support_layer4_mean": found.support_last.mean(1, keepdim=True),
        "query_reduced_mean": found.query.mean(1, keepdim=True),
        "support_prototype": found.prototype[..., 0, 0],
        "prior_each": found.prior_each,
        "prior": found.prior,
        "pyramid_mean": levels,
        "logits_low": found.low,
        "logits": found.logits,
        "loss_main": losses["main"],
        "loss_aux": losses["auxiliary"],
    } | {f"inner_logits_{level}": logits for level, logits in enumerate(found.inner)}
    recorded.check(values, case, expected)
    assert recorded.learned(PFENetTrainable(network)) == case["counts"]["parameters_learnable"]
    assert recorded.parameters(network) == case["counts"]["parameters_total"]


@pytest.fixture(scope="module")
def method() -> PFENet:
    with small_sam2():
        made = PFENet(PFENetSettings(backbone="vgg16-bn", size=105, sam2="sam2-hiera-t", device="cpu"))
        assert made.propagator().loaded.name == "sam2-hiera-t"
        return made


@pytest.mark.parametrize("shots", [1, 5])
def test_frames_of_any_size(tmp_path: Path, method: PFENet, shots: int) -> None:
    shown = supports(tmp_path, shots)
    frame = parity.image(9, 47, 61)
    mask = method.prompt(shown, frame).mask
    assert mask is not None
    assert mask.shape == (47, 61)
    assert method.propagator().start(frame, method.prompt(shown, frame)).shape == (47, 61)
    with pytest.raises(IcvosError, match="needs a support"):
        method.prompt([], frame)


def test_training_moves_the_learned_parts_and_the_statistics(method: PFENet) -> None:
    for kept in (False, True):
        trainable = PFENetTrainable(method.network, frozen_statistics=kept)
        batch = random_batch([0, 1])
        before = {name: tensor.clone() for name, tensor in trainable.network.state_dict().items()}
        optimiser = torch.optim.SGD(trainable.parameter_groups(1e-2))
        trainable.train()
        losses = trainable.losses(batch)
        losses["total"].backward()
        optimiser.step()
        trainable.network.eval()
        for name, tensor in trainable.network.state_dict().items():
            statistic = name.endswith(("running_mean", "running_var", "num_batches_tracked"))
            if name.startswith("layer"):
                assert torch.equal(tensor, before[name]) == (kept or not statistic), name
            elif name.endswith("weight"):
                assert not torch.equal(tensor, before[name]), name


@pytest.mark.parametrize(
    ("size", "side", "expected"),
    [
        ((480, 640), 473, (352, 472)),
        ((640, 480), 641, (640, 480)),
        ((50, 50), 473, (472, 472)),
        ((3, 900), 473, (8, 472)),
    ],
)
def test_fit_size(size: tuple[int, int], side: int, expected: tuple[int, int]) -> None:
    assert fit_size(*size, side) == expected


def test_size_must_be_eight_n_plus_one() -> None:
    with pytest.raises(IcvosError, match="8 n \\+ 1"):
        PFENet(PFENetSettings(size=512))
