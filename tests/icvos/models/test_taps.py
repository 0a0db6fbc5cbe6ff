"""Backbones that are read behind every block."""

import pytest
import torch
from torch.nn import functional

from icvos.models.backbones.lite0_stages import Lite0Stages
from icvos.models.backbones.taps import TAPPED, Lite0Taps, without_classifier


@pytest.mark.parametrize("name", ["resnet50", "resnet101", "vgg16"])
def test_names_and_shapes_are_torchvisions(name: str) -> None:
    models = pytest.importorskip("torchvision.models", reason="torchvision is not installed")
    with torch.device("meta"):
        ours, published = TAPPED[name](), getattr(models, name)()
    wanted = {key: value.shape for key, value in without_classifier(published.state_dict()).items()}
    assert {key: value.shape for key, value in ours.state_dict().items()} == wanted


@pytest.mark.parametrize("name", TAPPED)
def test_groups_have_the_stated_taps(name: str) -> None:
    with torch.device("meta"):
        network = TAPPED[name]().eval()
        groups = network(torch.empty(2, 3, 96, 96))
    taps = (1, *network.taps)[-len(groups) :]
    strides = (4, 8, 16, 32)[-len(groups) :]
    assert [tuple(group.shape) for group in groups] == [
        (2, count, channels, 96 // stride, 96 // stride)
        for count, channels, stride in zip(taps, network.tap_channels, strides, strict=True)
    ]


def test_taps_of_lite0_are_what_its_stages_end_with() -> None:
    network = Lite0Taps().eval()
    picture = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        groups = network(picture)
        wanted = network.stages.features(picture, (1, 2, 3, 4))
    assert isinstance(network.stages, Lite0Stages)
    for group, last in zip(groups, wanted, strict=True):
        torch.testing.assert_close(group[:, -1], last)


def test_taps_are_not_rectified() -> None:
    """The next block gets the rectified one."""
    network = TAPPED["resnet50"]().eval()
    with torch.inference_mode():
        groups = network(torch.randn(1, 3, 64, 64))
        second = groups[1]
        following = network.layer2[1].signed(functional.relu(second[:, 0]))
    assert all(bool((group < 0).any()) for group in groups)
    torch.testing.assert_close(second[:, 1], following)
