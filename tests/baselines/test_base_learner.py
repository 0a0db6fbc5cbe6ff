"""The base learner: published names, its place in HDMNet and AMNet, training, and as a method of its own."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional

from baselines.amnet import AMNet
from baselines.base_learner import BaseLearner, BaseLearnerSettings, margin
from baselines.hdmnet import HDMNet
from baselines.parts.base_network import BaseNetwork, load_base, vote
from baselines.parts.ensemble_method import EnsembleSettings
from icvos.errors import IcvosError
from icvos.models.backbones.build import build_backbone
from icvos.models.maps import aligned
from icvos.models.weights.registry import random_weights_allowed
from icvos.training.trainable import EpisodeBatch
from tests import parity
from tests.baselines import recorded
from tests.baselines.drawn import drawn

FOLD_ZERO = [kind for kind in range(80) if kind % 4]  # the classes that fold 0 of COCO-20i trains on


@pytest.fixture(scope="module")
def learner() -> BaseLearner:
    with random_weights_allowed():
        return BaseLearner(BaseLearnerSettings(backbone="vgg16-bn", base_classes=3, size=65, device="cpu"))


def settings(base: object = "", **changes: object) -> EnsembleSettings:
    given = {"backbone": "vgg16-bn", "base_classes": 3, "size": 65, "device": "cpu"} | changes
    return EnsembleSettings(base_checkpoint=str(base), **given)  # type: ignore[arg-type]


def save(network: BaseNetwork, path: Path, **header: str) -> Path:
    save_file({name: tensor.contiguous() for name, tensor in network.state_dict().items()}, path, header)
    return path


def published(case: dict) -> dict[str, torch.Tensor]:
    """The base learner out of a recorded network, under the names of its own published file."""
    state = {f"module.{name}": torch.from_numpy(value) for name, value in parity.state_dict(case).items()}
    found = {
        name: tensor
        for name, tensor in state.items()
        if name.startswith(("module.layer", "module.ppm.", "module.cls."))
    }
    found |= {name.replace("layer", "encoder."): tensor for name, tensor in found.items() if "layer" in name}
    for leaf in ("weight", "bias"):
        found[f"module.cls.4.{leaf}"] = state[f"module.base_learnear.2.{leaf}"]
    return found


@pytest.mark.parametrize("name", parity.cases("hdmnet-*-1shot*", slow="*resnet50*"))
def test_published_file_gives_the_recorded_base_outputs(name: str, tmp_path: Path) -> None:
    case, expected = parity.load(name)
    path = tmp_path / "base.pth"
    torch.save({"epoch": 20, "state_dict": published(case), "optimizer": {}}, path)
    backbone, classes = recorded.BACKBONES[case["config"]["backbone"]], case["config"]["base_classes"] - 1
    method = HDMNet(settings(path, backbone=backbone, base_classes=classes))
    query = recorded.picture(case["inputs"]["query_image"])[None]
    with torch.inference_mode():
        feature = method.network.taps(query)[3]
        values = {
            "query_base_feature_mean": feature.mean(1, keepdim=True),
            "base_low_4": method.network.base_learnear(feature)[:, :4],
        }
    recorded.check(values, case, {key: expected[key] for key in values})
    alone = BaseNetwork(build_backbone(backbone, "whole"), classes)
    assert load_base(alone, str(path)).name == "base.pth"
    with torch.inference_mode():
        assert torch.equal(alone.eval()(query)[:, :4], values["base_low_4"])


@pytest.mark.parametrize("kind", [HDMNet, AMNet])
def test_networks_take_it_whole(kind: type[HDMNet | AMNet], learner: BaseLearner, tmp_path: Path) -> None:
    path = save(learner.network, tmp_path / "base.safetensors")
    method = kind(settings(path))
    assert method.loaded.name == "base.safetensors"
    assert not method.loaded.random
    picture = torch.randn(1, 3, 65, 65, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert torch.equal(method.network.base_learnear(method.network.taps(picture)[3]), learner.network(picture))
    full = tmp_path / "full.safetensors"
    save_file({name: tensor.contiguous() for name, tensor in method.network.state_dict().items()}, full)
    again = kind(settings("no such file", checkpoint=str(full)))  # a full checkpoint holds its own
    assert again.loaded.name == "full.safetensors"


def test_another_number_of_classes(learner: BaseLearner, tmp_path: Path) -> None:
    path = save(learner.network, tmp_path / "base.safetensors")
    message = (
        "this base learner knows 3 classes, base_classes is 60; use --set settings.base_classes=3, or give another one"
    )
    with pytest.raises(IcvosError, match=message):
        HDMNet(settings(path, base_classes=60))
    with pytest.raises(IcvosError, match="not a checkpoint of BaseNetwork"):
        HDMNet(settings(path, backbone="resnet50-v2"))


def test_base_classes_of_a_fold(learner: BaseLearner, tmp_path: Path) -> None:
    plain = save(learner.network, tmp_path / "plain.safetensors")
    method = HDMNet(settings(plain))
    assert method.base_class_of([1, 4, 6]) == [-1, 0, -1, -1, 1, -1, 2]  # in ascending order, as published
    with pytest.raises(IcvosError, match="base_classes=3, but there are 60 classes to train on"):
        method.base_class_of(FOLD_ZERO)
    told = HDMNet(settings(save(learner.network, tmp_path / "told.safetensors", classes="[1, 4, 6]")))
    assert told.base_class_of([0, 1, 4, 6, 7]) == [-1, 0, -1, -1, 1, -1, 2, -1]  # knows some of what is trained
    with pytest.raises(IcvosError, match="was trained on class 5, which is held out here"):
        told.base_class_of([1, 6, 7])
    wrong = HDMNet(settings(save(learner.network, tmp_path / "wrong.safetensors", classes="{")))
    with pytest.raises(IcvosError, match="not a list of numbers"):
        wrong.base_class_of([1, 4, 6])
    assert method.base_class_of([]) == []


def test_a_fold_has_sixty_classes() -> None:
    with random_weights_allowed():
        method = HDMNet(settings(base_classes=60))
    places = method.base_class_of(FOLD_ZERO)
    assert [places[kind] for kind in FOLD_ZERO] == list(range(60))
    assert {places[kind] for kind in range(0, 77, 4)} == {-1}
    with pytest.raises(IcvosError, match="learns on top of a base learner"):
        method.trainable(FOLD_ZERO)
    with random_weights_allowed():
        assert [loaded.random for loaded in method.trainable(FOLD_ZERO).loaded] == [True, True]


def episode(classes: list[int], labels: torch.Tensor) -> EpisodeBatch:
    generator = torch.Generator().manual_seed(1)
    pictures = torch.randn(2, len(classes), 3, 65, 65, generator=generator)
    return EpisodeBatch(pictures[0], labels, pictures[1][:, None], (labels[:, None] > 0).long(), torch.tensor(classes))


@pytest.mark.parametrize("base_learner", ["leave-out", "fold", "none"])
def test_validation_follows_the_setting(learner: BaseLearner, tmp_path: Path, base_learner: str) -> None:
    path = save(learner.network, tmp_path / "base.safetensors")
    method = HDMNet(settings(path, base_learner=base_learner))
    method.network.cls_merge.weight.data.fill_(1.0)  # at first the base learner has no say
    label = torch.zeros(2, 65, 65, dtype=torch.int64)
    label[:, 20:50, 20:50] = 1
    batch = episode([0, 2], label)
    masks = batch.support_labels.float()
    with torch.inference_mode():
        found = method.trainable([0, 1, 2]).logits(batch)
        voted = vote(method.network.base_logits(method.network.taps(batch.supports.flatten(0, 1))), masks)
        runs = {
            "leave-out": method.network(batch.query, batch.supports, masks, voted).final,
            "fold": method.network(batch.query, batch.supports, masks, None).final,
            "none": method.network(batch.query, batch.supports, masks, None).meta,
        }
    differences = {name: aligned(value, 65)[:, 1] - aligned(value, 65)[:, 0] for name, value in runs.items()}
    assert torch.allclose(found, differences[base_learner], atol=1e-6)
    assert not torch.allclose(differences["leave-out"], differences["fold"], atol=1e-4)


def test_vote_and_margin() -> None:
    logits = torch.zeros(2, 4, 2, 2)
    logits[0, 3, :, 0] = 5  # class 2, where the mask of the first support is
    logits[1, 1, 0, 1] = 2  # class 0 in one cell of the second's
    logits[1, 2, 1, 0] = 9  # class 1, off the mask
    masks = torch.zeros(1, 2, 2, 2)
    masks[0, 0, :, 0] = 1
    masks[0, 1, 0] = 1
    assert vote(logits, masks).tolist() == [2]
    assert vote(logits[1:], masks[:, 1:]).tolist() == [0]
    found = margin(logits, torch.tensor([2, 0]))
    assert found.tolist() == [[[5, 0], [5, 0]], [[0, 2], [-9, 0]]]
    assert torch.equal(found > 0, torch.stack([logits[0].argmax(0) == 3, logits[1].argmax(0) == 1]))


def test_training_moves_all_of_it(learner: BaseLearner) -> None:
    method = BaseLearner.__new__(BaseLearner)
    method.settings = dataclasses.replace(learner.settings, backbone_rate=0.1)
    method.loaded = learner.loaded
    method.network = BaseNetwork(build_backbone("vgg16-bn", "whole"), 3)
    method.network.load_state_dict(learner.network.state_dict())
    trainable = method.trainable([1, 4, 6])
    labels = torch.randint(0, 4, (2, 65, 65), generator=torch.Generator().manual_seed(2))
    labels[:, :5] = 255
    batch = episode([-1, -1], labels)
    trainable.network.eval()
    loss = trainable.losses(batch)["total"].detach()
    logits = functional.interpolate(trainable.network(batch.query), size=65, mode="bilinear", align_corners=True)
    logged = logits.log_softmax(1).gather(1, labels.clamp(max=3)[:, None])[:, 0][labels != 255]
    assert float(loss) == pytest.approx(-float(logged.detach().mean()), rel=1e-5)
    groups = trainable.parameter_groups(1e-2)
    assert [group["lr"] for group in groups] == [pytest.approx(1e-3), 1e-2]
    learned = {id(parameter) for group in groups for parameter in group["params"]}
    assert learned == {id(parameter) for parameter in trainable.network.parameters()}
    before = {name: tensor.clone() for name, tensor in trainable.network.state_dict().items()}
    trainable.network.requires_grad_(True)
    trainable.train()
    trainable.losses(batch)["total"].backward()
    torch.optim.SGD(groups, momentum=0.9).step()
    still = {name for name, tensor in trainable.network.state_dict().items() if torch.equal(tensor, before[name])}
    assert all(name.startswith("layer") and name.endswith(".bias") for name in still)  # of convolutions before norms
    asked = dataclasses.replace(batch, classes=torch.tensor([4, 6]))
    trainable.network.eval()
    with torch.inference_mode():
        best = aligned(trainable.network(batch.query), 65).argmax(1)
        assert torch.equal(trainable.logits(asked) > 0, best == torch.tensor([2, 3])[:, None, None])


def test_trained_on_another_number_of_classes(learner: BaseLearner) -> None:
    with pytest.raises(IcvosError, match="base_classes=3, but there are 60 classes to train on"):
        learner.trainable(FOLD_ZERO)


@pytest.mark.parametrize("shots", [1, 2])
def test_pictures_of_any_size(tmp_path: Path, learner: BaseLearner, shots: int) -> None:
    masks = [parity.mask(0, 50, 30), np.zeros((40, 60))]  # one shows nothing
    supports = [drawn(tmp_path, seed, mask) for seed, mask in enumerate(masks[:shots])]
    mask = learner.prompt(supports, parity.image(9, 47, 61)).mask
    assert mask is not None
    assert mask.shape == (47, 61)
    assert mask.dtype == np.bool_
    with pytest.raises(IcvosError, match="needs a support"):
        learner.segment_image([], parity.image(9, 47, 61))
