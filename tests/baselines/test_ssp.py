"""SSP against the recorded outputs of the published program."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from baselines.ssp import (
    SSP,
    Matched,
    SSPNetwork,
    SSPSettings,
    SSPTrainable,
    adaptive,
    certain,
    match,
    prototypes,
    ssp_losses,
)
from icvos.errors import IcvosError
from icvos.models.backbones.build import build_backbone
from icvos.models.maps import aligned
from tests import Json, parity
from tests.baselines import recorded
from tests.baselines.drawn import random_batch, small_sam2, supports

CLOSE = 2e-5  # of an array's largest value; the cases state no tolerance


def label(spec: Json) -> Tensor:
    """(1, H, W) of 0, 1 and 255."""
    found = recorded.mask(spec).long()[None]
    found[:, -parity.number("the last # rows", spec["note"]) :] = 255
    return found


@pytest.mark.parametrize("name", parity.cases("ssp-*"))
def test_recorded_outputs(name: str, tmp_path: Path) -> None:
    case, expected = parity.load(name)
    given, shots = case["inputs"], range(case["config"]["shot"])
    torch.save({key: torch.from_numpy(value) for key, value in parity.state_dict(case).items()}, tmp_path / "ssp.pth")
    network = SSP(SSPSettings(checkpoint=str(tmp_path / "ssp.pth"), device="cpu")).network
    query = recorded.picture(given["query_image"])[None]
    shown = [recorded.picture(given[f"support_image_{shot}"])[None] for shot in shots]
    labels = [label(given[f"support_mask_{shot}"]) for shot in shots]
    with torch.inference_mode():
        found = network(query, shown, labels)
        values = described(found, (query.shape[2], query.shape[3]))
        if "loss_inputs" in case:
            values |= trained(found, label(case["loss_inputs"]["query_mask"]), labels)
    assert values.keys() == expected.keys()
    for key, value in values.items():
        wanted = expected[key]
        assert value.shape == wanted.shape, key
        if wanted.dtype.kind in "iu":
            assert np.array_equal(value.numpy(), wanted), key
        else:
            assert np.abs(value.numpy() - wanted).max() <= CLOSE * np.abs(wanted).max(), key
    assert recorded.parameters(network) == 8_667_072
    assert recorded.learned(SSPTrainable(network)) == 8_290_304


def described(found: Matched, size: tuple[int, int]) -> dict[str, Tensor]:
    """The recorded outputs but for the losses."""
    first, second = found.passes
    logits, refined = (aligned(outcome, size) for outcome in found.outcomes[1:])
    features = {f"support_feature_mean_{shot}": x.mean(1, keepdim=True) for shot, x in enumerate(found.supports)}
    return features | {
        "query_feature_mean": found.query.mean(1, keepdim=True),
        "query_feature": found.query[:, ::32],
        "foreground_prototype": found.foreground[0, :, 0, 0],
        "background_prototype": found.background[0, :, 0, 0],
        "out_0": found.outcomes[0],
        "chosen": first.sure[0],
        "self_foreground_prototype": first.foreground[0, :, 0, 0],
        "self_background_prototype": first.background[0, :, 0, 0],
        "adaptive_background_mean": first.adaptive.mean(1, keepdim=True),
        "adaptive_background": first.adaptive[:, ::64],
        "out_1": found.outcomes[1],
        "chosen_2": second.sure[0],
        "logits": logits[..., ::4, ::4],
        "logits_refined": refined[..., ::4, ::4],
        "prediction": logits.argmax(1),
        "prediction_refined": refined.argmax(1),
    }


def trained(found: Matched, wanted: Tensor, labels: list[Tensor]) -> dict[str, Tensor]:
    """The recorded losses, and what they are made of."""
    size = (wanted.shape[1], wanted.shape[2])
    own = aligned(match(found.query, *prototypes(found.query, wanted)), size)
    support = torch.cat([match(x, *prototypes(x, shown)) for x, shown in zip(found.supports, labels, strict=True)])
    losses = ssp_losses(found, wanted, labels)
    less = Matched(found.query, found.supports, found.foreground, found.background, found.outcomes[:2], found.passes)
    return {
        "self_logits": own[..., ::4, ::4],
        "support_logits": aligned(support, size)[..., ::4, ::4],
        "loss_refined_logits": losses["main"],
        "loss_logits": losses["first"],
        "loss_self": losses["own"],
        "loss_support": losses["support"],
        "loss_with_refinement": losses["total"],
        "loss_without_refinement": ssp_losses(less, wanted, labels)["total"],
    }


@pytest.fixture(scope="module")
def method() -> SSP:
    with small_sam2():
        return SSP(SSPSettings(backbone="efficientnet-lite0", sam2="affinity", device="cpu"))


@pytest.mark.parametrize("side", [0, 96])
def test_pictures_of_any_size(tmp_path: Path, method: SSP, side: int) -> None:
    method.settings = SSPSettings(backbone="efficientnet-lite0", side=side, sam2="affinity", device="cpu")
    for shots in (1, 3):
        mask = method.segment_image(supports(tmp_path, shots), parity.image(9, 47, 61))
        assert mask.shape == (47, 61)
        assert mask.dtype == np.bool_
    with pytest.raises(IcvosError, match="ssp needs a support"):
        method.segment_image([], parity.image(9, 47, 61))


def test_the_best_twelve_stand_in_for_cells_that_are_certain() -> None:
    """Of one kind alone too, and of one picture in a batch."""
    probability = torch.linspace(0, 0.69, 20).repeat(2, 1)
    probability[1, 3] = 0.71
    found = certain(probability, 0.7)
    assert found[0].nonzero()[:, 0].tolist() == list(range(8, 20))
    assert found[1].nonzero()[:, 0].tolist() == [3]
    assert certain(probability[:, :5], 0.9).all()  # fewer than twelve cells


@pytest.mark.parametrize("largest", [2**22, 50])
def test_the_adaptive_mean_is_a_softmax_over_cosines(monkeypatch: pytest.MonkeyPatch, largest: int) -> None:
    monkeypatch.setattr("baselines.ssp.LARGEST", largest)
    generator = torch.Generator().manual_seed(0)
    cells = torch.randn(2, 5, 17, generator=generator)
    chosen = torch.rand(2, 17, generator=generator) > 0.5
    found = adaptive(cells, chosen)
    for row, mask in enumerate(chosen):
        those = cells[row][:, mask]
        for cell in range(17):
            alike = torch.cosine_similarity(cells[row][:, cell, None], those, dim=0)
            assert torch.allclose(found[row, :, cell], those @ (2 * alike).softmax(0), atol=1e-5)


def test_training_moves_convolutions_of_two_stages_alone() -> None:
    network = SSPNetwork(build_backbone("resnet50-v2", "torchvision"))
    trainable = SSPTrainable(network)
    network.requires_grad_(False)
    for group in trainable.parameter_groups(1e-2):
        for parameter in group["params"]:
            parameter.requires_grad_(True)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    trainable.train()
    losses = trainable.losses(random_batch([0, 1]))
    losses["total"].backward()
    torch.optim.SGD(trainable.parameter_groups(1e-2)).step()
    now = network.state_dict()
    moved = {name for name in now if not torch.equal(now[name], before[name])}
    wanted = {name for name in now if name.startswith(("layer2", "layer3")) and now[name].dim() == 4}
    assert moved == wanted
    parts = losses["main"] + losses["first"] + losses["own"] + 0.2 * losses["support"]
    assert torch.allclose(losses["total"], parts)


def test_the_last_convolution_can_learn_alone_and_what_is_before_it_is_kept() -> None:
    made = SSP(SSPSettings(backbone="efficientnet-lite0", learned="last", sam2="affinity", device="cpu"))
    trainable, batch = made.trainable([0, 1]), random_batch([0, 1], side=64)
    whole = SSP(SSPSettings(backbone="efficientnet-lite0", sam2="affinity", device="cpu")).trainable([0, 1])
    with torch.no_grad():
        plain = whole.logits(batch)
        trainable.remember(4)
        first = trainable.logits(batch)
        made.network.layer0.forward = None  # type: ignore[method-assign,assignment]  # nothing is computed again
    assert torch.allclose(first, plain, atol=1e-4)
    trainable.train()
    groups = trainable.parameter_groups(0.1)
    for parameter in groups[0]["params"]:
        parameter.requires_grad_(True)
    before = {name: tensor.clone() for name, tensor in made.network.state_dict().items()}
    trainable.losses(batch)["total"].backward()
    torch.optim.SGD(groups).step()
    moved = [name for name, tensor in made.network.state_dict().items() if not torch.equal(tensor, before[name])]
    assert moved == ["layer3.6._project_conv.weight", "layer3.6._project_conv.bias"]


def test_the_support_loss_is_one_mean_over_all_shots() -> None:
    generator = torch.Generator().manual_seed(0)
    features = [torch.randn(1, 4, 6, 6, generator=generator) for _ in range(3)]
    labels = [(torch.rand(1, 6, 6, generator=generator) > 0.5).long() for _ in range(2)]
    labels[1][:, :4] = 255  # ignored: the second shot has fewer pixels
    found = match(features[0], features[0].mean((2, 3), keepdim=True), features[1].mean((2, 3), keepdim=True))
    matched = Matched(features[0], features[1:], features[0], features[0], [found, found], [])
    loss = ssp_losses(matched, labels[0], labels)["support"]
    sums = [
        functional.cross_entropy(match(x, *prototypes(x, label)), label, ignore_index=255, reduction="sum")
        for x, label in zip(features[1:], labels, strict=True)
    ]
    pixels = sum(int((label != 255).sum()) for label in labels)
    assert float(loss) == pytest.approx(float(sum(sums)) / pixels, rel=1e-5)
