"""BAM, HDMNet and AMNet at a small size: on EfficientNet-Lite0, with few channels and a small base learner."""

import dataclasses
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from baselines.amnet import AMNet
from baselines.bam import BAM
from baselines.base_learner import BaseLearner, BaseLearnerSettings
from baselines.hdmnet import HDMNet
from icvos.errors import IcvosError
from icvos.models.backbones.stages import STAGES
from icvos.training.trainable import EpisodeBatch

Kind = HDMNet | AMNet | BAM
SMALL = {"backbone": "efficientnet-lite0", "base_classes": 3, "base_width": 16, "size": 64, "device": "cpu"}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base learner as `icvos train` writes it, untrained but for its backbone."""
    learner = BaseLearner(BaseLearnerSettings(**SMALL, backbone_rate=0.0))  # type: ignore[arg-type]
    path = tmp_path_factory.mktemp("base") / "base.safetensors"
    save_file({name: value.contiguous() for name, value in learner.network.state_dict().items()}, path)
    return path


def method(kind: type[Kind], base: Path, **changes: object) -> Kind:
    given = SMALL | {"width": 8, "base_checkpoint": str(base), "base_learner": "fold"} | changes
    return kind(kind.Settings(**given))  # type: ignore[arg-type]


def episodes(classes: list[int]) -> EpisodeBatch:
    generator = torch.Generator().manual_seed(1)
    pictures = torch.randn(2, len(classes), 3, 64, 64, generator=generator)
    label = torch.zeros(len(classes), 64, 64, dtype=torch.int64)
    label[:, 16:48, 8:40] = 1
    return EpisodeBatch(pictures[0], label, pictures[1][:, None], label[:, None], torch.tensor(classes))


@pytest.mark.parametrize("kind", [HDMNet, AMNet, BAM])
def test_what_is_remembered_changes_nothing(kind: type[Kind], base: Path) -> None:
    made = method(kind, base)
    trainable = made.trainable([4, 7, 9])
    batch = episodes([4, 9])
    with torch.inference_mode():
        plain = trainable.logits(batch)
        trainable.remember(4)
        first = trainable.logits(batch)
        made.network.layer0.forward = None  # type: ignore[assignment]  # nothing is computed again
        again = trainable.logits(batch)
    assert plain.shape == (2, 64, 64)
    assert float(plain.std()) > 0
    assert torch.allclose(plain, first, atol=1e-5)
    assert torch.equal(first, again)


@pytest.mark.parametrize("kind", [HDMNet, AMNet, BAM])
def test_an_invention_is_no_class_of_the_base_learner(kind: type[Kind], base: Path) -> None:
    trainable = method(kind, base).trainable([4, 7, 9])
    assert trainable.own_classes(episodes([7, 9, 5, 10, 93])).tolist() == [1, 2, -1, -1, -1]
    losses = trainable.losses(episodes([7, 93]))
    assert bool(losses["total"].isfinite())


def test_other_widths_are_told_apart(base: Path) -> None:
    with pytest.raises(IcvosError, match="width=12: it must be a multiple of 8"):
        method(HDMNet, base, width=12)
    with pytest.raises(IcvosError, match="not a checkpoint of BaseNetwork in the chosen configuration"):
        method(HDMNet, base, base_width=24)


def test_a_frozen_backbone_stays_as_it_is(base: Path) -> None:
    settings = BaseLearnerSettings(**SMALL, checkpoint=str(base), backbone_rate=0.0)  # type: ignore[arg-type]
    trainable = BaseLearner(settings).trainable([4, 7, 9])
    network = trainable.network
    batch = dataclasses.replace(episodes([4, 9]), query_label=episodes([4, 9]).query_label * 3)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    trainable.remember(4)
    trainable.train()
    groups = trainable.parameter_groups(0.1)
    trainable.losses(batch)["total"].backward()
    torch.optim.SGD(groups).step()
    changed = {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}
    assert changed
    assert not any(name.startswith(STAGES) for name in changed)
