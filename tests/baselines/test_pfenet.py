"""PFENet against the recorded outputs of the published program."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional

from baselines.pfenet import PFENet, PFENetSettings, PFENetTrainable, PFENetwork, pfenet_losses
from icvos.errors import IcvosError
from icvos.files.masks import encode_binary
from icvos.method import Support
from icvos.models.backbones.build import build_backbone
from icvos.models.sam.sam2 import SAM2_MODELS
from icvos.models.squares import fit_size
from icvos.models.weights.load import load_weights
from icvos.models.weights.registry import random_weights_allowed
from icvos.training.trainable import EpisodeBatch
from tests import parity

BACKBONES = {"resnet50_v2": "resnet50-v2", "vgg16_bn": "vgg16-bn"}


@pytest.mark.parametrize("name", ["pfenet-resnet50-1shot", "pfenet-resnet50-5shot", "pfenet-vgg16-1shot"])
def test_recorded_outputs(name: str, tmp_path: Path) -> None:
    case, expected = parity.load(name)
    config, given = case["config"], case["inputs"]
    network = PFENetwork(build_backbone(BACKBONES[config["backbone"]], "whole"), config["ppm_scales"])
    state = {f"module.{key}": torch.from_numpy(value) for key, value in parity.state_dict(case).items()}
    torch.save({"epoch": 1, "state_dict": state}, tmp_path / "published.pth")
    load_weights(network, str(tmp_path / "published.pth"))
    network.eval()

    def picture(part: str) -> torch.Tensor:
        return torch.from_numpy(parity.normalise(parity.image(given[part]["seed"], *given[part]["size"])))

    def mask(spec: dict) -> torch.Tensor:
        return torch.from_numpy(parity.mask(spec["seed"], *spec["size"]))

    shots = range(config["shot"])
    with torch.inference_mode():
        found = network(
            picture("query_image")[None],
            torch.stack([picture(f"support_image_{shot}") for shot in shots])[None],
            torch.stack([mask(given[f"support_mask_{shot}"]) for shot in shots])[None].float(),
        )
        label = mask(case["loss_inputs"]["query_mask"]).long()[None]
        label[:, -8:] = 255
        losses = pfenet_losses(found, label)
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
    assert values.keys() == expected.keys()
    for key, value in values.items():
        bound = case["tolerance"]["relative_to_max_abs"] * np.abs(expected[key]).max()
        assert value.shape == expected[key].shape, key
        assert np.abs(value.numpy() - expected[key]).max() <= bound, key
    learned = sum(p.numel() for group in PFENetTrainable(network).parameter_groups(1) for p in group["params"])
    assert learned == case["counts"]["parameters_learnable"]
    assert sum(p.numel() for p in network.parameters()) == case["counts"]["parameters_total"]


@pytest.fixture(scope="module")
def method() -> PFENet:
    with pytest.MonkeyPatch.context() as patch, random_weights_allowed():
        patch.setitem(SAM2_MODELS, "sam2-hiera-t", dataclasses.replace(SAM2_MODELS["sam2-hiera-t"], image_size=256))
        made = PFENet(PFENetSettings(backbone="vgg16-bn", size=105, sam2="sam2-hiera-t", device="cpu"))
        assert made.propagator().loaded.name == "sam2-hiera-t"
        return made


def saved(folder: Path, seed: int, mask: np.ndarray) -> Support:
    Image.fromarray(parity.image(seed, *mask.shape)).save(folder / f"{seed}.png")
    (folder / f"{seed}-mask.png").write_bytes(encode_binary(mask.astype(bool)))
    return Support(str(seed), folder / f"{seed}.png", folder / f"{seed}-mask.png")


@pytest.mark.parametrize("shots", [1, 5])
def test_frames_of_any_size(tmp_path: Path, method: PFENet, shots: int) -> None:
    supports = [saved(tmp_path, 0, np.zeros((40, 60)))]
    supports += [saved(tmp_path, seed, parity.mask(seed, 50, 30)) for seed in range(1, shots)]
    frame = parity.image(9, 47, 61)
    mask = method.prompt(supports, frame).mask
    assert mask is not None
    assert mask.shape == (47, 61)
    assert method.propagator().start(frame, method.prompt(supports, frame)).shape == (47, 61)
    with pytest.raises(IcvosError, match="needs a support"):
        method.prompt([], frame)


def test_training_moves_the_learned_parts_and_the_statistics(method: PFENet) -> None:
    for kept in (False, True):
        trainable = PFENetTrainable(method.network, frozen_statistics=kept)
        generator = torch.Generator().manual_seed(0)
        label = (torch.rand(2, 65, 65, generator=generator) > 0.5).long()
        batch = EpisodeBatch(
            torch.randn(2, 3, 65, 65, generator=generator),
            label,
            torch.randn(2, 1, 3, 65, 65, generator=generator),
            label[:, None],
            torch.tensor([0, 1]),
        )
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
