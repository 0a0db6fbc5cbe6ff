"""One interface to the feature maps of every backbone, and the published files that fill them."""

from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from torch import nn

from icvos.errors import IcvosError
from icvos.models.backbones.build import BACKBONES, STAGED, build_backbone, load_backbone
from icvos.models.backbones.dinov2 import DINOV2_MODELS, DINOv2, Variant
from icvos.models.backbones.dinov3 import DINOV3_MODELS
from icvos.models.backbones.lite0 import STANDARDISED, EfficientNetLite0, lite0
from icvos.models.backbones.resnet import ResNet
from icvos.models.backbones.stages import Backbone, outputs_of
from icvos.models.weights.load import fill_randomly
from icvos.models.weights.registry import random_weights_allowed

SIDE = 97
SIDES = {  # of the maps of a picture of 97 x 97: those of ResNet and VGG round up, Swin's first and Lite0's down
    "resnet50-v2": (25, 25, 13, 13, 13),
    "resnet101-v2": (25, 25, 13, 13, 13),
    "vgg16-bn": (49, 25, 13, 7, 7),
    "swin-b": (24, 24, 12, 6, 3),
    "efficientnet-lite0": (48, 24, 12, 6, 3),
}


def picture(*size: int) -> torch.Tensor:
    return torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", STAGED)
def test_stages_have_the_documented_channels_and_strides(name: str) -> None:
    with torch.device("meta"):
        network = build_backbone(name).eval()
    with torch.inference_mode():
        found = network.features(torch.empty(2, 3, SIDE, SIDE, device="meta"), range(5))
    assert [tuple(x.shape) for x in found] == [
        (2, channels, side, side) for channels, side in zip(network.channels, SIDES[name], strict=True)
    ]
    assert all(abs(side - SIDE / stride) < 1 for side, stride in zip(SIDES[name], network.strides, strict=True))
    assert not any(parameter.requires_grad for parameter in network.parameters())


@pytest.mark.parametrize("network", [EfficientNetLite0(), DINOv2(Variant(48, 4, 2)), DINOv2(Variant(48, 4, 2, 4))])
def test_other_backbones_have_the_same_interface(network: Any) -> None:
    backbone: Backbone = network.eval()
    levels = range(len(backbone.channels))
    with torch.inference_mode():
        found = backbone.features(picture(224, 448), levels)
    assert [tuple(x.shape) for x in found] == [
        (1, channels, 224 // stride, 448 // stride)
        for channels, stride in zip(backbone.channels, backbone.strides, strict=True)
    ]


def test_levels_come_in_the_order_they_are_asked_for() -> None:
    network = build_backbone("vgg16-bn").eval()
    fill_randomly(network)
    with torch.inference_mode():
        second, fourth = network.features(picture(32, 32), (2, 4))
        swapped = network.features(picture(32, 32), (4, 2))
    assert torch.equal(swapped[0], fourth)
    assert torch.equal(swapped[1], second)


def test_nothing_behind_the_last_level_is_computed() -> None:
    class Fails(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:  # noqa: ARG002
            raise AssertionError("computed")

    x = picture(4, 4)
    assert outputs_of([nn.Identity(), nn.Identity(), Fails()], x, [1])[0] is x
    with pytest.raises(IcvosError, match="level 7 of a backbone with levels 0 to 1"):
        outputs_of([nn.Identity(), nn.Identity()], x, [0, 7])


@pytest.fixture(scope="module")
def swins(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Backbone]:
    """torchvision's Swin-B with random weights, and ours with the file of them."""
    path = tmp_path_factory.mktemp("swin") / "swin_b.pth"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nn.init, "trunc_normal_", lambda tensor, **given: tensor)  # slow, and overwritten
        official = torchvision.models.swin_b(weights=None).eval()
        fill_randomly(official)
        torch.save(official.state_dict(), path)
        network, loaded = load_backbone("swin-b", checkpoint=str(path))
    assert (loaded.name, loaded.random) == ("swin_b.pth", False)
    return official, network


@pytest.mark.parametrize("size", [(64, 64), (70, 97)])
def test_swin_equals_torchvision_at_every_stage(size: tuple[int, int], swins: tuple[Any, Backbone]) -> None:
    official, network = swins
    with torch.inference_mode():
        found = network.features(picture(*size), range(5))
        x, expected = picture(*size), []
        for number, part in enumerate(official.features):
            x = part(x)
            if number in (0, 1, 3, 5):
                expected.append(x)
        expected.append(official.norm(x))
        for one, other in zip(found, expected, strict=True):
            assert torch.equal(one, other.permute(0, 3, 1, 2))
        pooled = official.head(found[4].mean((2, 3)))
        assert torch.allclose(pooled, official(picture(*size)), atol=1e-5)


def test_vgg_equals_torchvision_at_every_stage(tmp_path: Path) -> None:
    """On sides of 32 pixels, where pools in ceil mode and in floor mode are the same."""
    official = torchvision.models.vgg16_bn(weights=None, init_weights=False).eval()
    official.classifier = nn.Linear(2, 2)  # the real one is most of the file
    fill_randomly(official)
    torch.save(official.state_dict(), tmp_path / "vgg16_bn.pth")
    network, _ = load_backbone("vgg16-bn", checkpoint=str(tmp_path / "vgg16_bn.pth"))
    with torch.inference_mode():
        found = network.features(picture(64, 96), range(5))
        for one, end in zip(found, (7, 14, 24, 34, 43), strict=True):
            assert torch.equal(one, official.features[:end](picture(64, 96)))


def test_the_imagenet_files_of_resnets_load(tmp_path: Path) -> None:
    """torchvision's names but for the stem, which the files number from 1 to 3."""
    network = ResNet(50)
    fill_randomly(network)
    names = {"layer0.0": "conv1", "layer0.1": "bn1", "layer0.3": "conv2"}
    names |= {"layer0.4": "bn2", "layer0.6": "conv3", "layer0.7": "bn3"}
    published = {"fc.weight": torch.zeros(1000, 2048), "fc.bias": torch.zeros(1000)}
    for own, tensor in network.state_dict().items():
        head = ".".join(own.split(".")[:2])
        published[own.replace(head, names[head], 1) if head in names else own] = tensor
    deep_stem = {"conv1.weight", "bn1.running_var", "conv3.weight", "layer1.0.downsample.0.weight", "layer4.2.bn3.bias"}
    assert deep_stem <= published.keys()
    torch.save(published, tmp_path / "resnet.pth")
    found, _ = load_backbone("resnet50-v2", checkpoint=str(tmp_path / "resnet.pth"))
    assert isinstance(found, ResNet)
    for name, tensor in found.state_dict().items():
        assert torch.equal(tensor, network.state_dict()[name]), name


def test_another_networks_file_is_refused(tmp_path: Path) -> None:
    torch.save(build_backbone("vgg16-bn").state_dict(), tmp_path / "vgg.pth")
    with pytest.raises(IcvosError, match="this is not a checkpoint of ResNet"):
        load_backbone("resnet50-v2", checkpoint=str(tmp_path / "vgg.pth"))


def test_parameters_of_backbones() -> None:
    """The counts of the published networks: torchvision's without their classifiers, and DINOv2's."""
    with torch.device("meta"):
        counts = {name: sum(p.numel() for p in build_backbone(name).parameters()) for name in STAGED}
        sizes = {name: sum(p.numel() for p in DINOv2(variant).parameters()) for name, variant in DINOV2_MODELS.items()}
    assert counts["resnet50-v2"] == 23_631_808
    assert counts["vgg16-bn"] == 14_723_136
    assert counts["swin-b"] == 87_768_224 - 1024 * 1000 - 1000
    assert sizes["dinov2-vitb14"] == 86_580_480
    assert sizes["dinov2-vitb14-reg"] == 86_580_480 + 4 * 768


def test_lite0_in_stages_computes_what_it_does_in_blocks() -> None:
    network, loaded = load_backbone("efficientnet-lite0")
    assert not loaded.random
    x = picture(64, 96)
    scale, shift = STANDARDISED
    with torch.inference_mode():
        whole = lite0().features(x * scale + shift, [0, 2, 4, 10, 14])
        for stage, (one, other) in enumerate(zip(network.features(x, range(5)), whole, strict=True)):
            if stage in (2, 3):
                other = (other - other.mean((2, 3), keepdim=True)) / other.std((2, 3), keepdim=True)
                one = (one - one.mean((2, 3), keepdim=True)) / one.std((2, 3), keepdim=True)
            torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-3)


def test_middle_stages_of_lite0_have_one_scale() -> None:
    network, _ = load_backbone("efficientnet-lite0")
    random = torch.Generator().manual_seed(0)
    x = torch.nn.functional.interpolate(torch.randn(4, 3, 12, 12, generator=random), size=(192, 192), mode="bicubic")
    with torch.inference_mode():
        for found in network.features(x, (2, 3)):
            assert 0.5 < float(found.std()) < 1.5  # 6 to 7 as they are
            assert float(found.std((0, 2, 3)).max() / found.std((0, 2, 3)).median()) < 4


def test_every_backbone_loads_by_name() -> None:
    with pytest.raises(IcvosError, match="icvos weights fetch swin-b"):
        load_backbone("swin-b")
    with random_weights_allowed():
        network, loaded = load_backbone("dinov2-vits14")
        assert loaded.random
        assert network.features(picture(56, 56), [11])[0].isfinite().all()
        network, loaded = load_backbone("dinov3-vits16")
        assert loaded.random
        assert network.features(picture(48, 64), [11])[0].shape == (1, 384, 3, 4)
    with pytest.raises(IcvosError, match="unknown backbone 'resnet50'; choose from resnet50-v2,"):
        load_backbone("resnet50")
    with pytest.raises(IcvosError, match="unknown backbone 'dinov2-vits14'; choose from resnet50-v2,"):
        build_backbone("dinov2-vits14")
    assert set(BACKBONES) == {*STAGED, *DINOV2_MODELS, *DINOV3_MODELS}
