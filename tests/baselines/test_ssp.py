"""SSP against the recorded outputs of the published program."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from baselines.ssp import (
    Matched,
    SSPNetwork,
    SSPTrainable,
    match,
    own_names,
    prototypes,
    ssp_losses,
)
from icvos.models.backbones.build import build_backbone
from icvos.models.maps import aligned
from icvos.models.weights.load import load_weights
from tests import Json, parity
from tests.baselines import recorded

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
    network = SSPNetwork(build_backbone("resnet50-v2", "torchvision"))
    torch.save({key: torch.from_numpy(value) for key, value in parity.state_dict(case).items()}, tmp_path / "ssp.pth")
    load_weights(network, str(tmp_path / "ssp.pth"), own_names)
    network.eval()
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
